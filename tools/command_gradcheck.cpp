// adjoint gradcheck: every operator of the catalogue against central differences in f64.
#include <adjoint/core/device_info.h>
#include <adjoint/core/json.h>
#include <adjoint/core/op_catalog.h>

#include <cmath>
#include <cstdio>
#include <iomanip>
#include <iostream>

#include "models/support/nearest.h"
#include "models/train/option_table.h"
#include "tools/commands.h"

namespace adjoint::tools {
namespace {

std::string figure(const std::optional<double>& error) {
  if (!error) return "-";
  char text[32];
  std::snprintf(text, sizeof(text), "%.1e", *error);
  return text;
}

// JSON has no infinity: a derivative that is not finite is an error larger than any.
Json number(const std::optional<double>& error) {
  if (!error) return {};
  return std::isfinite(*error) ? *error : 1e308;
}

std::vector<catalog::Row> chosen_rows(const std::string& op) {
  std::vector<catalog::Row> rows = catalog::rows();
  if (op.empty()) return rows;
  std::vector<std::string> names;
  for (catalog::Row& row : rows) {
    if (row.name == op) return {row};
    names.push_back(row.name);
  }
  const auto near = models::nearest(op, names);
  fail<train::UsageError>("--op: no operator '", op, "' in the catalogue",
                          near ? "; did you mean '" + *near + "'?" : "");
}

}  // namespace

int report_derivatives(const std::vector<catalog::Row>& rows, bool json, std::ostream& out,
                       std::ostream& err) {
  const auto line = [&](const std::string& name, const std::string& samples,
                        const std::string& order1, const std::string& order2,
                        const std::string& verdict) {
    out << std::left << std::setw(30) << name << std::right << std::setw(9) << samples
        << std::setw(10) << order1 << std::setw(10) << order2 << "  " << verdict << std::endl;
  };
  if (!json) line("operator", "samples", "order 1", "order 2", "");
  Json list = Json::array();
  std::vector<std::string> failures;
  for (const catalog::Row& row : rows) {
    const catalog::Derivatives found = catalog::check_derivatives(row);
    if (!found.passed) failures.push_back(found.message);
    if (json) {
      list.push_back(Json::object({{"name", row.name},
                                   {"order1", number(found.order1)},
                                   {"order2", number(found.order2)},
                                   {"passed", found.passed}}));
    } else {
      line(row.name, std::to_string(row.samples.size()), figure(found.order1), figure(found.order2),
           !found.passed  ? "FAILED"
           : found.order1 ? "passed"
                          : "no gradient");
    }
  }
  if (json) {
    out << Json::object({{"operators", std::move(list)}}).dump() << "\n";
  } else {
    out << rows.size() << (rows.size() == 1 ? " operator, " : " operators, ") << failures.size()
        << " failed; the largest relative error of all samples; kernels: " << instruction_set()
        << "\n";
  }
  for (const std::string& message : failures) err << "adjoint gradcheck: " << message << "\n";
  return failures.empty() ? 0 : 1;
}

int command_gradcheck(const Arguments& arguments) {
  std::string op;
  bool json = false;
  train::OptionTable table("adjoint gradcheck",
                           "Checks first and second derivatives of every operator against central "
                           "differences in f64. Exit status 1 if any is wrong.");
  table.add("op", &op, "NAME", "only this operator");
  table.add("json", &json, "one object on stdout");
  if (table.answers(arguments)) return 0;
  return report_derivatives(chosen_rows(op), json, std::cout, std::cerr);
}

}  // namespace adjoint::tools

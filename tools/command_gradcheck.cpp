// adjoint gradcheck: every operator of the catalogue against central differences in f64.
#include <adjoint/core/device_info.h>
#include <adjoint/core/json.h>
#include <adjoint/core/op_catalog.h>

#include <cmath>
#include <cstdio>
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

int command_gradcheck(const Arguments& arguments) {
  std::string op;
  bool json = false;
  train::OptionTable table("adjoint gradcheck",
                           "Checks first and second derivatives of every operator against central "
                           "differences in f64. Exit status 1 if any is wrong.");
  table.add("op", &op, "NAME", "only this operator");
  table.add("json", &json, "one object on stdout");
  switch (table.parse(arguments)) {
    case train::OptionTable::Outcome::help:
      std::cout << table.help();
      return 0;
    case train::OptionTable::Outcome::version:
      std::cout << train::version_line("adjoint gradcheck") << "\n";
      return 0;
    case train::OptionTable::Outcome::print_config:
      std::cout << table.config();
      return 0;
    case train::OptionTable::Outcome::run:
      break;
  }
  const std::vector<catalog::Row> rows = chosen_rows(op);
  if (!json) {
    std::printf("%-30s %8s %9s %9s\n", "operator", "samples", "order 1", "order 2");
  }
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
      continue;
    }
    std::printf("%-30s %8zu %9s %9s  %s\n", row.name.c_str(), row.samples.size(),
                figure(found.order1).c_str(), figure(found.order2).c_str(),
                !found.passed  ? "FAILED"
                : found.order1 ? "passed"
                               : "no gradient");
    std::fflush(stdout);
  }
  if (json) std::cout << Json::object({{"operators", std::move(list)}}).dump() << "\n";
  for (const std::string& message : failures) std::cerr << "adjoint gradcheck: " << message << "\n";
  if (!json) {
    std::printf("%zu operators, %zu failed; relative errors, largest of all samples; kernels: %s\n",
                rows.size(), failures.size(), instruction_set().c_str());
  }
  return failures.empty() ? 0 : 1;
}

}  // namespace adjoint::tools

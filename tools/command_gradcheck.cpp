// adjoint gradcheck: every operator of the catalogue against central differences in f64, or in f32
// against f64.
#include <adjoint/core/device_info.h>
#include <adjoint/core/gradcheck.h>
#include <adjoint/core/json.h>
#include <adjoint/core/op_catalog.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/random_tensors.h>
#include <adjoint/core/reductions.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iomanip>
#include <iostream>
#include <sstream>

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

// The largest relative errors of a row's samples, and the first failure.
class RowReport {
 public:
  RowReport(const catalog::Row& row, const GradcheckRequest& request)
      : row_(row), request_(request) {
    const bool left_out = request.dtype != DType::f64 && row.f64_only;
    if (!row.differentiable || left_out) return;
    for (const catalog::Sample& sample : row.samples) {
      if (!sample.differentiable) continue;
      if (request.dtype == DType::f64) {
        against_differences(sample);
      } else {
        against_f64(sample);
      }
    }
  }

  std::optional<double> order1, order2;
  bool passed = true;
  std::string message;

 private:
  void against_differences(const catalog::Sample& sample) {
    const auto check = [&](std::optional<double>& largest, const auto& function) {
      const GradcheckReport report = function(sample.run, sample.inputs, kTightGradcheck);
      note(largest, sample, report.largest_error, report.passed, report.message);
    };
    using Check = GradcheckReport (*)(const TensorFunction&, const std::vector<Tensor>&,
                                      const GradcheckOptions&);
    if (request_.order1) check(order1, static_cast<Check>(&gradcheck));
    if (request_.order2) check(order2, static_cast<Check>(&gradgradcheck));
  }

  // Gradients in the narrow dtype against those in f64 of the same numbers, of each its own largest
  // element, as the catalogue's own test.
  void against_f64(const catalog::Sample& sample) {
    const auto rounded = [&](const Tensor& x) {
      return x.defined() && is_floating_point(x.dtype()) ? x.to(request_.dtype) : x;
    };
    std::vector<Tensor> narrow, wide, directions;
    for (const Tensor& x : sample.inputs) {
      narrow.push_back(rounded(x));
      wide.push_back(narrow.back().dtype() == request_.dtype ? narrow.back().to(DType::f64) : x);
    }
    Generator generator(1);
    for (const Tensor& y : sample.run(narrow)) {
      directions.push_back(is_floating_point(y.dtype()) ? randn(y.shape(), y.dtype(), generator)
                                                        : Tensor());
    }
    const std::vector<Tensor> found = vjp(sample.run, narrow, directions).second;
    for (Tensor& one : directions) {
      if (one.defined()) one = one.to(DType::f64);
    }
    const std::vector<Tensor> expected = vjp(sample.run, wide, directions).second;
    const double allowed = row_.gradient_ulps * 0x1p-23;
    for (size_t i = 0; i < found.size(); ++i) {
      if (!found[i].defined() || found[i].numel() == 0) continue;
      const double scale = std::max(1.0, max(abs(expected[i])).item());
      const double error = max(abs(found[i].to(DType::f64) - expected[i])).item() / scale;
      std::ostringstream text;
      text << "the gradient of input " << i << " in " << name(request_.dtype) << " is off by "
           << error << " of its largest element; expected " << allowed << ", from f64";
      note(order1, sample, error, error <= allowed, text.str());
    }
    if (!order1) order1 = 0.0;
  }

  void note(std::optional<double>& largest, const catalog::Sample& sample, double error, bool ok,
            const std::string& what) {
    largest = std::isnan(error) ? error : std::max(largest.value_or(0), error);
    if (ok || !passed) return;
    passed = false;
    message = row_.name + ", sample " + sample.name + ": " + what;
  }

  const catalog::Row& row_;
  const GradcheckRequest& request_;
};

}  // namespace

int report_derivatives(const std::vector<catalog::Row>& rows, const GradcheckRequest& request,
                       std::ostream& out, std::ostream& err) {
  const auto line = [&](const std::string& name, const std::string& samples,
                        const std::string& order1, const std::string& order2,
                        const std::string& verdict) {
    out << std::left << std::setw(30) << name << std::right << std::setw(9) << samples
        << std::setw(10) << order1 << std::setw(10) << order2 << "  " << verdict << std::endl;
  };
  if (!request.json) line("operator", "samples", "order 1", "order 2", "");
  Json list = Json::array();
  std::vector<std::string> failures;
  for (const catalog::Row& row : rows) {
    const RowReport found(row, request);
    if (!found.passed) failures.push_back(found.message);
    if (request.json) {
      list.push_back(Json::object({{"name", row.name},
                                   {"order1", number(found.order1)},
                                   {"order2", number(found.order2)},
                                   {"passed", found.passed}}));
    } else {
      line(row.name, std::to_string(row.samples.size()), figure(found.order1), figure(found.order2),
           !found.passed                  ? "FAILED"
           : found.order1 || found.order2 ? "passed"
           : row.differentiable           ? "f64 only"
                                          : "no gradient");
    }
  }
  if (request.json) {
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
  std::string op, order = "both", dtype = "f64";
  GradcheckRequest request;
  train::OptionTable table("adjoint gradcheck",
                           "Checks first and second derivatives of every operator against central "
                           "differences in f64. Exit status 1 if any is wrong.");
  table.add("op", &op, "NAME", "only this operator");
  table.add("order", &order, {"1", "2", "both"}, "first derivatives, second ones");
  table.add("dtype", &dtype, std::vector<std::string>{"f64", "f32"},
            "f32: its first derivatives against those in f64, in place of differences");
  table.add("json", &request.json, "one object on stdout");
  if (table.answers(arguments)) return 0;
  request.order1 = order != "2";
  request.order2 = order != "1" && dtype == "f64";
  request.dtype = dtype == "f64" ? DType::f64 : DType::f32;
  check<train::UsageError>(request.order1 || request.order2,
                           "--order: second derivatives in f32 are none of its checks; expected "
                           "--order 1, or --dtype f64");
  return report_derivatives(chosen_rows(op), request, std::cout, std::cerr);
}

}  // namespace adjoint::tools

// Rows of arithmetic and comparisons.
#include <adjoint/core/layout.h>
#include <adjoint/core/pointwise.h>

#include <algorithm>
#include <cmath>

#include "core/catalog/pointwise_rows.h"

namespace adjoint::catalog {

void add_arithmetic(std::vector<Row>& rows) {
  const auto plus = [](double a, double b) { return a + b; };
  const auto minus = [](double a, double b) { return a - b; };
  const auto times = [](double a, double b) { return a * b; };
  const auto over = [](double a, double b) { return a / b; };
  const auto power = [](double a, double b) { return std::pow(a, b); };

  Row add_row = binary_row(
      "add", [](const Tensor& a, const Tensor& b) { return add(a, b); }, plus, kSigned, kSigned);
  add_row.samples.push_back(scalar_sample(
      "(2, 3) + 1.5", kSigned, [](const Tensor& x) { return add(x, 1.5); },
      map_reference([](double v) { return v + 1.5; }), "x[0] + 1.5"));
  rows.push_back(std::move(add_row));

  Row sub_row = binary_row(
      "sub", [](const Tensor& a, const Tensor& b) { return sub(a, b); }, minus, kSigned, kSigned);
  sub_row.samples.push_back(scalar_sample(
      "(2, 3) - 2", kSigned, [](const Tensor& x) { return sub(x, 2); },
      map_reference([](double v) { return v - 2; }), "x[0] - 2"));
  rows.push_back(std::move(sub_row));

  Row mul_row = binary_row(
      "mul", [](const Tensor& a, const Tensor& b) { return mul(a, b); }, times, kSigned, kSigned);
  mul_row.samples.push_back(scalar_sample(
      "(2, 3) * -0.5", kSigned, [](const Tensor& x) { return mul(x, -0.5); },
      map_reference([](double v) { return v * -0.5; }), "x[0] * -0.5"));
  rows.push_back(std::move(mul_row));

  Row div_row = binary_row(
      "div", [](const Tensor& a, const Tensor& b) { return div(a, b); }, over, kSigned, kSigned);
  div_row.samples.push_back(scalar_sample(
      "(2, 3) / 3", kSigned, [](const Tensor& x) { return div(x, 3); },
      map_reference([](double v) { return v / 3; }), "x[0] / 3"));
  rows.push_back(std::move(div_row));

  // The error of a power grows with its logarithm, here at most 2.
  Row pow_row = binary_row(
      "pow", [](const Tensor& a, const Tensor& b) { return pow(a, b); }, power, kPositive, kSigned);
  for (const double p : {3.0, 2.0, 1.0, 0.0, -1.5, 0.5}) {
    pow_row.samples.push_back(scalar_sample(
        "(2, 3) ^ " + std::to_string(p), kPositive, [p](const Tensor& x) { return pow(x, p); },
        map_reference([p](double v) { return std::pow(v, p); }), "x[0] ** " + std::to_string(p)));
  }
  pow_row.samples.push_back(scalar_sample(
      "(2, 3) of both signs ^ 3", kSigned, [](const Tensor& x) { return pow(x, 3); },
      map_reference([](double v) { return v * v * v; }), "x[0] ** 3"));
  for (const Scalar base : {Scalar(2.5), Scalar(0.0), Scalar(3)}) {
    pow_row.samples.push_back(scalar_sample(
        std::to_string(base.real()) + " ^ (2, 3)", kPositive,
        [base](const Tensor& x) { return pow(base, x); },
        map_reference([base](double v) { return std::pow(base.real(), v); }),
        "torch.pow(" + std::to_string(base.real()) + ", x[0])"));
  }
  pow_row.ulps = 8;
  rows.push_back(std::move(pow_row));

  rows.push_back(binary_row(
      "maximum", [](const Tensor& a, const Tensor& b) { return maximum(a, b); },
      [](double a, double b) { return std::max(a, b); }, kSigned, Domain{&both_signs, 0.21, 1.77}));
  rows.push_back(binary_row(
      "minimum", [](const Tensor& a, const Tensor& b) { return minimum(a, b); },
      [](double a, double b) { return std::min(a, b); }, kSigned, Domain{&both_signs, 0.21, 1.77}));
  rows.push_back(unary_row(
      "rsub", [](const Tensor& x) { return rsub(x, 1.25); }, [](double v) { return 1.25 - v; },
      kSigned));
  rows.back().torch = "1.25 - x[0]";
  rows.push_back(unary_row(
      "rdiv", [](const Tensor& x) { return rdiv(x, 1.25); }, [](double v) { return 1.25 / v; },
      kSigned));
  rows.back().torch = "1.25 / x[0]";
}

void add_comparisons(std::vector<Row>& rows) {
  const auto add = [&rows](const std::string& name, Tensor (*f)(const Tensor&, const Tensor&),
                           Tensor (*with_number)(const Tensor&, Scalar),
                           bool (*holds)(double, double)) {
    const TensorFunction reference = zip_reference(holds, DType::boolean);
    // Whole numbers, so that some are equal.
    const Tensor a = indices({3, 4}, 3, 1).to(DType::f64), b = indices({4}, 3, 2).to(DType::f64);
    Row row{name,
            {{"(3, 4), (4)", {a, b}, binary(f), reference},
             {"(3, 4) strided, (3, 1)", {strided(a), slice(a, 1, 0, 1)}, binary(f), reference},
             {"(0, 4), (4)", {slice(a, 0, 0, 0), b}, binary(f), reference},
             {"(3, 4) and i64 (4)", {a, indices({4}, 3, 2)}, binary(f), reference},
             {"(3, 4) and 1",
              {a},
              unary([with_number](const Tensor& x) { return with_number(x, 1); }),
              map_reference([holds](double v) { return holds(v, 1); }, DType::boolean)}}};
    row.torch = name + "(*x)";
    row.samples.back().torch = name + "(x[0], 1)";
    row.errors = {cannot_broadcast(name, f), undefined_operand(f),
                  no_derivative(row.samples.front())};
    row.large = [=] {
      return Sample{
          "(257, 1031), (1031)",
          {indices({257, 1031}, 3, 3).to(DType::f64), indices({1031}, 3, 4).to(DType::f64)},
          binary(f),
          reference};
    };
    row.differentiable = false;
    rows.push_back(std::move(row));
  };
  add("eq", &eq, &eq, [](double a, double b) { return a == b; });
  add("ne", &ne, &ne, [](double a, double b) { return a != b; });
  add("lt", &lt, &lt, [](double a, double b) { return a < b; });
  add("le", &le, &le, [](double a, double b) { return a <= b; });
  add("gt", &gt, &gt, [](double a, double b) { return a > b; });
  add("ge", &ge, &ge, [](double a, double b) { return a >= b; });
}

}  // namespace adjoint::catalog

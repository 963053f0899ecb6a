// Rows of the gamma function's logarithm and its derivatives, of logit, and of choices between two
// numbers.
#include <adjoint/core/autograd.h>
#include <adjoint/core/pointwise.h>

#include <cmath>
#include <limits>

#include "core/catalog/pointwise_rows.h"

namespace adjoint::catalog {
namespace {

constexpr Domain kUnit{&spread, 0.06, 0.93};
constexpr Domain kOther{&both_signs, 0.21, 1.77};  // meets no number of kSigned
constexpr Domain kAboveOne{&spread, 1.3, 3.2};     // whose 7th powers f16 holds
constexpr Domain kFar{&spread, 0.4, 23.0};
Tensor below_zero(const Shape& shape, double low, double high, uint64_t seed) {
  return between_whole(shape, low, high, seed) - 4.0;
}
constexpr Domain kNegative{&below_zero, 0.2, 0.8};

// (-1)^(n + 1) n! times the sum of (x + k)^-(n + 1), by sixty terms and the first five of Euler
// and Maclaurin's rest, whatever x's sign; for n = 0 likewise, beside the logarithm.
double polygamma_of(int n, double x) {
  long double sum = 0, factorial = 1;
  for (int i = 2; i <= n; ++i) factorial *= i;
  long double y = x;
  for (int k = 0; k < 60; ++k, ++y) sum += powl(y, -(n + 1));
  const long double first = n == 0 ? -logl(y) : powl(y, -n) / n;
  sum += first + powl(y, -n - 1) / 2 + (n + 1) * powl(y, -n - 2) / 12 -
         (n + 1) * (n + 2) * (n + 3) * powl(y, -n - 4) / 720 +
         (n + 1) * (n + 2) * (n + 3) * (n + 4) * (n + 5) * powl(y, -n - 6) / 30240;
  return static_cast<double>((n % 2 == 0 ? -1 : 1) * factorial * sum);
}

double lgamma_of(double x) { return static_cast<double>(lgammal(x)); }
double digamma_of(double x) { return polygamma_of(0, x); }
double logit_of(double x) {
  const long double wide = x;
  return static_cast<double>(logl(wide / (1 - wide)));
}

// A row whose inputs lie on both sides of zero, in two samples more.
Row gamma_row(const char* name, Function f, Number reference) {
  Row row = unary_row(name, f, reference, kPositive);
  add_sample(row, "(5, 4), to 23", kFar({5, 4}, 6), f, reference, row.torch);
  add_sample(row, "(5, 4) below 0", kNegative({5, 4}, 7), f, reference, row.torch);
  row.scale = 1;  // what the terms below 0 leave
  row.gradient_ulps = 256;
  return row;
}

Row polygamma_row() {
  const auto f = [](int n) { return [n](const Tensor& x) { return polygamma(n, x); }; };
  const auto reference = [](int n) { return [n](double x) { return polygamma_of(n, x); }; };
  Row row = unary_row("polygamma", f(1), reference(1), kPositive, 8);
  row.torch = "torch.polygamma(1, x[0])";
  for (const int n : {0, 2, 3, 5}) {
    add_sample(row, "(2, 3), n = " + std::to_string(n), kAboveOne({2, 3}, 8), f(n), reference(n),
               "torch.polygamma(" + std::to_string(n) + ", x[0])");
  }
  add_sample(row, "(5, 4) below 0", kNegative({5, 4}, 7), f(1), reference(1),
             "torch.polygamma(1, x[0])");
  add_sample(row, "(5, 4) below 0, n = 2", kNegative({5, 4}, 9), f(2), reference(2),
             "torch.polygamma(2, x[0])");
  row.scale = 4;
  row.gradient_ulps = 256;
  row.errors.push_back(error("a negative n", [] { return polygamma(-1, ones({2})); },
                             {"polygamma: n is -1", "0 to 170"}));
  return row;
}

Row logit_row() {
  const Function f = [](const Tensor& x) { return logit(x); };
  Row row = unary_row("logit", f, Number(&logit_of), kUnit);
  add_sample(row, "(4, 5), eps 0.21", kUnit({4, 5}, 6),
             Function([](const Tensor& x) { return logit(x, 0.21); }),
             Number([](double x) { return logit_of(std::fmin(std::fmax(x, 0.21), 0.79)); }),
             "logit(x[0], 0.21)");
  row.gradient_ulps = 256;
  return row;
}

double step_of(double x, double at_zero) { return x == 0 ? at_zero : x > 0 ? 1 : 0; }

Row heaviside_row() {
  const auto f = [](const Tensor& x, const Tensor& v) { return heaviside(x, v); };
  const TensorFunction reference = zip_reference(&step_of);
  const auto some = [](const Shape& shape, uint64_t seed) {
    return indices(shape, 3, seed).to(DType::f64) - 1.0;
  };
  Row row{"heaviside",
          {{"(3, 4), (4)", {some({3, 4}, 1), kSigned({4}, 2)}, binary(f), reference},
           {"(3, 4) strided, ()", {strided(some({3, 4}, 3)), kSigned({}, 4)}, binary(f), reference},
           {"(0, 4), (4)", {some({0, 4}, 5), kSigned({4}, 6)}, binary(f), reference}}};
  row.torch = "heaviside(*x)";
  row.errors = {cannot_broadcast("heaviside", f), undefined_operand(f),
                no_derivative(row.samples.front())};
  row.differentiable = false;
  return row;
}

Row signbit_row() {
  const auto f = [](const Tensor& x) { return signbit(x); };
  const TensorFunction reference =
      map_reference([](double v) { return std::signbit(v) ? 1.0 : 0.0; }, DType::boolean);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  Row row{"signbit",
          {{"(2, 3)", {kSigned({2, 3}, 1)}, unary(f), reference},
           {"(3, 4) strided", {strided(kSigned({3, 4}, 2))}, unary(f), reference},
           {"(0, 3)", {kSigned({0, 3}, 3)}, unary(f), reference},
           {"zeros, infinities and NaN",
            {tensor({0.0, -0.0, HUGE_VAL, -HUGE_VAL, std::copysign(nan, 1.0)})},
            unary(f),
            reference},
           {"whole numbers", {indices({2, 3}, 5, 4) - 2}, unary(f), reference}}};
  row.torch = "signbit(x[0])";
  row.errors = {
      error("an undefined tensor", [] { return signbit(Tensor()); }, {"signbit: ", "undefined"}),
      no_derivative(row.samples.front())};
  row.differentiable = false;
  return row;
}

Row choice_row(const char* name, Tensor (*f)(const Tensor&, const Tensor&),
               double (*reference)(double, double)) {
  Row row = binary_row(name, f, reference, kSigned, kOther);
  row.samples.push_back(whole(row.samples.front()));
  const double nan = std::numeric_limits<double>::quiet_NaN();
  // There are no differences; the gradients are compared in tests/core/pointwise_test.cpp.
  Sample special{"NaN and equal ones",
                 {tensor({nan, 1.0, nan, 2.0, -3.0}), tensor({1.0, nan, nan, 2.0, 4.0})},
                 [f](const Tensors& in) -> Tensors {
                   const NoGrad guard;
                   return {f(in[0], in[1])};
                 },
                 zip_reference(reference)};
  special.differentiable = false;
  row.samples.push_back(std::move(special));
  return row;
}

}  // namespace

void add_special(std::vector<Row>& rows) {
  rows.push_back(gamma_row("lgamma", &lgamma, &lgamma_of));
  rows.push_back(gamma_row("digamma", &digamma, &digamma_of));
  rows.push_back(polygamma_row());
  rows.push_back(logit_row());
  rows.push_back(choice_row("fmax", &fmax, [](double a, double b) { return std::fmax(a, b); }));
  rows.push_back(choice_row("fmin", &fmin, [](double a, double b) { return std::fmin(a, b); }));
  rows.push_back(heaviside_row());
  rows.push_back(signbit_row());
}

}  // namespace adjoint::catalog

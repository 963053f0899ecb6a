// Rows of tensors of numbers that follow a rule, and of whole comparisons.
#include <adjoint/core/comparisons.h>
#include <adjoint/core/factories.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/catalog/builders.h"

namespace adjoint::catalog {
namespace {

// `make()` against value(i) for each of `count` elements.
template <class Make, class Value>
Sample made(const std::string& name, const Shape& shape, DType dtype, Make make, Value value,
            const std::string& torch) {
  Sample one{name,
             {},
             [=](const Tensors&) -> Tensors { return {make()}; },
             [=](const Tensors&) -> Tensors {
               int64_t i = 0;
               return {make_array(shape, [&](const Shape&) { return value(i++); }).tensor(dtype)};
             }};
  one.torch = torch;
  return one;
}

Row arange_row() {
  const auto whole = [](int64_t start, int64_t end, int64_t step, int64_t count) {
    const std::string call =
        std::to_string(start) + ", " + std::to_string(end) + ", " + std::to_string(step);
    return made(
        call, {count}, DType::i64, [=] { return arange(start, end, step); },
        [=](int64_t i) { return static_cast<double>(start + i * step); },
        "torch.arange(" + call + ")");
  };
  Row row{"arange",
          {whole(2, 11, 3, 3), whole(5, -2, -2, 4), whole(3, 3, 1, 0), whole(-4, 4, 1, 8),
           made(
               "0.5 to 2 by 0.25 in f64", {6}, DType::f64,
               [] { return arange(0.5, 2.0, 0.25, DType::f64); },
               [](int64_t i) { return 0.5 + 0.25 * static_cast<double>(i); },
               "torch.arange(0.5, 2, 0.25, dtype=torch.float64)"),
           made(
               "1 down to 0 by 0.3 in f64", {4}, DType::f64,
               [] { return arange(1, 0, -0.3, DType::f64); },
               [](int64_t i) { return 1 - 0.3 * static_cast<double>(i); },
               "torch.arange(1, 0, -0.3, dtype=torch.float64)"),
           made(
               "7 numbers in f64", {7}, DType::f64, [] { return arange(7, DType::f64); },
               [](int64_t i) { return static_cast<double>(i); },
               "torch.arange(7, dtype=torch.float64)")}};
  row.errors = {error("a step of 0", [] { return arange(0, 3, 0); }, {"arange: ", "step is 0"}),
                error("a step that leads away", [] { return arange(0, 3, -1); },
                      {"arange: ", "step -1", "from 0", "3"}),
                error("bools", [] { return arange(2, DType::boolean); }, {"arange: ", "bool"}),
                error("an end that is not finite",
                      [] { return arange(0, std::numeric_limits<double>::infinity()); },
                      {"arange: ", "inf", "finite"})};
  row.differentiable = false;
  return row;
}

// `steps` numbers from start to end, by their distances from both.
template <class F>
Row spaced_row(const std::string& name, F make, double (*of)(double)) {
  const auto sample = [&](double start, double end, int64_t steps) {
    const std::string call =
        std::to_string(start) + ", " + std::to_string(end) + ", " + std::to_string(steps);
    return made(
        call, {steps}, DType::f64, [=] { return make(start, end, steps, DType::f64); },
        [=](int64_t i) {
          const double part =
              steps > 1 ? static_cast<double>(i) / static_cast<double>(steps - 1) : 0;
          return of(start * (1 - part) + end * part);
        },
        "torch." + name + "(" + call + ", dtype=torch.float64)");
  };
  Row row{name, {sample(0, 1, 11), sample(2.5, -1.5, 8), sample(0.75, 2, 1), sample(0, 1, 0)}};
  row.errors = {
      error("fewer than no steps", [make] { return make(0, 1, -1, DType::f32); },
            {name + ": ", "steps is -1"}),
      error("an end that is not finite", [make] { return make(0, std::nan(""), 3, DType::f32); },
            {name + ": ", "nan"}),
      error("bools", [make] { return make(0, 1, 3, DType::boolean); }, {name + ": ", "bool"})};
  row.differentiable = false;
  return row;
}

Row eye_row() {
  const auto sample = [](int64_t n, int64_t m) {
    const std::string call = std::to_string(n) + ", " + std::to_string(m);
    return made(
        call, {n, m}, DType::f64, [=] { return eye(n, m, DType::f64); },
        [m](int64_t i) { return i / m == i % m ? 1.0 : 0.0; },
        "torch.eye(" + call + ", dtype=torch.float64)");
  };
  Row row{"eye", {sample(3, 3), sample(2, 4), sample(4, 2), sample(0, 2)}};
  row.errors = {
      error("a negative size", [] { return eye(-1); }, {"eye: ", "-1"}),
      error("a negative number of columns", [] { return eye(2, -3); }, {"eye: ", "-3"}),
      error("more than memory can hold", [] { return eye(int64_t{1} << 40, int64_t{1} << 40); },
            {"eye: ", "too many elements"})};
  row.differentiable = false;
  return row;
}

// --- comparisons ---

constexpr double kInf = std::numeric_limits<double>::infinity();

bool close(double a, double b, double rtol, double atol, bool equal_nan) {
  if (std::isnan(a) || std::isnan(b)) return equal_nan && std::isnan(a) && std::isnan(b);
  if (std::isinf(a) || std::isinf(b)) return a == b;
  return std::abs(a - b) <= atol + rtol * std::abs(b);
}

// Pairs that differ by so much that no rounding of the sums decides.
const Tensor& some() {
  static const Tensor x = tensor({1.0, 2.0, -3.0, 0.0, kInf, std::nan("")}, {2, 3});
  return x;
}
const Tensor& others() {
  static const Tensor x = tensor({1.0625, 2.0, 3.0, 0.25, kInf, std::nan("")}, {2, 3});
  return x;
}

Row isclose_row() {
  const auto sample = [](const std::string& name, const Tensor& a, const Tensor& b, double rtol,
                         double atol, bool equal_nan) {
    Sample one{name,
               {a, b},
               [=](const Tensors& in) -> Tensors {
                 return {isclose(in[0], in[1], rtol, atol, equal_nan)};
               },
               zip_reference(
                   [=](double x, double y) { return close(x, y, rtol, atol, equal_nan) ? 1 : 0; },
                   DType::boolean)};
    one.torch = "torch.isclose(x[0], x[1], " + std::to_string(rtol) + ", " + std::to_string(atol) +
                ", " + (equal_nan ? "True" : "False") + ")";
    return one;
  };
  Row row{"isclose",
          {sample("(2, 3) relative", some(), others(), 0.1, 0, false),
           sample("(2, 3) strided absolute", strided(some()), others(), 0, 0.5, true),
           sample("(2, 3) beside (3)", some(), tensor({1.0, 2.25, -3.0}), 0.25, 0.125, false),
           sample("i64", indices({2, 3}, 5), indices({2, 3}, 5, 2), 0, 2, false),
           sample("(0, 2)", zeros({0, 2}, DType::f64), ones({0, 2}, DType::f64), 0, 0, false)}};
  row.errors = {error("two dtypes", [] { return isclose(ones({2}), ones({2}, DType::f64)); },
                      {"isclose: ", "f32", "f64"}),
                error("a negative tolerance", [] { return isclose(ones({2}), ones({2}), -1); },
                      {"isclose: ", "rtol is -1"}),
                error("shapes that do not broadcast", [] { return isclose(ones({2}), ones({3})); },
                      {"isclose: ", "(2,)", "(3,)"})};
  row.differentiable = false;
  return row;
}

// A question about two tensors, by what it says of the pairs of elements.
template <class F, class Pairs>
Row question(const std::string& name, F f, Pairs pairs,
             const std::vector<std::pair<Tensor, Tensor>>& of) {
  Row row{name, {}};
  int number = 0;
  for (const auto& [a, b] : of) {
    Sample one{
        to_string(a.shape()) + ", " + std::to_string(number++),
        {a, b},
        [f](const Tensors& in) -> Tensors { return {full({}, f(in[0], in[1]), DType::boolean)}; },
        [pairs](const Tensors& in) -> Tensors {
          return {full({}, pairs(Array(in[0]), Array(in[1])), DType::boolean)};
        }};
    one.torch = "torch.tensor(torch." + name + "(x[0], x[1]))";
    row.samples.push_back(one);
  }
  row.differentiable = false;
  return row;
}

std::vector<std::pair<Tensor, Tensor>> pairs_of_tensors() {
  const Tensor x = spread({2, 3}, 0.5, 2.5, 1);
  return {{x, x.clone()},
          {strided(x), x},
          {x, spread({2, 3}, 0.5, 2.5, 2)},
          {some(), some()},
          {zeros({0, 2}, DType::f64), ones({0, 2}, DType::f64)},
          {indices({4}, 3), indices({4}, 3)},
          {mask({4}, 1), mask({4}, 2)}};
}

template <class F>
std::vector<ErrorCase> pair_errors(const std::string& name, F f) {
  return {error("two dtypes", [f] { return f(ones({2}), ones({2}, DType::f64)); },
                {name + ": ", "f32", "f64"}),
          error("an undefined tensor", [f] { return f(ones({2}), Tensor()); },
                {"input 1", "undefined"}),
          error("whole numbers beside bools",
                [f] { return f(ones({2}, DType::i64), ones({2}, DType::boolean)); },
                {name + ": ", "i64", "bool"})};
}

Row equal_row() {
  const auto f = [](const Tensor& a, const Tensor& b) { return equal(a, b); };
  std::vector<std::pair<Tensor, Tensor>> pairs = pairs_of_tensors();
  pairs.emplace_back(ones({2, 1}, DType::f64), ones({2, 2}, DType::f64));
  Row row = question(
      "equal", f,
      [](const Array& a, const Array& b) { return a.shape == b.shape && a.data == b.data; }, pairs);
  row.errors = pair_errors("equal", f);
  return row;
}

Row allclose_row() {
  const auto f = [](const Tensor& a, const Tensor& b) { return allclose(a, b); };
  Row row = question(
      "allclose", f,
      [](const Array& a, const Array& b) {
        return std::equal(a.data.begin(), a.data.end(), b.data.begin(),
                          [](double x, double y) { return close(x, y, 1e-5, 1e-8, false); });
      },
      pairs_of_tensors());
  row.errors = pair_errors("allclose", f);
  return row;
}

}  // namespace

void add_factories(std::vector<Row>& rows) {
  rows.push_back(arange_row());
  rows.push_back(spaced_row(
      "linspace",
      [](double start, double end, int64_t steps, DType dtype) {
        return linspace(start, end, steps, dtype);
      },
      [](double v) { return v; }));
  rows.back().scale = 2.5;
  rows.push_back(spaced_row(
      "logspace",
      [](double start, double end, int64_t steps, DType dtype) {
        return logspace(start, end, steps, 10, dtype);
      },
      [](double v) { return std::pow(10.0, v); }));
  // The exponent is off by a rounding of 2.5, which is multiplied by log 10.
  rows.back().ulps = 32;
  rows.push_back(eye_row());
}

void add_whole_comparisons(std::vector<Row>& rows) {
  rows.push_back(equal_row());
  rows.push_back(isclose_row());
  rows.push_back(allclose_row());
}

}  // namespace adjoint::catalog

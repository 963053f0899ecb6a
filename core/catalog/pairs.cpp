// Rows of functions of two and three tensors beside arithmetic.
#include <adjoint/core/pointwise.h>

#include <cmath>

#include "core/catalog/pointwise_rows.h"

namespace adjoint::catalog {
namespace {

using Function = Tensor (*)(const Tensor&, const Tensor&);
using Number = double (*)(double, double);

// Quotients of these lie clear of whole numbers.
constexpr Domain kDividend{&between_whole, 0.3, 0.7};
constexpr Domain kDivisor{&both_signs, 0.96, 1.04};

double rounded_down(double a, double b) { return std::floor(a / b); }
double python_remainder(double a, double b) { return a - b * std::floor(a / b); }

struct Pair {
  const char* name;
  Function f;
  Number reference;
  Domain a, b;
};

const Pair kPairs[] = {
    {"fmod", &fmod, [](double a, double b) { return a - b * std::trunc(a / b); }, kDividend,
     kDivisor},
    {"remainder", &remainder, &python_remainder, kDividend, kDivisor},
    {"floor_divide", &floor_divide, &rounded_down, kDividend, kDivisor},
    {"copysign", &copysign,
     [](double a, double b) { return std::signbit(b) ? -std::abs(a) : std::abs(a); }, kSigned,
     kSigned},
    {"hypot", &hypot, [](double a, double b) { return std::sqrt(a * a + b * b); }, kSigned,
     kSigned},
    {"atan2", &atan2, [](double a, double b) { return std::atan2(a, b); }, kSigned, kSigned},
    {"logaddexp", &logaddexp,
     [](double a, double b) { return std::log(std::exp(a) + std::exp(b)); }, kSigned, kSigned},
    {"logaddexp2", &logaddexp2,
     [](double a, double b) { return std::log2(std::exp2(a) + std::exp2(b)); }, kSigned, kSigned},
    {"xlogy", &xlogy, [](double a, double b) { return a * std::log(b); }, kSigned, kPositive},
};

// The same with a number in the place of b.
template <class F>
void add_with_number(Row& row, const Pair& of, const Domain& domain, F f, double number) {
  row.samples.push_back(
      {"(2, 3) and a number",
       {domain({2, 3}, 9)},
       unary(f),
       map_reference([g = of.reference, number](double v) { return g(v, number); })});
  row.samples.back().torch =
      row.name + "(x[0], torch.tensor(" + std::to_string(number) + ", dtype=x[0].dtype))";
}

TensorFunction three(double (*f)(double, double, double)) {
  return [f](const Tensors& in) -> Tensors {
    const Array a(in[0]), b(in[1]), c(in[2]);
    const Shape shape =
        broadcast_shapes("reference", broadcast_shapes("reference", a.shape, b.shape), c.shape);
    return {make_array(shape, [&](const Shape& i) {
              return f(a.broadcast(i), b.broadcast(i), c.broadcast(i));
            }).tensor()};
  };
}

Row three_row(const std::string& name, Tensor (*f)(const Tensor&, const Tensor&, const Tensor&),
              double (*reference)(double, double, double), const Domain& last) {
  const TensorFunction run = [f](const Tensors& in) -> Tensors { return {f(in[0], in[1], in[2])}; };
  const TensorFunction expected = three(reference);
  Row row{name,
          {{"(2, 3, 4), (4), (3, 1)",
            {kSigned({2, 3, 4}, 1), kSigned({4}, 2), last({3, 1}, 3)},
            run,
            expected},
           {"(3, 4) strided",
            {strided(kSigned({3, 4}, 4)), strided(kSigned({3, 4}, 5)), strided(last({3, 4}, 6))},
            run,
            expected},
           {"(0, 3), (3), ()", {kSigned({0, 3}, 1), kSigned({3}, 2), last({}, 3)}, run, expected},
           {"(), (), ()", {kSigned({}, 1), kSigned({}, 2), last({}, 3)}, run, expected}}};
  row.errors = {error("shapes that do not broadcast",
                      [f] {
                        return f(zeros({2, 3}), zeros({2, 3}), zeros({2, 4}));
                      },
                      {name + ": ", "(2, 3)", "(2, 4)"}),
                error("an undefined tensor", [f] { return f(zeros({2}), Tensor(), zeros({2})); },
                      {name + ": ", "undefined"}),
                wrong_gradient(row.name, row.samples.front())};
  row.torch = name + "(*x)";
  row.large = [=] {
    return Sample{"(257, 1031), (1031), ()",
                  {kSigned({257, 1031}, 7), kSigned({1031}, 8), last({}, 9)},
                  run,
                  expected};
  };
  // The terms may cancel.
  row.scale = 1;
  return row;
}

Row lerp_row() {
  Row row = three_row(
      "lerp", [](const Tensor& a, const Tensor& b, const Tensor& w) { return lerp(a, b, w); },
      [](double a, double b, double w) { return a + w * (b - a); }, kSigned);
  row.samples.push_back({"(2, 3), (3), 0.25",
                         {kSigned({2, 3}, 11), kSigned({3}, 12)},
                         binary([](const Tensor& a, const Tensor& b) { return lerp(a, b, 0.25); }),
                         zip_reference([](double a, double b) { return a + 0.25 * (b - a); })});
  row.samples.back().torch = "lerp(*x, 0.25)";
  row.samples.push_back({"(2, 3), (3), 0.75",
                         {kSigned({2, 3}, 13), kSigned({3}, 14)},
                         binary([](const Tensor& a, const Tensor& b) { return lerp(a, b, 0.75); }),
                         zip_reference([](double a, double b) { return a + 0.75 * (b - a); })});
  row.samples.back().torch = "lerp(*x, 0.75)";
  row.errors.push_back(error("whole numbers",
                             [] {
                               const Tensor x = ones({2}, DType::i64);
                               return lerp(x, x, 0.5);
                             },
                             {"lerp: ", "i64"}));
  return row;
}

}  // namespace

void add_pairs(std::vector<Row>& rows) {
  for (const Pair& one : kPairs) {
    rows.push_back(binary_row(one.name, one.f, one.reference, one.a, one.b));
    Row& row = rows.back();
    if (row.name == "fmod") {
      add_with_number(
          row, one, kDividend, [](const Tensor& x) { return fmod(x, -1.0); }, -1.0);
    } else if (row.name == "remainder") {
      // Beside 1 what is left may be rounded up to it.
      row.scale = 1;
      add_with_number(
          row, one, kDividend, [](const Tensor& x) { return remainder(x, -1.0); }, -1.0);
    } else if (row.name == "floor_divide") {
      row.differentiable = false;
      row.errors.back() = no_derivative(row.samples.front());
      add_with_number(
          row, one, kDividend, [](const Tensor& x) { return floor_divide(x, -1.0); }, -1.0);
    } else if (row.name == "copysign") {
      add_with_number(
          row, one, kSigned, [](const Tensor& x) { return copysign(x, -2.0); }, -2.0);
    } else if (row.name == "xlogy") {
      add_with_number(
          row, one, kSigned, [](const Tensor& x) { return xlogy(x, 1.5); }, 1.5);
      row.samples.push_back({"1.5 and (2, 3)",
                             {kPositive({2, 3}, 10)},
                             unary([](const Tensor& x) { return xlogy(1.5, x); }),
                             map_reference([](double v) { return 1.5 * std::log(v); })});
      row.samples.back().torch = "xlogy(1.5, x[0])";
    } else if (row.name == "logaddexp" || row.name == "logaddexp2") {
      // The logarithm of what is near 1.
      row.scale = 1;
    } else if (row.name == "hypot") {
      row.ulps = 6;
    }
    if (row.name == "fmod") row.scale = 1;
  }
  rows.push_back(lerp_row());
  rows.push_back(three_row(
      "addcmul",
      [](const Tensor& x, const Tensor& a, const Tensor& b) { return addcmul(x, a, b, -0.5); },
      [](double x, double a, double b) { return x - 0.5 * a * b; }, kSigned));
  rows.back().torch = "addcmul(*x, value=-0.5)";
  rows.push_back(three_row(
      "addcdiv",
      [](const Tensor& x, const Tensor& a, const Tensor& b) { return addcdiv(x, a, b, -0.5); },
      [](double x, double a, double b) { return x - 0.5 * a / b; }, kSigned));
  rows.back().torch = "addcdiv(*x, value=-0.5)";
  rows.back().scale = 10;  // a / b, to 9
}

}  // namespace adjoint::catalog

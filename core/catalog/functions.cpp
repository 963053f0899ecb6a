// Rows of functions of one tensor.
#include <adjoint/core/autograd.h>
#include <adjoint/core/pointwise.h>

#include <cmath>
#include <limits>

#include "core/catalog/pointwise_rows.h"

namespace adjoint::catalog {

Tensor between_whole(const Shape& shape, double low, double high, uint64_t seed) {
  std::vector<double> values = spread(shape, low, high, seed).to_vector<double>();
  const std::vector<int64_t> whole = indices(shape, 6, seed + 1).to_vector<int64_t>();
  for (size_t i = 0; i < values.size(); ++i) values[i] += static_cast<double>(whole[i] - 3);
  return from_vector(values, shape);
}

namespace {

constexpr Domain kInside{&both_signs, 0.1, 0.85};
constexpr Domain kBetween{&between_whole, 0.2, 0.8};
constexpr Domain kNearWhole{&between_whole, 0.6, 0.9};  // clear of halves too

// The y with erf(y) = x, by halving.
double erfinv_of(double x) {
  double low = -6, high = 6;
  for (int step = 0; step < 60; ++step) {
    const double middle = (low + high) / 2;
    (std::erf(middle) < x ? low : high) = middle;
  }
  return (low + high) / 2;
}

double half_even(double v) {
  const double down = std::floor(v), over = v - down;
  if (over != 0.5) return over < 0.5 ? down : down + 1;
  return std::fmod(down, 2.0) == 0 ? down : down + 1;
}

const Simple kSimple[] = {
    {"neg", &neg, [](double v) { return -v; }, kSigned},
    {"abs", &abs, [](double v) { return std::abs(v); }, kSigned},
    {"sign", &sign, [](double v) { return v > 0 ? 1.0 : -1.0; }, kSigned},
    {"exp", &exp, [](double v) { return std::exp(v); }, kSigned},
    {"exp2", &exp2, [](double v) { return std::pow(2.0, v); }, kSigned},
    {"expm1", &expm1, [](double v) { return std::expm1(v); }, kSigned},
    // Near 1 the logarithm is small and exact to its own last digits.
    {"log", &log, [](double v) { return std::log(v); }, kPositive},
    {"log2", &log2, [](double v) { return std::log2(v); }, kPositive},
    {"log10", &log10, [](double v) { return std::log10(v); }, kPositive},
    {"log1p", &log1p, [](double v) { return std::log1p(v); }, kInside},
    {"sqrt", &sqrt, [](double v) { return std::sqrt(v); }, kPositive},
    {"rsqrt", &rsqrt, [](double v) { return 1 / std::sqrt(v); }, kPositive},
    {"square", &square, [](double v) { return v * v; }, kSigned},
    {"reciprocal", &reciprocal, [](double v) { return 1 / v; }, kSigned},
    {"sin", &sin, [](double v) { return std::sin(v); }, kSigned},
    {"cos", &cos, [](double v) { return std::cos(v); }, kSigned},
    {"tan", &tan, [](double v) { return std::sin(v) / std::cos(v); }, kInside},
    {"asin", &asin, [](double v) { return std::asin(v); }, kInside},
    {"acos", &acos, [](double v) { return std::acos(v); }, kInside},
    {"atan", &atan, [](double v) { return std::atan(v); }, kSigned},
    {"sinh", &sinh, [](double v) { return std::sinh(v); }, kSigned},
    {"cosh", &cosh, [](double v) { return std::cosh(v); }, kSigned},
    {"tanh", &tanh, [](double v) { return std::tanh(v); }, kSigned},
    {"asinh", &asinh, [](double v) { return std::asinh(v); }, kSigned},
    {"acosh", &acosh, [](double v) { return std::acosh(v); }, Domain{&spread, 1.3, 3.2}},
    {"atanh", &atanh, [](double v) { return std::atanh(v); }, kInside},
    {"erf", &erf, [](double v) { return std::erf(v); }, kSigned},
    {"erfc", &erfc, [](double v) { return std::erfc(v); }, kSigned, 8},
    {"erfinv", &erfinv, &erfinv_of, kInside, 8},
    {"floor", &floor, [](double v) { return std::floor(v); }, kBetween},
    {"ceil", &ceil, [](double v) { return std::ceil(v); }, kBetween},
    {"trunc", &trunc, [](double v) { return std::trunc(v); }, kBetween},
    {"frac", &frac, [](double v) { return v - std::trunc(v); }, kBetween},
};

Row round_row() {
  Row row = unary_row("round", Function([](const Tensor& x) { return round(x); }),
                      Number(&half_even), kNearWhole);
  add_sample(row, "(4, 3), one decimal", kNearWhole({4, 3}, 6) * 0.1,
             Function([](const Tensor& x) { return round(x, 1); }),
             Number([](double v) { return half_even(v * 10) / 10; }), "round(x[0], decimals=1)");
  add_sample(row, "(4, 3), tens", kNearWhole({4, 3}, 7) * 10.0,
             Function([](const Tensor& x) { return round(x, -1); }),
             Number([](double v) { return half_even(v / 10) * 10; }), "round(x[0], decimals=-1)");
  row.errors.push_back(error("decimals of whole numbers",
                             [] { return round(ones({2}, DType::i64), 1); },
                             {"round: ", "i64", "decimals 1", "expected a floating dtype"}));
  return row;
}

Row nan_to_num_row() {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  Row row = unary_row("nan_to_num", Function([](const Tensor& x) { return nan_to_num(x); }),
                      Number([](double v) { return v; }), kSigned);
  // The numbers that infinities become depend on the dtype, and gradients there are no differences.
  Sample special{"NaN and infinities",
                 {from_vector(std::vector<double>{std::nan(""), kInfinity, -kInfinity, 1.5}, {4})},
                 unary([](const Tensor& x) { return nan_to_num(x, 0.5, 2.0, -3.0); }),
                 map_reference([](double v) {
                   return std::isnan(v) ? 0.5 : std::isinf(v) ? (v > 0 ? 2.0 : -3.0) : v;
                 })};
  special.run = [run = special.run](const Tensors& in) -> Tensors {
    const NoGrad guard;
    return run(in);
  };
  special.differentiable = false;
  special.torch = "nan_to_num(x[0], 0.5, 2.0, -3.0)";
  row.samples.push_back(std::move(special));
  return row;
}

// Of values to 1.8: some beyond each bound.
double clamped(double v) { return std::fmin(std::fmax(v, -0.55), 1.05); }

Row clamp_row() {
  Row row = unary_row("clamp", Function([](const Tensor& x) { return clamp(x, -0.55, 1.05); }),
                      Number(&clamped), kSigned);
  row.torch = "clamp(x[0], -0.55, 1.05)";
  add_sample(row, "(4, 3), from -0.55", kSigned({4, 3}, 6),
             Function([](const Tensor& x) { return clamp(x, -0.55); }),
             Number([](double v) { return std::fmax(v, -0.55); }), "clamp(x[0], -0.55)");
  add_sample(row, "(4, 3), to 1.05", kSigned({4, 3}, 7),
             Function([](const Tensor& x) { return clamp(x, std::nullopt, 1.05); }),
             Number([](double v) { return std::fmin(v, 1.05); }), "clamp(x[0], max=1.05)");
  const TensorFunction tensors = [](const Tensors& in) -> Tensors {
    return {clamp(in[0], in[1], in[2])};
  };
  const TensorFunction reference = [](const Tensors& in) -> Tensors {
    const Array x(in[0]), low(in[1]), high(in[2]);
    const Shape shape = broadcast_shapes("reference", x.shape, low.shape);
    return {make_array(shape, [&](const Shape& i) {
              return std::fmin(std::fmax(x.broadcast(i), low.broadcast(i)), high.broadcast(i));
            }).tensor()};
  };
  row.samples.push_back(
      {"(2, 3, 4), (3, 1), (4)",
       {kSigned({2, 3, 4}, 8), spread({3, 1}, -1.05, -0.45, 9), spread({4}, -0.61, 1.13, 10)},
       tensors,
       reference});
  row.samples.back().torch = "clamp(*x)";
  row.errors.push_back(error("no bound", [] { return clamp(ones({2}), std::nullopt); },
                             {"clamp: ", "neither min nor max", "expected one"}));
  row.errors.push_back(error("bounds that do not broadcast",
                             [] {
                               return clamp(ones({2, 3}), ones({4}));
                             },
                             {"(2, 3)", "(4,)"}));
  return row;
}

Row one_bound_row(const char* name, Tensor (*numbers)(const Tensor&, Scalar),
                  Tensor (*tensors)(const Tensor&, const Tensor&),
                  double (*reference)(double, double)) {
  Row row = binary_row(name, tensors, reference, kSigned, Domain{&both_signs, 0.21, 1.77});
  row.errors.clear();  // they name maximum and minimum
  row.errors.push_back(error("shapes that do not broadcast",
                             [tensors] {
                               return tensors(zeros({2, 3}), zeros({2, 4}));
                             },
                             {"(2, 3)", "(2, 4)"}));
  row.errors.push_back(error("an undefined tensor", [numbers] { return numbers(Tensor(), 1.0); },
                             {"clamp: ", "undefined"}));
  const bool below = row.name == "clamp_min";
  row.errors.push_back(wrong_gradient(below ? "maximum" : "minimum", row.samples.front()));
  row.samples.push_back({"(2, 3) and 0.55",
                         {kSigned({2, 3}, 9)},
                         unary([numbers](const Tensor& x) { return numbers(x, 0.55); }),
                         map_reference([reference](double v) { return reference(v, 0.55); })});
  row.samples.back().torch = std::string(name) + "(x[0], 0.55)";
  return row;
}

}  // namespace

void add_functions(std::vector<Row>& rows) {
  for (const Simple& one : kSimple) {
    rows.push_back(unary_row(one.name, one.f, one.reference, one.domain, one.ulps));
    if (rows.back().name == "cos") rows.back().scale = 0.1;
  }
  rows.push_back(round_row());
  rows.push_back(nan_to_num_row());
  rows.push_back(clamp_row());
  rows.push_back(one_bound_row("clamp_min", &clamp_min, &clamp_min,
                               [](double a, double b) { return a > b ? a : b; }));
  rows.push_back(one_bound_row("clamp_max", &clamp_max, &clamp_max,
                               [](double a, double b) { return a < b ? a : b; }));
}

}  // namespace adjoint::catalog

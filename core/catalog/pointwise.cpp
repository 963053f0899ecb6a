// Rows of arithmetic, functions of one tensor, comparisons and selection.
#include <algorithm>
#include <cmath>

#include "core/catalog/builders.h"

namespace adjoint::catalog {
namespace {

using Maker = Tensor (*)(const Shape& shape, double low, double high, uint64_t seed);

// Where the inputs of a function lie, and how they are spread.
struct Domain {
  Maker make;
  double low, high;
  Tensor operator()(const Shape& shape, uint64_t seed) const {
    return make(shape, low, high, seed);
  }
};
constexpr Domain kSigned{&both_signs, 0.2, 1.8};
constexpr Domain kPositive{&spread, 0.3, 2.3};

// For every pair of layouts that a binary operator must take.
template <class F>
std::vector<Sample> pair_samples(F f, const TensorFunction& reference, const Domain& a,
                                 const Domain& b) {
  const TensorFunction run = binary(f);
  return {
      {"(2, 3, 4), (3, 1)", {a({2, 3, 4}, 1), b({3, 1}, 2)}, run, reference},
      {"(3, 4) strided, (3, 4) strided",
       {strided(a({3, 4}, 3)), strided(b({3, 4}, 4))},
       run,
       reference},
      {"(0, 3), (3)", {a({0, 3}, 5), b({3}, 6)}, run, reference},
      {"(), (2, 1)", {a({}, 7), b({2, 1}, 8)}, run, reference},
  };
}

template <class F>
Sample scalar_sample(const std::string& name, const Domain& domain, F f,
                     const TensorFunction& reference) {
  return {name, {domain({2, 3}, 9)}, unary(f), reference};
}

template <class F>
Sample large_pair(F f, const TensorFunction& reference, const Domain& a, const Domain& b) {
  return {"(257, 1031), (1031)", {a({257, 1031}, 11), b({1031}, 12)}, binary(f), reference};
}

template <class F>
ErrorCase cannot_broadcast(const std::string& name, F f) {
  return error("shapes that do not broadcast",
               [f] {
                 return f(zeros({2, 3}, DType::f64), zeros({2, 4}, DType::f64));
               },
               {name + ": ", "(2, 3)", "(2, 4)"});
}

template <class F>
ErrorCase undefined_operand(F f) {
  return error("an undefined operand", [f] { return f(Tensor(), zeros({2}, DType::f64)); },
               {"undefined tensor"});
}

template <class F, class R>
Row binary_row(const std::string& name, F f, R reference, const Domain& a, const Domain& b) {
  Row row{name, pair_samples(f, zip_reference(reference), a, b)};
  row.errors = {cannot_broadcast(name, f), undefined_operand(f)};
  row.large = [=] { return large_pair(f, zip_reference(reference), a, b); };
  return row;
}

// A function of one tensor.
template <class F, class R>
Row unary_row(const std::string& name, F f, R reference, const Domain& domain, double ulps = 4) {
  const TensorFunction run = unary(f), expected = map_reference(reference);
  Row row{name,
          {{"(2, 3, 2)", {domain({2, 3, 2}, 1)}, run, expected},
           {"(4, 3) strided", {strided(domain({4, 3}, 2))}, run, expected},
           {"(3, 0)", {domain({3, 0}, 3)}, run, expected},
           {"()", {domain({}, 4)}, run, expected}}};
  row.errors = {
      error("an undefined tensor", [f] { return f(Tensor()); }, {name + ": ", "undefined"})};
  row.large = [=] { return Sample{"(257, 1031)", {domain({257, 1031}, 5)}, run, expected}; };
  row.ulps = ulps;
  return row;
}

double sigmoid_of(double x) { return 1 / (1 + std::exp(-x)); }

}  // namespace

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
      map_reference([](double v) { return v + 1.5; })));
  rows.push_back(std::move(add_row));

  Row sub_row = binary_row(
      "sub", [](const Tensor& a, const Tensor& b) { return sub(a, b); }, minus, kSigned, kSigned);
  sub_row.samples.push_back(scalar_sample(
      "(2, 3) - 2", kSigned, [](const Tensor& x) { return sub(x, 2); },
      map_reference([](double v) { return v - 2; })));
  rows.push_back(std::move(sub_row));

  Row mul_row = binary_row(
      "mul", [](const Tensor& a, const Tensor& b) { return mul(a, b); }, times, kSigned, kSigned);
  mul_row.samples.push_back(scalar_sample(
      "(2, 3) * -0.5", kSigned, [](const Tensor& x) { return mul(x, -0.5); },
      map_reference([](double v) { return v * -0.5; })));
  rows.push_back(std::move(mul_row));

  Row div_row = binary_row(
      "div", [](const Tensor& a, const Tensor& b) { return div(a, b); }, over, kSigned, kSigned);
  div_row.samples.push_back(scalar_sample(
      "(2, 3) / 3", kSigned, [](const Tensor& x) { return div(x, 3); },
      map_reference([](double v) { return v / 3; })));
  rows.push_back(std::move(div_row));

  // The error of a power grows with its logarithm, here at most 2.
  Row pow_row = binary_row(
      "pow", [](const Tensor& a, const Tensor& b) { return pow(a, b); }, power, kPositive, kSigned);
  for (const double p : {3.0, 2.0, 1.0, 0.0, -1.5, 0.5}) {
    pow_row.samples.push_back(scalar_sample(
        "(2, 3) ^ " + std::to_string(p), kPositive, [p](const Tensor& x) { return pow(x, p); },
        map_reference([p](double v) { return std::pow(v, p); })));
  }
  pow_row.samples.push_back(scalar_sample(
      "(2, 3) of both signs ^ 3", kSigned, [](const Tensor& x) { return pow(x, 3); },
      map_reference([](double v) { return v * v * v; })));
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
  rows.push_back(unary_row(
      "rdiv", [](const Tensor& x) { return rdiv(x, 1.25); }, [](double v) { return 1.25 / v; },
      kSigned));
}

void add_functions(std::vector<Row>& rows) {
  const auto row = [&rows](const std::string& name, Tensor (*f)(const Tensor&), auto reference,
                           const Domain& domain, double ulps = 4) -> Row& {
    rows.push_back(unary_row(name, f, reference, domain, ulps));
    return rows.back();
  };
  row(
      "neg", &neg, [](double v) { return -v; }, kSigned);
  row(
      "abs", &abs, [](double v) { return std::abs(v); }, kSigned);
  row(
      "exp", &exp, [](double v) { return std::exp(v); }, kSigned);
  // Near 1 the logarithm is small and exact to its own last digits.
  row(
      "log", &log, [](double v) { return std::log(v); }, kPositive);
  row(
      "sqrt", &sqrt, [](double v) { return std::sqrt(v); }, kPositive);
  row(
      "square", &square, [](double v) { return v * v; }, kSigned);
  row(
      "reciprocal", &reciprocal, [](double v) { return 1 / v; }, kSigned);
  row(
      "sin", &sin, [](double v) { return std::sin(v); }, kSigned);
  row(
      "cos", &cos, [](double v) { return std::cos(v); }, kSigned)
      .scale = 0.1;
  row(
      "tanh", &tanh, [](double v) { return std::tanh(v); }, kSigned);
  row("sigmoid", &sigmoid, sigmoid_of, kSigned);
  row(
      "relu", &relu, [](double v) { return std::max(v, 0.0); }, kSigned);
  Row leaky_row = unary_row(
      "leaky_relu", [](const Tensor& x) { return leaky_relu(x, 0.3); },
      [](double v) { return v > 0 ? v : 0.3 * v; }, kSigned);
  leaky_row.samples.push_back({"(4, 3), 0.01",
                               {kSigned({4, 3}, 6)},
                               unary([](const Tensor& x) { return leaky_relu(x); }),
                               map_reference([](double v) { return v > 0 ? v : 0.01 * v; })});
  rows.push_back(std::move(leaky_row));
  Row gelu_row = unary_row(
      "gelu", [](const Tensor& x) { return gelu(x); },
      [](double v) { return 0.5 * v * std::erfc(-v / std::sqrt(2.0)); }, kSigned, 8);
  gelu_row.samples.push_back({"(4, 3), tanh",
                              {kSigned({4, 3}, 6)},
                              unary([](const Tensor& x) { return gelu(x, Gelu::tanh); }),
                              map_reference([](double v) {
                                const double root = std::sqrt(2 / std::acos(-1.0));
                                return 0.5 * v * (1 + std::tanh(root * (v + 0.044715 * v * v * v)));
                              })});
  // 1 + tanh cancels in the reference for negative arguments.
  gelu_row.scale = 0.05;
  rows.push_back(std::move(gelu_row));
  row(
      "silu", &silu, [](double v) { return v * sigmoid_of(v); }, kSigned);
  row(
      "erf", &erf, [](double v) { return std::erf(v); }, kSigned);
  row(
      "erfc", &erfc, [](double v) { return std::erfc(v); }, kSigned, 8);
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
    row.errors = {cannot_broadcast(name, f), undefined_operand(f)};
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

namespace {

TensorFunction where_reference() {
  return [](const Tensors& in) -> Tensors {
    const Array c(in[0]), a(in[1]), b(in[2]);
    const Shape shape =
        broadcast_shapes("reference", broadcast_shapes("reference", c.shape, a.shape), b.shape);
    return {make_array(shape, [&](const Shape& i) {
              return c.broadcast(i) != 0 ? a.broadcast(i) : b.broadcast(i);
            }).tensor()};
  };
}

Row where_row() {
  const TensorFunction run = [](const Tensors& in) -> Tensors {
    return {where(in[0], in[1], in[2])};
  };
  Row row{"where",
          {{"(3, 4), (4), (3, 1)",
            {mask({3, 4}, 1), kSigned({4}, 2), kSigned({3, 1}, 3)},
            run,
            where_reference()},
           {"(2, 3) strided",
            {strided(mask({2, 3}, 4)), strided(kSigned({2, 3}, 5)), strided(kSigned({2, 3}, 6))},
            run,
            where_reference()},
           {"(0, 3), (3), ()",
            {mask({0, 3}, 1), kSigned({3}, 2), kSigned({}, 3)},
            run,
            where_reference()},
           {"(2, 3), (2, 3), 0.5",
            {mask({2, 3}, 7), kSigned({2, 3}, 8)},
            binary([](const Tensor& c, const Tensor& a) { return where(c, a, 0.5); }),
            zip_reference([](double c, double a) { return c != 0 ? a : 0.5; })},
           {"(2, 3), 0.5, (2, 3)",
            {mask({2, 3}, 9), kSigned({2, 3}, 10)},
            binary([](const Tensor& c, const Tensor& b) { return where(c, 0.5, b); }),
            zip_reference([](double c, double b) { return c != 0 ? 0.5 : b; })}}};
  row.errors = {
      error("a condition of numbers", [] { return where(ones({2}), ones({2}), zeros({2})); },
            {"where: ", "f32", "expected bool"}),
      error("shapes that do not broadcast", [] { return where(mask({3}), ones({2}), zeros({2})); },
            {"where: ", "(3,)", "(2,)"})};
  row.large = [=] {
    return Sample{"(257, 1031), (1031), ()",
                  {mask({257, 1031}, 1), kSigned({1031}, 2), kSigned({}, 3)},
                  run,
                  where_reference()};
  };
  return row;
}

Row masked_fill_row() {
  const TensorFunction run = [](const Tensors& in) -> Tensors {
    return {masked_fill(in[0], in[1], -2.5)};
  };
  const TensorFunction reference =
      zip_reference([](double v, double m) { return m != 0 ? -2.5 : v; });
  Row row{
      "masked_fill",
      {{"(2, 3, 4), (3, 1)", {kSigned({2, 3, 4}, 1), mask({3, 1}, 2)}, run, reference},
       {"(3, 4) strided", {strided(kSigned({3, 4}, 3)), strided(mask({3, 4}, 4))}, run, reference},
       {"(0, 3), (3)", {kSigned({0, 3}, 5), mask({3}, 6)}, run, reference},
       {"(), ()", {kSigned({}, 7), mask({}, 8)}, run, reference}}};
  row.errors = {error("a mask of numbers", [] { return masked_fill(ones({2}), ones({2}), 0); },
                      {"masked_fill: ", "f32", "expected bool"}),
                error("a mask that is larger",
                      [] {
                        return masked_fill(ones({2}), mask({3, 2}), 0);
                      },
                      {"masked_fill: ", "(3, 2)", "(2,)"})};
  row.large = [=] {
    return Sample{"(257, 1031)", {kSigned({257, 1031}, 9), mask({257, 1031}, 10)}, run, reference};
  };
  return row;
}

Row triangle_row(const std::string& name, Tensor (*f)(const Tensor&, int64_t), bool lower) {
  const auto sample = [f, lower](const std::string& what, const Tensor& x, int64_t diagonal) {
    return Sample{what + ", diagonal " + std::to_string(diagonal),
                  {x},
                  unary([f, diagonal](const Tensor& v) { return f(v, diagonal); }),
                  [diagonal, lower](const Tensors& in) -> Tensors {
                    const Array a(in[0]);
                    return {make_array(a.shape, [&](const Shape& i) {
                              const int64_t above = i[i.rank() - 1] - i[i.rank() - 2];
                              const bool kept = lower ? above <= diagonal : above >= diagonal;
                              return kept ? a.at(i) : 0.0;
                            }).tensor()};
                  }};
  };
  Row row{name,
          {sample("(2, 3, 4)", kSigned({2, 3, 4}, 1), 0),
           sample("(4, 3) strided", strided(kSigned({4, 3}, 2)), 1),
           sample("(4, 3)", kSigned({4, 3}, 3), -2), sample("(0, 3)", kSigned({0, 3}, 4), 0),
           sample("(2, 2)", kSigned({2, 2}, 5), 100)}};
  row.errors = {
      error("a vector", [f] { return f(ones({3}), 0); }, {name + ": ", "(3,)", "two dimensions"})};
  row.large = [=] { return sample("(8, 257, 131)", kSigned({8, 257, 131}, 6), 3); };
  return row;
}

}  // namespace

void add_selection(std::vector<Row>& rows) {
  rows.push_back(where_row());
  rows.push_back(masked_fill_row());
  rows.push_back(triangle_row("tril", &tril, true));
  rows.push_back(triangle_row("triu", &triu, false));
}

}  // namespace adjoint::catalog

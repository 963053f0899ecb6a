// Rows of matrix products.
#include <adjoint/core/layout.h>
#include <adjoint/core/linalg.h>

#include <cmath>
#include <numbers>
#include <sstream>

#include "core/catalog/builders.h"
#include "core/ops/composed.h"

namespace adjoint::catalog {
namespace {

Tensor input(const Shape& shape, uint64_t seed) { return both_signs(shape, 0.2, 1.2, seed); }

// The definition of torch.matmul, over the broadcast batch.
Tensors matmul_reference(const Tensors& in) {
  Array a(in[0]), b(in[1]);
  const bool row = a.shape.rank() == 1, column = b.shape.rank() == 1;
  if (row) a.shape.insert(0, 1);
  if (column) b.shape.push_back(1);
  const auto batch_of = [](const Shape& s) {
    return Shape(s.span().first(static_cast<size_t>(s.rank() - 2)));
  };
  Shape shape = broadcast_shapes("reference", batch_of(a.shape), batch_of(b.shape));
  shape.push_back(a.shape[a.shape.rank() - 2]);
  shape.push_back(b.shape.back());
  const int64_t k = a.shape.back();
  const int m_dim = shape.rank() - 2, n_dim = shape.rank() - 1;
  Array y = make_array(shape, [&](const Shape& index) {
    Shape left = index, right = index;
    double total = 0;
    for (int64_t i = 0; i < k; ++i) {
      left[n_dim] = right[m_dim] = i;
      total += a.broadcast(left) * b.broadcast(right);
    }
    return total;
  });
  if (column) y.shape.erase(n_dim);
  if (row) y.shape.erase(m_dim);
  return {y.tensor()};
}

Sample product(const std::string& name, const Tensor& a, const Tensor& b,
               Tensor (*f)(const Tensor&, const Tensor&) = &matmul) {
  return {name, {a, b}, binary(f), matmul_reference};
}

Row matmul_row() {
  Row row{"matmul",
          {product("(3, 4)(4, 2)", input({3, 4}, 1), input({4, 2}, 2)),
           product("(2, 1, 3, 2)(4, 2, 3)", input({2, 1, 3, 2}, 3), input({4, 2, 3}, 4)),
           product("(3, 4) strided (4, 2) strided", strided(input({3, 4}, 5)),
                   strided(input({4, 2}, 6))),
           product("(4)(4)", input({4}, 7), input({4}, 8)),
           product("(4)(2, 4, 3)", input({4}, 9), input({2, 4, 3}, 10)),
           product("(2, 3, 4)(4)", input({2, 3, 4}, 11), input({4}, 12)),
           product("(2, 3, 4)(4, 2)", input({2, 3, 4}, 13), input({4, 2}, 14)),
           product("(0, 3)(3, 2)", input({0, 3}, 15), input({3, 2}, 16)),
           product("(2, 0)(0, 3), sums of nothing", input({2, 0}, 17), input({0, 3}, 18))}};
  for (const size_t i : {1, 2, 8}) row.samples.push_back(whole(row.samples[i]));
  row.errors = {error("widths that differ",
                      [] {
                        return matmul(ones({2, 3}), ones({4, 2}));
                      },
                      {"matmul: ", "(2, 3)", "(4, 2)"}),
                error("a number", [] { return matmul(ones({}), ones({2})); }, {"matmul: "}),
                error("batches that do not broadcast",
                      [] {
                        return matmul(ones({2, 1, 1}), ones({3, 1, 1}));
                      },
                      {"matmul: ", "(2,", "(3,"}),
                error("two dtypes",
                      [] {
                        return matmul(ones({2, 2}), ones({2, 2}, DType::f64));
                      },
                      {"matmul: operands of f32 and f64", "one dtype"}),
                error("bools",
                      [] {
                        return matmul(ones({2, 2}, DType::boolean), ones({2}, DType::boolean));
                      },
                      {"matmul: operands of dtype bool", "numbers"})};
  row.torch = "torch.matmul(x[0], x[1])";
  row.large = [=] {
    return product("(131, 257)(257, 129)", input({131, 257}, 19), input({257, 129}, 20));
  };
  row.scale = 4;
  return row;
}

Row bmm_row() {
  Row row{"bmm",
          {product("(2, 3, 4)(2, 4, 2)", input({2, 3, 4}, 1), input({2, 4, 2}, 2), &bmm),
           product("(2, 3, 2) strided (2, 2, 3) strided", strided(input({2, 3, 2}, 3)),
                   strided(input({2, 2, 3}, 4)), &bmm),
           product("(0, 3, 4)(0, 4, 2)", input({0, 3, 4}, 5), input({0, 4, 2}, 6), &bmm)}};
  row.samples.push_back(whole(row.samples[1]));
  row.errors = {error("batches that differ",
                      [] {
                        return bmm(ones({2, 3, 4}), ones({3, 4, 2}));
                      },
                      {"bmm: ", "(2, 3, 4)", "(3, 4, 2)"}),
                error("matrices",
                      [] {
                        return bmm(ones({3, 4}), ones({4, 2}));
                      },
                      {"bmm: ", "(3, 4)"}),
                error("widths that differ",
                      [] {
                        return bmm(ones({2, 3, 4}), ones({2, 5, 2}));
                      },
                      {"bmm: ", "(2, 3, 4)", "(2, 5, 2)"})};
  row.torch = "torch.bmm(x[0], x[1])";
  row.large = [=] {
    return product("(6, 67, 131)(6, 131, 65)", input({6, 67, 131}, 7), input({6, 131, 65}, 8),
                   &bmm);
  };
  row.scale = 4;
  return row;
}

Sample linear_sample(const std::string& name, Tensors inputs) {
  return {name, std::move(inputs),
          [](const Tensors& in) -> Tensors {
            return {linear(in[0], in[1], in.size() > 2 ? in[2] : Tensor())};
          },
          [](const Tensors& in) -> Tensors {
            const Array x(in[0]), w(in[1]);
            const int64_t width = x.shape.back();
            Shape shape = x.shape;
            shape[shape.rank() - 1] = w.shape[0];
            return {make_array(shape, [&](const Shape& index) {
                      const int64_t out = index.back();
                      double total = in.size() > 2 ? Array(in[2]).at({out}) : 0.0;
                      Shape from = index;
                      for (int64_t i = 0; i < width; ++i) {
                        from[from.rank() - 1] = i;
                        total += x.at(from) * w.at({out, i});
                      }
                      return total;
                    }).tensor()};
          },
          [](const Tensors& in) -> Tensors {
            return {composed::linear(in[0], in[1], in.size() > 2 ? in[2] : Tensor())};
          }};
}

Row linear_row() {
  Row row{
      "linear",
      {linear_sample("(2, 3, 4) by (5, 4) + (5)",
                     {input({2, 3, 4}, 1), input({5, 4}, 2), input({5}, 3)}),
       linear_sample("(3, 4) strided by (2, 4) strided, no bias",
                     {strided(input({3, 4}, 4)), strided(input({2, 4}, 5))}),
       linear_sample("(0, 3) by (2, 3) + (2)", {input({0, 3}, 6), input({2, 3}, 7), input({2}, 8)}),
       linear_sample("(4) by (3, 4) + (3)", {input({4}, 9), input({3, 4}, 10), input({3}, 11)}),
       linear_sample("(2, 0) by (3, 0) + (3), sums of nothing",
                     {input({2, 0}, 12), input({3, 0}, 13), input({3}, 14)})}};
  row.samples.push_back(whole(row.samples[0]));
  row.errors = {error("widths that differ",
                      [] {
                        return linear(ones({2, 3}), ones({5, 4}));
                      },
                      {"linear: ", "(2, 3)", "(5, 4)"}),
                error("a bias of another width",
                      [] {
                        return linear(ones({2, 4}), ones({5, 4}), ones({4}));
                      },
                      {"linear: ", "(4,)", "5"}),
                error("a weight that is no matrix",
                      [] {
                        return linear(ones({2, 4}), ones({4}));
                      },
                      {"linear: ", "(4,)"})};
  row.torch = "F.linear(*x)";
  row.large = [=] {
    return linear_sample("(131, 257) by (129, 257) + (129)",
                         {input({131, 257}, 15), input({129, 257}, 16), input({129}, 17)});
  };
  row.scale = 4;
  return row;
}

double activated(Activation activation, double x) {
  switch (activation) {
    case Activation::relu:
      return x > 0 ? x : 0;
    case Activation::gelu:
      return 0.5 * x * std::erfc(-x * std::sqrt(0.5));
    case Activation::gelu_tanh: {
      const double u = std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x);
      return x / (1 + std::exp(-2 * u));
    }
    case Activation::silu:
      break;
  }
  return x / (1 + std::exp(-x));
}

const char* in_torch(Activation activation) {
  switch (activation) {
    case Activation::gelu:
      return "F.gelu(F.linear(*x))";
    case Activation::gelu_tanh:
      return "F.gelu(F.linear(*x), approximate='tanh')";
    case Activation::silu:
      return "F.silu(F.linear(*x))";
    case Activation::relu:
      break;
  }
  return "F.relu(F.linear(*x))";
}

Sample linear_activation_sample(const std::string& name, Tensors inputs, Activation activation) {
  Sample sample = linear_sample(name + ", " + adjoint::name(activation), std::move(inputs));
  sample.run = [activation](const Tensors& in) -> Tensors {
    return {linear_activation(in[0], in[1], in.size() > 2 ? in[2] : Tensor(), activation)};
  };
  sample.reference = [linear = sample.reference, activation](const Tensors& in) -> Tensors {
    Array y(linear(in)[0]);
    for (double& v : y.data) v = activated(activation, v);
    return {y.tensor()};
  };
  sample.composed = [activation](const Tensors& in) -> Tensors {
    return {
        composed::linear_activation(in[0], in[1], in.size() > 2 ? in[2] : Tensor(), activation)};
  };
  sample.torch = in_torch(activation);
  return sample;
}

Row linear_activation_row() {
  constexpr Activation relu = Activation::relu, gelu = Activation::gelu,
                       gelu_tanh = Activation::gelu_tanh, silu = Activation::silu;
  const auto with_bias = [](const Shape& x, int64_t out, uint64_t seed, Activation activation) {
    const Shape weight{out, x.back()};
    std::ostringstream shapes;
    shapes << x << " by " << weight << " + (" << out << ")";
    return linear_activation_sample(
        shapes.str(), {input(x, seed), input(weight, seed + 1), input({out}, seed + 2)},
        activation);
  };
  Row row{"linear_activation",
          {with_bias({2, 3, 4}, 5, 1, relu), with_bias({2, 3, 4}, 5, 4, gelu),
           with_bias({5, 3}, 2, 7, gelu_tanh), with_bias({3, 2}, 4, 10, silu),
           linear_activation_sample("(3, 4) strided by (2, 4) strided, no bias",
                                    {strided(input({3, 4}, 13)), strided(input({2, 4}, 14))}, gelu),
           with_bias({0, 3}, 2, 15, gelu_tanh), with_bias({4}, 3, 18, silu),
           with_bias({2, 0}, 3, 21, relu)}};
  row.errors = {
      error("widths that differ",
            [] {
              return linear_activation(ones({2, 3}), ones({5, 4}), {}, Activation::relu);
            },
            {"linear_activation: ", "(2, 3)", "(5, 4)"}),
      error("a bias of another width",
            [] {
              return linear_activation(ones({2, 4}), ones({5, 4}), ones({4}), Activation::silu);
            },
            {"linear_activation: ", "(4,)", "5"}),
      error("a weight that is no matrix",
            [] {
              return linear_activation(ones({2, 4}), ones({4}), {}, Activation::gelu);
            },
            {"linear_activation: ", "(4,)"}),
      error("whole numbers",
            [] {
              return linear_activation(ones({2, 4}, DType::i64), ones({3, 4}, DType::i64), {},
                                       Activation::relu);
            },
            {"linear_activation: operands of dtype i64", "floating"})};
  row.large = [=] { return with_bias({131, 257}, 129, 24, gelu_tanh); };
  row.scale = 4;
  return row;
}

// The residual comes last; where `same`, it is x.
Sample linear_add_sample(const std::string& name, Tensors inputs, bool same = false) {
  const auto split = [same](const Tensors& in) {
    const Tensor& residual = same ? in[0] : in.back();
    return std::pair{Tensors(in.begin(), in.end() - (same ? 0 : 1)), residual};
  };
  const auto bias_of = [](const Tensors& in) { return in.size() > 2 ? in[2] : Tensor(); };
  Sample sample = linear_sample(name, std::move(inputs));
  sample.run = [=](const Tensors& in) -> Tensors {
    const auto [product, residual] = split(in);
    return {linear_add(product[0], product[1], bias_of(product), residual)};
  };
  sample.reference = [=, linear = sample.reference](const Tensors& in) -> Tensors {
    const auto [product, residual] = split(in);
    Array y(linear(product)[0]);
    const Array r(residual);
    for (size_t i = 0; i < y.data.size(); ++i) y.data[i] += r.data[i];
    return {y.tensor()};
  };
  sample.composed = [=](const Tensors& in) -> Tensors {
    const auto [product, residual] = split(in);
    return {composed::linear(product[0], product[1], bias_of(product)) + residual};
  };
  sample.torch = same ? "F.linear(*x) + x[0]" : "F.linear(*x[:-1]) + x[-1]";
  return sample;
}

Row linear_add_row() {
  Row row{
      "linear_add",
      {linear_add_sample(
           "(2, 3, 4) by (5, 4) + (5) + (2, 3, 5)",
           {input({2, 3, 4}, 1), input({5, 4}, 2), input({5}, 3), input({2, 3, 5}, 4)}),
       linear_add_sample(
           "(3, 4) strided by (2, 4) strided + (3, 2) strided, no bias",
           {strided(input({3, 4}, 5)), strided(input({2, 4}, 6)), strided(input({3, 2}, 7))}),
       linear_add_sample("(5, 3) by (3, 3) + (3), and the input itself",
                         {input({5, 3}, 8), input({3, 3}, 9), input({3}, 10)}, true),
       linear_add_sample("(0, 3) by (2, 3) + (2) + (0, 2)",
                         {input({0, 3}, 11), input({2, 3}, 12), input({2}, 13), input({0, 2}, 14)}),
       linear_add_sample("(4) by (3, 4) + (3) + (3)",
                         {input({4}, 15), input({3, 4}, 16), input({3}, 17), input({3}, 18)}),
       linear_add_sample("(2, 0) by (3, 0) + (2, 3), sums of nothing",
                         {input({2, 0}, 19), input({3, 0}, 20), input({2, 3}, 21)})}};
  row.errors = {error("widths that differ",
                      [] {
                        return linear_add(ones({2, 3}), ones({5, 4}), {}, ones({2, 5}));
                      },
                      {"linear_add: ", "(2, 3)", "(5, 4)"}),
                error("a bias of another width",
                      [] {
                        return linear_add(ones({2, 4}), ones({5, 4}), ones({4}), ones({2, 5}));
                      },
                      {"linear_add: ", "(4,)", "5"}),
                error("a residual that would have to be broadcast",
                      [] {
                        return linear_add(ones({2, 4}), ones({5, 4}), {}, ones({5}));
                      },
                      {"linear_add: residual of shape (5,)", "(2, 5)"}),
                error("a residual of integers",
                      [] {
                        return linear_add(ones({2, 4}), ones({5, 4}), {}, ones({2, 5}, DType::i64));
                      },
                      {"linear_add: ", "i64"})};
  row.large = [=] {
    return linear_add_sample(
        "(131, 257) by (129, 257) + (129) + (131, 129)",
        {input({131, 257}, 22), input({129, 257}, 23), input({129}, 24), input({131, 129}, 25)});
  };
  row.scale = 4;
  row.bf16_roundings = 2;  // the product, and the sum
  return row;
}

}  // namespace

void add_products(std::vector<Row>& rows) {
  rows.push_back(matmul_row());
  rows.push_back(bmm_row());
  rows.push_back(linear_row());
  rows.push_back(linear_add_row());
  rows.push_back(linear_activation_row());
}

}  // namespace adjoint::catalog

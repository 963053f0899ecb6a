// Rows of positions: rotary angles and the slopes of ALiBi.
#include <adjoint/core/attention.h>
#include <adjoint/core/embedding.h>
#include <adjoint/core/layout.h>

#include <cmath>

#include "core/catalog/losses.h"
#include "core/ops/composed.h"

namespace adjoint::catalog {
namespace {

// --- tables ---

Sample tables_sample(int64_t length, int64_t width, double base, int64_t offset) {
  const std::string name = "length " + std::to_string(length) + ", width " + std::to_string(width) +
                           ", base " + text(base) + ", offset " + std::to_string(offset);
  const TensorFunction run = [=](const Tensors&) -> Tensors {
    const RotaryTables tables = rotary_tables(length, width, base, offset, DType::f64);
    return {tables.cos, tables.sin};
  };
  const TensorFunction reference = [=](const Tensors&) -> Tensors {
    const auto angle = [=](const Shape& at) {
      return static_cast<double>(offset + at[0]) /
             std::pow(base, static_cast<double>(2 * at[1]) / static_cast<double>(width));
    };
    const Shape shape{length, width / 2};
    return {make_array(shape, [&](const Shape& at) { return std::cos(angle(at)); }).tensor(),
            make_array(shape, [&](const Shape& at) { return std::sin(angle(at)); }).tensor()};
  };
  Sample sample{name, {}, run, reference};
  sample.torch = "(lambda a: (a.cos(), a.sin()))(torch.outer(torch.arange(" +
                 std::to_string(offset) + ", " + std::to_string(offset + length) +
                 ", dtype=torch.float64), " + std::to_string(base) + " ** (-torch.arange(0, " +
                 std::to_string(width) + ", 2, dtype=torch.float64) / " + std::to_string(width) +
                 ")))";
  return sample;
}

Row tables_row() {
  Row row{
      "rotary_tables",
      {tables_sample(3, 4, 10000, 0), tables_sample(2, 6, 500, 7), tables_sample(0, 4, 10000, 2)}};
  row.errors = {error("an odd width", [] { return rotary_tables(3, 5).cos; },
                      {"rotary_tables: ", "width 5", "even"}),
                error("a base of 0", [] { return rotary_tables(3, 4, 0.0).cos; },
                      {"rotary_tables: ", "base is 0"}),
                error("whole numbers", [] { return rotary_tables(3, 4, 1e4, 0, DType::i64).cos; },
                      {"rotary_tables: ", "i64"})};
  row.differentiable = false;
  row.scale = 1;
  return row;
}

// --- turning ---

Sample rotary_sample(const std::string& name, const Tensors& inputs, const RotaryOptions& o) {
  const auto row_of = [=](const Shape& at) {  // of the tables, for an element of x
    const int64_t position = at[at.rank() - 2];
    if (!o.positions.defined()) return o.offset + position;
    Shape lead = at;
    lead.erase(at.rank() - 1);
    return static_cast<int64_t>(Array(o.positions).broadcast(lead));
  };
  const auto reference = [=](const Tensors& in) {
    const Array x(in[0]), cos(in[1]), sin(in[2]);
    const int64_t n = cos.shape[1];
    return make_array(x.shape,
                      [&](const Shape& at) {
                        const int64_t c = at.back(), row = row_of(at);
                        if (c >= 2 * n) return x.at(at);
                        const int64_t pair = o.interleaved ? c / 2 : c % n;
                        const bool second = o.interleaved ? c % 2 == 1 : c >= n;
                        const int64_t step = o.interleaved ? 1 : n;
                        Shape partner = at;
                        partner[at.rank() - 1] = second ? c - step : c + step;
                        const double turn = sin.at({row, pair}) * x.at(partner);
                        return x.at(at) * cos.at({row, pair}) + (second ? turn : -turn);
                      })
        .tensor();
  };
  const std::string rows = o.positions.defined()
                               ? "torch.tensor([[2], [0]])"
                               : "slice(" + std::to_string(o.offset) + ", " +
                                     std::to_string(o.offset + inputs[0].size(-2)) + ")";
  const std::string a = o.interleaved ? "v[..., 0:2 * n:2]" : "v[..., :n]";
  const std::string b = o.interleaved ? "v[..., 1:2 * n:2]" : "v[..., n:2 * n]";
  const std::string first = a + " * c - " + b + " * s", second = b + " * c + " + a + " * s";
  const std::string pairs = o.interleaved
                                ? "torch.stack([" + first + ", " + second + "], -1).flatten(-2)"
                                : first + ", " + second;
  const auto composed = [=](const Tensors& in) {
    const auto table = [&](const Tensor& x) {
      return o.positions.defined() ? embedding(o.positions, x)
                                   : slice(x, 0, o.offset, o.offset + in[0].size(-2));
    };
    return composed::rotary_embedding(in[0], table(in[1]), table(in[2]), o.interleaved);
  };
  return sample(
      name + (o.interleaved ? ", interleaved" : "") + ", offset " + std::to_string(o.offset),
      inputs, [=](const Tensors& in) { return rotary_embedding(in[0], in[1], in[2], o); },
      reference,
      "(lambda v, c, s, n: torch.cat([" + pairs + ", v[..., 2 * n:]], -1))(x[0], x[1][" + rows +
          "], x[2][" + rows + "], x[1].shape[1])",
      composed);
}

Row rotary_row() {
  const auto x = [](const Shape& s, uint64_t seed) { return input(s, seed); };
  const Tensor positions = tensor<int64_t>({2, 0}, {2, 1});
  Row row{"rotary_embedding",
          {rotary_sample("(2, 3, 4)(3, 2)", {x({2, 3, 4}, 1), x({3, 2}, 2), x({3, 2}, 3)}, {}),
           rotary_sample("(2, 3, 4)(5, 2) strided",
                         {strided(x({2, 3, 4}, 4)), strided(x({5, 2}, 5)), strided(x({5, 2}, 6))},
                         {.interleaved = true, .offset = 2}),
           rotary_sample("(2, 2, 5)(3, 2), positions",
                         {x({2, 2, 5}, 7), x({3, 2}, 8), x({3, 2}, 9)}, {.positions = positions}),
           rotary_sample("(1, 7)(4, 3)", {x({1, 7}, 10), x({4, 3}, 11), x({4, 3}, 12)},
                         {.interleaved = true, .offset = 3}),
           rotary_sample("(2, 0, 4)(3, 2)", {x({2, 0, 4}, 1), x({3, 2}, 2), x({3, 2}, 3)}, {})}};
  row.errors = {
      error("beyond the tables",
            [] {
              return rotary_embedding(ones({4, 4}), ones({5, 2}), ones({5, 2}), {.offset = 2});
            },
            {"rotary_embedding: ", "length 4", "position 2", "5"}),
      error("tables that are too wide",
            [] {
              return rotary_embedding(ones({4, 4}), ones({4, 3}), ones({4, 3}));
            },
            {"rotary_embedding: ", "(4, 3)", "(4, 4)"}),
      error("tables of different shapes",
            [] {
              return rotary_embedding(ones({4, 4}), ones({4, 2}), ones({4, 1}));
            },
            {"rotary_embedding: ", "(4, 2)", "(4, 1)"}),
      error("a position outside",
            [] {
              return rotary_embedding(ones({2, 4}), ones({4, 2}), ones({4, 2}),
                                      {.positions = tensor<int64_t>({0, 4})});
            },
            {"rotary_embedding: ", "position 4", "[0, 3]"})};
  row.large = [=] {
    return rotary_sample("(9, 130, 64)(130, 32)",
                         {x({9, 130, 64}, 1), x({130, 32}, 2), x({130, 32}, 3)}, {});
  };
  row.scale = 4;
  return row;
}

// --- slopes ---

Sample slopes_sample(int64_t heads, const std::vector<double>& slopes) {
  return {std::to_string(heads) + " heads",
          {},
          [=](const Tensors&) -> Tensors { return {alibi_slopes(heads, DType::f64)}; },
          [=](const Tensors&) -> Tensors {
            return {from_vector(slopes, {static_cast<int64_t>(slopes.size())})};
          }};
}

// As the paper's code gives them: of 3 heads, those of 2 and the first of 4.
Row slopes_row() {
  Row row{"alibi_slopes",
          {slopes_sample(0, {}), slopes_sample(2, {0.0625, 0x1p-8}),
           slopes_sample(3, {0.0625, 0x1p-8, 0.25}),
           slopes_sample(8, {0.5, 0.25, 0.125, 0.0625, 0x1p-5, 0x1p-6, 0x1p-7, 0x1p-8})}};
  row.errors = {
      error("fewer than none", [] { return alibi_slopes(-1); }, {"alibi_slopes: ", "-1"}),
      error("whole numbers", [] { return alibi_slopes(4, DType::i64); }, {"alibi_slopes: ", "i64"}),
      error("bools", [] { return alibi_slopes(4, DType::boolean); }, {"alibi_slopes: ", "bool"})};
  row.differentiable = false;
  return row;
}

}  // namespace

void add_positions(std::vector<Row>& rows) {
  rows.push_back(tables_row());
  rows.push_back(rotary_row());
  rows.push_back(slopes_row());
}

}  // namespace adjoint::catalog

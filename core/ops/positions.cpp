// Positions of what attends: rotary angles and the slopes of ALiBi.
#include <adjoint/core/attention.h>
#include <adjoint/core/embedding.h>
#include <adjoint/core/functional.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/pointwise.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/autograd/op.h"
#include "core/ops/attention.h"
#include "core/ops/composed.h"
#include "core/ops/pointwise.h"

namespace adjoint {
namespace {

// The rows of a table for x's positions: (length, n), or (positions..., n).
Tensor rows_of(const Tensor& table, const Tensor& x, const RotaryOptions& options) {
  if (options.positions.defined()) return embedding(options.positions, table);
  return slice(table, 0, options.offset, options.offset + x.size(-2));
}

void check_rotary(const Op& op, const Tensor& x, const Tensor& cos, const Tensor& sin,
                  const RotaryOptions& options) {
  for (int i = 0; i < 3; ++i) op.check_floating(i);
  op.check(x.dim() >= 2, "input of shape ", x.shape(), "; expected (..., length, width)");
  op.check(cos.dim() == 2 && cos.shape() == sin.shape() && 2 * cos.size(1) <= x.size(-1),
           "cos of shape ", cos.shape(), " and sin of shape ", sin.shape(),
           " for an input of shape ", x.shape(), "; expected (rows, n) of both with n at most ",
           x.size(-1) / 2);
  const Tensor& positions = options.positions;
  if (!positions.defined()) {
    op.check<IndexError>(options.offset >= 0 && options.offset <= cos.size(0) - x.size(-2),
                         "length ", x.size(-2), " from position ", options.offset,
                         "; expected to end at ", cos.size(0), ", the rows of cos, or before");
    return;
  }
  op.check<ConfigError>(options.offset == 0, "both positions and offset ", options.offset,
                        "; expected one of them");
  const Shape lead(x.shape().span().first(static_cast<size_t>(x.dim() - 1)));
  op.check(broadcast_shapes(op.name(), positions.shape(), lead) == lead, "positions of shape ",
           positions.shape(), " for an input of shape ", x.shape(),
           "; expected one that broadcasts to ", lead);
  op.check<DTypeError>(positions.dtype() == DType::i64, "positions of dtype ", positions.dtype(),
                       "; expected i64");
  const int64_t rows = cos.size(0);
  const Tensor each = packed(positions);
  for (int64_t i = 0; i < each.numel(); ++i) {
    const int64_t position = each.data<int64_t>()[i];
    op.check<IndexError>(position >= 0 && position < rows, "position ", position,
                         " for tables of shape ", cos.shape(), "; expected a value in [0, ",
                         rows - 1, "]");
  }
}

// x turned by the angles of `cos` and `sin`, which broadcast to its rows, or back;   dx = dy turned
// the other way
Tensor rotate(const Tensor& x, const Tensor& cos, const Tensor& sin, bool interleaved, bool back) {
  const Op op("rotary_embedding", {x, cos, sin}, {{"interleaved", interleaved}});
  const DType wide = computed_in(x.dtype());
  const Tensor x0 = x.strides().back() == 1 ? x : packed(x);
  const Tensor cos0 = packed(rounded(cos, wide)), sin0 = packed(rounded(sin, wide));
  Tensor y = empty_like_layout(op.name(), x, x.shape());
  kernels::Rotary rotary{};
  rotary.width = x.size(-1);
  rotary.pairs = cos.size(-1);
  rotary.interleaved = interleaved;
  rotary.back = back;
  rotary.rank = x.dim() - 1;
  const int shift = x.dim() - cos.dim();
  for (int d = 0; d < rotary.rank; ++d) {
    rotary.size[d] = x.shape()[d];
    rotary.x_stride[d] = x0.strides()[d];
    rotary.y_stride[d] = y.strides()[d];
    const bool repeats = d < shift || cos0.shape()[d - shift] == 1;
    rotary.table_stride[d] = repeats ? 0 : cos0.strides()[d - shift];
  }
  rotary.x = x0.raw_data();
  rotary.cos = cos0.raw_data();
  rotary.sin = sin0.raw_data();
  rotary.y = y.impl()->bytes();
  kernel_table().rotary.rotate[index(x.dtype())](KernelScope(), rotary);
  return op.differentiable(
      y,
      [x = op.save_if(op.needs(1) || op.needs(2), x), cos = op.save(cos), sin = op.save(sin),
       interleaved, back](const Backward& b) -> Grads {
        const Tensor cos1 = *cos, sin1 = *sin;
        if (!b.needs(1) && !b.needs(2)) {
          return {rotate(b.dy(0), cos1, sin1, interleaved, !back), Tensor(), Tensor()};
        }
        const auto definition = [&](const std::vector<Tensor>& in) -> std::vector<Tensor> {
          const Tensor sine = widened(back ? -in[2] : in[2]);
          return {to(composed::rotary_embedding(widened(in[0]), widened(in[1]), sine, interleaved),
                     b.dy(0).dtype())};
        };
        return Grads(vjp(definition, {*x, cos1, sin1}, {b.dy(0)}).second);
      });
}

void check_floating(const char* name, DType dtype) {
  check<DTypeError>(is_floating_point(dtype), name, ": dtype ", dtype,
                    "; expected a floating dtype");
}

std::vector<double> slopes_of(int64_t heads) {
  int64_t power = 1;
  while (power <= heads / 2) power *= 2;
  std::vector<double> slopes;
  for (int64_t h = 1; h <= std::min(power, heads); ++h) {
    slopes.push_back(std::exp2(-8.0 * static_cast<double>(h) / static_cast<double>(power)));
  }
  for (int64_t h = 1; static_cast<int64_t>(slopes.size()) < heads; h += 2) {
    slopes.push_back(std::exp2(-4.0 * static_cast<double>(h) / static_cast<double>(power)));
  }
  return slopes;
}

}  // namespace

Tensor alibi_slopes(int64_t heads, DType dtype) {
  check<ConfigError>(heads >= 0, "alibi_slopes: ", heads, " heads; expected 0 or more");
  check_floating("alibi_slopes", dtype);
  return rounded(from_vector(slopes_of(heads), {heads}), dtype);
}

RotaryTables rotary_tables(int64_t length, int64_t width, double base, int64_t offset,
                           DType dtype) {
  check<ConfigError>(length >= 0 && width >= 0 && width % 2 == 0, "rotary_tables: length ", length,
                     ", width ", width, "; expected 0 or more, and an even width");
  check<ConfigError>(base > 0, "rotary_tables: base is ", base, "; expected more than 0");
  check_floating("rotary_tables", dtype);
  const int64_t pairs = width / 2;
  std::vector<double> cos(static_cast<size_t>(length * pairs)), sin(cos.size());
  for (int64_t i = 0; i < pairs; ++i) {
    const double rate = std::pow(base, -2.0 * static_cast<double>(i) / static_cast<double>(width));
    for (int64_t row = 0; row < length; ++row) {
      const double angle = static_cast<double>(offset + row) * rate;
      cos[static_cast<size_t>(row * pairs + i)] = std::cos(angle);
      sin[static_cast<size_t>(row * pairs + i)] = std::sin(angle);
    }
  }
  return {rounded(from_vector(cos, {length, pairs}), dtype),
          rounded(from_vector(sin, {length, pairs}), dtype)};
}

// (a, b) -> (a cos - b sin, b cos + a sin) for each pair;   dx = dy turned the other way
Tensor rotary_embedding(const Tensor& x, const Tensor& cos, const Tensor& sin,
                        const RotaryOptions& options) {
  const Op op("rotary_embedding", {x, cos, sin}, {{"offset", options.offset}});
  check_rotary(op, x, cos, sin, options);
  return rotate(x, rows_of(cos, x, options), rows_of(sin, x, options), options.interleaved, false);
}

Tensor composed::rotary_embedding(const Tensor& x, const Tensor& cos, const Tensor& sin,
                                  bool interleaved) {
  const int64_t n = cos.size(-1);
  const Tensor a = interleaved ? slice(x, -1, 0, 2 * n, 2) : slice(x, -1, 0, n);
  const Tensor b = interleaved ? slice(x, -1, 1, 2 * n, 2) : slice(x, -1, n, 2 * n);
  const Tensor first = a * cos - b * sin, second = b * cos + a * sin;
  const Tensor rest = slice(x, -1, 2 * n);
  if (!interleaved) return cat({first, second, rest}, -1);
  Shape turned = x.shape();
  turned[x.dim() - 1] = 2 * n;
  return cat({reshape(stack({first, second}, -1), turned), rest}, -1);
}

}  // namespace adjoint

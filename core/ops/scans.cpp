// Scans along a dimension.
#include "core/ops/scans.h"

#include <adjoint/core/layout.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/scans.h>

#include <array>
#include <limits>

#include "core/autograd/op.h"
#include "core/ops/loops.h"
#include "core/ops/picks.h"

namespace adjoint {
namespace {

using picks::from_last;
using picks::with_last;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Where the tables of scans have a dtype: f32, f64, i64.
int place(DType dtype) { return dtype == DType::i64 ? 2 : index(dtype); }

using ScanKernels = void (*const (&)[3])(const kernels::Exec&, const kernels::Scan&);

Tensor scanned(const Op& op, const Tensor& x, int d, bool reverse, ScanKernels kernel) {
  Tensor y = make_empty(op.name(), x.shape(), x.dtype());
  const picks::Lines lines = picks::lines(x.shape(), d);
  const Tensor from = packed(x);
  kernel[place(x.dtype())](KernelScope(), {from.raw_data(), y.impl()->bytes(), lines.outer, lines.n,
                                           lines.inner, reverse});
  return y;
}

kernels::RowScan rows_of(const Tensor& x, const Tensor& y) {
  const int64_t n = x.dim() == 0 ? 1 : x.shape().back();
  return {x.raw_data(), y.impl()->bytes(), nullptr, n == 0 ? 0 : x.numel() / n, n};
}

// What a scan over sums or products of these is computed in.
DType scanned_in(DType dtype) { return is_floating_point(dtype) ? computed_in(dtype) : DType::i64; }

// y_i = sum of x up to i;   dx_i = sum of dy from i on
Tensor sums(const char* name, const Tensor& x, int64_t dim, bool reverse) {
  const Op op(name, {x}, {{"dim", dim}});
  const int d = normalize_dim(name, dim, x.dim());
  if (const DType wide = scanned_in(x.dtype()); wide != x.dtype()) {
    const Tensor y = sums(name, to(x, wide), d, reverse);
    return is_half(x.dtype()) ? to(y, x.dtype()) : y;
  }
  Tensor y = scanned(op, x, d, reverse, kernel_table().scan.sum);
  return op.differentiable(y, [name, d, reverse](const Backward& b) -> Grads {
    return {sums(name, b.dy(0), d, !reverse)};
  });
}

// (y, i) = the last extremum so far;   dx = dy added at i
ValuesAndIndices extrema(const char* name, const Tensor& x, int64_t dim,
                         void (*const (&kernel)[3])(const kernels::Exec&,
                                                    const kernels::RowScan&)) {
  const Op op(name, {x}, {{"dim", dim}});
  const int d = normalize_dim(name, dim, x.dim());
  if (const DType wide = scanned_in(x.dtype()); wide != x.dtype()) {
    const ValuesAndIndices y = extrema(name, to(x, wide), d, kernel);
    return {to(y.values, x.dtype()), y.indices};
  }
  const Tensor rows = with_last(x, d);
  const Tensor y = make_empty(name, rows.shape(), x.dtype());
  const Tensor indices = make_empty(name, rows.shape(), DType::i64);
  kernels::RowScan scan = rows_of(rows, y);
  scan.indices = indices.impl()->data<int64_t>();
  if (scan.rows > 0) kernel[place(x.dtype())](KernelScope(), scan);
  const Tensor places = from_last(indices, d);
  auto results =
      op.differentiable(std::array<Tensor, 2>{from_last(y, d), places},
                        [indices = op.save(places), d,
                         n = x.dim() == 0 ? 1 : x.shape()[d]](const Backward& b) -> Grads {
                          if (!b.dy(0).defined()) return {Tensor()};
                          return {picks::add_back(b.dy(0), *indices, d, n)};
                        });
  return {results[0], results[1]};
}

}  // namespace

namespace scans {

// y_i = product of x up to i;   dx_i = (y_(i - 1)) g_i, where g_i = dy_i + x_(i + 1) g_(i + 1) is
// the derivative by y_i: nothing is divided by x, which may be 0.
Tensor products(const char* name, const Tensor& x, int64_t dim, bool reverse) {
  const Op op(name, {x}, {{"dim", dim}});
  const int d = normalize_dim(name, dim, x.dim());
  if (const DType wide = scanned_in(x.dtype()); wide != x.dtype()) {
    const Tensor y = products(name, to(x, wide), d, reverse);
    return is_half(x.dtype()) ? to(y, x.dtype()) : y;
  }
  Tensor y = scanned(op, x, d, reverse, kernel_table().scan.product);
  return op.differentiable(
      y, [x = op.save(x), y = op.save_output(y), d, reverse](const Backward& b) -> Grads {
        const Tensor g = recurrence(moved(*x, d, !reverse, 0.0), b.dy(0), d, !reverse);
        return {g * moved(*y, d, reverse, 1.0)};
      });
}

// h_j = a_j h_(j - 1) + b_j;   db_j = dh_j + a_(j + 1) db_(j + 1), da_j = db_j h_(j - 1)
Tensor recurrence(const Tensor& a, const Tensor& b, int d, bool reverse) {
  const Op op("recurrence", {a, b}, {{"dim", d}});
  const Tensor a0 = with_last(a, d), b0 = with_last(b, d);
  const Tensor h0 = make_empty("recurrence", b0.shape(), b.dtype());
  const int64_t n = b.dim() == 0 ? 1 : b0.shape().back();
  if (b.numel() > 0) {
    kernel_table().scan.recurrence[index(b.dtype())](
        KernelScope(),
        {a0.raw_data(), b0.raw_data(), h0.impl()->bytes(), b.numel() / n, n, reverse});
  }
  Tensor h = from_last(h0, d);
  return op.differentiable(
      h, [a = op.save(a), h = op.save_output(h), d, reverse](const Backward& back) -> Grads {
        const Tensor db = recurrence(moved(*a, d, !reverse, 0.0), back.dy(0), d, !reverse);
        return {back.needs(0) ? db * moved(*h, d, reverse, 0.0) : Tensor(), db};
      });
}

Tensor moved(const Tensor& x, int d, bool reverse, double value) {
  if (x.numel() == 0) return x;
  if (x.dim() == 0) return full({}, value, x.dtype());
  const int64_t n = x.shape()[d];
  Shape one = x.shape();
  one[d] = 1;
  const Tensor edge = full(one, value, x.dtype());
  return reverse ? cat({slice(x, d, 1, n), edge}, d) : cat({edge, slice(x, d, 0, n - 1)}, d);
}

}  // namespace scans

Tensor cumsum(const Tensor& x, int64_t dim) { return sums("cumsum", x, dim, false); }
Tensor cumprod(const Tensor& x, int64_t dim) { return scans::products("cumprod", x, dim, false); }

ValuesAndIndices cummax(const Tensor& x, int64_t dim) {
  return extrema("cummax", x, dim, kernel_table().scan.max);
}
ValuesAndIndices cummin(const Tensor& x, int64_t dim) {
  return extrema("cummin", x, dim, kernel_table().scan.min);
}

// y_i = log(sum of exp(x) up to i);   dx_i = exp(x_i - y_i) u_i, where
// u_i = sum over j >= i of dy_j exp(y_i - y_j) = dy_i + exp(y_i - y_(i + 1)) u_(i + 1): y does not
// fall, so nothing overflows
Tensor logcumsumexp(const Tensor& x, int64_t dim) {
  const Op op("logcumsumexp", {x}, {{"dim", dim}});
  op.check_floating(0);
  const int d = normalize_dim("logcumsumexp", dim, x.dim());
  if (is_half(x.dtype())) return to(logcumsumexp(to(x, DType::f32), d), x.dtype());
  const Tensor rows = with_last(x, d);
  const Tensor y0 = make_empty("logcumsumexp", rows.shape(), x.dtype());
  const kernels::RowScan scan = rows_of(rows, y0);
  if (scan.rows > 0) kernel_table().scan.logsumexp[index(x.dtype())](KernelScope(), scan);
  Tensor y = from_last(y0, d);
  return op.differentiable(y,
                           [x = op.save(x), y = op.save_output(y), d](const Backward& b) -> Grads {
                             // What is subtracted from -infinity may be anything: exp of it is 0.
                             const Tensor sums = *y, shift = where(sums == -kInfinity, 0.0, sums);
                             const Tensor a = exp(sums - scans::moved(shift, d, true, kInfinity));
                             return {exp(*x - shift) * scans::recurrence(a, b.dy(0), d, true)};
                           });
}

}  // namespace adjoint

// Elements written by index.
#include <adjoint/core/indexing.h>
#include <adjoint/core/inplace.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/pointwise.h>

#include "core/ops/along.h"
#include "core/ops/defined.h"
#include "core/ops/loops.h"

namespace adjoint {

namespace {

// One function for an operator and for what it is in place: `functional` is the operator's name in
// that case, and there is no result.
struct Written {
  const char* name;
  const char* functional = nullptr;

  Tensor operator()(const Tensor& x, const Places& places, const Tensor& index,
                    const Tensor& values, Write how) const {
    if (functional == nullptr) return with_places(name, x, places, index, values, how);
    write_places(name, functional, x, places, index, values, how);
    return {};
  }
};

// Checks that source has a slice for each index.
void check_source(const char* op, const Tensor& x, const Slices& slices, const Tensor& source) {
  check_defined(op, source, "the source");
  check_same_dtype(op, x, source);
  Shape expected = x.shape();
  const int64_t count = slices.index.numel();
  if (x.dim() > 0) expected[slices.dim] = count;
  check<ShapeError>(source.shape() == expected && (x.dim() > 0 || count == 1), op,
                    ": source of shape ", source.shape(), " for ", count, " indices at dimension ",
                    slices.dim, " of shape ", x.shape(), "; expected ", expected);
}

Tensor add_slices(const Written& f, const Tensor& x, int64_t dim, const Tensor& index,
                  const Tensor& source, Scalar alpha) {
  const Slices slices(f.name, x, dim, index, false);
  check_source(f.name, x, slices, source);
  check<DTypeError>(is_floating_point(x.dtype()) || alpha.kind() != DType::f32, f.name,
                    ": the real alpha ", alpha.real(), " for a tensor of dtype ", x.dtype(),
                    "; expected a whole number");
  if (alpha.real() == 1) return f(x, slices.places, slices.index, source, Write::add);
  // Rounded once, with the sum.
  const Tensor scaled = mul(to(source, computed_in(source.dtype())), alpha);
  return f(x, slices.places, slices.index, scaled, Write::add);
}

Tensor copy_slices(const Written& f, const Tensor& x, int64_t dim, const Tensor& index,
                   const Tensor& source) {
  const Slices slices(f.name, x, dim, index, false);
  check_source(f.name, x, slices, source);
  return f(x, slices.places, slices.index, source, Write::assign);
}

Tensor fill_slices(const Written& f, const Tensor& x, int64_t dim, const Tensor& index,
                   const Tensor& value) {
  const Slices slices(f.name, x, dim, index, true);
  check<ShapeError>(value.dim() == 0, f.name, ": a value of shape ", value.shape(),
                    "; expected a tensor without dimensions");
  return f(x, slices.places, slices.index, to(value, x.dtype()), Write::assign);
}

Tensor scatter_values(const Written& f, const Tensor& x, int64_t dim, const Tensor& index,
                      const Tensor& src, Write how) {
  const int d = normalize_dim(f.name, dim, x.dim());
  const Tensor i = index_for_each(f.name, x, d, index, false);
  return f(x, along(d, Places::By::each), i, source_of_each(f.name, x, i, src), how);
}

Tensor scatter_value(const Written& f, const Tensor& x, int64_t dim, const Tensor& index,
                     Scalar value) {
  const int d = normalize_dim(f.name, dim, x.dim());
  const Tensor i = index_for_each(f.name, x, d, index, false);
  return f(x, along(d, Places::By::each), i, held_scalar(f.name, value, x.dtype()), Write::assign);
}

}  // namespace

Tensor index_add(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
                 Scalar alpha) {
  return add_slices({"index_add"}, x, dim, index, source, alpha);
}
void index_add_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
                Scalar alpha) {
  add_slices({"index_add_", "index_add()"}, x, dim, index, source, alpha);
}

Tensor index_copy(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source) {
  return copy_slices({"index_copy"}, x, dim, index, source);
}
void index_copy_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source) {
  copy_slices({"index_copy_", "index_copy()"}, x, dim, index, source);
}

Tensor index_fill(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& value) {
  return fill_slices({"index_fill"}, x, dim, index, value);
}
Tensor index_fill(const Tensor& x, int64_t dim, const Tensor& index, Scalar value) {
  return fill_slices({"index_fill"}, x, dim, index, held_scalar("index_fill", value, x.dtype()));
}
void index_fill_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& value) {
  fill_slices({"index_fill_", "index_fill()"}, x, dim, index, value);
}
void index_fill_(const Tensor& x, int64_t dim, const Tensor& index, Scalar value) {
  fill_slices({"index_fill_", "index_fill()"}, x, dim, index,
              held_scalar("index_fill_", value, x.dtype()));
}

Tensor scatter(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src) {
  return scatter_values({"scatter"}, x, dim, index, src, Write::assign);
}
Tensor scatter(const Tensor& x, int64_t dim, const Tensor& index, Scalar value) {
  return scatter_value({"scatter"}, x, dim, index, value);
}
Tensor scatter_add(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src) {
  return scatter_values({"scatter_add"}, x, dim, index, src, Write::add);
}
void scatter_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src) {
  scatter_values({"scatter_", "scatter()"}, x, dim, index, src, Write::assign);
}
void scatter_(const Tensor& x, int64_t dim, const Tensor& index, Scalar value) {
  scatter_value({"scatter_", "scatter()"}, x, dim, index, value);
}
void scatter_add_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src) {
  scatter_values({"scatter_add_", "scatter_add()"}, x, dim, index, src, Write::add);
}

}  // namespace adjoint

#include "core/ops/places.h"

#include <adjoint/core/layout.h>
#include <adjoint/core/pointwise.h>

#include <bit>

#include "core/autograd/gradient_ops.h"
#include "core/ops/defined.h"
#include "core/ops/loops.h"

namespace adjoint {
namespace {

using By = Places::By;

// Where kernels find places: the table at index 0, of the shape of the values, with stride 0 where
// indices move it; and the indices in that shape.
struct Moved {
  Tensor table, index;
  kernels::Along along;
};

// A number is a row of one.
Tensor at_least_one_dim(const Tensor& x) {
  return x.dim() > 0 ? x : make_view(x, {1}, {1}, x.impl()->offset);
}

bool contains(const Shape& dims, int d) {
  for (const int64_t one : dims) {
    if (one == d) return true;
  }
  return false;
}

// Shared indices in as many dimensions as lie evenly in memory are multiples of one stride; others
// become offsets.
Moved moved_together(const Tensor& x, const Places& places, const Tensor& index) {
  const Shape& sizes = x.shape();
  const Strides& strides = x.strides();
  int64_t step = 1, extent = 1;
  bool even = true;
  for (int i = places.dims.rank() - 1; i >= 0; --i) {
    const auto d = static_cast<int>(places.dims[i]);
    if (sizes[d] != 1) {
      if (extent == 1) step = strides[d];
      even = even && strides[d] == extent * step;
    }
    extent *= sizes[d];
  }
  Tensor moves = index;
  if (!even) {
    const Tensor flat = packed(index);
    moves = make_empty("index", index.shape(), DType::i64);
    kernels::Unravel u{flat.impl()->data<int64_t>(), flat.numel(), extent,
                       places.dims.rank(),           {},           {},
                       moves.impl()->data<int64_t>()};
    step = extent = 1;
    for (int i = 0; i < u.rank; ++i) {
      const auto d = static_cast<int>(places.dims[i]);
      u.size[i] = sizes[d];
      u.stride[i] = strides[d];
      extent += (sizes[d] - 1) * strides[d];
    }
    kernel_table().index.offsets(KernelScope(), u);
  }
  Shape shape;
  Strides of_table, of_index;
  const auto insert_index = [&] {
    for (int i = 0; i < moves.dim(); ++i) {
      shape.push_back(moves.shape()[i]);
      of_table.push_back(0);
      of_index.push_back(moves.strides()[i]);
    }
  };
  for (int d = 0; d < x.dim(); ++d) {
    if (shape.rank() == places.place) insert_index();
    if (contains(places.dims, d)) continue;
    shape.push_back(sizes[d]);
    of_table.push_back(strides[d]);
    of_index.push_back(0);
  }
  return {make_view(x, shape, of_table, x.impl()->offset),
          make_view(moves, shape, of_index, moves.impl()->offset),
          {step, extent}};
}

Moved moved(const Tensor& x, const Places& places, const Tensor& index) {
  const Tensor row = at_least_one_dim(x);
  if (places.by == By::shared) return moved_together(row, places, index);
  const auto dim = static_cast<int>(places.dims[0]);
  Strides strides = Strides::filled(index.dim(), 0);
  for (int d = 0; d < index.dim(); ++d) {
    if (d != dim) strides[d] = row.strides()[d];
  }
  return {make_view(row, index.shape(), strides, row.impl()->offset),
          index,
          {row.strides()[dim], row.shape()[dim]}};
}

int by_size(DType dtype) { return std::countr_zero(element_size(dtype)); }

Tensor ranges_of(const Tensor& x, const Places& places) {
  return places.whole ? x : places.ranges.of(x);
}

Tensor gathered(const char* name, const Tensor& x, const Places& places, const Tensor& index) {
  const Moved m = moved(ranges_of(x, places), places, index);
  Tensor y = make_empty(name, m.table.shape(), x.dtype());
  kernel_table().index.gather[by_size(x.dtype())](
      KernelScope(), make_loop<3>(y.shape(), {&y, &m.index, &m.table}), m.along);
  return y;
}

using Scatter = void (*)(const kernels::Exec&, const kernels::Loop<3>&, const kernels::Along&);

void run(Scatter kernel, const Tensor& table, const Places& places, const Tensor& index,
         const Tensor& values) {
  const Moved m = moved(table, places, index);
  kernel(KernelScope(), make_loop<3>(m.table.shape(), {&m.table, &m.index, &values}), m.along);
}

void copy_into(const Tensor& x, const Tensor& y) {
  kernel_table().elementwise.copy[index(y.dtype())][index(x.dtype())](
      KernelScope(), make_loop<2>(x.shape(), {&x, &y}));
}

// What values of the dtype are added in before they are rounded to it.
DType sums_in(DType dtype) { return dtype == DType::boolean ? DType::i64 : computed_in(dtype); }

// Unrecorded. The table is of the sums of what values are, or of their dtype.
void write_elements(const Tensor& x, const Places& places, const Tensor& index,
                    const Tensor& values, Write how) {
  const Tensor table = ranges_of(x, places);
  if (how == Write::assign) {
    if (places.by == By::ranges) return copy_into(table, values);
    run(kernel_table().index.scatter[by_size(x.dtype())], table, places, index,
        rounded(values, x.dtype()));
    return;
  }
  if (places.by == By::ranges) {
    const Tensor y = rounded(values, x.dtype());
    kernel_table()
        .elementwise.binary[static_cast<int>(kernels::Binary::add)][adjoint::index(x.dtype())](
            KernelScope(), make_loop<3>(table.shape(), {&table, &table, &y}));
    return;
  }
  const DType sums = sums_in(x.dtype());
  // Halves are widened one by one; whole numbers before.
  const Tensor y = is_half(values.dtype()) && sums == DType::f32 ? values : rounded(values, sums);
  const Tensor wide = rounded(table, sums);
  run(kernel_table().index.add[adjoint::index(y.dtype())], wide, places, index, y);
  if (sums != x.dtype()) copy_into(table, wide);
}

// z = 0 but dy in these places of a tensor of `shape`;   ddy = the places of its gradient
Tensor spread_places(const Tensor& dy, const Shape& shape, const Places& places,
                     const Tensor& index) {
  const Op op("index_backward", {dy, optional_input(index)});
  const Write how = places.distinct || places.by == By::ranges ? Write::assign : Write::add;
  Tensor z = zeros(shape, how == Write::assign ? dy.dtype() : sums_in(dy.dtype()));
  write_elements(z, places, index, dy, how);
  z = rounded(z, dy.dtype());
  return op.differentiable(z, [places, index = op.save(index)](const Backward& b) -> Grads {
    return {read_places("index", b.dy(0), places, *index), Tensor()};
  });
}

// For each value, whether it is the last that is written to its place.
Tensor last_written(const Shape& shape, const Places& places, const Tensor& index,
                    const Shape& written) {
  const NoGrad guard;
  const Tensor order = arange(written.numel()).view(written);
  const Tensor last = make_empty("index", shape, DType::i64);  // read only where it is written
  write_elements(last, places, index, order, Write::assign);
  return eq(gathered("index", last, places, index), order);
}

// y, or a copy where writing into x changes it.
Tensor apart(const Tensor& x, const Tensor& y) {
  if (!y.defined() || !share_elements(x, y)) return y;
  const NoGrad guard;
  return clone(y);
}

// The closure of writes.
auto write_gradients(const Op& op, const char* name, const Places& places, const Tensor& index,
                     const Shape& written, Write how) {
  return [name, places, how, written, index = op.save(index)](const Backward& b) -> Grads {
    const Tensor i = *index;
    Tensor dx, dvalues;
    if (b.needs(2)) {
      dvalues = read_places("index", b.dy(0), places, i);
      if (how == Write::assign && !places.distinct && places.by != By::ranges) {
        dvalues = where(last_written(b.dy(0).shape(), places, i, written), dvalues, 0.0);
      }
    }
    if (b.needs(0)) {
      dx = b.take_dy(0);
      if (how == Write::assign) {
        dx = with_places(name, dx, places, i, scalar_tensor(0, dx.dtype()), how, true);
      }
    }
    return {dx, Tensor(), dvalues};
  };
}

void check_values(const Op& op, const Shape& target, const Tensor& values) {
  op.check(values.dim() <= target.rank() &&
               broadcast_shapes(op.name(), target, values.shape()) == target,
           "values of shape ", values.shape(), " for places of shape ", target,
           "; expected one that broadcasts to it");
}

}  // namespace

Places along(int dim, Places::By by) { return {.by = by, .dims = {dim}, .place = dim}; }

Tensor Ranges::of(const Tensor& x) const {
  Shape shape;
  Strides strides;
  int64_t offset = x.impl()->offset;
  for (int d = 0; d < size.rank(); ++d) {
    if (size[d] > 0) offset += start[d] * x.strides()[d];
  }
  for (const int64_t shown : shows) {
    const auto d = static_cast<int>(shown);
    shape.push_back(d < 0 ? 1 : size[d]);
    // No step is taken where there is but one element: any will do.
    strides.push_back(d < 0 ? 1 : size[d] > 1 ? x.strides()[d] * step[d] : x.strides()[d]);
  }
  return make_view(x, shape, strides, offset);
}

Shape values_shape(const Tensor& x, const Places& places, const Tensor& index) {
  const Tensor view = ranges_of(x, places);
  if (places.by == By::ranges) return view.shape();
  if (places.by == By::each) return index.shape();
  Shape shape;
  for (int d = 0; d < view.dim(); ++d) {
    if (!contains(places.dims, d)) shape.push_back(view.shape()[d]);
  }
  for (int i = 0; i < index.dim(); ++i) shape.insert(places.place + i, index.shape()[i]);
  return shape;
}

Tensor read_places(const char* name, const Tensor& x, const Places& places, const Tensor& index) {
  const Op op(name, {x, optional_input(index)});
  const auto backward = [places, from = x.shape(),
                         index = op.save(index)](const Backward& b) -> Grads {
    const Tensor i = *index;
    const Tensor& dy = b.dy(0);
    if (!grad_enabled() && (places.by == By::ranges || sums_in(dy.dtype()) == dy.dtype())) {
      // Without a tensor of zeros, where a gradient is already there to be added to.
      const Tensor into = b.into(0);
      if (into.defined() && into.dtype() == dy.dtype()) {
        write_elements(into, places, i, dy, Write::add);
        return {into, Tensor()};
      }
    }
    return {spread_places(dy, from, places, i), Tensor()};
  };
  if (places.by == By::ranges) return op.view(places.ranges.of(x), backward);
  return op.differentiable(gathered(name, x, places, index), backward);
}

Tensor with_places(const char* name, const Tensor& x, const Places& places, const Tensor& index,
                   const Tensor& values, Write how, bool dying) {
  const Op op(name, {x, optional_input(index), values});
  const Shape target = values_shape(x, places, index);
  check_values(op, target, values);
  Tensor y = op.make_result(dying ? &x : nullptr, x, x.dtype());
  if (!share_elements(x, y)) copy_into(y, x);
  write_elements(y, places, index, values, how);
  return op.differentiable(y, write_gradients(op, name, places, index, target, how));
}

void write_places(const char* name, const char* functional, const Tensor& x, const Places& places,
                  const Tensor& index, const Tensor& values, Write how) {
  check_writable(name, x);
  const Op op(name, {x, optional_input(index), values});
  const Shape target = values_shape(x, places, index);
  check_values(op, target, values);
  op.check_in_place(x, functional);
  const Tensor i = apart(x, index), v = apart(x, values);
  write_elements(x, places, i, v, how);
  op.in_place(x, write_gradients(op, name, places, index, target, how));
}

void fold_places(kernels::Fold fold, const Tensor& table, const Places& places, const Tensor& index,
                 const Tensor& values) {
  run(kernel_table().index.fold[static_cast<int>(fold)][adjoint::index(table.dtype())], table,
      places, index, values);
}

Tensor indices(const char* op, const Tensor& index) {
  check_defined(op, index, "the index");
  check<DTypeError>(index.dtype() == DType::i64 || index.dtype() == DType::i32, op,
                    ": indices are of dtype ", index.dtype(),
                    "; expected i64 or i32; convert them with to()");
  return rounded(index, DType::i64);
}

int64_t find_outside(const Tensor& index, int64_t low, int64_t high) {
  // Repeated elements once.
  Shape shape = index.shape();
  Strides strides = index.strides();
  for (int d = shape.rank() - 1; d >= 0; --d) {
    if (strides[d] != 0 || shape[d] == 0) continue;
    strides.erase(d);
    shape.erase(d);
  }
  const Tensor once = make_view(index, shape, strides, index.impl()->offset);
  bool found = false;
  kernel_table().index.outside(KernelScope(), make_loop<1>(shape, {&once}), low, high, &found);
  if (!found) return -1;
  const Tensor all = packed(index);
  const int64_t* values = all.impl()->data<int64_t>();
  int64_t at = 0;
  while (values[at] >= low && values[at] < high) ++at;
  return at;
}

void fail_outside(const char* op, const Tensor& index, int64_t at, int64_t low, int64_t high,
                  const std::string& what) {
  fail<IndexError>(op, ": index ", packed(index).impl()->data<int64_t>()[at], " at ",
                   unravel_index(at, index.shape()), " of indices of shape ", index.shape(),
                   "; expected values in [", low, ", ", high, "), ", what);
}

Tensor true_places(const Tensor& mask) {
  const Tensor m = packed(mask);
  const bool* elements = m.impl()->data<bool>();
  const int64_t blocks = (m.numel() + kernels::kMaskBlock - 1) / kernels::kMaskBlock;
  const Tensor counts = make_empty("nonzero", {blocks}, DType::i64);
  auto* starts = counts.impl()->data<int64_t>();
  kernel_table().index.count_true(KernelScope(), elements, m.numel(), starts);
  int64_t total = 0;
  for (int64_t block = 0; block < blocks; ++block) total += std::exchange(starts[block], total);
  Tensor places = make_empty("nonzero", {total}, DType::i64);
  kernel_table().index.where_true(KernelScope(), elements, m.numel(), starts,
                                  places.impl()->data<int64_t>());
  return places;
}

}  // namespace adjoint

// Elements of a tensor that operators read or write, chosen by ranges and by indices: what index,
// index_put, gather, scatter and their kin share.
#pragma once

#include <adjoint/core/tensor.h>

#include <cstdint>
#include <sstream>
#include <string>

#include "core/autograd/op.h"
#include "core/kernels/index.h"

namespace adjoint {

// A range of each dimension of a tensor, and how a view shows them.
struct Ranges {
  Shape start, size, step;  // of each dimension of the tensor
  Shape shows;              // by each dimension of the view; -1: a new one of size 1

  Tensor of(const Tensor& x) const;  // that view, without history
};

struct Places {
  enum class By : uint8_t {
    ranges,  // no indices
    shared,  // indices of any shape choose in `dims` together: numbers of elements in row-major
             // order of these dimensions, the same for all of the others
    each,    // along dims[0], an index for each value: index and values have the same shape
  };
  By by = By::shared;
  Shape dims = {};
  int place = 0;          // where the dimensions of shared indices stand in the values' shape
  bool distinct = false;  // no place twice
  bool whole = true;      // the indices are about the tensor itself, not about `ranges` of it
  Ranges ranges = {};
};

// Along one dimension, already normalised, by a shared index, or by one for each element.
Places along(int dim, Places::By by);

// The shape of what such places of x hold.
Shape values_shape(const Tensor& x, const Places& places, const Tensor& index);

// Indices below are i64, undefined for ranges, and have been checked: indices() and check_range().

// y = the places of x;   dx = dy there, 0 elsewhere
Tensor read_places(const char* name, const Tensor& x, const Places& places, const Tensor& index);

// Values are of x's dtype, or a number's tensor, and broadcast to values_shape; they are written in
// row-major order.
enum class Write : uint8_t { assign, add };

// y = x with values in these places;   dx = dy, 0 where it was written to; dvalues = the places of
// dy, 0 where another value was written later
// (`dying`: see Note [Donation])
Tensor with_places(const char* name, const Tensor& x, const Places& places, const Tensor& index,
                   const Tensor& values, Write how, bool dying = false);
// The same in place; errors name the functional form.
void write_places(const char* name, const char* functional, const Tensor& x, const Places& places,
                  const Tensor& index, const Tensor& values, Write how);

// Unrecorded, for kernels of reductions: how `values` change the places of `table`.
void fold_places(kernels::Fold fold, const Tensor& table, const Places& places, const Tensor& index,
                 const Tensor& values);

// Indices as kernels take them: i64, of the same shape. DTypeError for what is not i64 or i32.
Tensor indices(const char* op, const Tensor& index);
// The first index that is not in [low, high), as a number of an element of it, or -1.
int64_t find_outside(const Tensor& index, int64_t low, int64_t high);
[[noreturn]] void fail_outside(const char* op, const Tensor& index, int64_t at, int64_t low,
                               int64_t high, const std::string& what);
// IndexError where an index is not in [-size, size), or in [0, size) if it may not be negative,
// that names it and where it stands; `what` says what is chosen from.
template <class... Parts>
void check_range(const char* op, const Tensor& index, int64_t size, bool negative,
                 const Parts&... what) {
  const int64_t low = negative ? -size : 0, at = find_outside(index, low, size);
  if (at < 0) return;
  std::ostringstream text;
  (text << ... << what);
  fail_outside(op, index, at, low, size, text.str());
}
// In a dimension of x, or in x where that is a number.
inline void check_range_in(const char* op, const Tensor& index, const Tensor& x, int dim,
                           bool negative) {
  check_range(op, index, x.dim() == 0 ? 1 : x.shape()[dim], negative, "dimension ", dim,
              " of shape ", x.shape());
}

// The numbers of the elements of a mask that are true, in row-major order.
Tensor true_places(const Tensor& mask);

// Throws where elements of x are not its own, for functions that write into it.
void check_writable(const char* op, const Tensor& x);
// Whether a tensor can be written to from another: as in PyTorch, bools, integers and reals in this
// order, nothing is cut off in silence.
bool can_hold(DType dtype, DType source);
// Whether writing into one tensor may change the other.
bool share_elements(const Tensor& a, const Tensor& b);

}  // namespace adjoint

// Indices along one dimension, as index_select, gather and their kin take them.
#pragma once

#include "core/ops/places.h"

namespace adjoint {

// Slices of x along dim by a row of indices. Checks them.
struct Slices {
  Slices(const char* op, const Tensor& x, int64_t d, const Tensor& given, bool negative);

  int dim;
  Tensor index;  // one dimension
  Places places;
};

// An index for each element, that choose along dimension dim of x. Checks them.
Tensor index_for_each(const char* op, const Tensor& x, int dim, const Tensor& index, bool negative);

// The part of src that such indices are about. Checks it.
Tensor source_of_each(const char* op, const Tensor& x, const Tensor& index, const Tensor& src);

// Shared indices that choose among all elements of x.
Places all_dims(const Tensor& x);

// DTypeError unless values are of x's dtype.
void check_same_dtype(const char* op, const Tensor& x, const Tensor& values);

}  // namespace adjoint

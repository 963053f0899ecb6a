// Scans as other operators need them: from either end, and recurrences.
#pragma once

#include <adjoint/core/tensor.h>

namespace adjoint::scans {

// cumprod, from the last element if `reverse`.
Tensor products(const char* name, const Tensor& x, int64_t dim, bool reverse);

// h_j = a_j h_(j - 1) + b_j along dimension d, h_(-1) = 0; from the last element if `reverse`. a
// and b are of one shape, of f32 or f64.
Tensor recurrence(const Tensor& a, const Tensor& b, int d, bool reverse);

// x moved on by one along dimension d, away from its start (its end, if `reverse`), where `value`
// comes in.
Tensor moved(const Tensor& x, int d, bool reverse, double value);

}  // namespace adjoint::scans

// What the operators share that read planes at other places: pooling by means, resizing, sampling.
//
// Both are linear in what they read, and the gradient of each is another of its kind: so they are
// differentiable to any order without a second formula.
#pragma once

#include <adjoint/core/tensor.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "core/autograd/op.h"
#include "core/ops/defined.h"
#include "core/ops/loops.h"

namespace adjoint {

// A sparse matrix along one dimension: element o of a result is the sum of weight[k] x[index[k]]
// for k in [begin[o], begin[o + 1]).
struct SparseRows {
  int64_t in = 1;
  std::vector<int64_t> begin{0}, index;
  std::vector<double> weight;

  void add(int64_t at, double w) {
    index.push_back(at);
    weight.push_back(w);
  }
  void end_row() { begin.push_back(static_cast<int64_t>(index.size())); }
  int64_t rows() const { return static_cast<int64_t>(begin.size()) - 1; }
};
SparseRows identity(int64_t n);

// A matrix for each of depth, height and width, and the sizes that the last dimensions have before
// and after; these may be fewer, or merged to one.
struct Resampling {
  std::array<SparseRows, 3> dims = {identity(1), identity(1), identity(1)};
  Shape in, out;
};

// y = the matrices along the last dimensions of x;   dx = the transposed ones along those of dy
Tensor resampled(const char* name, const Tensor& x,
                 const std::shared_ptr<const Resampling>& resampling,
                 std::initializer_list<Attribute> attributes = {});

// Three operators of lists of places: index is (groups, taps, outputs), i64, in [-1, size), where
// -1 stands for nothing; weight has that shape, of what x is computed in, or is undefined: ones.
// x is (groups, channels, size), y is (groups, channels, outputs). Each is the derivative of
// sum(y gather(x, weight)) with respect to one of the three.
// REQUIRES: the indices are in range.
//
// y = sum over taps of weight x[index];   dx = scatter(dy, weight), dweight = correlate(dy, x)
Tensor gather_taps(const char* name, const Tensor& x, const Tensor& index, const Tensor& weight);
// x[index] = sum of weight y;   dy = gather(dx, weight), dweight = correlate(y, dx)
Tensor scatter_taps(const char* name, const Tensor& y, const Tensor& index, const Tensor& weight,
                    int64_t size);
// weight = sum over channels of y x[index];   dy = gather(x, dweight), dx = scatter(y, dweight)
Tensor correlate_taps(const char* name, const Tensor& y, const Tensor& x, const Tensor& index);

// --- sizes ---

// `given` for each of `rank` sizes: one entry stands for all. Each is at least `least`, and at most
// kMostOfWindow.
Shape for_each_size(const char* op, const char* what, const Shape& given, int rank, int64_t least);
// The last `rank` sizes of x, which has one or two dimensions before them. Throws where one is 0.
Shape plane_sizes(const char* op, const Tensor& x, int rank);
// The shape of x with other sizes at its end.
Shape with_sizes(const Tensor& x, const Shape& sizes);
void check_floating_input(const char* op, const Tensor& x);

}  // namespace adjoint

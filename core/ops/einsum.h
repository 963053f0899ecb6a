// Sums of products of tensors whose dimensions have labels.
#pragma once

#include <vector>

#include "core/autograd/op.h"

namespace adjoint::linalg {

// A tensor and a label for each of its dimensions.
struct Labelled {
  Tensor x;
  std::vector<int> labels;
};

constexpr int kLabels = 64;

// The sum over all labels that are not in `output`, which names each label once, of the products of
// the operands; recorded. A label twice in an operand is its diagonal. A size of 1 broadcasts.
// Errors name op. REQUIRES: labels in [0, kLabels), those of the output among those of the
// operands.
Tensor contract_labels(const Op& op, std::vector<Labelled> operands,
                       const std::vector<int>& output);

// The sum over `dims` of a b, of floating dtypes; of 16 bits made in f32 and rounded once.
Tensor sum_of_products(const Tensor& a, const Tensor& b, const Shape& dims);

}  // namespace adjoint::linalg

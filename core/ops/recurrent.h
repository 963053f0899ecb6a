// What the operators of recurrent layers and their definition share.
#pragma once

#include <adjoint/core/recurrent.h>

#include <vector>

#include "core/kernels/recurrent.h"

namespace adjoint {

// The tensors of a call, in the order of the operator's inputs.
enum RecurrentInput : int { kX, kH0, kC0, kWeightIh, kWeightHh, kBiasIh, kBiasHh, kWeightHr };
inline constexpr int kRecurrentInputs = 8;

// How many gates a cell has.
constexpr int64_t gate_count(kernels::Cell cell) {
  return cell == kernels::Cell::lstm ? 4 : cell == kernels::Cell::gru ? 3 : 1;
}

namespace composed {
// output, h_n and, of lstm, c_n; x (B, inputs) is one step, which has no output.
std::vector<Tensor> recurrent(kernels::Cell cell, const std::vector<Tensor>& inputs,
                              const RecurrentOptions& options);
}  // namespace composed

}  // namespace adjoint

// Connectionist temporal classification: all alignments of targets with inputs, forward and back.
#pragma once

#include <cstdint>

#include "core/kernels/exec.h"

namespace adjoint::kernels {

// Note [Alignments]
// A target of n labels is a chain of 2 n + 1 states, blank, label, blank, ..., label, blank. From
// one time to the next a path stays, goes on by one state, or by two from a label to another one
// (Graves et al. 2006, "Connectionist temporal classification", section 4.1). alpha[t][s] is the
// logarithm of the sum over all beginnings that are at state s at time t, the state's probability
// included; beta that of all endings, without it. So exp(alpha + beta) summed over the states is
// the likelihood at every time, and no probability is divided by. The states of a time are computed
// side by side; rows of states begin with two that nothing reaches.
struct Ctc {
  int64_t times, items, classes;  // T, N, C
  const void* log_probs;          // (T, N, C)
  const int64_t* labels;          // item n has those from starts[n] on
  const int64_t* starts;
  const int64_t* input_lengths;   // at most T
  const int64_t* target_lengths;  // at most longest
  int64_t longest, blank;
  void* alpha;  // (N, T, 2 longest + 3)
  void* loss;   // (N): -log likelihood, infinity where nothing fits
  // Backward: the gradient of loss times dy, of log_probs' shape. Where the loss is infinite it is
  // NaN, or 0 with zero_infinity.
  const void* dy;  // (N)
  void* d;
  bool zero_infinity;
};

// Indexed by f32, f64.
struct CtcTable {
  void (*forward[2])(const Exec&, const Ctc&);
  void (*backward[2])(const Exec&, const Ctc&);
};

}  // namespace adjoint::kernels

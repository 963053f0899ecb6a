// Updates of parameters in one pass over memory: the arithmetic of the optimizers in
// <adjoint/optim/optimizer.h>, by the formulas of <adjoint/core/update_rules.h>. All parameters of
// a call are one job for the threads.
//
// Never recorded; the parameters' versions change. ShapeError or DTypeError unless all tensors of
// an update have the parameter's shape and dtype, before anything is changed. Moments of a
// parameter in bf16 or f16 are of f32, as are the sums: the parameter is rounded where it is
// stored, to the nearest, so steps below 2^-9 of it (f16: 2^-12) are lost. Training wants weights
// in f32 and <adjoint/core/autocast.h>. The parameter and the moments must be contiguous; a
// gradient may have any layout. A parameter of f32 that products under Autocast have read since the
// last sweep is also written in bf16, into a copy beside it that the next products read instead:
// half the bytes, the same bits. The tensors that an update refers to must outlive the call, and
// each storage be in one update only.
#pragma once

#include <adjoint/core/tensor.h>
#include <adjoint/core/update_rules.h>

#include <array>
#include <cstddef>
#include <span>
#include <vector>

namespace adjoint {

// One parameter, its gradient (undefined for rules without) and the moments in the rule's order;
// those left out may be null or undefined.
struct UpdateTensors {
  const Tensor& parameter;
  const Tensor& gradient;
  std::array<const Tensor*, kMaxMoments> moments = {};
};

template <class Rule>
struct RuleUpdate {
  UpdateTensors tensors;
  Rule rule;
};

namespace detail {
// `rules`: the structs of the updates, `stride` bytes apart, as are the tensors.
void sweep(const UpdateTraits& traits, const UpdateTensors* tensors, const void* rules,
           size_t stride, size_t count);
}  // namespace detail

// Carries out all updates, of a rule of <adjoint/core/update_rules.h>.
template <class Rule>
void sweep(std::span<const RuleUpdate<Rule>> updates) {
  if (updates.empty()) return;
  detail::sweep(Rule::kTraits, &updates[0].tensors, &updates[0].rule, sizeof(RuleUpdate<Rule>),
                updates.size());
}
template <class Rule, size_t n>
void sweep(const RuleUpdate<Rule> (&updates)[n]) {
  sweep(std::span<const RuleUpdate<Rule>>(updates));
}
template <class Rule>
void sweep(const RuleUpdate<Rule>& update) {
  sweep(std::span<const RuleUpdate<Rule>>(&update, 1));
}

// The sum of the squares of all elements of all tensors, in f64 and in a fixed order. DTypeError
// unless each is of a floating dtype.
double sum_of_squares(std::span<const Tensor> tensors);
// That of each, in one job.
std::vector<double> sums_of_squares(std::span<const Tensor> tensors);

}  // namespace adjoint

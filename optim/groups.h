// Which parameters decay: rules that split the slots of a model into groups.
//
//   optim::AdamW optimizer(optim::decay_groups(model.parameters(),
//                                              optim::AdamWOptions{.weight_decay = 0.1}));
#pragma once

#include <adjoint/optim/optimizer.h>

#include <functional>
#include <utility>
#include <vector>

namespace adjoint::optim {

// Whether weight decay is for this parameter.
using DecayRule = std::function<bool(const NamedSlot&)>;

// nanoGPT's rule: two or more dimensions.
bool has_two_dimensions(const NamedSlot& slot);
// Neither a bias, nor of a norm, nor an embedding: two or more dimensions, and no part of the path
// named as those are ("norm", "ln_1", "bn2", "embed", "embedding", "wte", "wpe", ...).
bool is_plain_weight(const NamedSlot& slot);

// {those that decay, the others}, each in their order.
std::pair<std::vector<NamedSlot>, std::vector<NamedSlot>> split_for_decay(
    const std::vector<NamedSlot>& slots, const DecayRule& decays);
std::pair<std::vector<NamedSlot>, std::vector<NamedSlot>> split_by_dimension(
    const std::vector<NamedSlot>& slots);

// One group with the options and one with weight_decay 0; a group without parameters is left out.
template <class Options>
std::vector<ParamGroup<Options>> decay_groups(const std::vector<NamedSlot>& slots,
                                              const Options& options,
                                              const DecayRule& decays = is_plain_weight) {
  auto [decay, rest] = split_for_decay(slots, decays);
  Options plain = options;
  plain.weight_decay = 0;
  std::vector<ParamGroup<Options>> groups;
  if (!decay.empty()) groups.push_back({std::move(decay), options});
  if (!rest.empty()) groups.push_back({std::move(rest), plain});
  return groups;
}

}  // namespace adjoint::optim

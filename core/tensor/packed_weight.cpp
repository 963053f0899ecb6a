#include "core/tensor/packed_weight.h"

#include <new>

#include "core/kernels/skinny.h"
#include "core/tensor/allocator.h"

namespace adjoint {
namespace {

thread_local WeightFormat format = WeightFormat::f32;

constexpr size_t kHeader = 128;
static_assert(sizeof(PackedWeight) <= kHeader);

size_t rounded(size_t bytes) { return (bytes + 63) / 64 * 64; }

}  // namespace

WeightFormat inference_weights() { return format; }

const char* name(WeightFormat weights) {
  constexpr const char* kNames[] = {"f32", "bf16", "int8"};
  return kNames[static_cast<int>(weights)];
}

InferenceWeights::InferenceWeights(WeightFormat weights) : before_(format) { format = weights; }
InferenceWeights::~InferenceWeights() { format = before_; }

PackedWeight* PackedWeight::create(const Key& key) {
  const bool scaled = key.format == WeightFormat::int8;
  const size_t scales = scaled ? rounded(static_cast<size_t>(key.out) * sizeof(float)) : 0;
  const auto elements = static_cast<size_t>(
      key.in_panels ? kernels::packed_elements(key.out, key.in) : key.out * key.in);
  const size_t bytes = kHeader + scales + elements * (scaled ? sizeof(int8_t) : sizeof(uint16_t));
  auto* const block = static_cast<char*>(allocate(bytes));
  auto* const at = reinterpret_cast<float*>(block + kHeader);
  return new (block)
      PackedWeight{key, bytes, nullptr, block + kHeader + scales, scaled ? at : nullptr};
}

void PackedWeight::destroy(PackedWeight* weight) noexcept { deallocate(weight, weight->bytes); }

const PackedWeight* PackedWeights::find(const PackedWeight::Key& key) const {
  const PackedWeight* weight = first_.load(std::memory_order_acquire);
  while (weight != nullptr && weight->key != key) weight = weight->next;
  return weight;
}

const PackedWeight* PackedWeights::publish(PackedWeight* weight) {
  weight->next = first_.load(std::memory_order_acquire);
  while (true) {
    if (const PackedWeight* other = find(weight->key)) {
      PackedWeight::destroy(weight);
      return other;
    }
    if (first_.compare_exchange_strong(weight->next, weight, std::memory_order_acq_rel,
                                       std::memory_order_acquire)) {
      return weight;
    }
  }
}

void PackedWeights::drop() noexcept {
  PackedWeight* weight = first_.exchange(nullptr, std::memory_order_acq_rel);
  while (weight != nullptr) {
    PackedWeight* const next = weight->next;
    PackedWeight::destroy(weight);
    weight = next;
  }
}

}  // namespace adjoint

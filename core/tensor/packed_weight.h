// Copies of a weight in the order in which kernels stream it, kept with the weight's elements.
#pragma once

#include <adjoint/core/inference_weights.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace adjoint {

// One copy; immutable once it is published. Header, scales and panels are one block.
struct PackedWeight {
  // What it is a copy of: the matrix (out, in) at an offset of its storage, with these strides.
  struct Key {
    int64_t offset, out, in, row, column;
    WeightFormat format;  // bf16 or int8
    bool operator==(const Key& other) const = default;
  };

  Key key;
  size_t bytes;        // of the block
  PackedWeight* next;  // another copy of the same storage
  void* panels;        // see Note [Packed weights]
  float* scales;       // one a row for int8, nullptr for bf16

  // Panels and scales uninitialised. Throws Error when memory ends.
  static PackedWeight* create(const Key& key);
  static void destroy(PackedWeight* weight) noexcept;
};

// The copies of one storage. Any threads may look and publish at once. A write to the storage drops
// them all: like the write itself it must not run beside a reader.
class PackedWeights {
 public:
  PackedWeights() = default;
  PackedWeights(const PackedWeights&) = delete;
  PackedWeights& operator=(const PackedWeights&) = delete;
  ~PackedWeights() { clear(); }

  // nullptr if there is none.
  const PackedWeight* find(const PackedWeight::Key& key) const;
  // Takes `weight`; returns it, or the one of another thread that came first.
  const PackedWeight* publish(PackedWeight* weight);
  void clear() noexcept {
    if (first_.load(std::memory_order_relaxed) != nullptr) drop();
  }

 private:
  void drop() noexcept;

  std::atomic<PackedWeight*> first_{nullptr};
};

}  // namespace adjoint

// Copies of a weight in fewer bytes, kept with the weight's elements: in the order in which kernels
// stream it, or in bf16 as it lies.
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
    WeightFormat format;    // bf16 or int8
    bool in_panels = true;  // or as the f32 lie, for a whole storage only
    bool operator==(const Key& other) const = default;

    // All of a storage of so many f32, rounded to bf16.
    static Key rounded(int64_t elements) {
      return {0, 1, elements, elements, 1, WeightFormat::bf16, false};
    }
  };

  Key key;
  size_t bytes;        // of the block
  PackedWeight* next;  // another copy of the same storage
  void* panels;        // see Note [Packed weights]; or the elements in order
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

  // For a product that rounds these f32 to bf16: the copy Key::rounded, which an optimizer's sweep
  // writes beside the f32 where somebody has looked for it since the sweep before.
  const PackedWeight* rounded(int64_t elements) {
    if (!wanted_.load(std::memory_order_relaxed)) wanted_.store(true, std::memory_order_relaxed);
    return find(PackedWeight::Key::rounded(elements));
  }
  bool take_wanted() { return wanted_.exchange(false, std::memory_order_relaxed); }

 private:
  void drop() noexcept;

  std::atomic<PackedWeight*> first_{nullptr};
  std::atomic<bool> wanted_{false};
};

}  // namespace adjoint

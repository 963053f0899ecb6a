// The elements of one or more tensors, with the stamp of their last change.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "core/tensor/allocator.h"
#include "core/tensor/packed_weight.h"

namespace adjoint {

// A stamp that no other call has returned, in any thread: a version is never seen twice, not even
// when an address is.
uint64_t next_stamp();

// Gives one reference up; true if it was the last. Who holds the only reference needs no locked
// instruction to know it: nobody else could copy it meanwhile.
template <class Count>
bool drop_reference(std::atomic<Count>& references) {
  return references.load(std::memory_order_acquire) == 1 ||
         references.fetch_sub(1, std::memory_order_acq_rel) == 1;
}

// Header and elements are one block, unless the elements are somebody else's: then the header is
// followed by what keeps them alive. Reference-counted; freed with the last tensor.
struct alignas(64) Storage {
  std::atomic<int64_t> references{1};
  std::atomic<uint64_t> version;  // 0 for ever where it was made under InferenceMode
  size_t bytes;                   // of the elements
  void* data;
  const char* changed_by = nullptr;  // the operator that wrote last
  std::atomic<int32_t> views{0};     // tensors alive that operators made as views of it
  PackedWeights packed;              // copies of what is here, until it changes

  static Storage* create(size_t bytes, bool stamped) {
    auto* storage = new (allocate(sizeof(Storage) + bytes)) Storage;
    storage->version.store(stamped ? next_stamp() : 0, std::memory_order_relaxed);
    storage->bytes = bytes;
    storage->data = storage->after();
    return storage;
  }
  static Storage* adopt(void* data, size_t bytes, std::shared_ptr<void> owner) {
    auto* storage = new (allocate(sizeof(Storage) + sizeof(owner))) Storage;
    storage->version.store(next_stamp(), std::memory_order_relaxed);
    storage->bytes = bytes;
    storage->data = data;
    new (storage->after()) std::shared_ptr<void>(std::move(owner));
    return storage;
  }

  void retain() { references.fetch_add(1, std::memory_order_relaxed); }
  void release() noexcept {
    if (drop_reference(references)) {
      using Owner = std::shared_ptr<void>;
      const bool adopted = data != after();
      const size_t total = sizeof(Storage) + (adopted ? sizeof(Owner) : bytes);
      if (adopted) static_cast<Owner*>(after())->~Owner();
      this->~Storage();
      deallocate(this, total);
    }
  }
  bool unique() const { return references.load(std::memory_order_acquire) == 1; }
  bool stamped() const { return version.load(std::memory_order_relaxed) != 0; }

  void* after() { return reinterpret_cast<char*>(this) + sizeof(Storage); }

  void change(const char* op) {
    changed_by = op;
    packed.clear();
    if (stamped()) version.store(next_stamp(), std::memory_order_release);
  }
};

}  // namespace adjoint

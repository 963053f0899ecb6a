// What became of the pieces of text that were seen before: most words of a text are. Bounded in
// size, and in time whatever the pieces (their hashes may all be alike).
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/tokenizers/model.h"

namespace adjoint::data {

class PieceCache {
 public:
  static bool takes(std::string_view piece) { return piece.size() <= kLongest; }

  // The tokens of a piece, from the cache or the model; valid until the next call.
  std::span<const ModelToken> tokens(std::string_view piece, const Model& model);

 private:
  static constexpr size_t kLongest = 64;
  static constexpr size_t kMostSlots = size_t{1} << 16;
  static constexpr size_t kMostProbes = 16;

  struct Slot {
    uint64_t hash = 0;
    uint32_t text = 0, token = 0;     // where they begin
    uint16_t length = 0, tokens = 0;  // length 0: free
  };

  void clear();

  std::vector<Slot> slots_ = std::vector<Slot>(1024);  // a power of two of them
  size_t pieces_ = 0;
  std::string texts_;
  std::vector<ModelToken> tokens_, uncached_;
};

// Caches that threads borrow, one each at a time.
class CachePool {
 public:
  class Lease {
   public:
    explicit Lease(CachePool& pool) : pool_(pool), cache_(pool.take()) {}
    ~Lease() { pool_.give(std::move(cache_)); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    PieceCache& operator*() const { return *cache_; }

   private:
    CachePool& pool_;
    std::unique_ptr<PieceCache> cache_;
  };

 private:
  std::unique_ptr<PieceCache> take();
  void give(std::unique_ptr<PieceCache> cache);

  std::mutex mutex_;
  std::vector<std::unique_ptr<PieceCache>> free_;
};

}  // namespace adjoint::data

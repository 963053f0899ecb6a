#include "data/tokenizers/piece_cache.h"

#include <algorithm>
#include <cstring>

namespace adjoint::data {
namespace {

uint64_t hash_of(std::string_view text) {
  constexpr uint64_t kFactor = 0x9E3779B97F4A7C15U;
  uint64_t hash = text.size() * kFactor;
  const auto mix = [&](uint64_t word) {
    hash = (hash ^ word) * kFactor;
    hash ^= hash >> 32;
  };
  size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) {
    uint64_t word = 0;
    std::memcpy(&word, text.data() + at, 8);
    mix(word);
  }
  uint64_t word = 0;
  std::memcpy(&word, text.data() + at, text.size() - at);
  mix(word);
  return hash;
}

}  // namespace

std::span<const ModelToken> PieceCache::tokens(std::string_view piece, const Model& model) {
  const uint64_t hash = hash_of(piece);
  size_t at = hash & (slots_.size() - 1);
  for (size_t probes = 0; probes < kMostProbes; ++probes, at = (at + 1) & (slots_.size() - 1)) {
    const Slot& slot = slots_[at];
    if (slot.length == 0) break;
    if (slot.hash == hash && slot.length == piece.size() &&
        std::memcmp(texts_.data() + slot.text, piece.data(), piece.size()) == 0) {
      return {tokens_.data() + slot.token, slot.tokens};
    }
  }
  uncached_.clear();
  model.tokenize(piece, uncached_);
  if (pieces_ == slots_.size() / 2) {
    clear();
    at = hash & (slots_.size() - 1);
  }
  if (slots_[at].length == 0) {
    slots_[at] = {hash, static_cast<uint32_t>(texts_.size()), static_cast<uint32_t>(tokens_.size()),
                  static_cast<uint16_t>(piece.size()), static_cast<uint16_t>(uncached_.size())};
    texts_ += piece;
    tokens_.insert(tokens_.end(), uncached_.begin(), uncached_.end());
    ++pieces_;
  }
  return uncached_;
}

// Room for more pieces, up to a limit; those that were there are worked out again.
void PieceCache::clear() {
  slots_.assign(std::min(kMostSlots, slots_.size() * 4), Slot{});
  texts_.clear();
  tokens_.clear();
  pieces_ = 0;
}

std::unique_ptr<PieceCache> CachePool::take() {
  {
    const std::lock_guard lock(mutex_);
    if (!free_.empty()) {
      auto cache = std::move(free_.back());
      free_.pop_back();
      return cache;
    }
  }
  return std::make_unique<PieceCache>();
}

void CachePool::give(std::unique_ptr<PieceCache> cache) {
  const std::lock_guard lock(mutex_);
  free_.push_back(std::move(cache));
}

}  // namespace adjoint::data

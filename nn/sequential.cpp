#include <adjoint/nn/sequential.h>

#include <algorithm>

namespace adjoint::nn {

Sequential::Sequential(std::vector<AnyModule> modules) : Sequential() {
  for (AnyModule& module : modules) append(std::move(module));
}

Sequential::Sequential(std::vector<ModuleEntry> entries) : Sequential() {
  for (ModuleEntry& entry : entries) insert_entry(size(), std::move(entry));
}

Tensor Sequential::forward(const Tensor& x) const {
  Tensor y = x;
  for (const ModuleEntry& entry : entries_) y = entry.module(y);
  return y;
}

Sequential Sequential::slice(int64_t start, int64_t stop) const {
  const auto count = static_cast<int64_t>(size());
  const auto clamped = [count](int64_t i) {
    return std::clamp(i < 0 ? i + count : i, int64_t{0}, count);
  };
  Sequential part;
  for (int64_t i = clamped(start); i < clamped(stop); ++i) {
    part.entries_.push_back(entries_[static_cast<size_t>(i)]);
  }
  return part;
}

}  // namespace adjoint::nn

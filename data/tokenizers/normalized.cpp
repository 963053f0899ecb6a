#include "data/tokenizers/normalized.h"

namespace adjoint::data {

Range32 Normalized::origin(size_t at) const {
  if (!alignment_.empty()) return alignment_[at];
  size_t begin = at, end = at + 1;
  while (begin > 0 && is_utf8_tail(view_[begin])) --begin;
  while (end < view_.size() && is_utf8_tail(view_[end])) ++end;
  return {base_ + static_cast<uint32_t>(begin), base_ + static_cast<uint32_t>(end)};
}

void transform(Normalized& target, std::span<const Change> changes, size_t dropped) {
  const std::string_view source = target.text();
  Rewriter out(target);
  size_t at = 0;
  const auto skip = [&](size_t characters) {
    for (; characters > 0 && at < source.size(); --characters) at += scalar_at(source, at).length;
  };
  skip(dropped);
  for (const auto [scalar, change] : changes) {
    if (change > 0) {
      // Of what stands before it.
      out.put(scalar, at == 0 || !target.aligned() ? Range32{} : target.origin(at - 1));
    } else {
      out.put_as(scalar, at);
      skip(static_cast<size_t>(1 - change));
    }
  }
  out.finish();
}

}  // namespace adjoint::data

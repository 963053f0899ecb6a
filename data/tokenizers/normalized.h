// A text on its way to tokens: what normalisation made of a piece of the original, and where each
// byte of it comes from. The alignment is that of the `tokenizers` library, so that offsets agree:
// a character stands for the character that it replaced; an inserted one for the one before it.
#pragma once

#include <adjoint/core/error.h>
#include <adjoint/core/utf8.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "data/tokenizers/unicode.h"

namespace adjoint::data {

// Bytes of the original.
struct Range32 {
  uint32_t begin = 0;
  uint32_t end = 0;
};

// A part of a Normalized: text, or an added token that was found there.
struct Split {
  uint32_t begin, end;
  int32_t token = -1;
};

class Normalized {
 public:
  // The piece of the original that begins at `base`; it must outlive this. Alignment is kept only
  // where it is asked for. `alignment` is that of the piece where it is not itself the original.
  Normalized(std::string_view text, uint32_t base, bool aligned,
             std::vector<Range32> alignment = {})
      : view_(text), base_(base), aligned_(aligned), alignment_(std::move(alignment)) {}

  std::string_view text() const { return is_owned_ ? std::string_view(owned_) : view_; }
  bool aligned() const { return aligned_; }

  // Where the byte at `at` comes from.
  Range32 origin(size_t at) const;
  // Where the bytes from begin to end come from.
  Range32 origin(size_t begin, size_t end) const {
    if (begin == end)
      return {base_ + static_cast<uint32_t>(begin), base_ + static_cast<uint32_t>(begin)};
    return {origin(begin).begin, origin(end - 1).end};
  }

  // Replaces the text by one with the given alignment (ignored where none is kept).
  // IoError where it is too long for positions of four bytes.
  void assign(std::string text, std::vector<Range32> alignment) {
    check<IoError>(text.size() < UINT32_MAX, "tokenizer: the normalised text has ", text.size(),
                   " bytes; expected less than 4 GiB");
    owned_ = std::move(text);
    is_owned_ = true;
    if (aligned_) alignment_ = std::move(alignment);
  }

 private:
  std::string_view view_;
  std::string owned_;
  bool is_owned_ = false;
  uint32_t base_;
  bool aligned_;
  std::vector<Range32> alignment_;  // empty: each character of view_ is itself
};

// Builds what replaces a Normalized's text, from the left to the right.
class Rewriter {
 public:
  explicit Rewriter(Normalized& target) : target_(target), source_(target.text()) {
    text_.reserve(source_.size());
  }

  // Copies the bytes of the source from begin to end.
  void copy(size_t begin, size_t end) {
    text_.append(source_.substr(begin, end - begin));
    if (!target_.aligned()) return;
    for (size_t i = begin; i < end; ++i) alignment_.push_back(target_.origin(i));
  }
  // Appends a character that stands for the bytes of `from`.
  void put(uint32_t scalar, Range32 from) {
    const size_t before = text_.size();
    append_utf8(text_, scalar);
    if (target_.aligned()) alignment_.insert(alignment_.end(), text_.size() - before, from);
  }
  // A character that stands for what the byte of the source at `at` stands for.
  void put_as(uint32_t scalar, size_t at) {
    put(scalar, target_.aligned() ? target_.origin(at) : Range32{});
  }
  void put_as(std::string_view text, size_t at) {
    text_.append(text);
    if (target_.aligned()) alignment_.insert(alignment_.end(), text.size(), target_.origin(at));
  }
  size_t size() const { return text_.size(); }

  void finish() { target_.assign(std::move(text_), std::move(alignment_)); }

 private:
  Normalized& target_;
  std::string_view source_;
  std::string text_;
  std::vector<Range32> alignment_;
};

// A character and how it relates to the source: 0 replaces the next character there; above 0 is
// inserted; -n replaces the next, and n more go with it.
struct Change {
  uint32_t scalar;
  int32_t change;
};
// Replaces the whole text, of which the first `dropped` characters go.
void transform(Normalized& target, std::span<const Change> changes, size_t dropped = 0);

}  // namespace adjoint::data

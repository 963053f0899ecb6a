// What tokenizers ask about characters, as the `tokenizers` library answers (unicode_tables.h), and
// the reading of characters from text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace adjoint::data {

enum CharacterFlag : uint16_t {
  kLetter = 1,
  kNumber = 2,
  kSpace = 4,
  kWord = 8,
  kPunctuation = 16,
  kNonspacingMark = 32,
  kMark = 64,
  kCleanedAway = 128,
  kChinese = 256,
  kHasLower = 512,
  kDecomposes = 1024,
  kCombines = 2048,  // its combining class is not 0
  kInsideWord = 4096,
};

// Flags in two steps: the block of 128 characters, the character in it.
class CharacterFlags {
 public:
  CharacterFlags();
  uint16_t of(uint32_t scalar) const {
    return flags_[size_t{blocks_[scalar >> 7]} << 7 | (scalar & 127)];
  }

 private:
  std::vector<uint16_t> blocks_, flags_;
};

const CharacterFlags& character_flags();
inline uint16_t flags_of(uint32_t scalar) { return character_flags().of(scalar); }

struct Scalar {
  uint32_t value;
  uint32_t length;  // in bytes
};

// The character at text[at]. REQUIRES: text is UTF-8, and at is where one begins.
inline Scalar scalar_at(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<uint32_t>(text[at + i]) & 0xFFU; };
  const uint32_t first = byte(0);
  if (first < 0x80) return {first, 1};
  if (first < 0xE0) return {(first & 0x1F) << 6 | (byte(1) & 0x3F), 2};
  if (first < 0xF0) {
    return {(first & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F), 3};
  }
  return {(first & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F),
          4};
}

// The character that ends before text[end], under the same conditions.
Scalar scalar_before(std::string_view text, size_t end);

inline bool is_utf8_tail(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

// What lower-case conversion makes of a character: one, or two for U+0130.
struct Lowered {
  uint32_t scalar[2];
  int count;
};
Lowered lower(uint32_t scalar);

// Appends the full canonical decomposition (not yet sorted by combining class).
void append_decomposition(uint32_t scalar, std::vector<uint32_t>& out);
uint32_t combining_class(uint32_t scalar);
// The character that two become in composition, or 0.
uint32_t compose(uint32_t first, uint32_t second);

// The bytes of text that are no UTF-8 replaced: the length of the maximal part at text[at] that
// becomes one U+FFFD. REQUIRES: no well-formed sequence begins there.
size_t invalid_length(std::string_view text, size_t at);
// Every such part replaced.
std::string lossy_utf8(std::string_view bytes);

}  // namespace adjoint::data

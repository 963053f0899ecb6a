#include "data/tokenizers/unicode.h"

#include <adjoint/core/utf8.h>

#include <algorithm>
#include <map>
#include <unordered_map>

#include "data/tokenizers/unicode_tables.h"

namespace adjoint::data {
namespace {

constexpr uint32_t kScalars = 0x110000;
constexpr uint32_t kIWithDot = 0x130;  // the one whose lower case is two characters

// Hangul syllables are arithmetic (the Unicode standard, section 3.12).
constexpr uint32_t kSyllables = 0xAC00, kLeads = 0x1100, kVowels = 0x1161, kTails = 0x11A7;
constexpr uint32_t kLeadCount = 19, kVowelCount = 21, kTailCount = 28;
constexpr uint32_t kSyllableCount = kLeadCount * kVowelCount * kTailCount;

bool is_syllable(uint32_t scalar) { return scalar - kSyllables < kSyllableCount; }

// The row of a table sorted by `first` that holds the scalar, or null.
template <class Row>
const Row* row_of(std::span<const Row> rows, uint32_t scalar) {
  auto found = std::upper_bound(rows.begin(), rows.end(), scalar, [](uint32_t s, const Row& row) {
    return s < static_cast<uint32_t>(row.first);
  });
  if (found == rows.begin()) return nullptr;
  --found;
  return scalar <= static_cast<uint32_t>(found->last) ? &*found : nullptr;
}

const Decomposition* decomposition_of(uint32_t scalar) {
  const auto rows = unicode_tables().decompositions;
  const auto found =
      std::lower_bound(rows.begin(), rows.end(), scalar,
                       [](const Decomposition& row, uint32_t s) { return row.scalar < s; });
  return found == rows.end() || found->scalar != scalar ? nullptr : &*found;
}

std::vector<uint16_t> all_flags() {
  std::vector<uint16_t> all(kScalars);
  const auto set = [&](std::span<const ScalarRange> ranges, uint16_t flag) {
    for (const auto [first, last] : ranges) {
      for (uint32_t s = first; s <= last; ++s) all[s] = static_cast<uint16_t>(all[s] | flag);
    }
  };
  const auto add = [&](uint32_t s, uint16_t flag) {
    all[s] = static_cast<uint16_t>(all[s] | flag);
  };
  const UnicodeTables& tables = unicode_tables();
  set(tables.letters, kLetter);
  set(tables.numbers, kNumber);
  set(tables.spaces, kSpace);
  set(tables.word_characters, kWord);
  set(tables.inside_words, kInsideWord);
  set(tables.punctuation, kPunctuation);
  set(tables.nonspacing_marks, kNonspacingMark);
  set(tables.marks, kMark);
  set(tables.cleaned_away, kCleanedAway);
  set(tables.chinese, kChinese);
  for (const CombiningClass& row : tables.combining_classes) {
    for (uint32_t s = row.first; s <= row.last; ++s) add(s, kCombines);
  }
  for (const Decomposition& row : tables.decompositions) add(row.scalar, kDecomposes);
  for (uint32_t s = kSyllables; s < kSyllables + kSyllableCount; ++s) add(s, kDecomposes);
  for (const LowerCase& row : tables.lower_case) {
    for (int32_t s = row.first; s <= row.last; s += row.step) {
      add(static_cast<uint32_t>(s), kHasLower);
    }
  }
  add(kIWithDot, kHasLower);
  return all;
}

std::unordered_map<uint64_t, uint32_t> all_compositions() {
  std::unordered_map<uint64_t, uint32_t> pairs;
  for (const Decomposition& row : unicode_tables().decompositions) {
    if (row.composes != 0) pairs.emplace(uint64_t{row.first} << 32 | row.second, row.scalar);
  }
  return pairs;
}

}  // namespace

CharacterFlags::CharacterFlags() {
  const std::vector<uint16_t> all = all_flags();
  std::map<std::vector<uint16_t>, uint16_t> known;
  for (size_t at = 0; at < all.size(); at += 128) {
    const std::vector<uint16_t> block(all.begin() + static_cast<ptrdiff_t>(at),
                                      all.begin() + static_cast<ptrdiff_t>(at + 128));
    const auto [found, is_new] = known.emplace(block, static_cast<uint16_t>(known.size()));
    if (is_new) flags_.insert(flags_.end(), block.begin(), block.end());
    blocks_.push_back(found->second);
  }
}

const CharacterFlags& character_flags() {
  static const CharacterFlags flags;
  return flags;
}

Scalar scalar_before(std::string_view text, size_t end) {
  size_t at = end - 1;
  while (at > 0 && is_utf8_tail(text[at])) --at;
  return scalar_at(text, at);
}

Lowered lower(uint32_t scalar) {
  if (scalar < 0x80) {
    return {{scalar >= 'A' && scalar <= 'Z' ? scalar + 32 : scalar, 0}, 1};
  }
  if ((flags_of(scalar) & kHasLower) == 0) return {{scalar, 0}, 1};
  if (scalar == kIWithDot) return {{'i', 0x307}, 2};
  const LowerCase* row = row_of(unicode_tables().lower_case, scalar);
  return {{static_cast<uint32_t>(static_cast<int32_t>(scalar) + row->difference), 0}, 1};
}

void append_decomposition(uint32_t scalar, std::vector<uint32_t>& out) {
  if ((flags_of(scalar) & kDecomposes) == 0) {
    out.push_back(scalar);
  } else if (is_syllable(scalar)) {
    const uint32_t index = scalar - kSyllables;
    out.push_back(kLeads + index / (kVowelCount * kTailCount));
    out.push_back(kVowels + index % (kVowelCount * kTailCount) / kTailCount);
    if (index % kTailCount != 0) out.push_back(kTails + index % kTailCount);
  } else {
    const Decomposition* row = decomposition_of(scalar);
    append_decomposition(row->first, out);
    if (row->second != 0) out.push_back(row->second);
  }
}

uint32_t combining_class(uint32_t scalar) {
  if ((flags_of(scalar) & kCombines) == 0) return 0;
  return row_of(unicode_tables().combining_classes, scalar)->value;
}

uint32_t compose(uint32_t first, uint32_t second) {
  if (first - kLeads < kLeadCount && second - kVowels < kVowelCount) {
    return kSyllables + ((first - kLeads) * kVowelCount + (second - kVowels)) * kTailCount;
  }
  if (is_syllable(first) && (first - kSyllables) % kTailCount == 0 && second > kTails &&
      second < kTails + kTailCount) {
    return first + (second - kTails);
  }
  static const std::unordered_map<uint64_t, uint32_t> pairs = all_compositions();
  const auto found = pairs.find(uint64_t{first} << 32 | second);
  return found == pairs.end() ? 0 : found->second;
}

size_t invalid_length(std::string_view text, size_t at) {
  // The longest beginning of a well-formed sequence, or one byte (Unicode, section 3.9).
  std::string part;
  for (size_t length = 1; length <= 3 && at + length <= text.size(); ++length) {
    bool begins = false;
    for (const char* tail : {"\x80\x80\x80", "\x90\x80\x80", "\xBF\xBF\xBF"}) {
      part.assign(text.substr(at, length));
      part.append(tail, 3);
      begins = begins || utf8_length(part, 0) > length;
    }
    if (!begins) return std::max<size_t>(1, length - 1);
  }
  return std::min<size_t>(3, text.size() - at);
}

std::string lossy_utf8(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  for (size_t at = 0; at < bytes.size();) {
    const size_t length = utf8_length(bytes, at);
    if (length > 0) {
      text.append(bytes.substr(at, length));
      at += length;
    } else {
      append_utf8(text, 0xFFFD);
      at += invalid_length(bytes, at);
    }
  }
  return text;
}

}  // namespace adjoint::data

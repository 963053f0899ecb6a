// What unicode_tables.py writes: sets of characters as ranges, and mappings. unicode.h asks them.
#pragma once

#include <cstdint>
#include <span>

namespace adjoint::data {

struct ScalarRange {
  uint32_t first, last;
};

struct CombiningClass {
  uint32_t first, last, value;
};

// A character is `first` followed by `second` (0: nothing), and whether these two become it again.
struct Decomposition {
  uint32_t scalar, first, second, composes;
};

// Every step-th character from first to last becomes the one that lies `difference` further on.
struct LowerCase {
  int32_t first, last, step, difference;
};

struct UnicodeTables {
  std::span<const ScalarRange> letters;           // \p{L}
  std::span<const ScalarRange> numbers;           // \p{N}
  std::span<const ScalarRange> spaces;            // \s
  std::span<const ScalarRange> word_characters;   // \w
  std::span<const ScalarRange> inside_words;      // of added tokens that are single words
  std::span<const ScalarRange> punctuation;       // where BERT splits
  std::span<const ScalarRange> nonspacing_marks;  // what BERT strips
  std::span<const ScalarRange> marks;             // what StripAccents strips
  std::span<const ScalarRange> cleaned_away;      // what BERT takes for no text
  std::span<const ScalarRange> chinese;           // what BERT sets apart
  std::span<const CombiningClass> combining_classes;
  std::span<const Decomposition> decompositions;
  std::span<const LowerCase> lower_case;
};

const UnicodeTables& unicode_tables();

}  // namespace adjoint::data

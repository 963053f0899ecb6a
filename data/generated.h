// Tasks that need no files: what training programs learn where they are given nothing else, made
// from rules and a seed alone.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace adjoint::data {

// At least so many bytes of simple English: sentences about people, animals and weather, in
// paragraphs, whose words agree with each other.
std::string generated_text(size_t bytes, uint64_t seed);

struct LabelledText {
  std::string text, label;

  bool operator==(const LabelledText& other) const = default;
};

// Opinions, "positive" and "negative" half and half: "the plot was not boring". A negation turns
// the meaning around, and after "but" the second half counts. With held_out they are of sentences
// and of things that the others never have (the words that judge are the same).
std::vector<LabelledText> generated_opinions(int64_t count, uint64_t seed, bool held_out);

struct TextPair {
  std::string source, target;

  bool operator==(const TextPair& other) const = default;
};

// What generated_pairs() knows: "numbers", "dates", "sorting", "addition".
const std::vector<std::string>& pair_tasks();

// `count` pairs of different sources, in an order that the seed decides:
//   numbers   "40301" -> "forty thousand three hundred one", below a million
//   dates     "March 5, 2021", "5 Mar 2021", "05.03.2021" (the day first) -> "2021-03-05"
//   sorting   "31 4 27 4" -> "4 4 27 31", up to six numbers below 100
//   addition  "97+1205" -> "1302", up to four digits each
// ConfigError for another task, or a count that is not between 1 and a quarter of a million.
std::vector<TextPair> generated_pairs(std::string_view task, int64_t count, uint64_t seed);

// 0 to 999,999 in English words: "four hundred twenty-one thousand seven".
std::string number_in_words(int64_t number);

}  // namespace adjoint::data

// Where a text is cut: literal patterns, and the regular expressions of GPT-2 and Llama 3 as state
// machines (an engine for regular expressions there is not: any other one is refused).
#pragma once

#include <adjoint/core/json.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "data/tokenizers/normalized.h"

namespace adjoint::data {

// GPT-2's, of byte-level BPE.
inline constexpr std::string_view kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
// Llama 3's, which is cl100k's.
inline constexpr std::string_view kLlama3Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
    R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";
// Qwen 2's: the same, but for digits one by one.
inline constexpr std::string_view kQwen2Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
    R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";

class Pattern {
 public:
  // {"Regex": one of the above} or {"String": "..."}.
  static Pattern read(const Json& json);
  static Pattern gpt2() { return Pattern(Kind::gpt2, {}); }
  explicit Pattern(std::string literal) : Pattern(Kind::literal, std::move(literal)) {}

  // Appends the matches in the text, from the left, as ranges of it.
  void find(std::string_view text, std::vector<Range32>& out) const;

 private:
  enum class Kind { literal, gpt2, llama3, qwen2 };
  Pattern(Kind kind, std::string literal) : kind_(kind), literal_(std::move(literal)) {}

  Kind kind_;
  std::string literal_;
};

// Replaces a literal wherever it stands; what replaces it stands for its last character.
void replace_all(Normalized& text, const std::string& pattern, const std::string& content);

}  // namespace adjoint::data

// Unigram tokenizers (SentencePiece's) from pieces and their scores, saved as tokenizer.json.
#pragma once

#include <adjoint/data/tokenizer.h>

namespace adjoint::data {

struct UnigramPiece {
  std::string text;  // "\u2581" stands for a blank
  double score = 0;  // the logarithm of its probability
};

struct UnigramOptions {
  Token unk_id = 0;            // of what no piece can say
  bool byte_fallback = false;  // says it by the bytes <0x00> to <0xFF>, which are pieces then
  bool add_prefix_space = true;
  std::vector<std::string> special_tokens = {};  // pieces, or numbered behind them
};

// Blanks become "\u2581", and the text is cut before each. No other normalisation. ConfigError
// where pieces and options do not fit.
std::unique_ptr<Tokenizer> make_unigram(std::span<const UnigramPiece> pieces,
                                        const UnigramOptions& options = {});

}  // namespace adjoint::data

// Training of BPE and WordPiece: counts the pieces of texts, joins the most frequent pair, again
// and again. Results are those of the `tokenizers` library where it is deterministic.
#pragma once

#include <adjoint/core/json.h>
#include <adjoint/data/tokenizer.h>

#include <span>
#include <string>
#include <utility>
#include <vector>

namespace adjoint::data {

struct TrainerOptions {
  int64_t vocab_size = 0;
  int64_t min_frequency = 0;
  int64_t limit_alphabet = INT64_MAX;
  bool byte_level = false;  // the alphabet is the 256 bytes, and pieces are these
  std::string prefix = {};  // of all symbols but the first of a piece
  std::vector<std::string> special_tokens = {};
};

struct Trained {
  std::vector<std::string> vocabulary;                      // in the order of the tokens
  std::vector<std::pair<std::string, std::string>> merges;  // in the order they were learnt
};

// A piece and how often it comes; sorted by piece.
using PieceCounts = std::vector<std::pair<std::string, int64_t>>;

// The pieces that a normalizer and a pre_tokenizer of tokenizer.json cut the texts in. IoError
// where a text is not UTF-8.
PieceCounts count_pieces(std::span<const std::string> texts, const Json& normalizer,
                         const Json& pre_tokenizer);

// ConfigError for options out of range. `name` is whose.
Trained train_merges(const PieceCounts& pieces, const TrainerOptions& options, const char* name);

// The added_tokens for special tokens with these texts, their numbers counted from `first` where
// the vocabulary does not have them.
Json special_tokens_json(const std::vector<std::string>& texts,
                         const std::vector<std::string>& vocabulary);

}  // namespace adjoint::data

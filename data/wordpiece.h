// WordPiece made from texts: BERT's kind of tokenizer, saved as tokenizer.json.
#pragma once

#include <adjoint/data/tokenizer.h>

namespace adjoint::data {

struct WordPieceOptions {
  int64_t vocab_size = 30000;     // at most; special tokens and characters included
  int64_t min_frequency = 2;      // of a pair that is joined
  int64_t limit_alphabet = 1000;  // the most frequent characters; the others are unknown
  bool lowercase = true;
  std::optional<bool> strip_accents = {};  // nothing: where lower case
  bool handle_chinese_chars = true;        // each is a word
  // The first tokens. The second stands for words that cannot be said; the third and fourth stand
  // around texts.
  std::vector<std::string> special_tokens = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
};

// The pieces are those of BPE over words, "##" before all but the first of a word, as in the
// `tokenizers` library. Deterministic. IoError where a text is not UTF-8, ConfigError for options
// out of range.
std::unique_ptr<Tokenizer> train_wordpiece(std::span<const std::string> texts,
                                           const WordPieceOptions& options = {});

}  // namespace adjoint::data

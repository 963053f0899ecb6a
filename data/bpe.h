// Byte-level BPE made from texts: GPT-2's and Llama 3's kind of tokenizer, saved as tokenizer.json.
#pragma once

#include <adjoint/data/tokenizer.h>

namespace adjoint::data {

// How a text is cut before pairs are joined.
enum class Splitting : uint8_t { gpt2, llama3 };

struct BpeOptions {
  int64_t vocab_size = 30000;  // at most; special tokens and the 256 bytes included
  int64_t min_frequency = 0;   // of a pair that is joined
  Splitting splitting = Splitting::gpt2;
  bool add_prefix_space = false;                 // a text that begins without a blank gets one
  std::vector<std::string> special_tokens = {};  // the first tokens
  // What is put around a text and a pair, such as "<s> $A </s>" and "<s> $A </s> $B:1 </s>:1" of
  // special tokens; nothing where empty.
  std::string single = {};
  std::string pair = {};
};

// Deterministic: of pairs that are as frequent the one whose tokens are smaller is joined first,
// the left token before the right one; so does the `tokenizers` library, whose merges these are.
// IoError where a text is not UTF-8, ConfigError for options out of range.
std::unique_ptr<Tokenizer> train_bpe(std::span<const std::string> texts,
                                     const BpeOptions& options = {});

}  // namespace adjoint::data

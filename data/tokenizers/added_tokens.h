// The added_tokens of a tokenizer.json: texts that become one token wherever they stand, before
// anything else looks at the text.
#pragma once

#include <adjoint/core/json.h>

#include <string>
#include <vector>

#include "data/tokenizers/normalizers.h"
#include "data/tokenizers/vocabulary.h"

namespace adjoint::data {

struct AddedToken {
  Token id = 0;
  std::string content;
  bool single_word = false;  // not inside of words
  bool lstrip = false;       // takes the spaces before it
  bool rstrip = false;       // takes the spaces behind it
  bool normalized = true;    // is looked for in the normalised text
  bool special = false;
  std::string sought = {};  // the content as it is looked for, and decoded to: normalised or not
};

class AddedTokens {
 public:
  AddedTokens() = default;
  // IoError for tokens that do not fit the vocabulary.
  AddedTokens(const Json& json, const Vocabulary& vocabulary, const Normalizer* normalizer);
  Json to_json() const;

  const std::vector<AddedToken>& all() const { return all_; }
  // Null where this is none of them.
  const AddedToken* find(Token token) const;
  const AddedToken* find(std::string_view content) const;

  // Cuts a text (or a normalised one) at the tokens in it, those that are looked for there.
  // Special ones only with allow_special. None of the splits is empty.
  void cut(std::string_view text, bool normalized, bool allow_special,
           std::vector<Split>& out) const;

 private:
  struct Group {
    ByteTrie trie;  // values are positions in all_
    std::vector<bool> begins = std::vector<bool>(256);
    bool empty = true;
  };
  void check_token(const AddedToken& token, const Vocabulary& vocabulary, int64_t next) const;
  Group make_group(bool normalized) const;

  std::vector<AddedToken> all_;
  std::unordered_map<Token, size_t> by_id_;
  std::unordered_map<std::string, size_t> by_content_;
  Group raw_, normalized_;
};

}  // namespace adjoint::data

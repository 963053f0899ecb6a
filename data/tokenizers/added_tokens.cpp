#include "data/tokenizers/added_tokens.h"

#include <adjoint/core/error.h>

#include <algorithm>

#include "data/tokenizers/unicode.h"

namespace adjoint::data {
namespace {

AddedToken read(const Json& json) {
  AddedToken token;
  token.id = json.get<Token>("id");
  token.content = json.get<std::string>("content");
  token.single_word = json.get<bool>("single_word");
  token.lstrip = json.get<bool>("lstrip");
  token.rstrip = json.get<bool>("rstrip");
  token.normalized = json.get<bool>("normalized");
  token.special = json.get<bool>("special");
  return token;
}

bool is_word(uint32_t scalar) { return (flags_of(scalar) & kInsideWord) != 0; }

size_t without_spaces_at_end(std::string_view text, size_t end, size_t least) {
  while (end > least) {
    const Scalar scalar = scalar_before(text, end);
    if ((flags_of(scalar.value) & kSpace) == 0) break;
    end -= scalar.length;
  }
  return end;
}

size_t behind_spaces(std::string_view text, size_t at) {
  while (at < text.size()) {
    const Scalar scalar = scalar_at(text, at);
    if ((flags_of(scalar.value) & kSpace) == 0) break;
    at += scalar.length;
  }
  return at;
}

}  // namespace

AddedTokens::AddedTokens(const Json& json, const Vocabulary& vocabulary,
                         const Normalizer* normalizer) {
  int64_t next = vocabulary.count();
  for (const Json& element : json.elements()) {
    AddedToken token = read(element);
    check_token(token, vocabulary, next);
    next = std::max<int64_t>(next, int64_t{token.id} + 1);
    by_id_.emplace(token.id, all_.size());
    by_content_.emplace(token.content, all_.size());
    token.sought = token.normalized ? data::normalized(normalizer, token.content) : token.content;
    all_.push_back(std::move(token));
  }
  raw_ = make_group(false);
  normalized_ = make_group(true);
}

void AddedTokens::check_token(const AddedToken& token, const Vocabulary& vocabulary,
                              int64_t next) const {
  const std::string& text = token.content;
  check_file(!text.empty(), "an added token is empty");
  check_file(!by_content_.contains(text), "the added token \"", text, "\" comes twice");
  check_file(!by_id_.contains(token.id), "the number ", token.id,
             " is given to two added tokens, the second \"", text, "\"");
  const Token known = vocabulary.find(text);
  if (known >= 0) {
    check_file(known == token.id, "the added token \"", text, "\" has the number ", token.id,
               "; in the vocabulary it is ", known);
  } else {
    check_file(!vocabulary.contains(token.id), "the added token \"", text, "\" has the number ",
               token.id, ", which the vocabulary gives to \"",
               vocabulary.contains(token.id) ? vocabulary.text(token.id) : "", "\"");
    check_file(token.id == next, "the added token \"", text, "\" has the number ", token.id,
               "; expected ", next, ", the next after those before it");
  }
}

AddedTokens::Group AddedTokens::make_group(bool normalized) const {
  std::vector<std::pair<std::string_view, Token>> texts;
  Group group;
  for (size_t i = 0; i < all_.size(); ++i) {
    if (all_[i].normalized == normalized && !all_[i].sought.empty()) {
      texts.emplace_back(all_[i].sought, static_cast<Token>(i));
      group.begins[static_cast<uint8_t>(all_[i].sought[0])] = true;
    }
  }
  // Two that normalise to the same text: the first is found.
  std::sort(texts.begin(), texts.end());
  texts.erase(std::unique(texts.begin(), texts.end(),
                          [](const auto& a, const auto& b) { return a.first == b.first; }),
              texts.end());
  group.empty = texts.empty();
  group.trie = ByteTrie(std::move(texts));
  return group;
}

Json AddedTokens::to_json() const {
  Json json = Json::array();
  for (const AddedToken& token : all_) {
    json.push_back(Json::object({{"id", token.id},
                                 {"content", token.content},
                                 {"single_word", token.single_word},
                                 {"lstrip", token.lstrip},
                                 {"rstrip", token.rstrip},
                                 {"normalized", token.normalized},
                                 {"special", token.special}}));
  }
  return json;
}

const AddedToken* AddedTokens::find(Token token) const {
  const auto found = by_id_.find(token);
  return found == by_id_.end() ? nullptr : &all_[found->second];
}

const AddedToken* AddedTokens::find(std::string_view content) const {
  const auto found = by_content_.find(std::string(content));
  return found == by_content_.end() ? nullptr : &all_[found->second];
}

void AddedTokens::cut(std::string_view text, bool normalized, bool allow_special,
                      std::vector<Split>& out) const {
  const Group& group = normalized ? normalized_ : raw_;
  size_t begin = 0;  // of what is not yet in out
  const auto text_until = [&](size_t end) {
    if (end > begin) out.push_back({static_cast<uint32_t>(begin), static_cast<uint32_t>(end)});
  };
  for (size_t at = 0; !group.empty && at < text.size();) {
    if (!group.begins[static_cast<uint8_t>(text[at])]) {
      ++at;
      continue;
    }
    size_t length = 0;
    Token position = -1;
    group.trie.prefixes(text, at, [&](size_t n, Token found) {
      length = n;
      position = found;
    });
    if (position < 0) {
      ++at;
      continue;
    }
    const AddedToken& token = all_[static_cast<size_t>(position)];
    size_t start = at, stop = at + length;
    at = stop;
    if (token.special && !allow_special) continue;
    if (token.single_word && ((start > 0 && is_word(scalar_before(text, start).value)) ||
                              (stop < text.size() && is_word(scalar_at(text, stop).value)))) {
      continue;
    }
    // The one before may have taken the spaces already.
    if (token.lstrip) start = std::max(begin, without_spaces_at_end(text, start, begin));
    if (token.rstrip) stop = stop < begin ? begin : behind_spaces(text, stop);
    text_until(start);
    out.push_back({static_cast<uint32_t>(start), static_cast<uint32_t>(stop), token.id});
    begin = stop;
  }
  text_until(text.size());
}

}  // namespace adjoint::data

// WordPiece as BERT has it: the longest token that a word begins with, then the longest that goes
// on from there; a word that cannot be made of tokens is unknown as a whole.
#include <adjoint/core/error.h>

#include "data/tokenizers/model.h"
#include "data/tokenizers/unicode.h"

namespace adjoint::data {
namespace {

class WordPiece : public Model {
 public:
  explicit WordPiece(const Json& json)
      : vocabulary_(Vocabulary::read(json.at("vocab"))),
        unknown_text_(json.get<std::string>("unk_token")),
        prefix_(json.get<std::string>("continuing_subword_prefix")),
        most_characters_(json.get<uint64_t>("max_input_chars_per_word")) {
    unknown_ = vocabulary_.find(unknown_text_);
    std::vector<std::pair<std::string_view, Token>> first, further;
    for (Token token = 0; token < vocabulary_.size(); ++token) {
      if (!vocabulary_.contains(token)) continue;
      const std::string_view text = vocabulary_.text(token);
      if (!text.empty()) first.emplace_back(text, token);
      if (text.starts_with(prefix_) && text.size() > prefix_.size()) {
        further.emplace_back(text.substr(prefix_.size()), token);
      }
    }
    first_ = ByteTrie(std::move(first));
    further_ = ByteTrie(std::move(further));
  }

  void tokenize(std::string_view piece, std::vector<ModelToken>& out) const override {
    const size_t before = out.size();
    size_t at = has_too_many(piece) ? piece.size() + 1 : 0;
    while (at < piece.size()) {
      size_t length = 0;
      Token token = -1;
      const auto longer = [&](size_t n, Token found) {
        length = n;
        token = found;
      };
      (at == 0 ? first_ : further_).prefixes(piece, at, longer);
      if (token < 0) break;
      out.push_back({token, static_cast<uint32_t>(at), static_cast<uint32_t>(at + length)});
      at += length;
    }
    if (at == piece.size()) return;
    out.resize(before);
    check_file(unknown_ >= 0, "the text has a word that the vocabulary cannot say, nor is \"",
               unknown_text_, "\" in it, which stands for such");
    out.push_back({unknown_, 0, static_cast<uint32_t>(piece.size())});
  }

  const Vocabulary& vocabulary() const override { return vocabulary_; }

  Json to_json() const override {
    return Json::object({{"type", "WordPiece"},
                         {"unk_token", unknown_text_},
                         {"continuing_subword_prefix", prefix_},
                         {"max_input_chars_per_word", most_characters_},
                         {"vocab", vocabulary_.to_json()}});
  }

 private:
  bool has_too_many(std::string_view piece) const {
    if (piece.size() <= most_characters_) return false;
    uint64_t characters = 0;
    for (const char c : piece) characters += is_utf8_tail(c) ? 0 : 1;
    return characters > most_characters_;
  }

  Vocabulary vocabulary_;
  std::string unknown_text_, prefix_;
  uint64_t most_characters_;
  Token unknown_ = -1;
  ByteTrie first_, further_;  // without the prefix
};

}  // namespace

std::unique_ptr<Model> read_wordpiece(const Json& json) {
  return std::make_unique<WordPiece>(json);
}

}  // namespace adjoint::data

// A tokenizer whose tokens are the words of texts and marks of punctuation, or characters, with
// tokens that stand for no text.
//
// The file format:
//   {"format": "adjoint-words", "version": 1, "unit": "word", "lowercase": true,
//    "words": [",", "the", "and", ...]}
// The first five tokens are <PAD> <UNK> <BOS> <EOS> <MASK>, then come the words.
#pragma once

#include <adjoint/data/tokenizer.h>

#include <memory>

namespace adjoint::data {

// word: what \b\w+\b|[^\w\s] matches; white space separates and is forgotten.
// character: every character, white space too.
enum class TokenUnit : uint8_t { word, character };

struct WordTokenizerOptions {
  TokenUnit unit = TokenUnit::word;
  bool lowercase = true;       // of words only
  int64_t vocab_size = 50000;  // at most, the five special tokens included
  int64_t min_frequency = 2;   // rarer words are unknown
};

class WordTokenizer : public Tokenizer {
 public:
  static constexpr std::string_view kFormat = "adjoint-words";
  static constexpr Token kPad = 0, kUnknown = 1, kBegin = 2, kEnd = 3, kMask = 4;

  // The words of the texts, the most frequent first, those that are as frequent by their bytes.
  // IoError where none is left or a text is not UTF-8, ConfigError for options out of range.
  static WordTokenizer from_texts(std::span<const std::string> texts,
                                  const WordTokenizerOptions& options = {});

  // IoError names the source and what is wrong with it.
  static WordTokenizer from_json(const Json& json);
  static WordTokenizer load(const std::string& path);
  Json to_json() const override;

  // Words with blanks between them, or characters without.
  using Tokenizer::decode;
  std::string decode(std::span<const Token> tokens, const DecodeOptions& options) const override;
  int64_t vocab_size() const override;
  std::optional<Token> token_to_id(std::string_view token) const override;
  std::optional<std::string> id_to_token(Token token) const override;
  bool is_special(Token token) const override { return token >= kPad && token <= kMask; }

 protected:
  void append_pieces(std::string_view text, const EncodeOptions& options, bool with_ranges,
                     std::vector<Piece>& out) const override;
  int64_t count_around(bool pair) const override { return pair ? 3 : 2; }
  // <BOS> text <EOS>, or <BOS> first <EOS> second <EOS>.
  Encoding around_text(Encoding first, std::optional<Encoding> second, bool add) const override;

 private:
  struct Parts;
  WordTokenizer(TokenUnit unit, bool lowercase, std::vector<std::string> words);

  std::shared_ptr<const Parts> parts_;
};

}  // namespace adjoint::data

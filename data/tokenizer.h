// Tokenizers: text to tokens (positions in a vocabulary) and back, behind one interface.
//
//   const auto tokenizer = data::Tokenizer::load("tokenizer.json");
//   const std::vector<data::Token> ids = tokenizer->encode("Hello world!");
//   const std::string text = tokenizer->decode(ids);
//   const data::Encoding all = tokenizer->encoding("What?", "That.");  // a pair, with its masks
//
// A file says by its contents what it is: Hugging Face's tokenizer.json (BPE, WordPiece, Unigram:
// ids and offsets are those of the `tokenizers` library), characters (char_tokenizer.h) or words
// (word_tokenizer.h). Tokenizers are made by training in bpe.h, wordpiece.h, unigram.h,
// word_tokenizer.h and char_tokenizer.h.
//
// Text is UTF-8 of less than 4 GiB. Special tokens that are spelled out in a text are text, unless
// EncodeOptions says that the text is trusted. Encoding takes O(n log n) time whatever the text.
//
// A tokenizer may be used by several threads at once, but for the set_ functions.
#pragma once

#include <adjoint/core/json.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace adjoint::data {

// A position in a vocabulary. Texts are kept as tokens of four bytes; tensors of them are i64.
using Token = int32_t;

// What special tokens are for.
enum class SpecialToken : uint8_t { pad, unknown, begin, end, mask };

// Bytes of a text, the first and the one behind the last.
struct TextRange {
  int64_t begin = 0;
  int64_t end = 0;
  bool operator==(const TextRange&) const = default;
};

// Vectors of one length.
struct Encoding {
  std::vector<Token> ids;
  // Where in its text a token comes from, in whole characters; {0, 0} where from none.
  std::vector<TextRange> offsets;
  std::vector<uint8_t> attention_mask;       // 0: padding
  std::vector<uint8_t> special_tokens_mask;  // 1: added by the tokenizer, padding included
  std::vector<int32_t> type_ids;             // which text of a pair, as the template has it

  size_t size() const { return ids.size(); }
};

struct EncodeOptions {
  bool add_special_tokens = true;  // those around a text, such as [CLS] and [SEP]
  // Special tokens that are spelled out in the text become the tokens. Only for trusted text.
  bool allow_special = false;
  // What is not UTF-8 becomes U+FFFD, one for each maximal part, instead of an error.
  bool replace_invalid = false;
  // The tokenizer's truncation and padding, where it has them.
  bool fit_length = true;
  std::string_view source = "text";  // whose text it is, for messages
};

// For who puts tokens around texts himself, and learns from long ones: a text's own tokens, and all
// of them.
inline EncodeOptions text_alone(std::string_view source = "text") {
  return {.add_special_tokens = false, .fit_length = false, .source = source};
}

struct DecodeOptions {
  bool skip_special_tokens = true;
  // Bytes that make up no characters stay as they are, instead of becoming U+FFFD: for tokens that
  // come one at a time.
  bool raw_bytes = false;
};

enum class Side : uint8_t { left, right };

// Which of a pair is cut: the longer one first, or one of them.
enum class TruncationStrategy : uint8_t { longest_first, only_first, only_second };

struct Truncation {
  int64_t max_length = 512;  // special tokens included
  TruncationStrategy strategy = TruncationStrategy::longest_first;
  Side side = Side::right;
  int64_t stride = 0;  // kept for files that have it
  bool operator==(const Truncation&) const = default;
};

struct Padding {
  std::optional<int64_t> length = {};  // nothing: that of the longest of a batch
  int64_t multiple_of = 0;             // 0: no rounding up
  Token id = 0;
  int32_t type_id = 0;
  std::string token = "[PAD]";
  Side side = Side::right;
  bool operator==(const Padding&) const = default;
};

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // Reads a tokenizer of any kind. IoError naming the file and what is wrong, or not supported.
  static std::unique_ptr<Tokenizer> load(const std::string& path);
  static std::unique_ptr<Tokenizer> from_json(const Json& json);
  virtual Json to_json() const = 0;
  void save(const std::string& path) const;  // atomically

  // The ids of encoding(text), in less time.
  std::vector<Token> encode(std::string_view text, const EncodeOptions& options = {}) const;

  // IoError where the text is not UTF-8, naming the source and the byte, or has what the vocabulary
  // cannot say (there is no token for the unknown). ConfigError where truncation is asked for what
  // cannot be.
  Encoding encoding(std::string_view text, const EncodeOptions& options = {}) const;
  Encoding encoding(std::string_view first, std::string_view second,
                    const EncodeOptions& options = {}) const;

  // Each text as encoding() has it, on several threads, padded to one length where there is
  // padding.
  std::vector<Encoding> encode_batch(std::span<const std::string> texts,
                                     const EncodeOptions& options = {}) const;

  // IndexError for a token outside the vocabulary.
  virtual std::string decode(std::span<const Token> tokens, const DecodeOptions& options) const = 0;
  std::string decode(std::span<const Token> tokens) const { return decode(tokens, {}); }

  // The rows that an embedding needs: one more than the largest token.
  virtual int64_t vocab_size() const = 0;
  virtual std::optional<Token> token_to_id(std::string_view token) const = 0;
  // Nothing for a number that is no token's.
  virtual std::optional<std::string> id_to_token(Token token) const = 0;
  virtual bool is_special(Token) const { return false; }
  // The special token that has one of the usual names, such as [PAD], <pad> or <PAD>, where there
  // is one.
  std::optional<Token> special(SpecialToken which) const;

  // Applied by encoding() and its kin; saved where the format has a place for them.
  const std::optional<Truncation>& truncation() const { return truncation_; }
  const std::optional<Padding>& padding() const { return padding_; }
  void set_truncation(std::optional<Truncation> truncation);  // ConfigError
  void set_padding(std::optional<Padding> padding);           // ConfigError

 protected:
  // A token and the bytes that it comes from.
  struct Piece {
    Token id;
    uint32_t begin, end;
  };

  Tokenizer() = default;
  Tokenizer(const Tokenizer&) = default;
  Tokenizer& operator=(const Tokenizer&) = default;

  // Appends the tokens of a text that is UTF-8, without those around it. `ranges` need not be right
  // where with_ranges is false.
  virtual void append_pieces(std::string_view text, const EncodeOptions& options, bool with_ranges,
                             std::vector<Piece>& out) const = 0;

  // How many tokens around_text() adds.
  virtual int64_t count_around(bool) const { return 0; }
  // Makes one of a text's tokens, or two texts', and those around them. The second has type 1.
  virtual Encoding around_text(Encoding first, std::optional<Encoding> second, bool add) const;

 private:
  Encoding one(std::string_view text, const EncodeOptions& options, int32_t type) const;
  Encoding whole(Encoding first, std::optional<Encoding> second, const EncodeOptions&) const;
  void pad(std::span<Encoding> encodings, const EncodeOptions& options) const;

  std::optional<Truncation> truncation_;
  std::optional<Padding> padding_;
};

// Throws ConfigError naming the tokenizer's user where there is no such token.
Token special_token(const Tokenizer& tokenizer, SpecialToken which, std::string_view user);

}  // namespace adjoint::data

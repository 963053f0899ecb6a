// JSON (RFC 8259) as a stream of tokens: what the value class and the safetensors header are read
// with. It allocates nothing but the text of one string with escapes, so a reader that keeps little
// needs little.
//
// Strict: one value of at most kMaxDepth nested arrays and objects; no byte order mark, comments,
// trailing commas or NaN; strings are well-formed UTF-8 without lone surrogates; numbers fit a
// double. Errors are IoErrors `source: line:column: ...`. Duplicate keys are the caller's concern.
#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace adjoint::io {

enum class JsonToken : uint8_t {
  object_begin,
  object_end,
  array_begin,
  array_end,
  key,
  string,
  integer,           // fits int64
  unsigned_integer,  // above int64, fits uint64
  real,
  boolean,
  null,
  end,
};

class JsonScanner {
 public:
  static constexpr int kMaxDepth = 128;

  // text must outlive the scanner.
  JsonScanner(std::string_view text, std::string_view source);

  // The next token; after the value is complete, `end`.
  JsonToken next();

  // The content of the last key or string, valid until the next call of next().
  std::string_view text() const { return text_view_; }
  int64_t integer() const { return static_cast<int64_t>(bits_); }
  uint64_t unsigned_integer() const { return bits_; }
  double real() const { return real_; }
  bool boolean() const { return bits_ != 0; }

  // Where the last token starts; for strings, the byte after the quote.
  size_t begin() const { return begin_; }
  // The offset behind the last token.
  size_t position() const { return at_; }

  // Reads on to the end of the value whose first token is given.
  void skip(JsonToken first);

  // Throws an IoError at the offset in the text.
  [[noreturn]] void fail(size_t at, const std::string& what) const;

 private:
  enum class State : uint8_t { value, array_start, object_start, after_value };

  void skip_space();
  std::string found() const;
  [[noreturn]] void expected(const char* what) const;
  JsonToken key();
  JsonToken value();
  JsonToken open(bool object);
  JsonToken close();
  JsonToken literal(std::string_view word, JsonToken token, bool value);
  JsonToken number();
  JsonToken real_number(std::string_view digits);
  void string();
  void unescape(std::string_view raw, size_t offset);
  uint32_t hex4(std::string_view raw, size_t at, size_t offset) const;

  std::string_view source_text_;
  std::string source_;
  size_t at_ = 0;
  size_t begin_ = 0;
  State state_ = State::value;
  int depth_ = 0;
  std::bitset<kMaxDepth> is_object_;
  std::string_view text_view_;
  std::string scratch_;
  uint64_t bits_ = 0;
  double real_ = 0;
};

// Appends text as a JSON string in quotes. Throws IoError where it is not UTF-8.
void append_json_string(std::string& out, std::string_view text);

}  // namespace adjoint::io

#include "core/io/json_scanner.h"

#include <adjoint/core/error.h>
#include <adjoint/core/utf8.h>

#include <algorithm>
#include <charconv>
#include <limits>

namespace adjoint::io {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string hex_byte(unsigned char byte) {
  constexpr char digits[] = "0123456789abcdef";
  return {digits[byte >> 4], digits[byte & 15]};
}

// Whether a number that from_chars could not represent is too large and not too small. digits
// matches the grammar and has a non-zero digit.
bool too_large(std::string_view digits) {
  const size_t e = digits.find_first_of("eE");
  const std::string_view mantissa = digits.substr(0, e);
  const size_t point = std::min(mantissa.find('.'), mantissa.size());
  const size_t leading = mantissa.find_first_of("123456789");
  // The power of ten of the first digit that counts, up to one.
  const double scale = static_cast<double>(point) - static_cast<double>(leading);
  double exponent = 0;
  if (e != std::string_view::npos) {
    std::string_view text = digits.substr(e + 1);
    const bool negative = text.front() == '-';
    if (!is_digit(text.front())) text.remove_prefix(1);
    for (const char c : text) exponent = std::min(exponent * 10 + (c - '0'), 1e30);
    if (negative) exponent = -exponent;
  }
  return scale + exponent > 0;
}

}  // namespace

JsonScanner::JsonScanner(std::string_view text, std::string_view source)
    : source_text_(text), source_(source) {
  if (text.starts_with("\xEF\xBB\xBF")) {
    fail(0, "a byte order mark; expected a JSON value without one");
  }
}

void JsonScanner::fail(size_t at, const std::string& what) const {
  const std::string_view before = source_text_.substr(0, at);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const size_t newline = before.rfind('\n');
  const std::string_view row =
      newline == std::string_view::npos ? before : before.substr(newline + 1);
  const auto column = 1 + std::count_if(row.begin(), row.end(), [](char c) {
                        return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
                      });
  detail::throw_error<IoError>(source_, ": ", line, ":", column, ": ", what);
}

std::string JsonScanner::found() const {
  if (at_ >= source_text_.size()) return "the end of the text";
  const char c = source_text_[at_];
  const auto byte = static_cast<unsigned char>(c);
  if (byte > 0x20 && byte < 0x7F) return std::string("'") + c + "'";
  return "the byte 0x" + hex_byte(byte);
}

void JsonScanner::expected(const char* what) const {
  fail(at_, std::string("expected ") + what + "; found " + found());
}

void JsonScanner::skip_space() {
  while (at_ < source_text_.size()) {
    const char c = source_text_[at_];
    if (c != ' ' && c != '\n' && c != '\t' && c != '\r') break;
    ++at_;
  }
}

JsonToken JsonScanner::next() {
  skip_space();
  const char c = at_ < source_text_.size() ? source_text_[at_] : '\0';
  begin_ = at_;
  switch (state_) {
    case State::value:
      return value();
    case State::array_start:
      return c == ']' ? close() : value();
    case State::object_start:
      if (c == '}') return close();
      if (c != '"') expected("a key in quotes or '}'");
      return key();
    case State::after_value:
      break;
  }
  if (depth_ == 0) {
    if (at_ < source_text_.size()) expected("the end of the text after the value");
    return JsonToken::end;
  }
  const bool in_object = is_object_[static_cast<size_t>(depth_ - 1)];
  if (c == (in_object ? '}' : ']')) return close();
  if (c != ',') expected(in_object ? "',' or '}' after the value" : "',' or ']' after the value");
  ++at_;
  skip_space();
  begin_ = at_;
  if (!in_object) return value();
  if (at_ >= source_text_.size() || source_text_[at_] != '"') expected("a key in quotes after ','");
  return key();
}

void JsonScanner::skip(JsonToken first) {
  if (first != JsonToken::object_begin && first != JsonToken::array_begin) return;
  for (const int outside = depth_ - 1; depth_ > outside;) next();
}

JsonToken JsonScanner::key() {
  string();
  skip_space();
  if (at_ >= source_text_.size() || source_text_[at_] != ':') expected("':' after the key");
  ++at_;
  state_ = State::value;
  return JsonToken::key;
}

JsonToken JsonScanner::open(bool object) {
  if (depth_ == kMaxDepth) {
    fail(at_, "nested too deeply; expected at most " + std::to_string(kMaxDepth) + " levels");
  }
  ++at_;
  is_object_[static_cast<size_t>(depth_++)] = object;
  state_ = object ? State::object_start : State::array_start;
  return object ? JsonToken::object_begin : JsonToken::array_begin;
}

JsonToken JsonScanner::close() {
  ++at_;
  state_ = State::after_value;
  return is_object_[static_cast<size_t>(--depth_)] ? JsonToken::object_end : JsonToken::array_end;
}

JsonToken JsonScanner::literal(std::string_view word, JsonToken token, bool value) {
  if (source_text_.substr(at_, word.size()) != word) expected("a value");
  at_ += word.size();
  bits_ = value ? 1 : 0;
  state_ = State::after_value;
  return token;
}

JsonToken JsonScanner::value() {
  if (at_ >= source_text_.size()) expected("a value");
  switch (source_text_[at_]) {
    case '{':
      return open(true);
    case '[':
      return open(false);
    case '"':
      string();
      state_ = State::after_value;
      return JsonToken::string;
    case 't':
      return literal("true", JsonToken::boolean, true);
    case 'f':
      return literal("false", JsonToken::boolean, false);
    case 'n':
      return literal("null", JsonToken::null, false);
    default:
      return number();
  }
}

JsonToken JsonScanner::number() {
  const auto peek = [&] { return at_ < source_text_.size() ? source_text_[at_] : '\0'; };
  const auto digits = [&](const char* what) {
    if (!is_digit(peek())) expected(what);
    while (is_digit(peek())) ++at_;
  };
  const bool negative = peek() == '-';
  if (negative) ++at_;
  if (peek() == '0') {
    ++at_;
    if (is_digit(peek())) expected("no digit after a leading zero");
  } else {
    digits(negative ? "a digit after '-'" : "a value");
  }
  bool whole = true;
  if (peek() == '.') {
    whole = false;
    ++at_;
    digits("a digit after '.'");
  }
  if (peek() == 'e' || peek() == 'E') {
    whole = false;
    ++at_;
    if (peek() == '+' || peek() == '-') ++at_;
    digits("a digit in the exponent");
  }
  state_ = State::after_value;
  const std::string_view text = source_text_.substr(begin_, at_ - begin_);
  // An integer has no negative zero.
  if (!whole || text == "-0") return real_number(text);
  int64_t integer = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), integer).ec == std::errc()) {
    bits_ = static_cast<uint64_t>(integer);
    return JsonToken::integer;
  }
  uint64_t large = 0;
  if (!negative &&
      std::from_chars(text.data(), text.data() + text.size(), large).ec == std::errc()) {
    bits_ = large;
    return JsonToken::unsigned_integer;
  }
  return real_number(text);
}

JsonToken JsonScanner::real_number(std::string_view digits) {
  const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), real_);
  if (result.ec == std::errc()) return JsonToken::real;
  if (too_large(digits)) fail(begin_, "a number too large for a double");
  real_ = digits.front() == '-' ? -0.0 : 0.0;
  return JsonToken::real;
}

// Finds the closing quote and checks the bytes; the text is copied only where it has escapes.
void JsonScanner::string() {
  const size_t begin = ++at_;
  bool escapes = false;
  for (;;) {
    if (at_ >= source_text_.size()) fail(begin - 1, "a string without its closing quote");
    const auto c = static_cast<unsigned char>(source_text_[at_]);
    if (c == '"') break;
    if (c < 0x20) {
      fail(at_, "a control character in a string: 0x" + hex_byte(c) + "; expected it as \\u00" +
                    hex_byte(c));
    }
    if (c == '\\') {
      escapes = true;
      at_ += 2;
      continue;
    }
    const size_t length = utf8_length(source_text_, at_);
    if (length == 0) fail(at_, "a string that is not UTF-8: the byte 0x" + hex_byte(c));
    at_ += length;
  }
  const std::string_view raw = source_text_.substr(begin, at_ - begin);
  text_view_ = raw;
  if (escapes) unescape(raw, begin);
  begin_ = begin;
  ++at_;
}

uint32_t JsonScanner::hex4(std::string_view raw, size_t at, size_t offset) const {
  const std::string_view digits = raw.substr(std::min(at, raw.size()), 4);
  uint32_t value = 0;
  const auto end = digits.data() + digits.size();
  const auto result = std::from_chars(digits.data(), end, value, 16);
  if (digits.size() != 4 || result.ec != std::errc() || result.ptr != end) {
    fail(offset + at, "expected four hexadecimal digits after \\u");
  }
  return value;
}

void JsonScanner::unescape(std::string_view raw, size_t offset) {
  scratch_.clear();
  scratch_.reserve(raw.size());
  for (size_t i = 0; i < raw.size();) {
    const size_t plain = std::min(raw.find('\\', i), raw.size());
    scratch_.append(raw, i, plain - i);
    i = plain;
    if (i == raw.size()) break;
    // What string() steps over in pairs has a character behind each backslash, but its bytes
    // were not checked.
    const char c = raw[i + 1];
    constexpr std::string_view names = "\"\\/bfnrt";
    constexpr std::string_view values = "\"\\/\b\f\n\r\t";
    const size_t simple = names.find(c);
    if (simple != std::string_view::npos) {
      scratch_.push_back(values[simple]);
      i += 2;
      continue;
    }
    if (c != 'u') {
      fail(offset + i, "an unknown escape; expected one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u");
    }
    uint32_t scalar = hex4(raw, i + 2, offset);
    size_t length = 6;
    if (scalar >= 0xD800 && scalar < 0xDC00 && raw.substr(i + 6, 2) == "\\u") {
      const uint32_t low = hex4(raw, i + 8, offset);
      if (low >= 0xDC00 && low < 0xE000) {
        scalar = 0x10000 + ((scalar - 0xD800) << 10) + (low - 0xDC00);
        length = 12;
      }
    }
    if (scalar >= 0xD800 && scalar < 0xE000) {
      fail(offset + i, "a lone surrogate; expected a pair such as \\ud83d\\ude00");
    }
    append_utf8(scratch_, scalar);
    i += length;
  }
  text_view_ = scratch_;
}

void append_json_string(std::string& out, std::string_view text) {
  const auto invalid = find_invalid_utf8(text);
  check<IoError>(!invalid, "json: a string that is not UTF-8: the byte 0x",
                 hex_byte(invalid ? static_cast<unsigned char>(text[*invalid]) : 0), " at ",
                 invalid.value_or(0));
  out.push_back('"');
  size_t done = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    out.append(text, done, i - done);
    done = i + 1;
    constexpr std::string_view values = "\"\\\b\f\n\r\t";
    constexpr std::string_view names = "\"\\bfnrt";
    const size_t simple = values.find(static_cast<char>(c));
    if (simple != std::string_view::npos) {
      out.push_back('\\');
      out.push_back(names[simple]);
    } else {
      out.append("\\u00").append(hex_byte(c));
    }
  }
  out.append(text, done, text.size() - done);
  out.push_back('"');
}

}  // namespace adjoint::io

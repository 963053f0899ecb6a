#include "data/tokenizers/patterns.h"

#include <adjoint/core/error.h>

namespace adjoint::data {
namespace {

constexpr uint16_t kClasses = kLetter | kNumber | kSpace;

// Where a match that begins at `at` ends. Each text is cut in matches without gaps.
class Cutter {
 public:
  explicit Cutter(std::string_view text) : text_(text), flags_(character_flags()) {}

  size_t gpt2(size_t at) const {
    if (text_[at] == '\'') {
      if (const size_t length = contraction(at, false); length > 0) return at + length;
    }
    const size_t start = text_[at] == ' ' && at + 1 < text_.size() ? at + 1 : at;
    const uint16_t kind = class_at(start);
    if (kind != kSpace) return end_of_run(start, kind);
    return spaces(at);
  }

  size_t llama3(size_t at, int digits) const {
    if (text_[at] == '\'') {
      if (const size_t length = contraction(at, true); length > 0) return at + length;
    }
    const char first = text_[at];
    const uint16_t kind = class_at(at);
    if (kind == kLetter) return end_of_run(at, kLetter);
    const size_t next = at + length_at(at);
    if (kind != kNumber && first != '\r' && first != '\n' && next < text_.size() &&
        class_at(next) == kLetter) {
      return end_of_run(next, kLetter);
    }
    if (kind == kNumber) {
      size_t end = next;
      for (; digits > 1 && end < text_.size() && class_at(end) == kNumber; --digits) {
        end += length_at(end);
      }
      return end;
    }
    const size_t start = first == ' ' && next < text_.size() ? next : at;
    if (class_at(start) == 0) {
      size_t end = end_of_run(start, 0);
      while (end < text_.size() && (text_[end] == '\r' || text_[end] == '\n')) ++end;
      return end;
    }
    return spaces_and_lines(at);
  }

 private:
  uint16_t class_at(size_t at) const {
    return static_cast<uint16_t>(flags_.of(scalar_at(text_, at).value) & kClasses);
  }
  size_t length_at(size_t at) const { return scalar_at(text_, at).length; }

  // The end of the characters of one class (0: neither space, letter nor number).
  size_t end_of_run(size_t at, uint16_t kind) const {
    while (at < text_.size()) {
      const Scalar scalar = scalar_at(text_, at);
      if ((flags_.of(scalar.value) & kClasses) != kind) break;
      at += scalar.length;
    }
    return at;
  }

  // \s+(?!\S)|\s+: all but the last of a run of spaces, for that goes with what follows.
  size_t spaces(size_t at) const {
    const size_t end = end_of_run(at, kSpace);
    if (end == text_.size()) return end;
    const size_t all_but_last = end - scalar_before(text_, end).length;
    return all_but_last > at ? all_but_last : end;
  }

  // \s*[\r\n]+ first: up to the last end of a line in the run.
  size_t spaces_and_lines(size_t at) const {
    const size_t end = end_of_run(at, kSpace);
    for (size_t i = end; i > at; --i) {
      if (text_[i - 1] == '\r' || text_[i - 1] == '\n') return i;
    }
    return spaces(at);
  }

  // The length of 's, 't, 're, 've, 'm, 'll, 'd, or 0.
  size_t contraction(size_t at, bool any_case) const {
    const auto letter = [&](size_t i) {
      const char c = at + i < text_.size() ? text_[at + i] : '\0';
      return any_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    };
    switch (letter(1)) {
      case 's':
      case 't':
      case 'm':
      case 'd':
        return 2;
      case 'r':
      case 'v':
        return letter(2) == 'e' ? 3 : 0;
      case 'l':
        return letter(2) == 'l' ? 3 : 0;
      default:
        // The long s is an s whatever its case.
        return any_case && text_.substr(at + 1, 2) == "\u017F" ? 3 : 0;
    }
  }

  std::string_view text_;
  const CharacterFlags& flags_;
};

}  // namespace

Pattern Pattern::read(const Json& json) {
  if (json.contains("String")) {
    auto literal = json.get<std::string>("String");
    check<IoError>(!literal.empty(), "tokenizer: a pattern to split at is empty");
    return Pattern(std::move(literal));
  }
  const auto regex = json.get<std::string>("Regex");
  if (regex == kGpt2Pattern) return gpt2();
  if (regex == kLlama3Pattern) return Pattern(Kind::llama3, {});
  if (regex == kQwen2Pattern) return Pattern(Kind::qwen2, {});
  fail<IoError>("tokenizer: an unknown regular expression to split at: ", regex,
                "; this program knows those of GPT-2, Llama 3 and Qwen 2");
}

void Pattern::find(std::string_view text, std::vector<Range32>& out) const {
  const auto add = [&](size_t begin, size_t end) {
    out.push_back({static_cast<uint32_t>(begin), static_cast<uint32_t>(end)});
  };
  if (kind_ == Kind::literal) {
    for (size_t at = text.find(literal_); at != text.npos;
         at = text.find(literal_, at + literal_.size())) {
      add(at, at + literal_.size());
    }
    return;
  }
  const Cutter cut(text);
  for (size_t at = 0; at < text.size();) {
    const size_t end = kind_ == Kind::gpt2     ? cut.gpt2(at)
                       : kind_ == Kind::llama3 ? cut.llama3(at, 3)
                                               : cut.llama3(at, 1);
    add(at, end);
    at = end;
  }
}

void replace_all(Normalized& text, const std::string& pattern, const std::string& content) {
  const std::string_view source = text.text();
  size_t found = source.find(pattern);
  if (found == source.npos) return;
  Rewriter out(text);
  size_t at = 0;
  for (; found != source.npos; found = source.find(pattern, at)) {
    out.copy(at, found);
    at = found + pattern.size();
    out.put_as(content, at - 1);
  }
  out.copy(at, source.size());
  out.finish();
}

}  // namespace adjoint::data

#include "data/tokenizers/normalizers.h"

#include <adjoint/core/error.h>

#include <algorithm>
#include <functional>

#include "data/tokenizers/patterns.h"

namespace adjoint::data {
namespace {

// The text's canonical decomposition, each run of marks sorted by combining class.
std::vector<Change> decomposed(std::string_view text) {
  std::vector<Change> changes;
  changes.reserve(text.size());
  std::vector<uint32_t> characters;
  std::vector<std::pair<uint32_t, Change>> marks;
  const auto sort_marks = [&] {
    std::stable_sort(marks.begin(), marks.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    for (const auto& [order, mark] : marks) changes.push_back(mark);
    marks.clear();
  };
  for (size_t at = 0; at < text.size();) {
    const Scalar scalar = scalar_at(text, at);
    at += scalar.length;
    characters.clear();
    append_decomposition(scalar.value, characters);
    for (size_t i = 0; i < characters.size(); ++i) {
      const Change change{characters[i], i == 0 ? 0 : 1};
      const uint32_t order = combining_class(characters[i]);
      if (order == 0) {
        sort_marks();
        changes.push_back(change);
      } else {
        marks.emplace_back(order, change);
      }
    }
  }
  sort_marks();
  return changes;
}

// Puts together what composes (Unicode, section 3.11).
std::vector<Change> composed(const std::vector<Change>& decomposition) {
  std::vector<Change> out;
  out.reserve(decomposition.size());
  ptrdiff_t starter = -1;  // in out
  uint32_t last_class = 0;
  for (const auto [scalar, change] : decomposition) {
    const uint32_t order = combining_class(scalar);
    const bool adjacent = starter >= 0 && starter + 1 == static_cast<ptrdiff_t>(out.size());
    if (starter >= 0 && (adjacent || last_class < order)) {
      Change& base = out[static_cast<size_t>(starter)];
      if (const uint32_t both = compose(base.scalar, scalar); both != 0) {
        base = {both, base.change + change - 1};
        continue;
      }
    }
    if (order == 0) starter = static_cast<ptrdiff_t>(out.size());
    last_class = order;
    out.push_back({scalar, change});
  }
  return out;
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c & 0x80) == 0; });
}

// Keeps the characters without this flag.
void remove_flagged(Normalized& text, uint16_t flag) {
  const std::string_view source = text.text();
  std::vector<Change> changes;
  changes.reserve(source.size());
  size_t dropped = 0;
  for (size_t at = 0; at < source.size();) {
    const Scalar scalar = scalar_at(source, at);
    at += scalar.length;
    if ((flags_of(scalar.value) & flag) == 0) {
      changes.push_back({scalar.value, 0});
    } else if (changes.empty()) {
      ++dropped;
    } else {
      --changes.back().change;
    }
  }
  transform(text, changes, dropped);
}

void lower_case(Normalized& text) {
  const std::string_view source = text.text();
  Rewriter out(text);
  for (size_t at = 0; at < source.size();) {
    const Scalar scalar = scalar_at(source, at);
    const Lowered lowered = lower(scalar.value);
    for (int i = 0; i < lowered.count; ++i) {
      // The library aligns what it inserts to the last byte consumed: of the same character.
      out.put_as(lowered.scalar[i], at + (i == 0 ? 0 : scalar.length - 1));
    }
    at += scalar.length;
  }
  out.finish();
}

class Function : public Normalizer {
 public:
  using Body = std::function<void(Normalized&)>;
  explicit Function(Body body) : body_(std::move(body)) {}
  void normalize(Normalized& text) const override { body_(text); }

 private:
  Body body_;
};

class Sequence : public Normalizer {
 public:
  explicit Sequence(std::vector<std::unique_ptr<Normalizer>> parts) : parts_(std::move(parts)) {}
  void normalize(Normalized& text) const override {
    for (const auto& part : parts_) part->normalize(text);
  }

 private:
  std::vector<std::unique_ptr<Normalizer>> parts_;
};

class Bert : public Normalizer {
 public:
  explicit Bert(const Json& json)
      : clean_text_(json.get<bool>("clean_text")),
        chinese_(json.get<bool>("handle_chinese_chars")),
        lowercase_(json.get<bool>("lowercase")) {
    const auto strip = json.get_or<std::optional<bool>>(std::nullopt, "strip_accents");
    strip_accents_ = strip.value_or(lowercase_);
  }

  void normalize(Normalized& text) const override {
    if (!text.aligned() && is_ascii(text.text())) {
      ascii(text);
      return;
    }
    if (clean_text_) clean(text);
    if (chinese_) set_chinese_apart(text);
    if (strip_accents_) {
      transform(text, decomposed(text.text()));
      remove_flagged(text, kNonspacingMark);
    }
    if (lowercase_) lower_case(text);
  }

 private:
  // All of it in one pass.
  void ascii(Normalized& text) const {
    std::string out;
    out.reserve(text.text().size());
    for (char c : text.text()) {
      const uint16_t flags = flags_of(static_cast<unsigned char>(c));
      if (clean_text_) {
        if ((flags & kCleanedAway) != 0) continue;
        if ((flags & kSpace) != 0) c = ' ';
      }
      if (lowercase_ && c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
      out.push_back(c);
    }
    text.assign(std::move(out), {});
  }

  static void clean(Normalized& text) {
    remove_flagged(text, kCleanedAway);
    const std::string_view source = text.text();
    Rewriter out(text);
    for (size_t at = 0; at < source.size();) {
      const Scalar scalar = scalar_at(source, at);
      out.put_as((flags_of(scalar.value) & kSpace) != 0 ? ' ' : scalar.value, at);
      at += scalar.length;
    }
    out.finish();
  }

  static void set_chinese_apart(Normalized& text) {
    const std::string_view source = text.text();
    std::vector<Change> changes;
    changes.reserve(source.size());
    bool any = false;
    for (size_t at = 0; at < source.size();) {
      const Scalar scalar = scalar_at(source, at);
      at += scalar.length;
      if ((flags_of(scalar.value) & kChinese) == 0) {
        changes.push_back({scalar.value, 0});
        continue;
      }
      any = true;
      changes.insert(changes.end(), {{' ', 0}, {scalar.value, 1}, {' ', 1}});
    }
    if (any) transform(text, changes);
  }

  bool clean_text_, chinese_, lowercase_, strip_accents_ = false;
};

void prepend(Normalized& text, const std::string& what) {
  if (text.text().empty()) return;
  Rewriter out(text);
  out.put_as(what, 0);
  out.put_as(text.text().substr(0, scalar_at(text.text(), 0).length), 0);
  out.copy(scalar_at(text.text(), 0).length, text.text().size());
  out.finish();
}

std::unique_ptr<Normalizer> read_replace(const Json& json) {
  check<IoError>(json.at("pattern").contains("String"),
                 "tokenizer: the normalizer Replace has a pattern that is no String; this program "
                 "knows String alone");
  const auto pattern = json.get<std::string>("pattern", "String");
  return std::make_unique<Function>([pattern, content = json.get<std::string>("content")](
                                        Normalized& text) { replace_all(text, pattern, content); });
}

std::unique_ptr<Normalizer> make(std::function<void(Normalized&)> body) {
  return std::make_unique<Function>(std::move(body));
}

// One that leaves ASCII as it is.
std::unique_ptr<Normalizer> beyond_ascii(std::function<void(Normalized&)> body) {
  return make([body = std::move(body)](Normalized& text) {
    if (!is_ascii(text.text())) body(text);
  });
}

}  // namespace

std::unique_ptr<Normalizer> read_normalizer(const Json& json) {
  if (json.is_null()) return nullptr;
  const auto type = json.get<std::string>("type");
  if (type == "BertNormalizer") return std::make_unique<Bert>(json);
  if (type == "Lowercase") return make(&lower_case);
  if (type == "StripAccents") return beyond_ascii([](Normalized& t) { remove_flagged(t, kMark); });
  if (type == "NFD") return beyond_ascii([](Normalized& t) { transform(t, decomposed(t.text())); });
  if (type == "NFC") {
    return beyond_ascii([](Normalized& t) { transform(t, composed(decomposed(t.text()))); });
  }
  if (type == "Prepend") {
    return make([what = json.get<std::string>("prepend")](Normalized& t) { prepend(t, what); });
  }
  if (type == "Replace") return read_replace(json);
  check<IoError>(type == "Sequence", "tokenizer: the normalizer is \"", type,
                 "\"; this program knows BertNormalizer, Lowercase, NFC, NFD, Prepend, Replace, "
                 "Sequence and StripAccents");
  std::vector<std::unique_ptr<Normalizer>> parts;
  for (const Json& part : json.at("normalizers").elements()) {
    check<IoError>(part.is_object(), "tokenizer: a normalizer in a Sequence is no object");
    parts.push_back(read_normalizer(part));
  }
  return std::make_unique<Sequence>(std::move(parts));
}

std::string normalized(const Normalizer* normalizer, std::string_view text) {
  if (normalizer == nullptr) return std::string(text);
  Normalized piece(text, 0, false);
  normalizer->normalize(piece);
  return std::string(piece.text());
}

}  // namespace adjoint::data

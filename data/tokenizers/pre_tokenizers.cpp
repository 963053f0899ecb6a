#include "data/tokenizers/pre_tokenizers.h"

#include <adjoint/core/error.h>

#include <algorithm>
#include <functional>

#include "data/tokenizers/patterns.h"

namespace adjoint::data {
namespace {

enum class Behavior { removed, isolated, merged_with_previous, merged_with_next, contiguous };

// Appends the pieces of [begin, end) that matches (of the text from begin) make.
void cut_at(Split split, const std::vector<Range32>& matches, Behavior behavior, bool invert,
            std::vector<Split>& out) {
  const size_t first = out.size();
  bool previous_matched = false;
  const auto piece = [&](uint32_t begin, uint32_t end, bool matched) {
    if (begin == end) return;
    matched = matched != invert;
    const bool any = out.size() > first;
    bool merges = false;
    if (behavior == Behavior::contiguous) merges = any && matched == previous_matched;
    if (behavior == Behavior::merged_with_previous) merges = any && matched && !previous_matched;
    // A delimiter goes with what follows unless that is one too.
    if (behavior == Behavior::merged_with_next) merges = any && !matched && previous_matched;
    if (merges) {
      out.back().end = split.begin + end;
    } else if (!matched || behavior != Behavior::removed) {
      out.push_back({split.begin + begin, split.begin + end});
    }
    previous_matched = matched;
  };
  uint32_t at = 0;
  for (const auto [begin, end] : matches) {
    piece(at, begin, false);
    piece(begin, end, true);
    at = end;
  }
  piece(at, split.end - split.begin, false);
}

class Cut : public PreTokenizer {
 public:
  Cut(Pattern pattern, Behavior behavior, bool invert)
      : pattern_(std::move(pattern)), behavior_(behavior), invert_(invert) {}

  void cut(Normalized& text, std::vector<Split>& splits) const override {
    std::vector<Split> out;
    std::vector<Range32> matches;
    for (const Split& split : splits) {
      if (split.token >= 0) {
        out.push_back(split);
        continue;
      }
      matches.clear();
      pattern_.find(text.text().substr(split.begin, split.end - split.begin), matches);
      out.reserve(out.size() + matches.size() + 1);
      cut_at(split, matches, behavior_, invert_, out);
    }
    splits = std::move(out);
  }

 private:
  Pattern pattern_;
  Behavior behavior_;
  bool invert_;
};

// Puts `prefix` before each split that `wants` it, and replaces `from` by `to`, where not empty.
void rewrite(Normalized& text, std::vector<Split>& splits, const std::string& prefix,
             const std::function<bool(const Split&)>& wants, std::string_view from = {},
             std::string_view to = {}) {
  const std::string_view source = text.text();
  Rewriter out(text);
  for (Split& split : splits) {
    const auto begin = static_cast<uint32_t>(out.size());
    if (split.token < 0 && wants(split)) out.put_as(prefix, split.begin);
    size_t at = split.begin;
    if (split.token < 0 && !from.empty()) {
      const std::string_view until = source.substr(0, split.end);
      for (size_t found = until.find(from, at); found != until.npos; found = until.find(from, at)) {
        out.copy(at, found);
        at = found + from.size();
        out.put_as(to, at - 1);
      }
    }
    out.copy(at, split.end);
    split.begin = begin;
    split.end = static_cast<uint32_t>(out.size());
  }
  out.finish();
}

class ByteLevel : public PreTokenizer {
 public:
  explicit ByteLevel(const Json& json)
      : add_prefix_space_(json.get<bool>("add_prefix_space")),
        use_regex_(json.get_or<bool>(true, "use_regex")),
        cut_(Pattern::gpt2(), Behavior::isolated, false) {}

  bool byte_level() const override { return true; }

  void cut(Normalized& text, std::vector<Split>& splits) const override {
    if (add_prefix_space_) {
      const auto wants = [&](const Split& split) { return text.text()[split.begin] != ' '; };
      if (std::any_of(splits.begin(), splits.end(),
                      [&](const Split& split) { return split.token < 0 && wants(split); })) {
        rewrite(text, splits, " ", wants);
      }
    }
    if (use_regex_) cut_.cut(text, splits);
  }

 private:
  bool add_prefix_space_, use_regex_;
  Cut cut_;
};

class Metaspace : public PreTokenizer {
 public:
  explicit Metaspace(const Json& json)
      : replacement_(json.get<std::string>("replacement")),
        split_(json.get_or<bool>(true, "split")),
        cut_(Pattern(replacement_), Behavior::merged_with_next, false) {
    check<IoError>(utf8_length(replacement_ + " ", 0) == replacement_.size(),
                   "tokenizer: Metaspace has the replacement \"", replacement_,
                   "\"; expected one character");
    if (json.contains("prepend_scheme")) {
      scheme_ = json.get<std::string>("prepend_scheme");
    } else if (!json.get_or<bool>(true, "add_prefix_space")) {  // of older files
      scheme_ = "never";
    }
    check<IoError>(scheme_ == "always" || scheme_ == "first" || scheme_ == "never",
                   "tokenizer: Metaspace has the prepend_scheme \"", scheme_,
                   "\"; expected always, first or never");
  }

  bool needs_origin() const override { return scheme_ == "first"; }

  void cut(Normalized& text, std::vector<Split>& splits) const override {
    const auto wants = [&](const Split& split) {
      if (scheme_ == "never") return false;
      const auto begin = text.text().substr(split.begin);
      if (begin[0] == ' ' || begin.starts_with(replacement_)) return false;
      return scheme_ == "always" || text.origin(split.begin).begin == 0;
    };
    rewrite(text, splits, replacement_, wants, " ", replacement_);
    if (split_) cut_.cut(text, splits);
  }

 private:
  std::string replacement_, scheme_ = "always";
  bool split_;
  Cut cut_;
};

// At spaces, which go, and, for BERT, at punctuation, which stays.
class Words : public PreTokenizer {
 public:
  explicit Words(bool punctuation) : punctuation_(punctuation) {}

  void cut(Normalized& text, std::vector<Split>& splits) const override {
    const std::string_view source = text.text();
    const CharacterFlags& all = character_flags();
    std::vector<Split> out;
    out.reserve(source.size() / 4);
    for (const Split& split : splits) {
      if (split.token >= 0) {
        out.push_back(split);
        continue;
      }
      uint32_t begin = split.begin;
      const auto word_until = [&](uint32_t end) {
        if (end > begin) out.push_back({begin, end});
      };
      for (uint32_t at = split.begin; at < split.end;) {
        const Scalar scalar = scalar_at(source, at);
        const uint16_t flags = all.of(scalar.value);
        const bool alone = punctuation_ && (flags & kPunctuation) != 0;
        if (alone || (flags & kSpace) != 0) {
          word_until(at);
          begin = at + scalar.length;
          if (alone) out.push_back({at, begin});
        }
        at += scalar.length;
      }
      word_until(split.end);
    }
    splits = std::move(out);
  }

 private:
  bool punctuation_;
};

class Sequence : public PreTokenizer {
 public:
  explicit Sequence(std::vector<std::unique_ptr<PreTokenizer>> parts) : parts_(std::move(parts)) {
    for (size_t i = 0; i + 1 < parts_.size(); ++i) {
      check<IoError>(!parts_[i]->byte_level(),
                     "tokenizer: ByteLevel is not the last pre_tokenizer of a Sequence");
    }
  }
  void cut(Normalized& text, std::vector<Split>& splits) const override {
    for (const auto& part : parts_) part->cut(text, splits);
  }
  bool byte_level() const override { return !parts_.empty() && parts_.back()->byte_level(); }
  bool needs_origin() const override {
    return std::any_of(parts_.begin(), parts_.end(),
                       [](const auto& part) { return part->needs_origin(); });
  }

 private:
  std::vector<std::unique_ptr<PreTokenizer>> parts_;
};

Behavior behavior_of(const std::string& name) {
  if (name == "Removed") return Behavior::removed;
  if (name == "Isolated") return Behavior::isolated;
  if (name == "MergedWithPrevious") return Behavior::merged_with_previous;
  if (name == "MergedWithNext") return Behavior::merged_with_next;
  check<IoError>(name == "Contiguous", "tokenizer: Split has the behavior \"", name,
                 "\"; expected Removed, Isolated, MergedWithPrevious, MergedWithNext or "
                 "Contiguous");
  return Behavior::contiguous;
}

}  // namespace

std::unique_ptr<PreTokenizer> read_pre_tokenizer(const Json& json) {
  if (json.is_null()) return nullptr;
  const auto type = json.get<std::string>("type");
  if (type == "ByteLevel") return std::make_unique<ByteLevel>(json);
  if (type == "Metaspace") return std::make_unique<Metaspace>(json);
  if (type == "BertPreTokenizer") return std::make_unique<Words>(true);
  if (type == "WhitespaceSplit") return std::make_unique<Words>(false);
  if (type == "Split") {
    return std::make_unique<Cut>(Pattern::read(json.at("pattern")),
                                 behavior_of(json.get<std::string>("behavior")),
                                 json.get<bool>("invert"));
  }
  check<IoError>(type == "Sequence", "tokenizer: the pre_tokenizer is \"", type,
                 "\"; this program knows BertPreTokenizer, ByteLevel, Metaspace, Sequence, Split "
                 "and WhitespaceSplit");
  std::vector<std::unique_ptr<PreTokenizer>> parts;
  for (const Json& part : json.at("pretokenizers").elements()) {
    check<IoError>(part.is_object(), "tokenizer: a pre_tokenizer in a Sequence is no object");
    parts.push_back(read_pre_tokenizer(part));
  }
  return std::make_unique<Sequence>(std::move(parts));
}

}  // namespace adjoint::data

#include <adjoint/core/error.h>
#include <adjoint/core/file.h>
#include <adjoint/core/parallel.h>
#include <adjoint/core/utf8.h>
#include <adjoint/data/char_tokenizer.h>
#include <adjoint/data/tokenizer.h>
#include <adjoint/data/word_tokenizer.h>

#include <algorithm>
#include <array>
#include <utility>

#include "data/tokenizers/pipeline.h"
#include "data/tokenizers/post_processor.h"
#include "data/tokenizers/unicode.h"

namespace adjoint::data {
namespace {

// The largest files in use take half of it; the JSON of a hostile one takes 24 times its size.
constexpr uint64_t kMaxFile = uint64_t{64} << 20;

// Of each SpecialToken.
struct SpecialTokenNames {
  const char* purpose;
  std::array<const char*, 3> names;
};
constexpr SpecialTokenNames kSpecialTokens[] = {{"padding", {"[PAD]", "<pad>", "<PAD>"}},
                                                {"unknown words", {"[UNK]", "<unk>", "<UNK>"}},
                                                {"the beginning", {"[CLS]", "<s>", "<BOS>"}},
                                                {"the end", {"[SEP]", "</s>", "<EOS>"}},
                                                {"what is masked", {"[MASK]", "<mask>", "<MASK>"}}};

// UTF-8 of a text, and where each of its bytes was.
struct CheckedText {
  std::string replaced;
  std::vector<int64_t> origin;  // of each byte and of the end; empty: the text was right
};

CheckedText checked(std::string_view text, const EncodeOptions& options) {
  check<IoError>(text.size() < UINT32_MAX, options.source, ": ", text.size(),
                 " bytes; expected less than 4 GiB");
  CheckedText result;
  const auto wrong = find_invalid_utf8(text);
  if (!wrong) return result;
  check<IoError>(options.replace_invalid, options.source, ": not valid UTF-8: the byte at offset ",
                 *wrong, " does not belong to a character");
  for (size_t at = 0; at < text.size();) {
    size_t length = utf8_length(text, at);
    if (length > 0) {
      for (size_t i = 0; i < length; ++i) result.origin.push_back(static_cast<int64_t>(at + i));
      result.replaced.append(text.substr(at, length));
    } else {
      length = invalid_length(text, at);
      append_utf8(result.replaced, 0xFFFD);
      result.origin.insert(result.origin.end(), 3, static_cast<int64_t>(at));
    }
    at += length;
  }
  result.origin.push_back(static_cast<int64_t>(text.size()));
  return result;
}

// Keeps `length` tokens.
void cut(Encoding& encoding, int64_t length, Side side) {
  const auto keep = static_cast<size_t>(std::max<int64_t>(length, 0));
  if (keep >= encoding.size()) return;
  const auto shorten = [&](auto& values) {
    if (side == Side::left) {
      values.erase(values.begin(), values.end() - static_cast<ptrdiff_t>(keep));
    } else {
      values.resize(keep);
    }
  };
  shorten(encoding.ids);
  shorten(encoding.offsets);
  shorten(encoding.attention_mask);
  shorten(encoding.special_tokens_mask);
  shorten(encoding.type_ids);
}

// How many of two texts' tokens are kept, where both together may have `most`: the longer one is
// cut, and where that is not enough, both to half.
std::pair<int64_t, int64_t> longest_first(int64_t first, int64_t second, int64_t most) {
  const bool swapped = first > second;
  int64_t small = std::min(first, second), large = small;
  if (small <= most) large = std::max(small, most - small);
  if (small + large > most) {
    small = most / 2;
    large = small + most % 2;
  }
  return swapped ? std::pair(large, small) : std::pair(small, large);
}

void truncate(Encoding& first, std::optional<Encoding>& second, const Truncation& truncation,
              int64_t around) {
  const int64_t most = truncation.max_length - around;
  check<ConfigError>(most >= 0, "truncation: max_length is ", truncation.max_length,
                     ", but the special tokens are ", around);
  const auto size = [](const Encoding& encoding) { return static_cast<int64_t>(encoding.size()); };
  const int64_t total = size(first) + (second ? size(*second) : 0);
  if (total <= most) return;
  if (truncation.strategy == TruncationStrategy::longest_first || most == 0) {
    auto keep = std::pair(most, int64_t{0});
    if (second) keep = longest_first(size(first), size(*second), most);
    cut(first, keep.first, truncation.side);
    if (second) cut(*second, keep.second, truncation.side);
    return;
  }
  const bool is_first = truncation.strategy == TruncationStrategy::only_first;
  check<ConfigError>(is_first || second, "truncation: only_second, but there is one text");
  Encoding& target = is_first ? first : *second;
  const int64_t left = size(target) - (total - most);
  check<ConfigError>(left > 0, "truncation: the text that may be cut has ", size(target),
                     " tokens, but ", total - most, " are too many");
  cut(target, left, truncation.side);
}

void lengthen(Encoding& encoding, int64_t length, const Padding& padding) {
  if (static_cast<int64_t>(encoding.size()) >= length) return;
  const auto more = static_cast<size_t>(length) - encoding.size();
  const auto fill = [&](auto& values, auto value) {
    values.insert(padding.side == Side::left ? values.begin() : values.end(), more, value);
  };
  fill(encoding.ids, padding.id);
  fill(encoding.offsets, TextRange{});
  fill(encoding.attention_mask, uint8_t{0});
  fill(encoding.special_tokens_mask, uint8_t{1});
  fill(encoding.type_ids, padding.type_id);
}

}  // namespace

std::unique_ptr<Tokenizer> Tokenizer::load(const std::string& path) {
  try {
    return from_json(Json::load(path, kMaxFile));
  } catch (const IoError& error) {
    const std::string what = error.what();
    if (what.starts_with(path)) throw;
    fail<IoError>(path, ": ", what);
  }
}

std::unique_ptr<Tokenizer> Tokenizer::from_json(const Json& json) {
  if (json.contains("model")) return std::make_unique<Pipeline>(json);
  const auto format = json.get<std::string>("format");
  if (format == CharTokenizer::kFormat) {
    return std::make_unique<CharTokenizer>(CharTokenizer::from_json(json));
  }
  check<IoError>(format == WordTokenizer::kFormat, "tokenizer: the format is \"", format,
                 "\"; expected \"", CharTokenizer::kFormat, "\", \"", WordTokenizer::kFormat,
                 "\" or a tokenizer.json with a \"model\"");
  return std::make_unique<WordTokenizer>(WordTokenizer::from_json(json));
}

void Tokenizer::save(const std::string& path) const {
  io::write_file_atomic(path, to_json().dump(2) + "\n");
}

void Tokenizer::set_truncation(std::optional<Truncation> truncation) {
  if (truncation) {
    check<ConfigError>(truncation->max_length >= 0, "truncation: max_length is ",
                       truncation->max_length, "; expected 0 or more");
    check<ConfigError>(truncation->stride >= 0, "truncation: stride is ", truncation->stride,
                       "; expected 0 or more");
  }
  truncation_ = truncation;
}

void Tokenizer::set_padding(std::optional<Padding> padding) {
  // A file may ask for it: what it makes of a short text stays small.
  constexpr int64_t kMost = int64_t{1} << 20;
  if (padding) {
    const int64_t length = padding->length.value_or(0);
    check<ConfigError>(length >= 0 && length <= kMost, "padding: length is ", length,
                       "; expected 0 to ", kMost);
    check<ConfigError>(padding->multiple_of >= 0 && padding->multiple_of <= kMost,
                       "padding: multiple_of is ", padding->multiple_of, "; expected 0 to ", kMost);
  }
  padding_ = std::move(padding);
}

std::vector<Token> Tokenizer::encode(std::string_view text, const EncodeOptions& options) const {
  const bool around = options.add_special_tokens && count_around(false) > 0;
  if (options.fit_length && (truncation_ || padding_)) return encoding(text, options).ids;
  const CheckedText right = checked(text, options);
  std::vector<Piece> pieces;
  append_pieces(right.origin.empty() ? text : right.replaced, options, false, pieces);
  Encoding result;
  result.ids.reserve(pieces.size());
  for (const Piece& piece : pieces) result.ids.push_back(piece.id);
  if (!around) return std::move(result.ids);
  result.offsets.resize(result.size());
  result.attention_mask.resize(result.size());
  result.special_tokens_mask.resize(result.size());
  result.type_ids.resize(result.size());
  return around_text(std::move(result), {}, true).ids;
}

Encoding Tokenizer::one(std::string_view text, const EncodeOptions& options, int32_t type) const {
  const CheckedText right = checked(text, options);
  std::vector<Piece> pieces;
  append_pieces(right.origin.empty() ? text : right.replaced, options, true, pieces);
  Encoding result;
  result.ids.reserve(pieces.size());
  result.offsets.reserve(pieces.size());
  for (const auto [id, begin, end] : pieces) {
    result.ids.push_back(id);
    result.offsets.push_back(right.origin.empty()
                                 ? TextRange{begin, end}
                                 : TextRange{right.origin[begin], right.origin[end]});
  }
  result.attention_mask.assign(pieces.size(), 1);
  result.special_tokens_mask.assign(pieces.size(), 0);
  result.type_ids.assign(pieces.size(), type);
  return result;
}

Encoding Tokenizer::whole(Encoding first, std::optional<Encoding> second,
                          const EncodeOptions& options) const {
  const bool add = options.add_special_tokens;
  if (truncation_ && options.fit_length) {
    truncate(first, second, *truncation_, add ? count_around(second.has_value()) : 0);
  }
  return around_text(std::move(first), std::move(second), add);
}

Encoding Tokenizer::encoding(std::string_view text, const EncodeOptions& options) const {
  Encoding result = whole(one(text, options, 0), {}, options);
  pad({&result, 1}, options);
  return result;
}

Encoding Tokenizer::encoding(std::string_view first, std::string_view second,
                             const EncodeOptions& options) const {
  Encoding result = whole(one(first, options, 0), one(second, options, 1), options);
  pad({&result, 1}, options);
  return result;
}

std::vector<Encoding> Tokenizer::encode_batch(std::span<const std::string> texts,
                                              const EncodeOptions& options) const {
  std::vector<Encoding> encodings(texts.size());
  parallel_for(static_cast<int64_t>(texts.size()), [&](int64_t i) {
    const auto at = static_cast<size_t>(i);
    encodings[at] = whole(one(texts[at], options, 0), {}, options);
  });
  pad(encodings, options);
  return encodings;
}

std::optional<Token> Tokenizer::special(SpecialToken which) const {
  for (const char* name : kSpecialTokens[static_cast<size_t>(which)].names) {
    const std::optional<Token> token = token_to_id(name);
    if (token && is_special(*token)) return token;
  }
  return std::nullopt;
}

Encoding Tokenizer::around_text(Encoding first, std::optional<Encoding> second, bool) const {
  if (second) append(first, *second);
  return first;
}

void Tokenizer::pad(std::span<Encoding> encodings, const EncodeOptions& options) const {
  if (!padding_ || !options.fit_length) return;
  int64_t length = padding_->length.value_or(0);
  if (!padding_->length) {
    for (const Encoding& encoding : encodings) {
      length = std::max(length, static_cast<int64_t>(encoding.size()));
    }
  }
  if (padding_->multiple_of > 0) {
    length = (length + padding_->multiple_of - 1) / padding_->multiple_of * padding_->multiple_of;
  }
  for (Encoding& encoding : encodings) lengthen(encoding, length, *padding_);
}

Token special_token(const Tokenizer& tokenizer, SpecialToken which, std::string_view user) {
  const std::optional<Token> token = tokenizer.special(which);
  check<ConfigError>(token.has_value(), user, ": the tokenizer has no token for ",
                     kSpecialTokens[static_cast<size_t>(which)].purpose, "; expected one");
  return *token;
}

}  // namespace adjoint::data

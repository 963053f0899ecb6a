#include "data/tokenizers/pipeline.h"

#include <adjoint/core/error.h>

#include <algorithm>

namespace adjoint::data {
namespace {

// What is kept as it was read.
constexpr const char* kComponents[] = {"normalizer", "pre_tokenizer", "post_processor", "decoder"};

Json component(const Json& json, const char* name) { return json.get_or<Json>(Json(), name); }

std::unique_ptr<Model> read_model(const Json& json, bool byte_level) {
  // Older files do not say which it is.
  std::string type = json.contains("merges")                     ? "BPE"
                     : json.contains("max_input_chars_per_word") ? "WordPiece"
                     : json.contains("unk_id")                   ? "Unigram"
                                                                 : "";
  type = json.get_or<std::string>(type, "type");
  if (type == "BPE") return read_bpe(json, byte_level);
  check_file(!byte_level, "the pre_tokenizer ByteLevel is for BPE; the model is ", type);
  if (type == "WordPiece") return read_wordpiece(json);
  check_file(type == "Unigram", "the model is \"", type, "\"; expected BPE, WordPiece or Unigram");
  return read_unigram(json);
}

Side side_of(const Json& json) {
  const auto name = json.get_or<std::string>("Right", "direction");
  check_file(name == "Right" || name == "Left", "direction is \"", name,
             "\"; expected Right or Left");
  return name == "Left" ? Side::left : Side::right;
}

std::string name_of(Side side) { return side == Side::left ? "Left" : "Right"; }

constexpr const char* kStrategies[] = {"LongestFirst", "OnlyFirst", "OnlySecond"};

Truncation read_truncation(const Json& json) {
  Truncation truncation;
  truncation.max_length = json.get<int64_t>("max_length");
  truncation.stride = json.get<int64_t>("stride");
  truncation.side = side_of(json);
  const auto strategy = json.get<std::string>("strategy");
  const auto* const found = std::find(std::begin(kStrategies), std::end(kStrategies), strategy);
  check_file(found != std::end(kStrategies), "the truncation strategy is \"", strategy,
             "\"; expected LongestFirst, OnlyFirst or OnlySecond");
  truncation.strategy = static_cast<TruncationStrategy>(found - std::begin(kStrategies));
  return truncation;
}

Json truncation_json(const Truncation& truncation) {
  return Json::object({{"direction", name_of(truncation.side)},
                       {"max_length", truncation.max_length},
                       {"strategy", kStrategies[static_cast<size_t>(truncation.strategy)]},
                       {"stride", truncation.stride}});
}

Padding read_padding(const Json& json) {
  Padding padding;
  const Json& strategy = json.at("strategy");
  if (strategy.is_object()) {
    padding.length = strategy.get<int64_t>("Fixed");
  } else {
    const auto name = strategy.get<std::string>();
    check_file(name == "BatchLongest", "the padding strategy is \"", name,
               "\"; expected BatchLongest or {\"Fixed\": length}");
  }
  padding.side = side_of(json);
  padding.multiple_of = json.get_or<std::optional<int64_t>>({}, "pad_to_multiple_of").value_or(0);
  padding.id = json.get<Token>("pad_id");
  padding.type_id = json.get<int32_t>("pad_type_id");
  padding.token = json.get<std::string>("pad_token");
  return padding;
}

Json padding_json(const Padding& padding) {
  return Json::object(
      {{"strategy",
        padding.length ? Json::object({{"Fixed", *padding.length}}) : Json("BatchLongest")},
       {"direction", name_of(padding.side)},
       {"pad_to_multiple_of", padding.multiple_of > 0 ? Json(padding.multiple_of) : Json()},
       {"pad_id", padding.id},
       {"pad_type_id", padding.type_id},
       {"pad_token", padding.token}});
}

void check_keys(const Json& json) {
  for (const auto& [key, value] : json.members()) {
    static constexpr std::string_view kKnown[] = {"version",        "truncation", "padding",
                                                  "added_tokens",   "normalizer", "pre_tokenizer",
                                                  "post_processor", "decoder",    "model"};
    check_file(std::find(std::begin(kKnown), std::end(kKnown), key) != std::end(kKnown),
               "unknown key \"", key, "\"");
  }
  const auto version = json.get_or<std::string>("1.0", "version");
  check_file(version == "1.0", "the version is \"", version, "\"; this program reads 1.0");
}

}  // namespace

Pipeline::Pipeline(const Json& json) {
  check_keys(json);
  for (const char* name : kComponents) components_[name] = component(json, name);
  normalizer_ = read_normalizer(components_.at("normalizer"));
  pre_tokenizer_ = read_pre_tokenizer(components_.at("pre_tokenizer"));
  model_ = read_model(json.at("model"), pre_tokenizer_ && pre_tokenizer_->byte_level());
  added_ = AddedTokens(json.get_or<Json>(Json::array(), "added_tokens"), model_->vocabulary(),
                       normalizer_.get());
  post_processor_ = read_post_processor(components_.at("post_processor"));
  decoder_ = read_decoder(components_.at("decoder"));
  try {
    if (const Json truncation = component(json, "truncation"); !truncation.is_null()) {
      set_truncation(read_truncation(truncation));
    }
    if (const Json padding = component(json, "padding"); !padding.is_null()) {
      set_padding(read_padding(padding));
    }
  } catch (const ConfigError& error) {
    fail<IoError>("tokenizer: ", error.what());
  }
}

Json Pipeline::to_json() const {
  Json json = Json::object({{"version", "1.0"}});
  json["truncation"] = truncation() ? truncation_json(*truncation()) : Json();
  json["padding"] = padding() ? padding_json(*padding()) : Json();
  json["added_tokens"] = added_.to_json();
  for (const char* name : kComponents) json[name] = components_.at(name);
  json["model"] = model_->to_json();
  return json;
}

void Pipeline::append_pieces(std::string_view text, const EncodeOptions& options, bool with_ranges,
                             std::vector<Piece>& out) const {
  const CachePool::Lease cache(caches_);
  std::vector<Split> segments;
  added_.cut(text, false, options.allow_special, segments);
  const bool aligned = with_ranges || (pre_tokenizer_ && pre_tokenizer_->needs_origin());
  const bool trims = with_ranges && post_processor_ && post_processor_->trims();
  Output output{trims ? post_processor_.get() : nullptr, text, out};
  for (const Split& segment : segments) {
    const std::string_view part = text.substr(segment.begin, segment.end - segment.begin);
    if (segment.token >= 0) {
      output.add(segment.token, part, {segment.begin, segment.end});
      continue;
    }
    Normalized piece(part, segment.begin, aligned);
    if (normalizer_) normalizer_->normalize(piece);
    append_text(piece, options, *cache, output);
  }
}

void Pipeline::append_text(Normalized& text, const EncodeOptions& options, PieceCache& cache,
                           Output& output) const {
  std::vector<Split> splits;
  added_.cut(text.text(), true, options.allow_special, splits);
  if (pre_tokenizer_) pre_tokenizer_->cut(text, splits);
  output.pieces.reserve(output.pieces.size() + splits.size() + splits.size() / 2);
  std::vector<ModelToken> uncached;
  const auto origin = [&](size_t begin, size_t end) {
    return text.aligned() ? text.origin(begin, end) : Range32{};
  };
  for (const Split& split : splits) {
    const std::string_view whole = text.text().substr(split.begin, split.end - split.begin);
    if (split.token >= 0) {
      output.add(split.token, whole, origin(split.begin, split.end));
      continue;
    }
    for (size_t at = 0; at < whole.size();) {
      const size_t part_end = model_->part_end(whole, at);
      const std::string_view part = whole.substr(at, part_end - at);
      std::span<const ModelToken> tokens;
      if (PieceCache::takes(part)) {
        tokens = cache.tokens(part, *model_);
      } else {
        uncached.clear();
        model_->tokenize(part, uncached);
        tokens = uncached;
      }
      const size_t base = split.begin + at;
      for (const auto [id, begin, end] : tokens) {
        output.add(id, model_->vocabulary().text(id), origin(base + begin, base + end));
      }
      at = part_end;
    }
  }
}

int64_t Pipeline::count_around(bool pair) const {
  return post_processor_ ? post_processor_->count_around(pair) : 0;
}

Encoding Pipeline::around_text(Encoding first, std::optional<Encoding> second, bool add) const {
  std::vector<Encoding> encodings;
  encodings.push_back(std::move(first));
  if (second) encodings.push_back(std::move(*second));
  if (post_processor_) post_processor_->process(encodings, add);
  for (size_t i = 1; i < encodings.size(); ++i) append(encodings[0], encodings[i]);
  return std::move(encodings[0]);
}

std::string Pipeline::decode(std::span<const Token> tokens, const DecodeOptions& options) const {
  std::vector<std::string> texts;
  texts.reserve(tokens.size());
  for (const Token token : tokens) {
    auto text = id_to_token(token);
    check<IndexError>(text.has_value(), "decode: there is no token ", token,
                      " in the vocabulary of ", vocab_size());
    if (options.skip_special_tokens && is_special(token)) continue;
    const AddedToken* added = added_.find(token);
    texts.push_back(added != nullptr ? added->sought : std::move(*text));
  }
  if (decoder_) decoder_->decode(texts, options.raw_bytes);
  std::string all;
  for (size_t i = 0; i < texts.size(); ++i) {
    if (i > 0 && !decoder_) all += ' ';
    all += texts[i];
  }
  return all;
}

int64_t Pipeline::vocab_size() const {
  int64_t size = model_->vocabulary().size();
  for (const AddedToken& token : added_.all()) size = std::max<int64_t>(size, token.id + 1);
  return size;
}

std::optional<Token> Pipeline::token_to_id(std::string_view token) const {
  if (const AddedToken* added = added_.find(token)) return added->id;
  const Token found = model_->vocabulary().find(token);
  return found < 0 ? std::nullopt : std::optional(found);
}

std::optional<std::string> Pipeline::id_to_token(Token token) const {
  if (const AddedToken* added = added_.find(token)) return added->content;
  const Vocabulary& vocabulary = model_->vocabulary();
  if (!vocabulary.contains(token)) return std::nullopt;
  return std::string(vocabulary.text(token));
}

bool Pipeline::is_special(Token token) const {
  const AddedToken* added = added_.find(token);
  return added != nullptr && added->special;
}

}  // namespace adjoint::data

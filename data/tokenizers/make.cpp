// Tokenizers made here: their tokenizer.json, read as one from elsewhere would be.
#include <adjoint/core/error.h>
#include <adjoint/data/bpe.h>
#include <adjoint/data/unigram.h>
#include <adjoint/data/wordpiece.h>

#include <algorithm>

#include "data/tokenizers/patterns.h"
#include "data/tokenizers/pipeline.h"
#include "data/tokenizers/trainer.h"

namespace adjoint::data {
namespace {

Json vocabulary_json(std::vector<std::string> texts) {
  return Vocabulary(std::move(texts)).to_json();
}

Json byte_level_json(bool add_prefix_space, bool use_regex) {
  return Json::object({{"type", "ByteLevel"},
                       {"add_prefix_space", add_prefix_space},
                       {"trim_offsets", true},
                       {"use_regex", use_regex}});
}

Json bpe_pre_tokenizer(const BpeOptions& options) {
  if (options.splitting == Splitting::gpt2) {
    return byte_level_json(options.add_prefix_space, true);
  }
  return Json::object(
      {{"type", "Sequence"},
       {"pretokenizers",
        Json::array({Json::object({{"type", "Split"},
                                   {"pattern", Json::object({{"Regex", kLlama3Pattern}})},
                                   {"behavior", "Isolated"},
                                   {"invert", false}}),
                     byte_level_json(options.add_prefix_space, false)})}});
}

std::function<std::optional<Token>(std::string_view)> position_in(
    const std::vector<std::string>& texts) {
  return [&texts](std::string_view text) -> std::optional<Token> {
    const auto found = std::find(texts.begin(), texts.end(), text);
    if (found == texts.end()) return std::nullopt;
    return static_cast<Token>(found - texts.begin());
  };
}

}  // namespace

std::unique_ptr<Tokenizer> train_bpe(std::span<const std::string> texts,
                                     const BpeOptions& options) {
  TrainerOptions trainer;
  trainer.vocab_size = options.vocab_size;
  trainer.min_frequency = options.min_frequency;
  trainer.byte_level = true;
  trainer.special_tokens = options.special_tokens;
  const Json pre_tokenizer = bpe_pre_tokenizer(options);
  const Trained trained =
      train_merges(count_pieces(texts, Json(), pre_tokenizer), trainer, "train_bpe");
  Json merges = Json::array();
  for (const auto& [left, right] : trained.merges) merges.push_back(Json::array({left, right}));
  Json post = byte_level_json(options.add_prefix_space, true);
  if (!options.single.empty() || !options.pair.empty()) {
    const std::string single = options.single.empty() ? "$A" : options.single;
    const std::string pair = options.pair.empty() ? "$A $B:1" : options.pair;
    post = template_json(single, pair, position_in(trained.vocabulary));
  }
  return std::make_unique<Pipeline>(Json::object(
      {{"added_tokens", special_tokens_json(options.special_tokens, trained.vocabulary)},
       {"pre_tokenizer", pre_tokenizer},
       {"post_processor", std::move(post)},
       {"decoder", byte_level_json(options.add_prefix_space, true)},
       {"model", Json::object({{"type", "BPE"},
                               {"vocab", vocabulary_json(trained.vocabulary)},
                               {"merges", std::move(merges)}})}}));
}

std::unique_ptr<Tokenizer> train_wordpiece(std::span<const std::string> texts,
                                           const WordPieceOptions& options) {
  check<ConfigError>(options.special_tokens.size() >= 4,
                     "train_wordpiece: ", options.special_tokens.size(),
                     " special tokens; expected at least 4: padding, unknown, those around texts");
  TrainerOptions trainer;
  trainer.vocab_size = options.vocab_size;
  trainer.min_frequency = options.min_frequency;
  trainer.limit_alphabet = options.limit_alphabet;
  trainer.prefix = "##";
  trainer.special_tokens = options.special_tokens;
  const Json normalizer = Json::object(
      {{"type", "BertNormalizer"},
       {"clean_text", true},
       {"handle_chinese_chars", options.handle_chinese_chars},
       {"strip_accents", options.strip_accents ? Json(*options.strip_accents) : Json()},
       {"lowercase", options.lowercase}});
  const Json pre_tokenizer = Json::object({{"type", "BertPreTokenizer"}});
  Trained trained =
      train_merges(count_pieces(texts, normalizer, pre_tokenizer), trainer, "train_wordpiece");
  const std::string &cls = options.special_tokens[2], &sep = options.special_tokens[3];
  const std::string single = cls + " $A " + sep;
  const Json post =
      template_json(single, single + " $B:1 " + sep + ":1", position_in(trained.vocabulary));
  return std::make_unique<Pipeline>(Json::object(
      {{"added_tokens", special_tokens_json(options.special_tokens, trained.vocabulary)},
       {"normalizer", normalizer},
       {"pre_tokenizer", pre_tokenizer},
       {"post_processor", post},
       {"decoder", Json::object({{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", true}})},
       {"model", Json::object({{"type", "WordPiece"},
                               {"unk_token", options.special_tokens[1]},
                               {"continuing_subword_prefix", "##"},
                               {"max_input_chars_per_word", 100},
                               {"vocab", vocabulary_json(std::move(trained.vocabulary))}})}}));
}

std::unique_ptr<Tokenizer> make_unigram(std::span<const UnigramPiece> pieces,
                                        const UnigramOptions& options) {
  Json vocabulary = Json::array();
  std::vector<std::string> texts;
  for (const UnigramPiece& piece : pieces) {
    vocabulary.push_back(Json::array({piece.text, piece.score}));
    texts.push_back(piece.text);
  }
  const Json metaspace =
      Json::object({{"type", "Metaspace"},
                    {"replacement", "\u2581"},
                    {"prepend_scheme", options.add_prefix_space ? "always" : "never"},
                    {"split", true}});
  try {
    return std::make_unique<Pipeline>(
        Json::object({{"added_tokens", special_tokens_json(options.special_tokens, texts)},
                      {"pre_tokenizer", metaspace},
                      {"decoder", metaspace},
                      {"model", Json::object({{"type", "Unigram"},
                                              {"unk_id", options.unk_id},
                                              {"vocab", std::move(vocabulary)},
                                              {"byte_fallback", options.byte_fallback}})}}));
  } catch (const IoError& error) {
    fail<ConfigError>("make_unigram: ", error.what());
  }
}

}  // namespace adjoint::data

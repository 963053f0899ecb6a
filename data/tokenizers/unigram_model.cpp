// The unigram model (Kudo 2018, arXiv 1804.10959): each piece of the vocabulary has the logarithm
// of its probability, and a text is cut where the sum is largest (Viterbi), as SentencePiece has
// it.
#include <adjoint/core/error.h>

#include <algorithm>
#include <array>
#include <limits>

#include "data/tokenizers/model.h"
#include "data/tokenizers/unicode.h"

namespace adjoint::data {
namespace {

constexpr double kUnknownPenalty = 10.0;  // SentencePiece's

class Unigram : public Model {
 public:
  explicit Unigram(const Json& json)
      : byte_fallback_(json.get_or<bool>(false, "byte_fallback")),
        unknown_(json.get_or<std::optional<Token>>({}, "unk_id").value_or(-1)) {
    std::vector<std::string> texts;
    double least = std::numeric_limits<double>::infinity();
    for (const Json& piece : json.at("vocab").elements()) {
      check_file(piece.size() == 2, "a piece of the vocabulary has ", piece.size(),
                 " parts; expected a text and a number");
      texts.push_back(piece.get<std::string>(0));
      scores_.push_back(piece.get<double>(1));
      least = std::min(least, scores_.back());
    }
    check_file(!texts.empty(), "the vocabulary is empty");
    check_file(unknown_ >= -1 && unknown_ < static_cast<int64_t>(texts.size()), "unk_id is ",
               unknown_, "; the vocabulary has ", texts.size());
    unknown_score_ = least - kUnknownPenalty;
    vocabulary_ = Vocabulary(std::move(texts));
    check_file(vocabulary_.count() == vocabulary_.size(), "the vocabulary has a piece twice");
    std::vector<std::pair<std::string_view, Token>> pieces;
    for (Token token = 0; token < vocabulary_.size(); ++token) {
      if (!vocabulary_.text(token).empty()) pieces.emplace_back(vocabulary_.text(token), token);
    }
    trie_ = ByteTrie(std::move(pieces));
    for (size_t byte = 0; byte < 256; ++byte) {
      fallback_[byte] = vocabulary_.find(byte_token_name(static_cast<uint8_t>(byte)));
    }
  }

  void tokenize(std::string_view piece, std::vector<ModelToken>& out) const override {
    const std::vector<Best> best = best_ends(piece);
    std::vector<Range32> cuts;  // from the last
    bool in_unknown = false;
    for (auto end = static_cast<uint32_t>(piece.size()); end > 0;) {
      const Best& last = best[end];
      const bool unknown = last.token == unknown_;
      if (unknown && in_unknown) {
        cuts.back().begin = last.begin;
      } else {
        cuts.push_back({last.begin, end});
      }
      in_unknown = unknown;
      end = last.begin;
    }
    for (auto cut = cuts.rbegin(); cut != cuts.rend(); ++cut) append(piece, *cut, out);
  }

  const Vocabulary& vocabulary() const override { return vocabulary_; }

  Json to_json() const override {
    Json pieces = Json::array();
    for (Token token = 0; token < vocabulary_.size(); ++token) {
      pieces.push_back(Json::array({vocabulary_.text(token), scores_[static_cast<size_t>(token)]}));
    }
    return Json::object({{"type", "Unigram"},
                         {"unk_id", unknown_ < 0 ? Json() : Json(unknown_)},
                         {"vocab", pieces},
                         {"byte_fallback", byte_fallback_}});
  }

 private:
  struct Range32 {
    uint32_t begin, end;
  };
  struct Best {
    double score = 0;
    uint32_t begin = UINT32_MAX;  // none yet
    Token token = -1;
  };

  // For each end of a character, the last token of the best way there.
  std::vector<Best> best_ends(std::string_view piece) const {
    std::vector<Best> best(piece.size() + 1);
    for (size_t at = 0; at < piece.size();) {
      const double here = best[at].score;
      const size_t character = scalar_at(piece, at).length;
      bool has_character = false;
      const auto offer = [&](size_t length, Token token, double score) {
        Best& there = best[at + length];
        if (there.begin == UINT32_MAX || here + score > there.score) {
          there = {here + score, static_cast<uint32_t>(at), token};
        }
      };
      trie_.prefixes(piece, at, [&](size_t length, Token token) {
        offer(length, token, scores_[static_cast<size_t>(token)]);
        has_character = has_character || length == character;
      });
      if (!has_character) {
        check_file(unknown_ >= 0,
                   "the text has a character that is not in the vocabulary, which has no unk_id");
        offer(character, unknown_, unknown_score_);
      }
      at += character;
    }
    return best;
  }

  void append(std::string_view piece, Range32 cut, std::vector<ModelToken>& out) const {
    const std::string_view text = piece.substr(cut.begin, cut.end - cut.begin);
    Token token = vocabulary_.find(text);
    if (token < 0 && byte_fallback_ && std::all_of(text.begin(), text.end(), [&](char c) {
          return fallback_[static_cast<uint8_t>(c)] >= 0;
        })) {
      for (const char c : text) {
        out.push_back({fallback_[static_cast<uint8_t>(c)], cut.begin, cut.end});
      }
      return;
    }
    out.push_back({token < 0 ? unknown_ : token, cut.begin, cut.end});
  }

  Vocabulary vocabulary_;
  std::vector<double> scores_;
  bool byte_fallback_;
  Token unknown_;
  double unknown_score_ = 0;
  ByteTrie trie_;
  std::array<Token, 256> fallback_ = {};
};

}  // namespace

std::unique_ptr<Model> read_unigram(const Json& json) { return std::make_unique<Unigram>(json); }

}  // namespace adjoint::data

#include "data/tokenizers/trainer.h"

#include <adjoint/core/error.h>
#include <adjoint/core/utf8.h>

#include <algorithm>
#include <map>
#include <queue>
#include <set>
#include <unordered_map>

#include "data/tokenizers/normalizers.h"
#include "data/tokenizers/pre_tokenizers.h"
#include "data/tokenizers/vocabulary.h"

namespace adjoint::data {
namespace {

struct Symbol {
  Token id;
  int64_t length;  // in characters
};

struct Word {
  std::vector<Symbol> symbols;
  int64_t count;
};

uint64_t pair_of(Token left, Token right) {
  return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
}

class Trainer {
 public:
  Trainer(const PieceCounts& pieces, const TrainerOptions& options) : options_(options) {
    for (const std::string& text : options.special_tokens) id_of(text);
    add_alphabet(pieces);
    add_words(pieces);
  }

  Trained train() {
    count_pairs();
    while (static_cast<int64_t>(texts_.size()) < options_.vocab_size && !queue_.empty()) {
      Candidate top = queue_.top();
      queue_.pop();
      const int64_t count = counts_[top.pair];
      if (count != top.count) {  // it changed since it was put there
        top.count = count;
        queue_.push(std::move(top));
        continue;
      }
      if (count < 1 || count < options_.min_frequency) break;
      join(top);
    }
    return {std::move(texts_), std::move(merges_)};
  }

 private:
  struct Candidate {
    int64_t count;
    uint64_t pair;
    std::vector<uint32_t> words;  // where it may be
    // The last comes out of the queue first.
    bool operator<(const Candidate& other) const {
      return count != other.count ? count < other.count : pair > other.pair;
    }
  };
  using Places = std::unordered_map<uint64_t, std::vector<uint32_t>>;

  Token id_of(const std::string& text) {
    const auto [found, is_new] = ids_.emplace(text, static_cast<Token>(texts_.size()));
    if (is_new) texts_.push_back(text);
    return found->second;
  }

  // Calls f(text of the symbol without prefix) for each symbol of a piece.
  template <class F>
  void for_each_symbol(const std::string& piece, F&& f) const {
    for (size_t at = 0; at < piece.size();) {
      const size_t length = options_.byte_level ? 1 : utf8_length(piece, at);
      f(options_.byte_level ? std::string(byte_character(static_cast<uint8_t>(piece[at])))
                            : piece.substr(at, length));
      at += length;
    }
  }

  void add_alphabet(const PieceCounts& pieces) {
    std::map<uint32_t, int64_t> counts;
    if (options_.byte_level) {
      for (size_t byte = 0; byte < 256; ++byte) {
        counts[scalar_at(byte_character(static_cast<uint8_t>(byte)), 0).value] = INT64_MAX;
      }
    } else {
      for (const auto& [piece, count] : pieces) {
        for_each_symbol(piece, [&, n = count](const std::string& symbol) {
          counts[scalar_at(symbol, 0).value] += n;
        });
      }
    }
    std::vector<std::pair<int64_t, uint32_t>> ranked;
    ranked.reserve(counts.size());
    for (const auto& [scalar, count] : counts) ranked.emplace_back(-count, scalar);
    std::sort(ranked.begin(), ranked.end());
    if (options_.limit_alphabet < static_cast<int64_t>(ranked.size())) {
      ranked.resize(static_cast<size_t>(options_.limit_alphabet));
    }
    std::set<uint32_t> kept;
    for (const auto& [count, scalar] : ranked) kept.insert(scalar);
    for (const uint32_t scalar : kept) {
      std::string text;
      append_utf8(text, scalar);
      id_of(text);
    }
  }

  void add_words(const PieceCounts& pieces) {
    for (const auto& [piece, count] : pieces) {
      Word word{{}, count};
      bool first = true;
      for_each_symbol(piece, [&](const std::string& symbol) {
        if (ids_.contains(symbol)) {
          word.symbols.push_back({id_of(first ? symbol : options_.prefix + symbol), 1});
        }
        first = false;
      });
      words_.push_back(std::move(word));
    }
  }

  void count_pairs() {
    Places places;
    for (uint32_t i = 0; i < words_.size(); ++i) {
      const std::vector<Symbol>& symbols = words_[i].symbols;
      for (size_t k = 1; k < symbols.size(); ++k) {
        add_pair(pair_of(symbols[k - 1].id, symbols[k].id), words_[i].count, i, places);
      }
    }
    push(places);
  }

  void add_pair(uint64_t pair, int64_t count, uint32_t word, Places& places) {
    counts_[pair] += count;
    std::vector<uint32_t>& words = places[pair];
    if (words.empty() || words.back() != word) words.push_back(word);
  }

  void push(Places& places) {
    for (auto& [pair, words] : places) {
      const int64_t count = counts_[pair];
      if (count > 0) queue_.push({count, pair, std::move(words)});
    }
  }

  void join(const Candidate& top) {
    const auto left = static_cast<Token>(top.pair >> 32);
    const auto right = static_cast<Token>(top.pair & UINT32_MAX);
    const std::string first = texts_[static_cast<size_t>(left)];
    const std::string second = texts_[static_cast<size_t>(right)];
    const size_t skip = second.starts_with(options_.prefix) ? options_.prefix.size() : 0;
    const Token joined = id_of(first + second.substr(skip));
    merges_.emplace_back(first, second);
    Places places;
    for (const uint32_t word : top.words) join_in(word, left, right, joined, places);
    push(places);
  }

  // Joins the pair in a word, from the left, and counts what neighbours that makes and ends.
  void join_in(uint32_t index, Token left, Token right, Token joined, Places& places) {
    const int64_t count = words_[index].count;
    std::vector<Symbol>& symbols = words_[index].symbols;
    size_t out = 0;
    for (size_t i = 0; i < symbols.size(); ++out) {
      const bool is_pair =
          symbols[i].id == left && i + 1 < symbols.size() && symbols[i + 1].id == right;
      if (!is_pair) {
        symbols[out] = symbols[i++];
        continue;
      }
      const Symbol both{joined, symbols[i].length + symbols[i + 1].length};
      if (out > 0) {
        counts_[pair_of(symbols[out - 1].id, left)] -= count;
        add_pair(pair_of(symbols[out - 1].id, joined), count, index, places);
      }
      i += 2;
      if (i < symbols.size()) {
        counts_[pair_of(right, symbols[i].id)] -= count;
        add_pair(pair_of(joined, symbols[i].id), count, index, places);
      }
      symbols[out] = both;
    }
    symbols.resize(out);
  }

  const TrainerOptions& options_;
  std::vector<std::string> texts_;
  std::unordered_map<std::string, Token> ids_;
  std::vector<Word> words_;
  std::unordered_map<uint64_t, int64_t> counts_;
  std::priority_queue<Candidate> queue_;
  std::vector<std::pair<std::string, std::string>> merges_;
};

}  // namespace

PieceCounts count_pieces(std::span<const std::string> texts, const Json& normalizer,
                         const Json& pre_tokenizer) {
  const auto normalize = read_normalizer(normalizer);
  const auto pre = read_pre_tokenizer(pre_tokenizer);
  std::unordered_map<std::string, int64_t> counts;
  for (const std::string& text : texts) {
    const auto wrong = find_invalid_utf8(text);
    check<IoError>(!wrong, "training: not valid UTF-8: the byte at offset ", wrong.value_or(0),
                   " does not belong to a character");
    check<IoError>(text.size() < UINT32_MAX, "training: a text has ", text.size(),
                   " bytes; expected less than 4 GiB");
    Normalized piece(text, 0, false);
    if (normalize) normalize->normalize(piece);
    std::vector<Split> splits;
    if (!piece.text().empty()) splits = {{0, static_cast<uint32_t>(piece.text().size())}};
    pre->cut(piece, splits);
    for (const auto& [begin, end, token] : splits) {
      ++counts[std::string(piece.text().substr(begin, end - begin))];
    }
  }
  PieceCounts sorted(counts.begin(), counts.end());
  std::sort(sorted.begin(), sorted.end());
  return sorted;
}

Trained train_merges(const PieceCounts& pieces, const TrainerOptions& options, const char* name) {
  check<ConfigError>(options.vocab_size >= 1 && options.vocab_size <= (1 << 24), name,
                     ": vocab_size is ", options.vocab_size, "; expected 1 to ", 1 << 24);
  check<ConfigError>(options.min_frequency >= 0, name, ": min_frequency is ", options.min_frequency,
                     "; expected 0 or more");
  check<ConfigError>(options.limit_alphabet >= 1, name, ": limit_alphabet is ",
                     options.limit_alphabet, "; expected 1 or more");
  std::set<std::string> seen;
  for (const std::string& text : options.special_tokens) {
    check<ConfigError>(!text.empty() && seen.insert(text).second, name, ": the special token \"",
                       text, "\" is empty or comes twice");
  }
  return Trainer(pieces, options).train();
}

Json special_tokens_json(const std::vector<std::string>& texts,
                         const std::vector<std::string>& vocabulary) {
  Json all = Json::array();
  auto next = static_cast<int64_t>(vocabulary.size());
  for (const std::string& text : texts) {
    const auto found = std::find(vocabulary.begin(), vocabulary.end(), text);
    const int64_t id = found == vocabulary.end() ? next++ : found - vocabulary.begin();
    all.push_back(Json::object({{"id", id},
                                {"content", text},
                                {"single_word", false},
                                {"lstrip", false},
                                {"rstrip", false},
                                {"normalized", false},
                                {"special", true}}));
  }
  return all;
}

}  // namespace adjoint::data

// Byte pair encoding (Sennrich et al. 2016, arXiv 1508.07909): of the pairs of neighbours that have
// a merge, the one that was learnt first is joined, the leftmost of equals, until none is left.
#include <adjoint/core/error.h>

#include <algorithm>
#include <array>
#include <optional>
#include <unordered_map>

#include "data/tokenizers/model.h"
#include "data/tokenizers/unicode.h"

namespace adjoint::data {
namespace {

// Merges by their two tokens: open addressing, for this is what encoding asks most.
class MergeTable {
 public:
  struct Merge {
    uint32_t rank;
    Token joined;
  };

  void reserve(size_t merges) {
    size_t size = 16;
    while (size < merges * 2) size *= 2;
    slots_.assign(size, Slot{});
  }

  // A pair that comes twice has the last rank.
  void put(Token left, Token right, Merge merge) {
    Slot& slot = slots_[slot_of(key(left, right))];
    slot.key = key(left, right);
    slot.merge = merge;
  }

  const Merge* find(Token left, Token right) const {
    const Slot& slot = slots_[slot_of(key(left, right))];
    return slot.key == kFree ? nullptr : &slot.merge;
  }

 private:
  static constexpr uint64_t kFree = UINT64_MAX;
  struct Slot {
    uint64_t key = kFree;
    Merge merge = {};
  };

  static uint64_t key(Token left, Token right) {
    return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
  }
  size_t slot_of(uint64_t wanted) const {
    const size_t mask = slots_.size() - 1;
    size_t at = (wanted * 0x9E3779B97F4A7C15U >> 20) & mask;
    while (slots_[at].key != kFree && slots_[at].key != wanted) at = (at + 1) & mask;
    return at;
  }

  std::vector<Slot> slots_;
};

struct Symbol {
  Token id;
  uint32_t begin, end;
  int32_t previous, next;  // -1: none
};

// Few symbols: look at all pairs for the best, again and again.
void merge_few(std::vector<Symbol>& symbols, const MergeTable& merges) {
  std::vector<std::optional<MergeTable::Merge>> pairs;
  const auto pair_at = [&](size_t i) -> std::optional<MergeTable::Merge> {
    if (i + 1 >= symbols.size()) return std::nullopt;
    const auto* merge = merges.find(symbols[i].id, symbols[i + 1].id);
    return merge == nullptr ? std::nullopt : std::optional(*merge);
  };
  for (size_t i = 0; i < symbols.size(); ++i) pairs.push_back(pair_at(i));
  while (true) {
    size_t best = symbols.size();
    for (size_t i = 0; i < symbols.size(); ++i) {
      if (pairs[i] && (best == symbols.size() || pairs[i]->rank < pairs[best]->rank)) best = i;
    }
    if (best == symbols.size()) return;
    symbols[best].id = pairs[best]->joined;
    symbols[best].end = symbols[best + 1].end;
    symbols.erase(symbols.begin() + static_cast<ptrdiff_t>(best) + 1);
    pairs.erase(pairs.begin() + static_cast<ptrdiff_t>(best) + 1);
    pairs[best] = pair_at(best);
    if (best > 0) pairs[best - 1] = pair_at(best - 1);
  }
}

// Many symbols: a heap of candidates, those that no longer hold are passed over.
void merge_many(std::vector<Symbol>& symbols, const MergeTable& merges) {
  struct Candidate {
    uint32_t rank;
    int32_t at;
    Token joined;
  };
  const auto later = [](const Candidate& a, const Candidate& b) {
    return a.rank != b.rank ? a.rank > b.rank : a.at > b.at;
  };
  std::vector<Candidate> heap;
  const auto candidate = [&](int32_t at) -> std::optional<Candidate> {
    const Symbol& left = symbols[static_cast<size_t>(at)];
    if (left.next < 0) return std::nullopt;
    const auto* merge = merges.find(left.id, symbols[static_cast<size_t>(left.next)].id);
    if (merge == nullptr) return std::nullopt;
    return Candidate{merge->rank, at, merge->joined};
  };
  const auto push = [&](int32_t at) {
    if (const auto found = candidate(at)) {
      heap.push_back(*found);
      std::push_heap(heap.begin(), heap.end(), later);
    }
  };
  for (size_t i = 0; i < symbols.size(); ++i) {
    symbols[i].previous = static_cast<int32_t>(i) - 1;
    symbols[i].next = i + 1 < symbols.size() ? static_cast<int32_t>(i) + 1 : -1;
  }
  for (size_t i = 0; i < symbols.size(); ++i) {
    if (const auto found = candidate(static_cast<int32_t>(i))) heap.push_back(*found);
  }
  std::make_heap(heap.begin(), heap.end(), later);
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), later);
    const Candidate top = heap.back();
    heap.pop_back();
    Symbol& left = symbols[static_cast<size_t>(top.at)];
    if (left.id < 0) continue;
    const auto now = candidate(top.at);
    if (!now || now->joined != top.joined || now->rank != top.rank) continue;
    Symbol& right = symbols[static_cast<size_t>(left.next)];
    left.id = top.joined;
    left.end = right.end;
    left.next = right.next;
    right.id = -1;
    if (left.next >= 0) symbols[static_cast<size_t>(left.next)].previous = top.at;
    if (left.previous >= 0) push(left.previous);
    push(top.at);
  }
  std::erase_if(symbols, [](const Symbol& symbol) { return symbol.id < 0; });
}

constexpr size_t kFew = 32;
constexpr std::string_view kBlank = "\u2581";  // as SentencePiece writes it

class Bpe : public Model {
 public:
  Bpe(const Json& json, bool byte_level)
      : vocabulary_(Vocabulary::read(json.at("vocab"))), byte_level_(byte_level) {
    using Text = std::optional<std::string>;
    check_file(json.get_or<std::optional<double>>({}, "dropout").value_or(0) == 0,
               "BPE with dropout is not supported");
    unknown_text_ = json.get_or<Text>({}, "unk_token");
    prefix_ = json.get_or<Text>({}, "continuing_subword_prefix").value_or("");
    suffix_ = json.get_or<Text>({}, "end_of_word_suffix").value_or("");
    fuse_unknown_ = json.get_or<bool>(false, "fuse_unk");
    byte_fallback_ = json.get_or<bool>(false, "byte_fallback");
    ignore_merges_ = json.get_or<bool>(false, "ignore_merges");
    if (unknown_text_) unknown_ = vocabulary_.find(*unknown_text_);
    read_merges(json.at("merges"));
    fill_single();
    cuts_at_blanks_ = !byte_level_ && !ignore_merges_ && prefix_.empty() && suffix_.empty() &&
                      vocabulary_.find(kBlank) >= 0 && !joins_across_blanks();
  }

  void tokenize(std::string_view piece, std::vector<ModelToken>& out) const override {
    if (ignore_merges_) {
      const Token whole =
          byte_level_ ? vocabulary_.find(byte_characters(piece)) : vocabulary_.find(piece);
      if (whole >= 0) {
        out.push_back({whole, 0, static_cast<uint32_t>(piece.size())});
        return;
      }
    }
    std::vector<Symbol> symbols;
    symbols.reserve(piece.size());
    split(piece, symbols);
    if (symbols.size() <= kFew) {
      merge_few(symbols, merges_);
    } else {
      merge_many(symbols, merges_);
    }
    for (const Symbol& symbol : symbols) out.push_back({symbol.id, symbol.begin, symbol.end});
  }

  // Before a blank, where no merge joins what stands before it.
  size_t part_end(std::string_view piece, size_t at) const override {
    if (!cuts_at_blanks_) return piece.size();
    const size_t inside = behind_blanks(piece, at);
    return std::min(piece.find(kBlank, inside), piece.size());
  }

  const Vocabulary& vocabulary() const override { return vocabulary_; }

  Json to_json() const override {
    const auto text = [](const std::string& value) { return value.empty() ? Json() : Json(value); };
    Json merges = Json::array();
    for (const auto& [left, right] : pairs_) {
      merges.push_back(Json::array({vocabulary_.text(left), vocabulary_.text(right)}));
    }
    return Json::object({{"type", "BPE"},
                         {"dropout", nullptr},
                         {"unk_token", unknown_text_ ? Json(*unknown_text_) : Json()},
                         {"continuing_subword_prefix", text(prefix_)},
                         {"end_of_word_suffix", text(suffix_)},
                         {"fuse_unk", fuse_unknown_},
                         {"byte_fallback", byte_fallback_},
                         {"ignore_merges", ignore_merges_},
                         {"vocab", vocabulary_.to_json()},
                         {"merges", merges}});
  }

 private:
  void read_merges(const Json& json) {
    const std::vector<Json>& all = json.elements();
    merges_.reserve(all.size());
    pairs_.reserve(all.size());
    for (const Json& merge : all) {
      std::string left, right;
      if (merge.is_string()) {  // of older files
        const auto both = merge.get<std::string>();
        const size_t space = both.find(' ');
        check_file(space != both.npos && both.find(' ', space + 1) == both.npos, "the merge \"",
                   both, "\" is not two tokens with a blank between them");
        left = both.substr(0, space);
        right = both.substr(space + 1);
      } else {
        check_file(merge.size() == 2, "a merge has ", merge.size(), " parts; expected 2");
        left = merge.get<std::string>(0);
        right = merge.get<std::string>(1);
      }
      const Token a = vocabulary_.find(left), b = vocabulary_.find(right);
      check_file(a >= 0 && b >= 0, "the merge of \"", left, "\" and \"", right,
                 "\" has a part that is not in the vocabulary");
      check_file(right.size() >= prefix_.size(), "the merge of \"", left, "\" and \"", right,
                 "\" has a part that is shorter than the prefix \"", prefix_, "\"");
      const Token joined = vocabulary_.find(left + right.substr(prefix_.size()));
      check_file(joined >= 0, "the merge of \"", left, "\" and \"", right,
                 "\" makes what is not in the vocabulary");
      merges_.put(a, b, {static_cast<uint32_t>(pairs_.size()), joined});
      pairs_.emplace_back(a, b);
    }
  }

  static size_t behind_blanks(std::string_view text, size_t at) {
    while (text.substr(at).starts_with(kBlank)) at += kBlank.size();
    return at;
  }

  bool joins_across_blanks() const {
    return std::any_of(pairs_.begin(), pairs_.end(), [&](const auto& pair) {
      const std::string both =
          std::string(vocabulary_.text(pair.first)) + std::string(vocabulary_.text(pair.second));
      return both.find(kBlank, behind_blanks(both, 0)) != both.npos;
    });
  }

  // The token of a character that is, or is not, the first and the last of its piece.
  Token token_of(std::string_view character, bool first, bool last) const {
    if ((first || prefix_.empty()) && (!last || suffix_.empty())) {
      return vocabulary_.find(character);
    }
    std::string text = first ? "" : prefix_;
    text += character;
    if (last) text += suffix_;
    return vocabulary_.find(text);
  }

  void fill_single() {
    for (size_t byte = 0; byte < 256; ++byte) {
      const char c = static_cast<char>(byte);
      for (const bool first : {false, true}) {
        for (const bool last : {false, true}) {
          const std::string_view text =
              byte_level_ ? byte_character(static_cast<uint8_t>(byte)) : std::string_view(&c, 1);
          single_[byte][first][last] =
              byte_level_ || byte < 0x80 ? token_of(text, first, last) : -1;
        }
      }
      fallback_[byte] = vocabulary_.find(byte_token_name(static_cast<uint8_t>(byte)));
    }
  }

  void split(std::string_view piece, std::vector<Symbol>& symbols) const {
    std::optional<Symbol> unknown;
    for (size_t at = 0; at < piece.size();) {
      const auto byte = static_cast<uint8_t>(piece[at]);
      const size_t length = byte_level_ || byte < 0x80 ? 1 : scalar_at(piece, at).length;
      const size_t end = at + length;
      const bool first = at == 0, last = end == piece.size();
      const Token token = length == 1 ? single_[byte][first][last]
                                      : token_of(piece.substr(at, length), first, last);
      const Symbol symbol{token, static_cast<uint32_t>(at), static_cast<uint32_t>(end), -1, -1};
      if (token >= 0) {
        if (unknown) symbols.push_back(*unknown);
        unknown.reset();
        symbols.push_back(symbol);
      } else if (!fall_back(piece.substr(at, length), symbol.begin, symbols)) {
        add_unknown(symbol, unknown, symbols);
      }
      at = end;
    }
    if (unknown) symbols.push_back(*unknown);
  }

  // A character's bytes as tokens, where all of them have one.
  bool fall_back(std::string_view character, uint32_t at, std::vector<Symbol>& symbols) const {
    if (!byte_fallback_) return false;
    const auto token = [&](char c) { return fallback_[static_cast<uint8_t>(c)]; };
    for (const char c : character) {
      if (token(c) < 0) return false;
    }
    for (const char c : character) {
      symbols.push_back({token(c), at, at + 1, -1, -1});
      ++at;
    }
    return true;
  }

  void add_unknown(Symbol symbol, std::optional<Symbol>& pending,
                   std::vector<Symbol>& symbols) const {
    if (!unknown_text_) return;  // the character is left out, as the library does
    check_file(unknown_ >= 0, "the text has a character that is not in the vocabulary, nor is \"",
               *unknown_text_, "\", which stands for such");
    symbol.id = unknown_;
    if (pending && fuse_unknown_) {
      pending->end = symbol.end;
      return;
    }
    if (pending) symbols.push_back(*pending);
    pending = symbol;
  }

  Vocabulary vocabulary_;
  bool byte_level_;
  std::optional<std::string> unknown_text_;
  Token unknown_ = -1;
  std::string prefix_, suffix_;
  bool fuse_unknown_ = false, byte_fallback_ = false, ignore_merges_ = false;
  bool cuts_at_blanks_ = false;
  MergeTable merges_;
  std::vector<std::pair<Token, Token>> pairs_;  // by rank
  Token single_[256][2][2];                     // of a byte: first, last
  std::array<Token, 256> fallback_ = {};
};

}  // namespace

std::string byte_token_name(uint8_t byte) {
  const char* digits = "0123456789ABCDEF";
  return std::string("<0x") + digits[byte >> 4] + digits[byte & 15] + ">";
}

std::unique_ptr<Model> read_bpe(const Json& json, bool byte_level) {
  return std::make_unique<Bpe>(json, byte_level);
}

}  // namespace adjoint::data

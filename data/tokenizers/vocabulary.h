// The strings of a vocabulary and their tokens.
#pragma once

#include <adjoint/core/error.h>
#include <adjoint/core/json.h>
#include <adjoint/data/tokenizer.h>

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace adjoint::data {

class Vocabulary {
 public:
  Vocabulary() = default;
  // Texts that differ from each other, in the order of their tokens.
  explicit Vocabulary(std::vector<std::string> texts);
  // {"text": token, ...}. IoError for a token that is negative, given twice, or so large that most
  // below it are nobody's.
  static Vocabulary read(const Json& json);
  // In the order of the tokens.
  Json to_json() const;

  // One more than the largest token; some below it may be nobody's.
  Token size() const { return static_cast<Token>(texts_.size()); }
  // How many there are.
  int64_t count() const { return static_cast<int64_t>(tokens_.size()); }
  // -1 where there is none.
  Token find(std::string_view text) const {
    const auto found = tokens_.find(text);
    return found == tokens_.end() ? -1 : found->second;
  }
  bool contains(Token token) const {
    return token >= 0 && token < size() && texts_[static_cast<size_t>(token)].data() != nullptr;
  }
  // REQUIRES: contains(token).
  std::string_view text(Token token) const { return texts_[static_cast<size_t>(token)]; }

 private:
  void add(std::string_view text, Token token);

  std::shared_ptr<const std::string> bytes_;  // what the views look into
  std::vector<std::string_view> texts_;       // null where there is none
  std::unordered_map<std::string_view, Token> tokens_;
};

// The strings that a text begins with, longest and shorter: a tree by bytes, its nodes in order of
// depth, so that the children of each stand together.
class ByteTrie {
 public:
  ByteTrie() = default;
  // Texts that differ and are not empty, each with a value of 0 or more.
  explicit ByteTrie(std::vector<std::pair<std::string_view, Token>> texts);

  // Calls f(length, value) for each of the strings that text begins with at `at`, the shortest
  // first.
  template <class F>
  void prefixes(std::string_view text, size_t at, F&& f) const {
    uint32_t node = kRoot;
    for (size_t i = at; i < text.size(); ++i) {
      node = child(node, static_cast<uint8_t>(text[i]));
      if (node == kNone) return;
      if (nodes_[node].value >= 0) f(i + 1 - at, nodes_[node].value);
    }
  }
  // The node behind a byte, for callers that go step by step from kRoot; kNone where there is none.
  static constexpr uint32_t kRoot = 0, kNone = UINT32_MAX;
  uint32_t child(uint32_t node, uint8_t byte) const {
    if (node == kRoot) return roots_.empty() ? kNone : roots_[byte];
    const Node& parent = nodes_[node];
    uint32_t low = parent.first_child, high = low + parent.children;
    while (low < high) {
      const uint32_t middle = low + (high - low) / 2;
      if (nodes_[middle].byte == byte) return middle;
      if (nodes_[middle].byte < byte) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return kNone;
  }
  Token value(uint32_t node) const { return nodes_[node].value; }

 private:
  struct Node {
    uint32_t first_child = 0;
    Token value = -1;
    uint16_t children = 0;
    uint8_t byte = 0;
  };

  std::vector<Node> nodes_;
  std::vector<uint32_t> roots_;  // 256 of them
};

// The 256 characters that stand for bytes in byte-level vocabularies, in UTF-8.
std::string_view byte_character(uint8_t byte);
// The byte that a character stands for, or -1.
int byte_of_character(uint32_t scalar);
// A text's bytes as these characters.
std::string byte_characters(std::string_view bytes);

// Throws IoError, "tokenizer: " and the parts, unless ok.
template <class... Parts>
void check_file(bool ok, const Parts&... parts) {
  check<IoError>(ok, "tokenizer: ", parts...);
}

}  // namespace adjoint::data

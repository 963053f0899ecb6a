#include "data/tokenizers/vocabulary.h"

#include <adjoint/core/utf8.h>

#include <algorithm>
#include <array>

#include "data/tokenizers/unicode.h"

namespace adjoint::data {

void Vocabulary::add(std::string_view text, Token token) {
  if (token >= size()) texts_.resize(static_cast<size_t>(token) + 1);
  texts_[static_cast<size_t>(token)] = text;
  tokens_.emplace(text, token);
}

Vocabulary::Vocabulary(std::vector<std::string> texts) {
  std::string all;
  for (const std::string& text : texts) all += text;
  bytes_ = std::make_shared<const std::string>(std::move(all));
  tokens_.reserve(texts.size());
  texts_.reserve(texts.size());
  size_t at = 0;
  for (size_t i = 0; i < texts.size(); ++i) {
    add(std::string_view(*bytes_).substr(at, texts[i].size()), static_cast<Token>(i));
    at += texts[i].size();
  }
}

Vocabulary Vocabulary::read(const Json& json) {
  const auto& members = json.members();
  const auto most = static_cast<int64_t>(members.size()) * 4 + 65536;
  std::string all;
  std::vector<Token> tokens;
  for (const auto& [text, value] : members) {
    const auto token = value.get<int64_t>();
    check_file(token >= 0 && token < most, "the vocabulary gives \"", text, "\" the token ", token,
               "; expected 0 to ", most - 1, " for ", members.size(), " entries");
    tokens.push_back(static_cast<Token>(token));
    all += text;
  }
  Vocabulary vocabulary;
  vocabulary.bytes_ = std::make_shared<const std::string>(std::move(all));
  vocabulary.tokens_.reserve(members.size());
  size_t at = 0;
  for (size_t i = 0; i < members.size(); ++i) {
    const size_t length = members[i].first.size();
    check_file(!vocabulary.contains(tokens[i]), "the vocabulary gives the token ", tokens[i],
               " twice, the second time to \"", members[i].first, "\"");
    vocabulary.add(std::string_view(*vocabulary.bytes_).substr(at, length), tokens[i]);
    at += length;
  }
  return vocabulary;
}

Json Vocabulary::to_json() const {
  Json json = Json::object();
  for (Token token = 0; token < size(); ++token) {
    if (contains(token)) json[text(token)] = token;
  }
  return json;
}

ByteTrie::ByteTrie(std::vector<std::pair<std::string_view, Token>> texts) {
  std::sort(texts.begin(), texts.end());
  // Nodes whose children are still to be made: the texts from begin to end share `depth` bytes.
  struct Range {
    uint32_t begin, end;
  };
  nodes_.emplace_back();
  std::vector<Range> ranges = {{0, static_cast<uint32_t>(texts.size())}};
  size_t depth_end = 1;
  for (size_t depth = 0, node = 0; node < nodes_.size(); ++node) {
    if (node == depth_end) {
      ++depth;
      depth_end = nodes_.size();
    }
    auto [begin, end] = ranges[node];
    if (begin < end && texts[begin].first.size() == depth)
      nodes_[node].value = texts[begin++].second;
    nodes_[node].first_child = static_cast<uint32_t>(nodes_.size());
    while (begin < end) {
      const char byte = texts[begin].first[depth];
      uint32_t next = begin;
      while (next < end && texts[next].first[depth] == byte) ++next;
      Node child;
      child.byte = static_cast<uint8_t>(byte);
      nodes_.push_back(child);
      ranges.push_back({begin, next});
      ++nodes_[node].children;
      begin = next;
    }
  }
  roots_.assign(256, kNone);
  for (uint32_t i = 0; i < nodes_[0].children; ++i) {
    roots_[nodes_[nodes_[0].first_child + i].byte] = nodes_[0].first_child + i;
  }
}

namespace {

// GPT-2's table: what prints stands for itself, the others for U+0100 and on, in order.
struct ByteCharacters {
  std::array<std::string, 256> of_byte;
  std::array<int, 512> of_scalar;

  ByteCharacters() {
    of_scalar.fill(-1);
    uint32_t next = 0x100;
    for (uint32_t byte = 0; byte < 256; ++byte) {
      const bool prints =
          (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
      const uint32_t scalar = prints ? byte : next++;
      append_utf8(of_byte[byte], scalar);
      of_scalar[scalar] = static_cast<int>(byte);
    }
  }
};

const ByteCharacters& byte_table() {
  static const ByteCharacters table;
  return table;
}

}  // namespace

std::string_view byte_character(uint8_t byte) { return byte_table().of_byte[byte]; }

int byte_of_character(uint32_t scalar) {
  return scalar < 512 ? byte_table().of_scalar[scalar] : -1;
}

std::string byte_characters(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const char byte : bytes) text += byte_character(static_cast<uint8_t>(byte));
  return text;
}

}  // namespace adjoint::data

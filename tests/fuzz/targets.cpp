#include "tests/fuzz/targets.h"

#include <adjoint/core/error.h>
#include <adjoint/core/json.h>
#include <adjoint/core/safetensors.h>
#include <adjoint/core/utf8.h>
#include <adjoint/data/tokenizer.h>
#include <adjoint/data/word_vectors.h>

#include <cstdlib>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/io/byte_reader.h"
#include "core/io/inflate.h"

namespace adjoint::fuzz {
namespace {

// An abort, so that fuzzer and sanitizers keep the input.
void require(bool ok) {
  if (!ok) std::abort();
}

}  // namespace

bool json(std::span<const uint8_t> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  Json value;
  try {
    value = Json::parse(text);
  } catch (const IoError&) {
    return false;
  }
  const std::string compact = value.dump();
  const Json again = Json::parse(compact);
  require(again == value && again.dump() == compact);
  require(Json::parse(value.dump(2)) == value);
  return true;
}

bool safetensors(std::span<const uint8_t> bytes) {
  std::vector<SafetensorsFile> opened;
  try {
    opened.push_back(SafetensorsFile::from_bytes(std::as_bytes(bytes)));
  } catch (const IoError&) {
    return false;
  }
  const SafetensorsFile& file = opened.front();
  uint64_t total = 0;
  for (size_t i = 0; i < file.size(); ++i) {
    const auto entry = file[i];
    const std::vector<std::byte> data = file.read(i);
    require(data.size() == entry.bytes && file.find(entry.name) == i);
    total += entry.bytes;
    uint64_t size = static_cast<uint64_t>(bits(entry.type));
    for (const uint64_t dim : entry.dims) size *= dim;
    require(size == entry.bytes * 8);
  }
  require(total < bytes.size());
  for (const auto& [key, value] : file.metadata()) require(file.metadata(key) == value);
  return true;
}

bool deflate(std::span<const uint8_t> bytes) {
  constexpr uint64_t kLimit = 1 << 20;
  io::ByteReader in(std::as_bytes(bytes), "fuzz");
  std::vector<std::byte> out;
  try {
    io::inflate(in, out, kLimit);
  } catch (const IoError&) {
    require(out.size() <= kLimit);
    return false;
  }
  // Two bits at least for what becomes 258 bytes.
  require(out.size() <= kLimit && out.size() <= 1032 * in.position());
  return true;
}

bool tokenizer(std::span<const uint8_t> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  std::unique_ptr<data::Tokenizer> made;
  try {
    made = data::Tokenizer::from_json(Json::parse(text));
  } catch (const IoError&) {
    return false;
  }
  const Json json = made->to_json();
  require(data::Tokenizer::from_json(json)->to_json() == json);
  for (const std::string_view sample :
       {"", "a b ab  ba <s>\n", "I'll\u00e9\u0301 \u4e2d\u0323\u2581\U0001F600 123!",
        "aaaaaaaaab\0b"}) {
    data::Encoding encoding;
    try {
      encoding = made->encoding(sample, sample, {.allow_special = true});
      require(made->encode(sample) == made->encoding(sample).ids);
    } catch (const IoError&) {  // a text that it has no tokens for
      continue;
    } catch (const ConfigError&) {  // a truncation that cannot be
      continue;
    }
    require(encoding.offsets.size() == encoding.size() &&
            encoding.type_ids.size() == encoding.size());
    for (const auto& [begin, end] : encoding.offsets) {
      require(begin >= 0 && begin <= end && end <= static_cast<int64_t>(sample.size()));
    }
    try {
      require(!find_invalid_utf8(made->decode(encoding.ids)));
    } catch (const IndexError&) {  // around the text, or padding: nobody's tokens
    }
  }
  return true;
}

bool word_vectors(std::span<const uint8_t> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  try {
    const auto vectors = data::WordVectors::parse(text);
    require(vectors.size() > 0 && vectors.dim() > 0);
    require(vectors.vectors().numel() <= static_cast<int64_t>(bytes.size()));
    for (int64_t i = 0; i < vectors.size(); ++i) {
      require(vectors.find(vectors.words()[static_cast<size_t>(i)]) == i);
    }
    require(vectors.nearest(vectors.words()[0], 2).size() <= 2);
  } catch (const IoError&) {
    return false;
  }
  return true;
}

}  // namespace adjoint::fuzz

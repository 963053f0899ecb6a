#include <adjoint/core/error.h>
#include <adjoint/core/gzip.h>

#include <algorithm>
#include <array>

#include "core/io/byte_reader.h"
#include "core/io/inflate.h"

namespace adjoint::io {
namespace {

// The flags of a gzip member (RFC 1952, section 2.3.1).
constexpr uint8_t kHeaderCrc = 2, kExtra = 4, kName = 8, kComment = 16, kReserved = 0xE0;

constexpr std::array<uint32_t, 256> make_crc_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t c = i;
    for (int bit = 0; bit < 8; ++bit) c = (c & 1U) != 0 ? 0xEDB88320U ^ (c >> 1) : c >> 1;
    table[i] = c;
  }
  return table;
}
constexpr std::array<uint32_t, 256> kCrcTable = make_crc_table();

// RFC 1950, section 8.2.
uint32_t adler32(std::span<const std::byte> bytes) {
  uint32_t a = 1, b = 0;
  for (const std::byte byte : bytes) {
    a = (a + static_cast<uint32_t>(byte)) % 65521;
    b = (b + a) % 65521;
  }
  return b << 16 | a;
}

void skip_text(ByteReader& in) {
  while (in.read<uint8_t>("header") != 0) {}
}

void read_member(ByteReader& in, std::vector<std::byte>& out, uint64_t limit) {
  const uint64_t at = in.position();
  const auto magic = in.read<uint16_t>("header");
  const auto method = in.read<uint8_t>("header");
  const auto flags = in.read<uint8_t>("header");
  check<IoError>(magic == 0x8B1F && method == 8 && (flags & kReserved) == 0, in.source(),
                 ": not gzip at byte ", at, "; expected the bytes 1f 8b 08");
  in.skip(6, "header");  // time, flags of the compressor, system
  if ((flags & kExtra) != 0) in.skip(in.read<uint16_t>("header"), "header");
  if ((flags & kName) != 0) skip_text(in);
  if ((flags & kComment) != 0) skip_text(in);
  if ((flags & kHeaderCrc) != 0) in.skip(2, "header");
  const size_t start = out.size();
  inflate(in, out, limit);
  const std::span<const std::byte> plain = std::span(out).subspan(start);
  const auto crc = in.read<uint32_t>("checksum");
  const auto size = in.read<uint32_t>("size");
  check<IoError>(crc == crc32(0, plain) && size == static_cast<uint32_t>(plain.size()), in.source(),
                 ": damaged: the checksum or the size of what was compressed is another one");
}

}  // namespace

uint32_t crc32(uint32_t crc, std::span<const std::byte> bytes) {
  crc = ~crc;
  for (const std::byte byte : bytes) {
    crc = kCrcTable[(crc ^ static_cast<uint32_t>(byte)) & 0xFFU] ^ (crc >> 8);
  }
  return ~crc;
}

bool is_gzip(std::span<const std::byte> bytes) {
  return bytes.size() >= 2 && bytes[0] == std::byte{0x1F} && bytes[1] == std::byte{0x8B};
}

std::vector<std::byte> gunzip(std::span<const std::byte> bytes, std::string_view source,
                              uint64_t limit) {
  ByteReader in(bytes, source);
  std::vector<std::byte> out;
  do {
    read_member(in, out, limit);
  } while (!in.at_end());
  return out;
}

std::vector<std::byte> zlib_decompress(std::span<const std::byte> bytes, std::string_view source,
                                       uint64_t limit) {
  ByteReader in(bytes, source);
  const auto method = in.read<uint8_t>("header");
  const auto flags = in.read<uint8_t>("header");
  check<IoError>((method & 15U) == 8 && (method * 256 + flags) % 31 == 0 && (flags & 32U) == 0,
                 in.source(), ": not a zlib stream; expected it to begin with 78");
  std::vector<std::byte> out;
  inflate(in, out, limit);
  check<IoError>(in.read_big_endian<uint32_t>("checksum") == adler32(out), in.source(),
                 ": damaged: the checksum of what was compressed is another one");
  return out;
}

std::vector<std::byte> zlib_store(std::span<const std::byte> bytes) {
  constexpr size_t kMost = 65535;
  std::vector<std::byte> out = {std::byte{0x78}, std::byte{0x01}};
  const auto put = [&out](uint32_t value, int shift) {
    out.push_back(static_cast<std::byte>(value >> shift));
  };
  size_t at = 0;
  do {
    const size_t size = std::min(kMost, bytes.size() - at);
    put(at + size == bytes.size() ? 1 : 0, 0);
    const auto low = static_cast<uint32_t>(size);
    for (const uint32_t word : {low, ~low}) {
      put(word, 0);
      put(word, 8);
    }
    const auto block = bytes.subspan(at, size);
    out.insert(out.end(), block.begin(), block.end());
    at += size;
  } while (at < bytes.size());
  const uint32_t sum = adler32(bytes);
  for (const int shift : {24, 16, 8, 0}) put(sum, shift);
  return out;
}

}  // namespace adjoint::io

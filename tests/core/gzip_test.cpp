// Compressed bytes made by zlib, through Python's gzip.compress(data, 9, mtime=0) and
// zlib.compress.
#include <adjoint/core/error.h>
#include <adjoint/core/gzip.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace adjoint::io {
namespace {

using Bytes = std::vector<std::byte>;

Bytes from_hex(std::string_view hex) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  Bytes bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<std::byte>(16 * digit(hex[i]) + digit(hex[i + 1])));
  }
  return bytes;
}

std::string text(const Bytes& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

constexpr uint64_t kNoLimit = std::numeric_limits<uint32_t>::max();

std::string unpacked(const Bytes& bytes, uint64_t limit = kNoLimit) {
  return text(gunzip(bytes, "test", limit));
}

// bytes(65 + (i*i*7 + i//3) % 17 * (1 + i//50 % 2) % 26 for i in range(600)): a block with a code
// of its own.
const Bytes& dynamic() {
  static const Bytes bytes = from_hex(
      "1f8b080000000000020395d1eb09c3300c04e0d9ce727c7164d5881084f75fa4a194fc8e26f8ee817d7c06bdf5"
      "8338a6bbb50f0a6c1b731a676d5b19857b2beab5c26a1f6a988130aa9f8653c8a58060f5105926d42e2136552e"
      "9258f45022a9c49555ee6049e50e96547ef573caca2a35adfc474e28cf95af95e7cad7ca1772f5a55758020000");
  return bytes;
}
std::string dynamic_text() {
  std::string expected;
  for (int i = 0; i < 600; ++i) {
    expected += static_cast<char>(65 + (i * i * 7 + i / 3) % 17 * (1 + i / 50 % 2) % 26);
  }
  return expected;
}

// b"hello hello hello" with the fixed code, and b"abc" as it is (level 0).
const Bytes& fixed() {
  static const Bytes bytes = from_hex("1f8b0800000000000203cb48cdc9c957c84090008088f9e511000000");
  return bytes;
}
const Bytes& stored() {
  static const Bytes bytes = from_hex("1f8b0800000000000403010300fcff616263c241243503000000");
  return bytes;
}

TEST(Gzip, EveryKindOfBlock) {
  EXPECT_EQ(unpacked(dynamic()), dynamic_text());
  EXPECT_EQ(unpacked(fixed()), "hello hello hello");
  EXPECT_EQ(unpacked(stored()), "abc");
  EXPECT_TRUE(is_gzip(fixed()));
  EXPECT_FALSE(is_gzip({}));
}

TEST(Gzip, MembersFollowEachOther) {
  Bytes both = fixed();
  both.insert(both.end(), stored().begin(), stored().end());
  EXPECT_EQ(unpacked(both), "hello hello helloabc");
}

TEST(Gzip, HeadersWithNamesAndComments) {
  Bytes named = fixed();
  named[3] = std::byte{4 + 8 + 16 + 2};
  const Bytes fields = from_hex("0200787961006200ffff");  // extra "xy", "a", "b", a checksum
  named.insert(named.begin() + 10, fields.begin(), fields.end());
  EXPECT_EQ(unpacked(named), "hello hello hello");
}

TEST(Gzip, NothingCutOffPasses) {
  for (const Bytes* whole : {&dynamic(), &fixed(), &stored()}) {
    for (size_t n = 0; n < whole->size(); ++n) {
      const Bytes part(whole->begin(), whole->begin() + static_cast<std::ptrdiff_t>(n));
      EXPECT_THROW(gunzip(part, "test", kNoLimit), IoError) << n << " bytes";
    }
  }
}

TEST(Gzip, NoFlippedBitChangesTheContents) {
  // Behind the header, whose time, flags and system say nothing about them. Bits that fill the last
  // byte before the checksum mean nothing either.
  for (const Bytes* whole : {&dynamic(), &fixed(), &stored()}) {
    const std::string right = unpacked(*whole);
    int unnoticed = 0;
    for (size_t bit = 80; bit < 8 * whole->size(); ++bit) {
      Bytes flipped = *whole;
      flipped[bit / 8] ^= std::byte{1} << (bit % 8);
      try {
        EXPECT_EQ(unpacked(flipped), right) << "bit " << bit;
        ++unnoticed;
      } catch (const IoError&) {}
    }
    EXPECT_LE(unnoticed, 7);
  }
}

TEST(Gzip, MakesNoMoreThanIsAllowed) {
  EXPECT_EQ(unpacked(fixed(), 17).size(), 17U);
  EXPECT_THROW(gunzip(fixed(), "test", 16), IoError);
  EXPECT_THROW(gunzip(stored(), "test", 2), IoError);
  Bytes both = fixed();
  both.insert(both.end(), fixed().begin(), fixed().end());
  EXPECT_THROW(gunzip(both, "test", 33), IoError);
}

TEST(Gzip, SaysWhatIsWrong) {
  const auto message = [](std::string_view hex) -> std::string {
    try {
      gunzip(from_hex(hex), "a.gz", kNoLimit);
    } catch (const IoError& error) {
      return error.what();
    }
    return "(no error)";
  };
  EXPECT_EQ(message("504b0304"), "a.gz: not gzip at byte 0; expected the bytes 1f 8b 08");
  EXPECT_EQ(
      message("1f8b0800000000000203060000000000000000000000"),
      "a.gz: malformed compressed data: before byte 11, a block of type 3; expected 0, 1 or 2");
  EXPECT_EQ(message("1f8b0800000000000203010300000061"),
            "a.gz: malformed compressed data: before byte 15, the size of a block and its "
            "complement disagree");
}

TEST(Zlib, ReadsAndStores) {
  const Bytes hello = from_hex("78dacb48cdc9c957c84090003a2e067d");
  EXPECT_EQ(text(zlib_decompress(hello, "test", kNoLimit)), "hello hello hello");
  Bytes damaged = hello;
  damaged.back() ^= std::byte{1};
  EXPECT_THROW(zlib_decompress(damaged, "test", kNoLimit), IoError);
  EXPECT_THROW(zlib_decompress(fixed(), "test", kNoLimit), IoError);
  // zlib.compress(b"abc", 0), and more than fits in a block.
  EXPECT_EQ(zlib_store(std::as_bytes(std::span("abc", 3))),
            from_hex("7801010300fcff616263024d0127"));
  for (const size_t size : {0, 65535, 65536, 200000}) {
    const Bytes plain(size, std::byte{7});
    EXPECT_EQ(zlib_decompress(zlib_store(plain), "test", kNoLimit), plain);
  }
}

TEST(Crc32, AgreesWithZlib) {
  // zlib.crc32(b"123456789"), whole and in parts.
  const auto bytes = std::as_bytes(std::span("123456789", 9));
  EXPECT_EQ(crc32(0, bytes), 0xCBF43926U);
  EXPECT_EQ(crc32(crc32(0, bytes.first(4)), bytes.subspan(4)), 0xCBF43926U);
}

}  // namespace
}  // namespace adjoint::io

#include "core/io/inflate.h"

#include <adjoint/core/error.h>

#include <algorithm>
#include <array>
#include <span>

namespace adjoint::io {
namespace {

constexpr int kMaxLength = 15;  // of a code, in bits
constexpr int kEndOfBlock = 256;
constexpr int kLiterals = 288, kDistances = 30;
constexpr size_t kWindow = 32768;  // how far back a copy reaches

// Tables of section 3.2.5.
constexpr std::array<uint16_t, 29> kLengthBase = {3,  4,  5,  6,   7,   8,   9,   10,  11, 13,
                                                  15, 17, 19, 23,  27,  31,  35,  43,  51, 59,
                                                  67, 83, 99, 115, 131, 163, 195, 227, 258};
constexpr std::array<uint8_t, 29> kLengthBits = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                                 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
constexpr std::array<uint16_t, 30> kDistanceBase = {
    1,   2,   3,   4,   5,   7,    9,    13,   17,   25,   33,   49,   65,    97,    129,
    193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};
constexpr std::array<uint8_t, 30> kDistanceBits = {0, 0, 0,  0,  1,  1,  2,  2,  3,  3,
                                                   4, 4, 5,  5,  6,  6,  7,  7,  8,  8,
                                                   9, 9, 10, 10, 11, 11, 12, 12, 13, 13};
// The order in which the lengths of the codes for lengths are stored.
constexpr std::array<uint8_t, 19> kOrder = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                            11, 4,  12, 3, 13, 2, 14, 1, 15};

// Bits of the stream, the least significant first.
class Bits {
 public:
  explicit Bits(ByteReader& in) : in_(in) {}

  // The next n bits (at most 16) without taking them; zeros where the stream has ended.
  uint32_t peek(int n) {
    while (count_ < n && !in_.at_end()) {
      held_ |= static_cast<uint64_t>(in_.read<uint8_t>()) << count_;
      count_ += 8;
    }
    return static_cast<uint32_t>(held_ & ((uint64_t{1} << n) - 1));
  }
  void take(int n) {
    check<IoError>(n <= count_, in_.source(), ": cut off in compressed data: at byte ",
                   in_.position(), "; expected the end of a block");
    held_ >>= n;
    count_ -= n;
  }
  uint32_t read(int n) {
    const uint32_t value = peek(n);
    take(n);
    return value;
  }
  // Drops what is left of the last byte. At most seven bits are held: peek() takes bytes one by
  // one, but 15 bits for a code that turns out short; those bytes are given back.
  void to_byte() {
    in_.seek(in_.position() - static_cast<uint64_t>(count_ / 8));
    held_ = 0;
    count_ = 0;
  }

 private:
  ByteReader& in_;
  uint64_t held_ = 0;
  int count_ = 0;
};

// A prefix code, as a table of the symbols of all kMaxLength-bit words that begin with a code.
class Code {
 public:
  // From the lengths of the codes, 0 for symbols that do not occur (section 3.2.2). IoError where
  // there are more codes than fit, or fewer than it takes; a single code may be all there is.
  Code(std::span<const uint8_t> lengths, const ByteReader& in) {
    std::array<int, kMaxLength + 1> count{};
    for (const uint8_t length : lengths) ++count[length];
    count[0] = 0;
    int left = 1, used = 0;
    for (int n = 1; n <= kMaxLength; ++n) {
      left = 2 * left - count[n];
      used += count[n];
      if (count[n] > 0) longest_ = n;
      check<IoError>(left >= 0, in.source(), ": malformed compressed data: before byte ",
                     in.position(), ", a code has too many words of ", n, " bits");
    }
    check<IoError>(left == 0 || used <= 1, in.source(), ": malformed compressed data: before byte ",
                   in.position(), ", a code leaves words without a meaning");
    std::array<uint32_t, kMaxLength + 2> next{};
    for (int n = 1; n <= kMaxLength; ++n) next[n + 1] = (next[n] + count[n]) << 1;
    table_.assign(size_t{1} << longest_, Entry{0, 0});
    for (size_t symbol = 0; symbol < lengths.size(); ++symbol) {
      const int length = lengths[symbol];
      if (length == 0) continue;
      uint32_t word = 0;  // codes are stored with the most significant bit first
      for (uint32_t code = next[length]++, i = 0; i < static_cast<uint32_t>(length); ++i) {
        word |= ((code >> i) & 1U) << (static_cast<uint32_t>(length) - 1 - i);
      }
      for (size_t at = word; at < table_.size(); at += size_t{1} << length) {
        table_[at] = {static_cast<uint16_t>(symbol), static_cast<uint8_t>(length)};
      }
    }
  }

  int read(Bits& bits, const ByteReader& in) const {
    const Entry entry = table_[bits.peek(longest_)];
    check<IoError>(entry.length > 0, in.source(), ": malformed compressed data: before byte ",
                   in.position(), ", a word that is no code");
    bits.take(entry.length);
    return entry.symbol;
  }

 private:
  struct Entry {
    uint16_t symbol;
    uint8_t length;
  };
  std::vector<Entry> table_;
  int longest_ = 0;
};

struct Codes {
  Code literals, distances;
};

Codes fixed_codes(const ByteReader& in) {
  std::array<uint8_t, kLiterals> literals{};
  for (int i = 0; i < kLiterals; ++i) {
    literals[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
  }
  std::array<uint8_t, 32> distances{};  // two of them are never used
  distances.fill(5);
  return {Code(literals, in), Code(distances, in)};
}

// Section 3.2.7.
Codes stored_codes(Bits& bits, const ByteReader& in) {
  const uint32_t literals = bits.read(5) + 257, distances = bits.read(5) + 1;
  const uint32_t length_codes = bits.read(4) + 4;
  check<IoError>(literals <= 286 && distances <= kDistances, in.source(),
                 ": malformed compressed data: before byte ", in.position(), ", ", literals,
                 " and ", distances, " codes; expected at most 286 and 30");
  std::array<uint8_t, 19> of_lengths{};
  for (uint32_t i = 0; i < length_codes; ++i) {
    of_lengths[kOrder[i]] = static_cast<uint8_t>(bits.read(3));
  }
  const Code code(of_lengths, in);
  std::vector<uint8_t> lengths;
  while (lengths.size() < literals + distances) {
    const int symbol = code.read(bits, in);
    uint32_t times = 1;
    uint8_t length = static_cast<uint8_t>(symbol);
    if (symbol == 16) {
      check<IoError>(!lengths.empty(), in.source(), ": malformed compressed data: before byte ",
                     in.position(), ", the first length is a repetition");
      length = lengths.back();
      times = 3 + bits.read(2);
    } else if (symbol >= 17) {
      length = 0;
      times = symbol == 17 ? 3 + bits.read(3) : 11 + bits.read(7);
    }
    check<IoError>(lengths.size() + times <= literals + distances, in.source(),
                   ": malformed compressed data: before byte ", in.position(),
                   ", more lengths than codes");
    lengths.insert(lengths.end(), times, length);
  }
  check<IoError>(lengths[kEndOfBlock] > 0, in.source(), ": malformed compressed data: before byte ",
                 in.position(), ", a block that cannot end");
  const std::span<const uint8_t> all(lengths);
  return {Code(all.first(literals), in), Code(all.subspan(literals), in)};
}

class Inflater {
 public:
  Inflater(ByteReader& in, std::vector<std::byte>& out, uint64_t limit)
      : in_(in), bits_(in), out_(out), start_(out.size()), limit_(limit) {}

  void run() {
    bool last = false;
    while (!last) {
      last = bits_.read(1) != 0;
      switch (bits_.read(2)) {
        case 0:
          stored();
          break;
        case 1:
          compressed(fixed_codes(in_));
          break;
        case 2:
          compressed(stored_codes(bits_, in_));
          break;
        default:
          fail<IoError>(in_.source(), ": malformed compressed data: before byte ", in_.position(),
                        ", a block of type 3; expected 0, 1 or 2");
      }
    }
    bits_.to_byte();
  }

 private:
  void check_room(size_t more) const {
    check<IoError>(more <= limit_ - out_.size(), in_.source(),
                   ": it decompresses to more than is allowed: ", limit_, " bytes");
  }

  void stored() {
    bits_.to_byte();
    const auto size = in_.read<uint16_t>("size of a block");
    const auto inverse = in_.read<uint16_t>("size of a block");
    check<IoError>((size ^ inverse) == 0xFFFF, in_.source(),
                   ": malformed compressed data: before byte ", in_.position(),
                   ", the size of a block and its complement disagree");
    check_room(size);
    const auto bytes = in_.take(size, "stored block");
    out_.insert(out_.end(), bytes.begin(), bytes.end());
  }

  void compressed(const Codes& codes) {
    while (true) {
      const int symbol = codes.literals.read(bits_, in_);
      if (symbol < kEndOfBlock) {
        check_room(1);
        out_.push_back(static_cast<std::byte>(symbol));
      } else if (symbol == kEndOfBlock) {
        return;
      } else {
        copy(static_cast<size_t>(symbol - kEndOfBlock - 1), codes.distances);
      }
    }
  }

  void copy(size_t code, const Code& distances) {
    check<IoError>(code < kLengthBase.size(), in_.source(),
                   ": malformed compressed data: before byte ", in_.position(),
                   ", a length that is none");
    const size_t length = kLengthBase[code] + bits_.read(kLengthBits[code]);
    const auto d = static_cast<size_t>(distances.read(bits_, in_));
    check<IoError>(d < kDistanceBase.size(), in_.source(),
                   ": malformed compressed data: before byte ", in_.position(),
                   ", a distance that is none");
    const size_t distance = kDistanceBase[d] + bits_.read(kDistanceBits[d]);
    check<IoError>(distance <= std::min(out_.size() - start_, kWindow), in_.source(),
                   ": malformed compressed data: before byte ", in_.position(), ", a copy from ",
                   distance, " bytes back; ", out_.size() - start_, " are there");
    check_room(length);
    // What is copied may be what is being written.
    for (size_t i = 0; i < length; ++i) out_.push_back(out_[out_.size() - distance]);
  }

  ByteReader& in_;
  Bits bits_;
  std::vector<std::byte>& out_;
  size_t start_;
  uint64_t limit_;
};

}  // namespace

void inflate(ByteReader& in, std::vector<std::byte>& out, uint64_t limit) {
  Inflater(in, out, limit).run();
}

}  // namespace adjoint::io

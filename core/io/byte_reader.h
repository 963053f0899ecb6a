// The one way to read binary data from outside: a cursor over bytes that checks every step.
//
// The reader does not own the bytes. Each error is an IoError that names the source and the byte.
#pragma once

#include <adjoint/core/error.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "core/io/checked.h"

namespace adjoint::io {

class ByteReader {
 public:
  // source names the data in errors: a path.
  ByteReader(std::span<const std::byte> bytes, std::string_view source)
      : bytes_(bytes), source_(source) {}

  uint64_t position() const { return position_; }
  uint64_t size() const { return bytes_.size(); }
  uint64_t remaining() const { return bytes_.size() - position_; }
  bool at_end() const { return remaining() == 0; }
  const std::string& source() const { return source_; }

  // The next n bytes.
  std::span<const std::byte> take(uint64_t n, const char* what = "data") {
    check<IoError>(n <= remaining(), source_, ": cut off in the ", what, ": at byte ", position_,
                   " it needs ", n, " bytes; ", remaining(), " remain");
    const auto taken = bytes_.subspan(position_, n);
    position_ += n;
    return taken;
  }

  std::string_view take_text(uint64_t n, const char* what = "text") {
    const auto taken = take(n, what);
    return {reinterpret_cast<const char*>(taken.data()), taken.size()};
  }

  void skip(uint64_t n, const char* what = "data") { take(n, what); }

  // The next multiple of alignment, counted from the first byte.
  void align(uint64_t alignment) {
    const auto to = checked_align_up(position_, alignment);
    check<IoError>(to && *to <= size(), source_, ": cut off in the padding: at byte ", position_,
                   "; expected a multiple of ", alignment);
    position_ = *to;
  }

  void seek(uint64_t position) {
    check<IoError>(position <= size(), source_, ": an offset lies outside of the data: ", position,
                   "; expected at most ", size());
    position_ = position;
  }

  // A number of any arithmetic type, stored with the least significant byte first.
  template <class T>
  T read(const char* what = "number") {
    return decode<T, std::endian::little>(take(sizeof(T), what).data());
  }

  // The same with the most significant byte first.
  template <class T>
  T read_big_endian(const char* what = "number") {
    return decode<T, std::endian::big>(take(sizeof(T), what).data());
  }

  // n, which the data says is a number of records of at least record_size bytes each: an error
  // where so many cannot follow, so that it is safe to allocate for n.
  uint64_t bounded_count(uint64_t n, uint64_t record_size, const char* what) const {
    const auto bytes = checked_mul(n, record_size);
    check<IoError>(bytes && *bytes <= remaining(), source_, ": too many ", what, ": ", n, " of ",
                   record_size, " bytes or more; ", remaining(), " bytes remain");
    return n;
  }

 private:
  template <class T, std::endian Order>
  static T decode(const std::byte* from) {
    static_assert(std::is_arithmetic_v<T>);
    std::byte raw[sizeof(T)];
    for (size_t i = 0; i < sizeof(T); ++i) {
      raw[i] = from[Order == std::endian::native ? i : sizeof(T) - 1 - i];
    }
    T value;
    std::memcpy(&value, raw, sizeof(T));
    return value;
  }

  std::span<const std::byte> bytes_;
  uint64_t position_ = 0;
  std::string source_;
};

}  // namespace adjoint::io

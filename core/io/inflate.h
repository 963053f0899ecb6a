// DEFLATE, RFC 1951.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/io/byte_reader.h"

namespace adjoint::io {

// Appends what the stream at the reader's position decompresses to, and leaves the reader behind
// its last byte. IoError for a malformed stream, or one that makes out longer than limit.
void inflate(ByteReader& in, std::vector<std::byte>& out, uint64_t limit);

}  // namespace adjoint::io

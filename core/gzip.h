// Compressed bytes: gzip (RFC 1952) and zlib (RFC 1950) around DEFLATE (RFC 1951).
//
//   const std::vector<std::byte> plain = io::gunzip(io::read_bytes(path), path, /*limit=*/1 << 30);
//
// Readers trust nothing: what is malformed, cut off, or longer than the caller allows is an IoError
// that names the source, and memory grows with what was really decompressed. Safe from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace adjoint::io {

// Whether the bytes begin as a gzip file does.
bool is_gzip(std::span<const std::byte> bytes);

// The contents of a gzip file, of all its members one after the other, with their checksums
// compared. IoError where they are longer than limit.
std::vector<std::byte> gunzip(std::span<const std::byte> bytes, std::string_view source,
                              uint64_t limit);

// The contents of a zlib stream.
std::vector<std::byte> zlib_decompress(std::span<const std::byte> bytes, std::string_view source,
                                       uint64_t limit);

// A zlib stream that stores the bytes as they are: for small files, such as pictures of samples.
std::vector<std::byte> zlib_store(std::span<const std::byte> bytes);

// CRC-32 (polynomial 0x04C11DB7 reflected, as gzip, zip and PNG have it) of what `crc` is the
// checksum of, followed by bytes. Starts from 0.
uint32_t crc32(uint32_t crc, std::span<const std::byte> bytes);

}  // namespace adjoint::io

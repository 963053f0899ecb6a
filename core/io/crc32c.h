// CRC-32C (Castagnoli; polynomial 0x1EDC6F41 reflected), the checksum of iSCSI, ext4 and
// checkpoints here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace adjoint::io {

// The checksum of what `crc` is the checksum of, followed by bytes. Starts from 0.
uint32_t crc32c(uint32_t crc, std::span<const std::byte> bytes);

// The same from tables alone, for machines without the instruction.
uint32_t crc32c_portable(uint32_t crc, std::span<const std::byte> bytes);

// Eight lower-case hexadecimal digits.
std::string crc32c_hex(uint32_t crc);

}  // namespace adjoint::io

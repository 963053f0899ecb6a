// What a fuzzer calls: each reads the bytes as one format and checks what must hold of whatever is
// accepted. Bytes that are refused with an IoError are fine; anything else is a finding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace adjoint::fuzz {

// Whether the bytes were accepted.
bool json(std::span<const uint8_t> bytes);
bool safetensors(std::span<const uint8_t> bytes);
bool deflate(std::span<const uint8_t> bytes);
bool tokenizer(std::span<const uint8_t> bytes);
bool word_vectors(std::span<const uint8_t> bytes);

}  // namespace adjoint::fuzz

// UTF-8, as Unicode defines it: no overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace adjoint {

// The length of the well-formed sequence that starts at text[at], 1 to 4; 0 where there is none.
// REQUIRES: at < text.size().
size_t utf8_length(std::string_view text, size_t at);

// The offset of the first byte that is not part of a well-formed sequence, or nothing.
std::optional<size_t> find_invalid_utf8(std::string_view text);

// Appends the encoding of a scalar value. REQUIRES: below 0x110000 and no surrogate.
void append_utf8(std::string& out, uint32_t scalar);

}  // namespace adjoint

// Helpers for the 256 words of IDENTIFY DEVICE and IDENTIFY PACKET DEVICE (ATA/ATAPI-6, 8.15 and 8.16).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace btvm {

inline void put_identify_word(std::span<std::uint8_t> out, unsigned word, std::uint32_t value) {
    out[2 * word] = static_cast<std::uint8_t>(value);
    out[2 * word + 1] = static_cast<std::uint8_t>(value >> 8);
}

/// Text stands with the two bytes of each word exchanged, filled up with blanks.
inline void put_identify_text(std::span<std::uint8_t> out, unsigned word, unsigned words,
                              std::string_view text) {
    for (unsigned i = 0; i < 2 * words; i++)
        out[2 * word + (i ^ 1)] = static_cast<std::uint8_t>(i < text.size() ? text[i] : ' ');
}

} // namespace btvm

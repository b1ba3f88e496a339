// Numbers as they lie in a file.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace btvm {

/// Appends the low `size` bytes.
inline void put_number(std::vector<std::uint8_t>& out, std::uint64_t value, std::size_t size) {
    for (std::size_t i = 0; i < size; i++)
        out.push_back(static_cast<std::uint8_t>(value >> 8 * i));
}

/// All bytes of the span, at most eight.
[[nodiscard]] inline std::uint64_t get_number(std::span<const std::uint8_t> in) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < in.size(); i++)
        value |= std::uint64_t{in[i]} << 8 * i;
    return value;
}

} // namespace btvm

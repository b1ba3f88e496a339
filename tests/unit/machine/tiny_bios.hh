// A system BIOS of a few instructions, for machines under test: it starts at F000:0000.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace btvm {

/// 64 KiB that jump from the reset vector to `code` at F000:0000.
inline std::vector<std::uint8_t> tiny_bios(const std::vector<std::uint8_t>& code) {
    std::vector<std::uint8_t> image(0x10000, 0xf4);
    std::copy(code.begin(), code.end(), image.begin());
    constexpr std::uint8_t kJump[] = {0xea, 0x00, 0x00, 0x00, 0xf0}; // jmp F000:0000
    std::copy(std::begin(kJump), std::end(kJump), image.end() - 16);
    return image;
}

} // namespace btvm

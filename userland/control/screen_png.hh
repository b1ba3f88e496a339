// Draws a text screen as a PNG picture, with the font out of the guest's own video BIOS.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "userland/devices/text_screen.hh"

namespace btvm {

/// The 8x16 font in a VGA BIOS image: 256 glyphs of 16 bytes, bit 7 leftmost; nothing when there is none.
[[nodiscard]] std::optional<std::span<const std::uint8_t>>
find_font(std::span<const std::uint8_t> video_bios);

/// The screen in its 16 colours, 8 dots a column, 16 a row; blinking text is shown. A graphics mode gives a
/// black picture of 640x400. Throws std::runtime_error when libpng refuses.
[[nodiscard]] std::vector<std::uint8_t> screen_png(const TextScreen& screen,
                                                   std::span<const std::uint8_t> font);

} // namespace btvm

// A text screen at one moment: what a person before the monitor would see, free of registers.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace btvm {

struct TextCell {
    std::uint8_t code{0x20};      ///< Code page 437.
    std::uint8_t attribute{0x07}; ///< Bits 0-3 foreground, 4-6 background, 7 blink or bright background.

    bool operator==(const TextCell&) const = default;
};

struct Rgb {
    std::uint8_t red{};
    std::uint8_t green{};
    std::uint8_t blue{};

    bool operator==(const Rgb&) const = default;
};

struct TextCursor {
    unsigned x{};          ///< Column, from 0.
    unsigned y{};          ///< Row, from 0.
    bool visible{};        ///< Switched on and on the screen.
    unsigned first_line{}; ///< First scan line of the cursor block in its cell, from the top.
    unsigned last_line{};  ///< Last scan line of it.

    bool operator==(const TextCursor&) const = default;
};

struct TextScreen {
    bool text_mode{};  ///< False while a graphics mode is set: there are no cells then.
    bool blanked{};    ///< The screen is dark (screen off, or not yet set up); the cells are still there.
    bool blink{};      ///< Attribute bit 7 blinks; otherwise it makes the background bright.
    bool monochrome{}; ///< MDA attributes: foreground 1 is underlined.
    unsigned columns{};
    unsigned rows{};
    unsigned cell_height{};      ///< Scan lines of one row.
    std::vector<TextCell> cells; ///< rows * columns, row by row.
    TextCursor cursor;
    std::array<Rgb, 16> palette{}; ///< What the 16 attribute colours look like.

    [[nodiscard]] const TextCell& cell(unsigned x, unsigned y) const { return cells[y * columns + x]; }
    bool operator==(const TextScreen&) const = default;
};

/// One row as UTF-8, blanks at its end cut. A row beyond the screen is empty.
[[nodiscard]] std::string row_text(const TextScreen& screen, unsigned y);

/// The screen as UTF-8, one line a row, each ended by a newline, blanks at the end of each cut. Empty rows at
/// the end stay, so that line n is row n. Empty in a graphics mode.
[[nodiscard]] std::string screen_text(const TextScreen& screen);

} // namespace btvm

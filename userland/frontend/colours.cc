#include "userland/frontend/colours.hh"

#include <cstdlib>

#include "userland/frontend/curses.hh"

namespace btvm {

namespace {

/// VGA counts blue, green, red from bit 0 and ANSI red, green, blue: bits 0 and 2 change places.
constexpr int ansi_number(unsigned colour) {
    return static_cast<int>((colour & 0xa) | (colour & 1) << 2 | (colour & 4) >> 2);
}

int square(int value) { return value * value; }

int distance(Rgb a, Rgb b) {
    return square(a.red - b.red) + square(a.green - b.green) + square(a.blue - b.blue);
}

/// Numbers 16 to 231 of the 256-colour palette are a 6x6x6 cube with these levels, 232 to 255 a grey ramp
/// from 8 in steps of 10. Numbers below 16 differ from terminal to terminal, so they are left out.
Rgb fixed_colour(int number) {
    constexpr std::uint8_t kLevels[6] = {0, 95, 135, 175, 215, 255};
    if (number >= 232) {
        const auto grey = static_cast<std::uint8_t>(8 + 10 * (number - 232));
        return {grey, grey, grey};
    }
    const int cube = number - 16;
    return {kLevels[cube / 36], kLevels[cube / 6 % 6], kLevels[cube % 6]};
}

int nearest_fixed(Rgb wanted) {
    int best = 16;
    for (int number = 16; number < 256; number++)
        if (distance(fixed_colour(number), wanted) < distance(fixed_colour(best), wanted)) best = number;
    return best;
}

/// ncurses counts components to 1000.
int per_mille(std::uint8_t component) { return (component * 1000 + 127) / 255; }

} // namespace

Colours::Colours() {
    if (!::has_colors())
        method_ = Method::None;
    else if (COLORS > 256 && ::tigetflag(const_cast<char*>("RGB")) > 0)
        method_ = Method::Direct;
    else if (COLORS >= 16 && ::can_change_color())
        method_ = Method::Change;
    else if (COLORS >= 256)
        method_ = Method::Cube;
    else
        method_ = COLORS >= 16 ? Method::Sixteen : Method::Eight;
}

void Colours::set_palette(const std::array<Rgb, 16>& palette) {
    if (have_palette_ && palette == palette_) return;
    palette_ = palette;
    have_palette_ = true;
    if (method_ == Method::Change)
        for (unsigned i = 0; i < 16; i++)
            ::init_color(static_cast<short>(ansi_number(i)), static_cast<short>(per_mille(palette[i].red)),
                         static_cast<short>(per_mille(palette[i].green)),
                         static_cast<short>(per_mille(palette[i].blue)));
}

int Colours::colour_number(unsigned colour) const {
    const Rgb rgb = palette_[colour];
    switch (method_) {
    case Method::None: return 0;
    case Method::Eight: return ansi_number(colour & 7);
    case Method::Sixteen:
    case Method::Change: return ansi_number(colour);
    case Method::Cube: return nearest_fixed(rgb);
    case Method::Direct: return rgb.red << 16 | rgb.green << 8 | rgb.blue;
    }
    return 0;
}

Colours::Look Colours::look(unsigned foreground, unsigned background) {
    unsigned attributes = A_NORMAL;
    if ((method_ == Method::None || method_ == Method::Eight) && (foreground & 8)) attributes |= A_BOLD;
    if (method_ == Method::None) {
        if (background & 7) attributes |= A_REVERSE;
        return {attributes, 0};
    }
    const std::pair numbers{colour_number(foreground), colour_number(background)};
    // Pair 0 cannot be set; it is white on black.
    if (method_ == Method::Eight && numbers == std::pair{COLOR_WHITE, COLOR_BLACK}) return {attributes, 0};
    const auto found = pairs_.find(numbers);
    if (found != pairs_.end()) return {attributes, found->second};
    // A guest that changes its palette over and over may use up the pairs; start over then. Cells drawn with
    // the old pairs are drawn again in the same frame.
    int pair = static_cast<int>(pairs_.size()) + 1;
    if (pair >= COLOR_PAIRS) {
        pairs_.clear();
        pair = 1;
    }
    ::init_extended_pair(pair, numbers.first, numbers.second);
    pairs_[numbers] = pair;
    return {attributes, pair};
}

} // namespace btvm

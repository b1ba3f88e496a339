#include "userland/devices/text_screen.hh"

#include "userland/devices/codepage437.hh"

namespace btvm {

namespace {

// 00h and FFh show nothing, as the space does; whoever looks for text wants one kind of blank.
bool is_blank(std::uint8_t code) { return code == 0x00 || code == 0x20 || code == 0xFF; }

} // namespace

std::string row_text(const TextScreen& screen, unsigned y) {
    std::string text;
    if (y >= screen.rows) return text;
    unsigned length = screen.columns;
    while (length > 0 && is_blank(screen.cell(length - 1, y).code))
        --length;
    for (unsigned x = 0; x < length; ++x) {
        const std::uint8_t code = screen.cell(x, y).code;
        append_utf8(text, is_blank(code) ? U' ' : codepage437_glyph(code));
    }
    return text;
}

std::string screen_text(const TextScreen& screen) {
    std::string text;
    for (unsigned y = 0; y < screen.rows; ++y) {
        text += row_text(screen, y);
        text += '\n';
    }
    return text;
}

} // namespace btvm

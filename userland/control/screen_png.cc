#include "userland/control/screen_png.hh"

#include <algorithm>
#include <array>
#include <png.h>
#include <stdexcept>
#include <string>

namespace btvm {

namespace {

constexpr unsigned kGlyphWidth = 8;
constexpr unsigned kGlyphHeight = 16;
constexpr std::size_t kFontBytes = 256 * kGlyphHeight;

/// An image with one palette index a dot.
struct Picture {
    unsigned width, height;
    std::vector<std::uint8_t> dots;

    Picture(unsigned w, unsigned h) : width(w), height(h), dots(std::size_t{w} * h) {}
    void set(unsigned x, unsigned y, std::uint8_t colour) { dots[std::size_t{y} * width + x] = colour; }
};

void draw_cell(Picture& picture, const TextScreen& screen, unsigned column, unsigned row,
               std::span<const std::uint8_t> font) {
    const TextCell cell = screen.cell(column, row);
    const std::uint8_t front = cell.attribute & 0x0f;
    const std::uint8_t back = (cell.attribute >> 4) & (screen.blink ? 0x07 : 0x0f);
    for (unsigned line = 0; line < kGlyphHeight; line++) {
        const std::uint8_t bits = font[std::size_t{cell.code} * kGlyphHeight + line];
        for (unsigned dot = 0; dot < kGlyphWidth; dot++)
            picture.set(column * kGlyphWidth + dot, row * kGlyphHeight + line,
                        bits & (0x80 >> dot) ? front : back);
    }
}

void draw_cursor(Picture& picture, const TextScreen& screen) {
    const TextCursor& cursor = screen.cursor;
    if (!cursor.visible || cursor.x >= screen.columns || cursor.y >= screen.rows) return;
    // The cursor's scan lines are of the guest's cell height, ours are of the font's.
    const unsigned height = std::max(screen.cell_height, 1u);
    const unsigned first = std::min(cursor.first_line * kGlyphHeight / height, kGlyphHeight - 1);
    const unsigned last =
        std::min(((cursor.last_line + 1) * kGlyphHeight + height - 1) / height, kGlyphHeight);
    const std::uint8_t colour = screen.cell(cursor.x, cursor.y).attribute & 0x0f;
    for (unsigned line = first; line < last; line++)
        for (unsigned dot = 0; dot < kGlyphWidth; dot++)
            picture.set(cursor.x * kGlyphWidth + dot, cursor.y * kGlyphHeight + line, colour);
}

std::vector<std::uint8_t> encode(const Picture& picture, const std::array<Rgb, 16>& palette) {
    std::array<png_byte, 16 * 3> colours{};
    for (std::size_t i = 0; i < palette.size(); i++) {
        colours[3 * i] = palette[i].red;
        colours[3 * i + 1] = palette[i].green;
        colours[3 * i + 2] = palette[i].blue;
    }
    png_image image{};
    image.version = PNG_IMAGE_VERSION;
    image.width = picture.width;
    image.height = picture.height;
    image.format = PNG_FORMAT_RGB_COLORMAP;
    image.colormap_entries = 16;
    png_alloc_size_t size = 0;
    const auto write = [&](void* to) {
        if (!png_image_write_to_memory(&image, to, &size, 0, picture.dots.data(), 0, colours.data()))
            throw std::runtime_error(std::string("libpng: ") + image.message);
    };
    write(nullptr); // tells the size
    std::vector<std::uint8_t> out(size);
    write(out.data());
    out.resize(size);
    return out;
}

} // namespace

std::optional<std::span<const std::uint8_t>> find_font(std::span<const std::uint8_t> video_bios) {
    // Glyph 0 is blank and glyph 1 the smiling face, in every 8x16 font of code page 437.
    std::array<std::uint8_t, 2 * kGlyphHeight> start{};
    constexpr std::uint8_t kFace[] = {0x00, 0x00, 0x7e, 0x81, 0xa5, 0x81, 0x81, 0xbd, 0x99, 0x81, 0x81, 0x7e};
    std::copy(std::begin(kFace), std::end(kFace), start.begin() + kGlyphHeight);
    const auto at = std::search(video_bios.begin(), video_bios.end(), start.begin(), start.end());
    const auto left = static_cast<std::size_t>(video_bios.end() - at);
    if (left < kFontBytes) return std::nullopt;
    return video_bios.subspan(static_cast<std::size_t>(at - video_bios.begin()), kFontBytes);
}

std::vector<std::uint8_t> screen_png(const TextScreen& screen, std::span<const std::uint8_t> font) {
    if (font.size() < kFontBytes) throw std::runtime_error("the font is too short");
    if (!screen.text_mode || !screen.columns || !screen.rows) return encode(Picture(640, 400), {});
    Picture picture(screen.columns * kGlyphWidth, screen.rows * kGlyphHeight);
    if (!screen.blanked) {
        for (unsigned row = 0; row < screen.rows; row++)
            for (unsigned column = 0; column < screen.columns; column++)
                draw_cell(picture, screen, column, row, font);
        draw_cursor(picture, screen);
    }
    return encode(picture, screen.palette);
}

} // namespace btvm

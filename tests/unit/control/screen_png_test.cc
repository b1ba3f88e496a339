#include <gtest/gtest.h>
#include <png.h>

#include "userland/control/screen_png.hh"

namespace btvm {
namespace {

std::vector<std::uint8_t> test_font() {
    std::vector<std::uint8_t> font(4096);
    constexpr std::uint8_t kFace[16] = {0, 0, 0x7e, 0x81, 0xa5, 0x81, 0x81, 0xbd, 0x99, 0x81, 0x81, 0x7e};
    std::copy(std::begin(kFace), std::end(kFace), font.begin() + 16);
    std::fill_n(font.begin() + 0xdb * 16, 16, 0xff); // the full block
    return font;
}

TextScreen test_screen() {
    TextScreen screen;
    screen.text_mode = true;
    screen.columns = 4;
    screen.rows = 2;
    screen.cell_height = 16;
    screen.cells.assign(8, TextCell{' ', 0x07});
    screen.palette[0] = {0, 0, 0};
    screen.palette[4] = {170, 0, 0};
    screen.palette[7] = {170, 170, 170};
    screen.palette[15] = {255, 255, 255};
    return screen;
}

struct Decoded {
    png_uint_32 width, height;
    std::vector<std::uint8_t> rgb;
    [[nodiscard]] Rgb dot(unsigned x, unsigned y) const {
        const std::uint8_t* p = &rgb[3 * (y * width + x)];
        return {p[0], p[1], p[2]};
    }
};

Decoded decode(const std::vector<std::uint8_t>& png) {
    png_image image{};
    image.version = PNG_IMAGE_VERSION;
    EXPECT_TRUE(png_image_begin_read_from_memory(&image, png.data(), png.size()));
    image.format = PNG_FORMAT_RGB;
    Decoded out{image.width, image.height, std::vector<std::uint8_t>(PNG_IMAGE_SIZE(image))};
    EXPECT_TRUE(png_image_finish_read(&image, nullptr, out.rgb.data(), 0, nullptr));
    return out;
}

TEST(ScreenPng, DrawsCellsInTheirColours) {
    TextScreen screen = test_screen();
    screen.cells[5] = {0xdb, 0x0f}; // a white block at (1, 1)
    screen.cells[2] = {' ', 0x40};  // red background at (2, 0)
    const Decoded picture = decode(screen_png(screen, test_font()));
    ASSERT_EQ(picture.width, 32u);
    ASSERT_EQ(picture.height, 32u);
    EXPECT_EQ(picture.dot(8, 16), (Rgb{255, 255, 255}));
    EXPECT_EQ(picture.dot(15, 31), (Rgb{255, 255, 255}));
    EXPECT_EQ(picture.dot(16, 16), (Rgb{0, 0, 0}));
    EXPECT_EQ(picture.dot(16, 0), (Rgb{170, 0, 0}));
}

TEST(ScreenPng, BitSevenOfTheAttributeBlinksOrBrightens) {
    TextScreen screen = test_screen();
    screen.cells[0] = {' ', 0xf0};
    screen.blink = true;
    EXPECT_EQ(decode(screen_png(screen, test_font())).dot(0, 0), (Rgb{170, 170, 170}));
    screen.blink = false;
    EXPECT_EQ(decode(screen_png(screen, test_font())).dot(0, 0), (Rgb{255, 255, 255}));
}

TEST(ScreenPng, CursorIsDrawnWhereItIs) {
    TextScreen screen = test_screen();
    screen.cursor = {3, 1, true, 14, 15};
    const Decoded picture = decode(screen_png(screen, test_font()));
    EXPECT_EQ(picture.dot(24, 30), (Rgb{170, 170, 170}));
    EXPECT_EQ(picture.dot(24, 29), (Rgb{0, 0, 0}));
    screen.cursor = {9, 9, true, 0, 200}; // off the screen: nothing happens
    EXPECT_NO_THROW((void)screen_png(screen, test_font()));
}

TEST(ScreenPng, GraphicsModesAndBlankScreensAreBlack) {
    TextScreen screen = test_screen();
    screen.cells[0] = {0xdb, 0x0f};
    screen.blanked = true;
    EXPECT_EQ(decode(screen_png(screen, test_font())).dot(0, 0), (Rgb{0, 0, 0}));
    screen.text_mode = false;
    EXPECT_EQ(decode(screen_png(screen, test_font())).width, 640u);
}

TEST(ScreenPng, FontIsFoundByItsFirstGlyphs) {
    std::vector<std::uint8_t> rom(1000, 0x90);
    const std::vector<std::uint8_t> font = test_font();
    EXPECT_FALSE(find_font(rom));
    rom.insert(rom.end(), font.begin(), font.end());
    rom.insert(rom.end(), 50, 0x90);
    const auto found = find_font(rom);
    ASSERT_TRUE(found);
    EXPECT_TRUE(std::equal(found->begin(), found->end(), font.begin(), font.end()));
    rom.resize(1000 + 4095); // cut short
    EXPECT_FALSE(find_font(rom));
}

} // namespace
} // namespace btvm

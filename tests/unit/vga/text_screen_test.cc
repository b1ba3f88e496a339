#include <gtest/gtest.h>
#include <iconv.h>

#include "userland/devices/codepage437.hh"
#include "userland/devices/text_screen.hh"

namespace btvm {
namespace {

TEST(CodePage437, AgreesWithTheCLibrary) {
    const iconv_t converter = iconv_open("UTF-8", "CP437");
    if (converter == reinterpret_cast<iconv_t>(-1)) GTEST_SKIP() << "the C library has no CP437 here";
    for (unsigned code = 0x20; code < 0x100; ++code) {
        if (code == 0x7F) continue; // DEL there, a glyph on the screen
        char byte = static_cast<char>(code);
        char out[8]{};
        char* in_at = &byte;
        char* out_at = out;
        std::size_t in_left = 1;
        std::size_t out_left = sizeof out;
        ASSERT_EQ(iconv(converter, &in_at, &in_left, &out_at, &out_left), 0u) << code;
        EXPECT_EQ(codepage437_to_utf8(static_cast<std::uint8_t>(code)), std::string(out, out_at)) << code;
    }
    iconv_close(converter);
}

TEST(CodePage437, ControlCodesHaveGlyphs) {
    const std::u32string glyphs = U"☺☻♥♦♣♠•◘○◙♂♀♪♫☼►◄↕‼¶§▬↨↑↓→←∟↔▲▼";
    ASSERT_EQ(glyphs.size(), 31u);
    for (unsigned code = 1; code < 0x20; ++code)
        EXPECT_EQ(codepage437_glyph(static_cast<std::uint8_t>(code)), glyphs[code - 1]) << code;
    EXPECT_EQ(codepage437_glyph(0x7F), U'⌂');
}

TEST(CodePage437, EveryGlyphLeadsBackToACodeThatShowsIt) {
    for (unsigned code = 0; code < 256; ++code) {
        const char32_t glyph = codepage437_glyph(static_cast<std::uint8_t>(code));
        const auto back = codepage437_code(glyph);
        ASSERT_TRUE(back);
        EXPECT_EQ(codepage437_glyph(*back), glyph);
    }
    EXPECT_EQ(codepage437_code(U' '), 0x20);
    EXPECT_FALSE(codepage437_code(U'€'));
}

TEST(CodePage437, Utf8OfEveryLength) {
    std::string s;
    for (const char32_t c : {U'A', U'é', U'€', U'\U0001F4BE', char32_t{0xD800}, char32_t{0x110000}})
        append_utf8(s, c);
    EXPECT_EQ(s, "A\xC3\xA9\xE2\x82\xAC\xF0\x9F\x92\xBE\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST(TextScreen, TextTrimsBlanksAndKeepsRows) {
    TextScreen s;
    s.text_mode = true;
    s.columns = 4;
    s.rows = 3;
    s.cells.resize(12);
    s.cells[0].code = 'a';
    s.cells[1].code = 0x00;
    s.cells[2].code = 0xC9;
    s.cells[3].code = 0xFF;
    s.cells[8].code = 0x00;
    EXPECT_EQ(screen_text(s), "a ╔\n\n\n");
    EXPECT_EQ(row_text(s, 0), "a ╔");
    EXPECT_EQ(row_text(s, 3), "");
    EXPECT_EQ(screen_text(TextScreen{}), "");
}

} // namespace
} // namespace btvm

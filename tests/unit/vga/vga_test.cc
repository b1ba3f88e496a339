// The VGA's register side against the IBM PS/2 technical reference: read-back, protection, aliasing, timing,
// and the picture that registers and text memory make.
#include <gtest/gtest.h>

#include "tests/unit/common/test_board.hh"
#include "userland/devices/vga_text.hh"

namespace btvm {
namespace {

using test::TestBoard;
using namespace std::chrono_literals;

class Vga : public testing::Test {
protected:
    std::uint8_t in(std::uint16_t port) { return static_cast<std::uint8_t>(vga.read(port, 1)); }
    void out(std::uint16_t port, unsigned value) { vga.write(port, 1, value); }
    void crtc(unsigned index, unsigned value) {
        out(0x3D4, index);
        out(0x3D5, value);
    }
    std::uint8_t crtc(unsigned index) {
        out(0x3D4, index);
        return in(0x3D5);
    }
    void indexed(std::uint16_t port, unsigned index, unsigned value) {
        out(port, index);
        out(port + 1, value);
    }
    void attribute(unsigned index, unsigned value) {
        in(0x3DA);
        out(0x3C0, index);
        out(0x3C0, value);
    }
    void show() {
        in(0x3DA);
        out(0x3C0, 0x20);
    }

    /// The registers of mode 3 (80x25, 9x16 cells, 400 lines at 70 Hz) by IBM's parameter table.
    void mode3() {
        out(0x3C2, 0x67);
        const std::uint8_t sequencer[] = {0x03, 0x00, 0x03, 0x00, 0x02};
        for (unsigned i = 0; i < 5; ++i)
            indexed(0x3C4, i, sequencer[i]);
        crtc(0x11, 0);
        const std::uint8_t table[] = {0x5F, 0x4F, 0x50, 0x82, 0x55, 0x81, 0xBF, 0x1F, 0x00,
                                      0x4F, 0x0D, 0x0E, 0x00, 0x00, 0x00, 0x00, 0x9C, 0x8E,
                                      0x8F, 0x28, 0x1F, 0x96, 0xB9, 0xA3, 0xFF};
        for (unsigned i = 0; i < sizeof table; ++i)
            crtc(i, table[i]);
        const std::uint8_t graphics[] = {0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x0E, 0x00, 0xFF};
        for (unsigned i = 0; i < 9; ++i)
            indexed(0x3CE, i, graphics[i]);
        const std::uint8_t colours[] = {0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07,
                                        0x38, 0x39, 0x3A, 0x3B, 0x3C, 0x3D, 0x3E, 0x3F};
        for (unsigned i = 0; i < 16; ++i)
            attribute(i, colours[i]);
        attribute(0x10, 0x0C);
        attribute(0x12, 0x0F);
        attribute(0x13, 0x08);
        show();
    }
    void put(unsigned x, unsigned y, char c, std::uint8_t a = 0x07) {
        board.memory[0xB8000 + 2 * (80 * y + x)] = static_cast<std::uint8_t>(c);
        board.memory[0xB8000 + 2 * (80 * y + x) + 1] = a;
    }
    TextScreen snapshot() {
        return vga.snapshot([this](std::uint64_t at, std::span<std::uint8_t> to) { board.dma_read(at, to); });
    }

    TestBoard board;
    VgaText vga{board};
};

TEST_F(Vga, EveryCrtcRegisterReadsBack) {
    out(0x3C2, 0x01);
    for (const unsigned pattern : {0x00u, 0x55u, 0x7Fu}) // bit 7 of 11h would protect
        for (unsigned i = 0; i < 0x19; ++i) {
            crtc(i, pattern);
            EXPECT_EQ(crtc(i), pattern) << i;
        }
    EXPECT_EQ(in(0x3D4), 0x18);
    crtc(0x3F, 0xFF);
    EXPECT_EQ(crtc(0x3F), 0);
}

TEST_F(Vga, RetraceEndBit7ProtectsTheTimingButNotLineCompare) {
    out(0x3C2, 0x01);
    for (unsigned i = 0; i < 8; ++i)
        crtc(i, 0x00);
    crtc(0x11, 0x80);
    for (unsigned i = 0; i < 8; ++i)
        crtc(i, 0xFF);
    for (unsigned i = 0; i < 7; ++i)
        EXPECT_EQ(crtc(i), 0x00) << i;
    EXPECT_EQ(crtc(7), 0x10);
    crtc(8, 0x1F);
    EXPECT_EQ(crtc(8), 0x1F);
    crtc(0x11, 0x00);
    crtc(0, 0x5F);
    EXPECT_EQ(crtc(0), 0x5F);
}

TEST_F(Vga, MiscOutputBit0ChoosesTheCrtcPorts) {
    out(0x3C2, 0x01);
    crtc(0x0F, 0x12);
    out(0x3B4, 0x0E);
    EXPECT_EQ(in(0x3D4), 0x0F);
    EXPECT_EQ(in(0x3B5), 0xFF);
    EXPECT_EQ(in(0x3BA), 0xFF);
    out(0x3C2, 0x00);
    EXPECT_EQ(in(0x3D5), 0xFF);
    out(0x3B4, 0x0F);
    EXPECT_EQ(in(0x3B5), 0x12);
    EXPECT_EQ(in(0x3CC), 0x00);
    out(0x3BA, 0x03);
    EXPECT_EQ(in(0x3CA), 0x03);
}

TEST_F(Vga, SequencerAndGraphicsReadBackTheBitsThatExist) {
    const std::uint8_t sequencer[] = {0x03, 0x3D, 0x0F, 0x3F, 0x0E};
    for (unsigned i = 0; i < 5; ++i) {
        indexed(0x3C4, i, 0xFF);
        EXPECT_EQ(in(0x3C5), sequencer[i]) << i;
    }
    const std::uint8_t graphics[] = {0x0F, 0x0F, 0x0F, 0x1F, 0x03, 0x7B, 0x0F, 0x0F, 0xFF};
    for (unsigned i = 0; i < 9; ++i) {
        indexed(0x3CE, i, 0xFF);
        EXPECT_EQ(in(0x3CF), graphics[i]) << i;
    }
    indexed(0x3CE, 0x0D, 0xFF);
    EXPECT_EQ(in(0x3CF), 0);
}

TEST_F(Vga, AttributeFlipFlopAlternatesAndStatusReadResetsIt) {
    out(0x3C2, 0x01);
    in(0x3DA);
    out(0x3C0, 0x05);
    out(0x3C0, 0x2A);
    out(0x3C0, 0x06);
    out(0x3C0, 0x15);
    out(0x3C0, 0x05); // index again
    EXPECT_EQ(in(0x3C1), 0x2A);
    EXPECT_EQ(in(0x3C0), 0x05);
    out(0x3D4, 0x24);
    EXPECT_EQ(in(0x3D5), 0x80);
    in(0x3DA);
    EXPECT_EQ(in(0x3D5), 0x00);
    out(0x3C0, 0x26); // an index, with the screen on
    EXPECT_EQ(in(0x3C1), 0x15);
    EXPECT_EQ(in(0x3C0), 0x26);
    attribute(0x11, 0xFF);
    EXPECT_EQ(in(0x3C1), 0xFF);
}

TEST_F(Vga, DacEntriesChangeWholeAndIndexStepsByItself) {
    out(0x3C8, 0x10);
    for (const unsigned v : {0x3Fu, 0x01u, 0xC2u, 0x04u, 0x05u})
        out(0x3C9, v);
    EXPECT_EQ(in(0x3C8), 0x11);
    EXPECT_EQ(in(0x3C7), 0x00);
    out(0x3C7, 0x10);
    EXPECT_EQ(in(0x3C7), 0x03);
    EXPECT_EQ(in(0x3C9), 0x3F);
    EXPECT_EQ(in(0x3C9), 0x01);
    EXPECT_EQ(in(0x3C9), 0x02); // six bits
    EXPECT_EQ(in(0x3C9), 0x00); // entry 11h never got its blue
    out(0x3C8, 0xFF);
    for (const unsigned v : {1u, 2u, 3u, 4u, 5u, 6u})
        out(0x3C9, v);
    out(0x3C7, 0x00); // wrapped from 255 to 0
    EXPECT_EQ(in(0x3C9), 4);
}

TEST_F(Vga, Mode3RunsAt70HertzWith31Kilohertz) {
    mode3();
    const VgaText::Timing t = vga.timing();
    EXPECT_EQ(t.line_pixels, 900u);
    EXPECT_EQ(t.shown_pixels, 720u);
    EXPECT_EQ(t.lines, 449u);
    EXPECT_EQ(t.shown_lines, 400u);
    EXPECT_EQ(t.retrace_first, 412u);
    EXPECT_EQ(t.retrace_lines, 2u);
    EXPECT_NEAR(static_cast<double>(t.pixel_hz) / t.line_pixels, 31469, 1);

    // Count retraces and lines in one second, sampling faster than a line's blanking.
    unsigned retraces = 0;
    unsigned lines = 0;
    std::uint8_t before = in(0x3DA);
    for (board.time = 0ns; board.time < 1s; board.time += 2us) {
        const std::uint8_t status = in(0x3DA);
        retraces += (status & ~before & 0x08) != 0;
        lines += (~status & before & 0x01) != 0;
        EXPECT_TRUE((status & 0x08) == 0 || (status & 0x01) != 0) << "retrace while pixels are shown";
        before = status;
    }
    EXPECT_EQ(retraces, 70u);
    EXPECT_NEAR(lines, 70 * 400, 80);
}

TEST_F(Vga, RetraceComesBeforeAnyModeIsSet) {
    out(0x3C2, 0x01);
    bool on = false;
    bool off = false;
    for (board.time = 0ns; board.time < 20ms; board.time += 10us)
        ((in(0x3DA) & 0x08) != 0 ? on : off) = true;
    EXPECT_TRUE(on && off);
}

TEST_F(Vga, SnapshotOfMode3) {
    mode3();
    put(0, 0, 'A', 0x1E);
    put(79, 24, 'Z', 0x70);
    crtc(0x0E, 0x00);
    crtc(0x0F, 80 * 2 + 5);
    const TextScreen s = snapshot();
    EXPECT_TRUE(s.text_mode);
    EXPECT_FALSE(s.blanked);
    EXPECT_TRUE(s.blink);
    EXPECT_FALSE(s.monochrome);
    EXPECT_EQ(s.columns, 80u);
    EXPECT_EQ(s.rows, 25u);
    EXPECT_EQ(s.cell_height, 16u);
    EXPECT_EQ(s.cell(0, 0), (TextCell{'A', 0x1E}));
    EXPECT_EQ(s.cell(79, 24), (TextCell{'Z', 0x70}));
    EXPECT_EQ(s.cursor, (TextCursor{5, 2, true, 13, 14}));
}

TEST_F(Vga, CursorGoesOffByBitByOrderAndBeyondTheScreen) {
    mode3();
    EXPECT_TRUE(snapshot().cursor.visible);
    crtc(0x0A, 0x2D);
    EXPECT_FALSE(snapshot().cursor.visible);
    crtc(0x0A, 0x0F); // starts below its end
    EXPECT_FALSE(snapshot().cursor.visible);
    crtc(0x0A, 0x0D);
    crtc(0x0E, 0x40);
    EXPECT_FALSE(snapshot().cursor.visible);
}

TEST_F(Vga, RowsFollowCharacterHeightWithAllOverflowBits) {
    mode3();
    struct {
        unsigned height, rows;
    } const cases[] = {{16, 25}, {14, 28}, {8, 50}, {9, 44}};
    for (const auto& c : cases) {
        crtc(9, 0x40 | (c.height - 1));
        EXPECT_EQ(snapshot().rows, c.rows) << c.height;
    }
    crtc(0x11, 0x0E);
    crtc(0x12, 0x57); // 600 lines: bits 8 clear and 9 set
    crtc(0x07, 0x10 | 0x40);
    crtc(9, 0x40 | 7);
    EXPECT_EQ(snapshot().rows, 75u);
    crtc(9, 0xC0 | 7); // double scan
    EXPECT_EQ(snapshot().rows, 37u);
}

TEST_F(Vga, StartAddressPitchAndWindowMoveThePicture) {
    mode3();
    put(0, 3, 'S');
    crtc(0x0D, 3 * 80);
    EXPECT_EQ(snapshot().cell(0, 0).code, 'S');
    crtc(0x0D, 0);
    crtc(0x13, 0x3C); // 120 cells a row
    EXPECT_EQ(snapshot().cell(0, 2).code, 'S');
    crtc(0x13, 0x28);
    crtc(0x0C, 0x3F); // the last page, where the 32 KiB wrap
    crtc(0x0D, 0xB0);
    put(0, 0, 'W');
    EXPECT_EQ(snapshot().cell(0, 1).code, 'W');
    crtc(0x0C, 0);
    crtc(0x0D, 0);
    board.memory[0xB0000] = 'M';
    indexed(0x3CE, 6, 0x0A);
    EXPECT_EQ(snapshot().cell(0, 0).code, 'M');
    indexed(0x3CE, 6, 0x04); // the BIOS loads a font: the picture stays
    EXPECT_EQ(snapshot().cell(0, 0).code, 'M');
}

TEST_F(Vga, CursorIsRelativeToTheStartAddressAndWrapsWithThePicture) {
    mode3();
    const auto start = [this](unsigned cell) {
        crtc(0x0C, cell >> 8);
        crtc(0x0D, cell & 0xFF);
    };
    const auto cursor = [this](unsigned cell) {
        crtc(0x0E, cell >> 8);
        crtc(0x0F, cell & 0xFF);
        const TextCursor c = snapshot().cursor;
        return c.visible ? std::pair(static_cast<int>(c.x), static_cast<int>(c.y)) : std::pair(-1, -1);
    };
    start(10 * 80);
    EXPECT_EQ(cursor(10 * 80), std::pair(0, 0));
    EXPECT_EQ(cursor(12 * 80 + 7), std::pair(7, 2));
    EXPECT_EQ(cursor(9 * 80), std::pair(-1, -1)); // scrolled off the top
    EXPECT_EQ(cursor(35 * 80), std::pair(-1, -1));
    start(0x4000 - 160); // two rows before the end of the window
    EXPECT_EQ(cursor(0x4000 - 1), std::pair(79, 1));
    EXPECT_EQ(cursor(0), std::pair(0, 2));
    EXPECT_EQ(cursor(85), std::pair(5, 3));
    EXPECT_EQ(cursor(23 * 80), std::pair(-1, -1));
}

TEST_F(Vga, LineCompareSplitsTheScreen) {
    mode3();
    put(0, 0, 'T');
    put(0, 10, 'B');
    put(1, 0, 'x');
    crtc(0x0D, 0x20);
    crtc(0x0C, 0x03); // row 10
    const unsigned compare = 5 * 16 - 1;
    crtc(0x18, compare);
    crtc(0x11, 0x0E);
    crtc(0x07, 0x0F);
    crtc(0x09, 0x0F);
    const TextScreen s = snapshot();
    EXPECT_EQ(s.cell(0, 0).code, 'B');
    EXPECT_EQ(s.cell(0, 5).code, 'T');
    EXPECT_EQ(s.cell(1, 5).code, 'x');
    EXPECT_EQ(s.cell(0, 4).code, 0);
}

TEST_F(Vga, PaletteGoesThroughAttributeControllerAndDac) {
    mode3();
    const auto dac = [this](unsigned index, unsigned r, unsigned g, unsigned b) {
        out(0x3C8, index);
        out(0x3C9, r);
        out(0x3C9, g);
        out(0x3C9, b);
    };
    dac(0x14, 0x2A, 0x15, 0x00);
    dac(0x3F, 0x3F, 0x3F, 0x3F);
    EXPECT_EQ(snapshot().palette[6], (Rgb{0xAA, 0x55, 0x00}));
    EXPECT_EQ(snapshot().palette[15], (Rgb{0xFF, 0xFF, 0xFF}));
    // Colour select: bits 2-3 become DAC bits 6-7; with P54S, bits 0-1 replace bits 4-5 of the palette.
    dac(0xD4, 1, 0, 0);
    attribute(0x14, 0x0C);
    EXPECT_EQ(snapshot().palette[6], (Rgb{0x04, 0, 0}));
    dac(0x64, 0, 2, 0);
    attribute(0x14, 0x06);
    attribute(0x10, 0x8C);
    EXPECT_EQ(snapshot().palette[6], (Rgb{0, 0x08, 0}));
    attribute(0x10, 0x04);
    attribute(0x14, 0);
    show();
    EXPECT_FALSE(snapshot().blink);
    attribute(0x12, 0x07); // plane 3 off: colour 14 looks like 6
    EXPECT_EQ(snapshot().palette[14], (Rgb{0xAA, 0x55, 0x00}));
}

TEST_F(Vga, BlankedAndGraphics) {
    EXPECT_TRUE(snapshot().blanked);
    mode3();
    indexed(0x3C4, 1, 0x20);
    EXPECT_TRUE(snapshot().blanked);
    indexed(0x3C4, 1, 0x00);
    in(0x3DA);
    out(0x3C0, 0x00);
    EXPECT_TRUE(snapshot().blanked);
    show();
    EXPECT_FALSE(snapshot().blanked);
    indexed(0x3CE, 6, 0x05);
    EXPECT_FALSE(snapshot().text_mode);
    EXPECT_TRUE(snapshot().cells.empty());
}

} // namespace
} // namespace btvm

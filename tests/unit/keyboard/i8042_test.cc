// The keyboard controller as BIOSes and drivers use it.
#include <gtest/gtest.h>

#include "tests/unit/common/test_board.hh"
#include "userland/devices/i8042.hh"

namespace btvm {
namespace {

using test::TestBoard;
using namespace std::chrono_literals;
using Bytes = std::vector<unsigned>;

class I8042Test : public testing::Test {
protected:
    unsigned status() { return controller.read(0x64, 1); }
    void command(unsigned byte) { controller.write(0x64, 1, byte); }
    void data(unsigned byte) { controller.write(0x60, 1, byte); }
    unsigned take() { return controller.read(0x60, 1); }
    void wait(GuestTime by) { board.advance(controller, by); }
    /// Reads like an interrupt handler: whenever the output buffer is full.
    Bytes listen(GuestTime by) {
        Bytes bytes;
        const GuestTime end = board.time + by;
        while (board.time < end) {
            if ((status() & 1) != 0) bytes.push_back(take());
            wait(200us);
        }
        return bytes;
    }
    Bytes answer(unsigned byte) {
        data(byte);
        return listen(20ms);
    }
    /// As a BIOS leaves it: both interrupts wanted, translation on.
    void bios_setup() {
        command(0xAA);
        EXPECT_EQ(take(), 0x55u);
        command(0x60);
        data(0x45);
        wait(1s);
    }
    void type(std::u32string_view text) {
        for (const char32_t c : text)
            EXPECT_TRUE(controller.enqueue(keys_for_text(c)));
    }

    TestBoard board;
    I8042 controller{board};
};

TEST_F(I8042Test, BochsBiosInitialisation) {
    // What the Bochs BIOS does, in its order.
    while ((status() & 1) != 0)
        take();
    command(0xAA);
    EXPECT_EQ(status() & 3, 1u);
    EXPECT_EQ(take(), 0x55u);
    EXPECT_NE(status() & 4, 0u);
    command(0xAB);
    EXPECT_EQ(take(), 0x00u);
    command(0xAE);
    command(0xA8);
    EXPECT_EQ(answer(0xFF), (Bytes{0xFA, 0xAA}));
    EXPECT_EQ(answer(0xF5), Bytes{0xFA});
    command(0x60);
    data(0x61);
    EXPECT_EQ(answer(0xF4), Bytes{0xFA});
    command(0x20);
    EXPECT_EQ(take(), 0x61u);
}

/// The BIOS data area of a machine whose BIOS has `waiting` keys.
void bios_buffer(test::TestBoard& board, unsigned waiting) {
    const auto word = [&board](unsigned at, unsigned value) {
        board.memory[at] = static_cast<std::uint8_t>(value);
        board.memory[at + 1] = static_cast<std::uint8_t>(value >> 8);
    };
    word(0x480, 0x1e);
    word(0x482, 0x3e);
    word(0x41a, 0x3a); // the keys wrap round the end
    word(0x41c, waiting < 2 ? 0x3a + 2 * waiting : 0x1e + 2 * (waiting - 2));
}

TEST_F(I8042Test, TypingWaitsForRoomInTheBiosBuffer) {
    bios_setup();
    bios_buffer(board, 3);
    type(U"a");
    EXPECT_EQ(listen(100ms), (Bytes{0x1e, 0x9e}));
    bios_buffer(board, 4);
    type(U"b");
    EXPECT_EQ(listen(500ms), Bytes{});
    bios_buffer(board, 3);
    EXPECT_EQ(listen(100ms), (Bytes{0x30, 0xb0}));
}

TEST_F(I8042Test, ABiosBufferThatNobodyReadsDelaysOneKeyOnly) {
    bios_setup();
    type(U"a");
    EXPECT_EQ(listen(100ms), (Bytes{0x1e, 0x9e}));
    bios_buffer(board, 9);
    type(U"bc");
    EXPECT_EQ(listen(800ms), Bytes{});
    EXPECT_EQ(listen(300ms), (Bytes{0x30, 0xb0, 0x2e, 0xae}));
    bios_buffer(board, 8);
    type(U"d");
    EXPECT_EQ(listen(500ms), Bytes{}) << "now somebody reads";
}

TEST_F(I8042Test, RamReadsBackAndTheFirstByteRules) {
    for (unsigned i = 1; i < 0x20; ++i) {
        command(0x60 + i);
        data(0xA0 ^ i);
    }
    for (unsigned i = 1; i < 0x20; ++i) {
        command(0x20 + i);
        EXPECT_EQ(take(), 0xA0 ^ i);
    }
    command(0x60);
    data(0x00);
    EXPECT_EQ(status() & 4, 0u);
    command(0xA7);
    command(0xAD);
    command(0x20);
    EXPECT_EQ(take(), 0x30u);
    command(0xA8);
    command(0xAE);
    command(0x20);
    EXPECT_EQ(take(), 0x00u);
}

TEST_F(I8042Test, StatusTellsCommandFromData) {
    command(0xAE);
    EXPECT_NE(status() & 8, 0u);
    data(0xF4);
    EXPECT_EQ(status() & 8, 0u);
    EXPECT_NE(status() & 0x10, 0u);
}

TEST_F(I8042Test, TranslatedStrokeRaisesIrq1ForEachByte) {
    bios_setup();
    controller.press(Key::Up);
    controller.release(Key::Up);
    const unsigned before = board.rises[1];
    EXPECT_EQ(listen(100ms), (Bytes{0xE0, 0x48, 0xE0, 0xC8}));
    EXPECT_EQ(board.rises[1] - before, 4u);
    EXPECT_FALSE(board.lines[1]);
}

TEST_F(I8042Test, UntranslatedStrokeAndPauseInBothWorlds) {
    bios_setup();
    type(U"a");
    EXPECT_EQ(listen(50ms), (Bytes{0x1E, 0x9E}));
    controller.press(Key::Pause);
    controller.release(Key::Pause);
    EXPECT_EQ(listen(50ms), (Bytes{0xE1, 0x1D, 0x45, 0xE1, 0x9D, 0xC5}));
    controller.press(Key::F7);
    controller.release(Key::F7);
    EXPECT_EQ(listen(50ms), (Bytes{0x41, 0xC1}));
    command(0x60);
    data(0x05);
    type(U"a");
    EXPECT_EQ(listen(50ms), (Bytes{0x1C, 0xF0, 0x1C}));
    EXPECT_EQ(answer(0xF2), (Bytes{0xFA, 0xAB, 0x83}));
    command(0x60);
    data(0x45);
    EXPECT_EQ(answer(0xF2), (Bytes{0xFA, 0xAB, 0x41}));
}

TEST_F(I8042Test, ByteStaysReadableUntilTheNextComes) {
    bios_setup();
    controller.press(Key::Up);
    wait(10ms);
    EXPECT_EQ(take(), 0xE0u);
    EXPECT_EQ(status() & 1, 0u);
    wait(500us);
    EXPECT_EQ(status() & 1, 0u); // eleven bits are on their way
    EXPECT_EQ(take(), 0xE0u);    // a chained handler reads again
    wait(500us);
    EXPECT_EQ(status() & 1, 1u);
    EXPECT_EQ(take(), 0x48u);
}

TEST_F(I8042Test, InterruptOnlyIfEnabled) {
    bios_setup();
    command(0x60);
    data(0x44);
    controller.press(Key::A);
    wait(20ms);
    EXPECT_EQ(status() & 1, 1u);
    EXPECT_FALSE(board.lines[1]);
    command(0x60);
    data(0x45);
    EXPECT_TRUE(board.lines[1]);
    take();
    EXPECT_FALSE(board.lines[1]);
}

TEST_F(I8042Test, DisabledKeyboardHoldsItsBytes) {
    bios_setup();
    command(0xAD);
    controller.press(Key::A);
    EXPECT_TRUE(listen(50ms).empty());
    command(0x20);
    EXPECT_EQ(take(), 0x55u); // disabled, translated, system flag, interrupt
    command(0xAE);
    EXPECT_EQ(listen(50ms), Bytes{0x1E});
    command(0xAD);
    EXPECT_EQ(answer(0xEE), Bytes{0xEE}); // sending turns it on again
}

TEST_F(I8042Test, OutputPortGatesA20AndResets) {
    command(0xD1);
    data(0xDF);
    EXPECT_TRUE(board.a20_gate);
    command(0xD0);
    EXPECT_EQ(take() & 3, 3u);
    command(0xD1);
    data(0xDD);
    EXPECT_FALSE(board.a20_gate);
    command(0xD0);
    EXPECT_EQ(take() & 3, 1u);
    command(0xDF);
    EXPECT_TRUE(board.a20_gate);
    command(0xDD);
    EXPECT_FALSE(board.a20_gate);
    command(0xFF); // pulses nothing
    EXPECT_EQ(board.resets, 0u);
    command(0xFE);
    EXPECT_EQ(board.resets, 1u);
    command(0xF0);
    EXPECT_EQ(board.resets, 2u);
    command(0xD1);
    data(0x02);
    EXPECT_EQ(board.resets, 3u);
}

TEST_F(I8042Test, LoopbackCommandsAndPorts) {
    bios_setup();
    command(0xD2);
    data(0x5A);
    EXPECT_EQ(status() & 0x21, 0x01u);
    EXPECT_TRUE(board.lines[1]);
    EXPECT_EQ(take(), 0x5Au);
    command(0xD3);
    data(0xA5);
    EXPECT_EQ(status() & 0x21, 0x21u);
    EXPECT_FALSE(board.lines[1]);
    EXPECT_EQ(take(), 0xA5u);
    EXPECT_EQ(status() & 0x21, 0u);
    command(0xC0);
    EXPECT_NE(take() & 0x80, 0u);
    command(0xE0);
    EXPECT_EQ(take(), 3u);
    command(0xA4);
    EXPECT_EQ(take(), 0xF1u);
}

TEST_F(I8042Test, NothingIsPluggedIntoTheAuxPort) {
    command(0xA9);
    EXPECT_NE(take(), 0u);
    command(0x60);
    data(0x47);
    command(0xD4);
    data(0xFF);
    EXPECT_EQ(status() & 1, 0u);
    wait(20ms);
    EXPECT_EQ(status() & 0x61, 0x61u); // time-out, from aux
    EXPECT_TRUE(board.lines[12]);
    EXPECT_EQ(take(), 0xFEu);
    EXPECT_FALSE(board.lines[12]);
    EXPECT_EQ(status() & 0x61, 0u);
}

TEST_F(I8042Test, TypedTextIsNeverLostHoweverSlowTheGuest) {
    bios_setup();
    type(U"Hello");
    Bytes bytes;
    for (unsigned i = 0; i < 50; ++i) {
        wait(700ms); // longer than the typematic delay
        if ((status() & 1) != 0) bytes.push_back(take());
    }
    EXPECT_EQ(bytes, (Bytes{0x2A, 0x23, 0xA3, 0xAA, 0x12, 0x92, 0x26, 0xA6, 0x26, 0xA6, 0x18, 0x98}));
}

TEST_F(I8042Test, StrokesKeepTheirDistance) {
    bios_setup();
    type(U"ab");
    std::vector<GuestTime> times;
    while (times.size() < 4) {
        if ((status() & 1) != 0) {
            take();
            times.push_back(board.time);
        }
        wait(100us);
    }
    for (unsigned i = 1; i < 4; ++i)
        EXPECT_GE(times[i] - times[i - 1], 5ms);
    EXPECT_LE(times[3] - times[0], 30ms);
}

TEST_F(I8042Test, QueueWaitsForSetUpAndForTheKeyboard) {
    type(U"a");
    command(0xAE);
    EXPECT_EQ(answer(0xFF), (Bytes{0xFA, 0xAA})); // the BIOS gets its answers and no stroke
    EXPECT_TRUE(listen(50ms).empty());
    command(0x60);
    data(0x45);
    EXPECT_EQ(answer(0xF5), Bytes{0xFA});
    EXPECT_TRUE(listen(1s).empty()); // scanning is off
    EXPECT_EQ(answer(0xF4), (Bytes{0xFA, 0x1E, 0x9E}));
    EXPECT_EQ(controller.queued(), 0u);
}

TEST_F(I8042Test, HeldKeyRepeatsTypedKeyDoesNot) {
    bios_setup();
    controller.press(Key::A);
    EXPECT_GT(listen(1s).size(), 4u);
    controller.release(Key::A);
    EXPECT_EQ(listen(1s).back(), 0x9Eu);
    type(U"b");
    EXPECT_EQ(listen(1s), (Bytes{0x30, 0xB0}));
}

TEST_F(I8042Test, QueueIsBoundedAndAllOrNothing) {
    const std::vector<KeyEvent> most(I8042::kQueueLimit - 1, KeyEvent{Key::A, true});
    EXPECT_TRUE(controller.enqueue(most));
    EXPECT_FALSE(controller.enqueue(keys_for_text(U'x')));
    EXPECT_TRUE(controller.press(Key::B));
    EXPECT_FALSE(controller.press(Key::B));
    controller.clear_queue();
    EXPECT_EQ(controller.queued(), 0u);
}

TEST_F(I8042Test, ResetForgetsEverything) {
    bios_setup();
    data(0xED);
    listen(10ms);
    data(0x07);
    listen(10ms);
    EXPECT_EQ(controller.leds(), 7);
    controller.press(Key::A);
    wait(20ms);
    EXPECT_TRUE(board.lines[1]);
    controller.reset();
    EXPECT_FALSE(board.lines[1]);
    EXPECT_EQ(controller.leds(), 0);
    EXPECT_EQ(status(), 0x10u);
    EXPECT_TRUE(listen(1s).empty());
}

} // namespace
} // namespace btvm

// The UART against the PC16550D data sheet: registers, timing, FIFO levels, interrupts by priority, loopback.
#include <deque>
#include <gtest/gtest.h>

#include "tests/unit/common/test_board.hh"
#include "userland/devices/serial.hh"

namespace btvm {
namespace {

using test::TestBoard;
using namespace std::chrono_literals;

/// The far end of the cable, in the test's hands. It outlives the device.
struct Cable {
    std::string sent;
    std::deque<std::uint8_t> waiting;
    bool plugged{true};
};

class CableBackend final : public SerialBackend {
public:
    explicit CableBackend(Cable& cable) : cable_(cable) {}
    void send(std::uint8_t byte) override { cable_.sent.push_back(static_cast<char>(byte)); }
    std::optional<std::uint8_t> receive() override {
        if (cable_.waiting.empty()) return std::nullopt;
        const std::uint8_t byte = cable_.waiting.front();
        cable_.waiting.pop_front();
        return byte;
    }
    [[nodiscard]] bool can_receive() const override { return true; }
    [[nodiscard]] bool connected() override { return cable_.plugged; }

private:
    Cable& cable_;
};

class SerialTest : public testing::Test {
protected:
    unsigned in(unsigned reg) { return uart.read(static_cast<std::uint16_t>(0x3F8 + reg), 1); }
    void out(unsigned reg, unsigned value) { uart.write(static_cast<std::uint16_t>(0x3F8 + reg), 1, value); }
    void wait(GuestTime by) { board.advance(uart, by); }
    void line(unsigned divisor, unsigned control) {
        out(3, 0x80);
        out(0, divisor & 0xFF);
        out(1, divisor >> 8);
        out(3, control);
    }
    void arrive(std::string_view text) {
        cable.waiting.insert(cable.waiting.end(), text.begin(), text.end());
    }
    unsigned interrupt() { return in(2) & 0x0F; }

    TestBoard board;
    Cable cable;
    Serial uart{board, 0, kSerialLocations[0], std::make_unique<CableBackend>(cable)};
    static constexpr GuestTime kChar = GuestTime(86805); // 10 bits at 115200
};

TEST_F(SerialTest, RegistersReadBackTheBitsThatExist) {
    out(1, 0xFF);
    EXPECT_EQ(in(1), 0x0Fu);
    out(4, 0xFF);
    EXPECT_EQ(in(4), 0x1Fu);
    out(7, 0xA5);
    EXPECT_EQ(in(7), 0xA5u);
    line(0x1234, 0x1B);
    EXPECT_EQ(in(3), 0x1Bu);
    EXPECT_EQ(in(1), 0x0Fu);
    out(3, 0x80);
    EXPECT_EQ(in(0), 0x34u);
    EXPECT_EQ(in(1), 0x12u);
    EXPECT_EQ(in(5), 0x60u);
}

TEST_F(SerialTest, WhatTheTransmitterHoldsLeavesWhenTimeStops) {
    line(1, 0x03);
    out(2, 0x01);
    for (const char c : {'a', 'b', 'c'})
        out(0, static_cast<unsigned char>(c));
    EXPECT_EQ(cable.sent, "");
    uart.drain();
    EXPECT_EQ(cable.sent, "abc");
    EXPECT_EQ(in(5), 0x60u);
    out(4, 0x10); // loopback: nothing leaves
    out(0, 'd');
    uart.drain();
    EXPECT_EQ(cable.sent, "abc");
}

TEST_F(SerialTest, DriversTellA16550A) {
    EXPECT_EQ(in(2), 0x01u);
    out(2, 0x01);
    EXPECT_EQ(in(2), 0xC1u);
    out(2, 0x00);
    EXPECT_EQ(in(2), 0x01u);
}

TEST_F(SerialTest, CharacterTimeFollowsFormatAndDivisor) {
    line(1, 0x03);
    EXPECT_EQ(uart.character_time(), kChar);
    line(12, 0x03);
    EXPECT_NEAR(static_cast<double>(uart.character_time().count()), 10e9 / 9600, 2);
    line(12, 0x1F); // 8 data, even parity, 2 stop
    EXPECT_NEAR(static_cast<double>(uart.character_time().count()), 12e9 / 9600, 2);
    line(12, 0x04); // 5 data, 1.5 stop
    EXPECT_NEAR(static_cast<double>(uart.character_time().count()), 7.5e9 / 9600, 2);
    line(0, 0x03);
    EXPECT_GT(uart.character_time(), 5s);
}

TEST_F(SerialTest, SendsThroughHoldingAndShiftRegister) {
    line(1, 0x03);
    out(0, 'a');
    EXPECT_EQ(in(5) & 0x60, 0x20u); // straight to the shift register
    out(0, 'b');
    EXPECT_EQ(in(5) & 0x60, 0x00u);
    wait(kChar);
    EXPECT_EQ(cable.sent, "a");
    EXPECT_EQ(in(5) & 0x60, 0x20u);
    wait(kChar);
    EXPECT_EQ(cable.sent, "ab");
    EXPECT_EQ(in(5) & 0x60, 0x60u);
}

TEST_F(SerialTest, WhoDoesNotWaitForTheTransmitterLosesNothing) {
    line(1, 0x03);
    std::string text;
    for (unsigned i = 0; i < 100; i++) {
        if (i == 50) {
            EXPECT_EQ(cable.sent, text.substr(0, 48)); // the other two are on their way
            out(2, 0x01);                              // the FIFO from now on
        }
        text += static_cast<char>(' ' + i % 64);
        out(0, static_cast<std::uint8_t>(text.back()));
    }
    wait(20 * kChar);
    // Turning the FIFO on clears it, and the holding register with it.
    EXPECT_EQ(cable.sent, text.substr(0, 49) + text.substr(50));
    EXPECT_EQ(in(5) & 0x60, 0x60u);
}

TEST_F(SerialTest, FifoTakesSixteenAndSendsThemAtLineSpeed) {
    line(1, 0x03);
    out(2, 0x01);
    const std::string text = "0123456789abcdefg"; // one goes on to the shift register at once
    for (const char c : text)
        out(0, static_cast<std::uint8_t>(c));
    EXPECT_EQ(in(5) & 0x60, 0x00u);
    wait(16 * kChar);
    EXPECT_EQ(in(5) & 0x60, 0x20u);
    EXPECT_EQ(cable.sent, text.substr(0, 16));
    wait(kChar);
    EXPECT_EQ(cable.sent, text);
    EXPECT_EQ(in(5) & 0x60, 0x60u);
    for (unsigned i = 0; i < 3; ++i)
        out(0, 'x');
    out(2, 0x05); // transmit FIFO reset: the one being shifted goes out
    wait(5 * kChar);
    EXPECT_EQ(cable.sent, text + "x");
}

TEST_F(SerialTest, ReceivesWithoutFifo) {
    line(1, 0x03);
    out(4, 0x08);
    out(1, 0x01);
    arrive("hi");
    wait(6ms);
    EXPECT_TRUE(board.lines[4]);
    EXPECT_EQ(interrupt(), 0x04u);
    EXPECT_EQ(in(5) & 0x1F, 0x01u); // no overrun: the second byte waits at the host
    EXPECT_EQ(in(0), static_cast<unsigned>('h'));
    EXPECT_FALSE(board.lines[4]);
    wait(6ms);
    EXPECT_EQ(in(0), static_cast<unsigned>('i'));
    EXPECT_EQ(in(5) & 0x01, 0u);
    EXPECT_EQ(in(0), static_cast<unsigned>('i')); // empty: the last one stays
}

TEST_F(SerialTest, FifoTriggerLevels) {
    line(1, 0x03);
    out(4, 0x08);
    out(1, 0x01);
    struct {
        unsigned control, level;
    } const cases[] = {{0x07, 1}, {0x47, 4}, {0x87, 8}, {0xC7, 14}};
    for (const auto& c : cases) {
        out(2, c.control);
        arrive(std::string(c.level, 'x'));
        unsigned arrived = 0;
        for (unsigned i = 0; i < 200 && (in(2) & 0x0F) != 0x04; ++i)
            wait(kChar / 2);
        EXPECT_EQ(interrupt(), 0x04u) << c.level;
        while ((in(5) & 1) != 0) {
            in(0);
            ++arrived;
            if (arrived == 1) {
                EXPECT_NE(in(2) & 0x0F, 0x04u) << "below the trigger";
            }
        }
        EXPECT_EQ(arrived, c.level);
    }
}

TEST_F(SerialTest, CharactersBelowTheTriggerTimeOutAfterFour) {
    line(1, 0x03);
    out(4, 0x08);
    out(1, 0x01);
    out(2, 0xC7);
    arrive("abc");
    wait(5ms + 2 * kChar);
    // All three have come; four character times of silence follow.
    EXPECT_FALSE(board.lines[4]);
    wait(3 * kChar);
    EXPECT_FALSE(board.lines[4]);
    wait(2 * kChar);
    EXPECT_TRUE(board.lines[4]);
    EXPECT_EQ(interrupt(), 0x0Cu);
    in(0);
    EXPECT_FALSE(board.lines[4]);
    wait(5 * kChar);
    EXPECT_TRUE(board.lines[4]);
    in(0);
    in(0);
    EXPECT_EQ(interrupt(), 0x01u);
    wait(1s);
    EXPECT_FALSE(board.lines[4]);
}

TEST_F(SerialTest, FullFifoLeavesBytesAtTheHost) {
    line(1, 0x03);
    out(2, 0x07);
    std::string text;
    for (unsigned i = 0; i < 64; ++i)
        text.push_back(static_cast<char>('0' + i));
    arrive(text);
    std::string got;
    for (unsigned i = 0; i < 100'000 && got.size() < text.size(); ++i) {
        wait(kChar);
        in(5);
        if (i % 40 == 0)
            while ((in(5) & 1) != 0)
                got.push_back(static_cast<char>(in(0)));
    }
    EXPECT_EQ(got, text);
    EXPECT_EQ(in(5) & 0x1E, 0u);
}

TEST_F(SerialTest, TransmitterInterruptEdges) {
    line(1, 0x03);
    out(4, 0x08);
    out(1, 0x02); // empty when enabled: at once
    EXPECT_TRUE(board.lines[4]);
    EXPECT_EQ(interrupt(), 0x02u);
    EXPECT_FALSE(board.lines[4]); // reading the identification clears it
    EXPECT_EQ(interrupt(), 0x01u);
    out(1, 0x02);
    EXPECT_FALSE(board.lines[4]); // enabled already
    out(0, 'a');
    EXPECT_TRUE(board.lines[4]); // holding register empty again
    out(0, 'b');
    EXPECT_FALSE(board.lines[4]);
    wait(kChar);
    EXPECT_TRUE(board.lines[4]);
    EXPECT_EQ(interrupt(), 0x02u);
}

TEST_F(SerialTest, PriorityOfInterrupts) {
    line(1, 0x03);
    out(4, 0x18); // loopback, to make errors
    out(1, 0x0F);
    out(3, 0x43); // break: line status, and its character
    out(4, 0x1A); // RTS moves CTS: modem status
    EXPECT_EQ(interrupt(), 0x06u);
    EXPECT_EQ(in(5) & 0x11, 0x11u);
    EXPECT_EQ(interrupt(), 0x04u);
    EXPECT_EQ(in(0), 0u);
    EXPECT_EQ(interrupt(), 0x02u);
    EXPECT_EQ(interrupt(), 0x00u);
    EXPECT_EQ(in(6) & 0x11, 0x11u);
    EXPECT_EQ(interrupt(), 0x01u);
}

TEST_F(SerialTest, TheInterruptNeedsNoOut2AndLoopbackTakesItOff) {
    EXPECT_FALSE(board.lines[4]);
    out(1, 0x02);
    EXPECT_TRUE(board.lines[4]);
    out(4, 0x18);
    EXPECT_FALSE(board.lines[4]);
    out(4, 0x00);
    EXPECT_TRUE(board.lines[4]);
    uart.reset();
    EXPECT_FALSE(board.lines[4]);
}

TEST_F(SerialTest, LoopbackOfDataAndModemLines) {
    line(1, 0x03);
    out(4, 0x10);
    in(6);
    EXPECT_EQ(in(6), 0x00u);
    struct {
        unsigned control, status;
    } const lines[] = {{0x11, 0x22}, {0x12, 0x13}, {0x14, 0x41}, {0x10, 0x04}, {0x18, 0x88}, {0x10, 0x08}};
    for (const auto& l : lines) {
        out(4, l.control);
        EXPECT_EQ(in(6) & 0xFF, l.status | (l.control == 0x12 ? 0x02u : 0u)) << l.control;
    }
    out(0, 'L');
    EXPECT_EQ(in(5) & 1, 0u);
    wait(kChar);
    EXPECT_EQ(in(0), static_cast<unsigned>('L'));
    EXPECT_EQ(cable.sent, "");
}

TEST_F(SerialTest, OverrunInLoopback) {
    line(1, 0x03);
    out(4, 0x10);
    out(0, 'a');
    wait(kChar);
    out(0, 'b');
    wait(kChar);
    EXPECT_EQ(in(5) & 0x03, 0x03u);
    EXPECT_EQ(in(5) & 0x03, 0x01u);               // reading cleared it
    EXPECT_EQ(in(0), static_cast<unsigned>('b')); // without FIFO the new one wins
    out(2, 0x01);
    for (unsigned i = 0; i < 18; ++i) {
        out(0, 'A' + i);
        wait(kChar);
    }
    EXPECT_EQ(in(5) & 0x03, 0x03u);
    for (unsigned i = 0; i < 16; ++i)
        EXPECT_EQ(in(0), 'A' + i); // with FIFO the old ones
    EXPECT_EQ(in(5) & 0x01, 0x00u);
}

TEST_F(SerialTest, BreakInTheFifoShowsWhenItComesToTheTop) {
    line(1, 0x03);
    out(2, 0x07);
    out(4, 0x10);
    out(0, 'a');
    wait(kChar);
    out(3, 0x43);
    EXPECT_EQ(in(5) & 0x91, 0x81u); // an error somewhere in the FIFO
    EXPECT_EQ(in(0), static_cast<unsigned>('a'));
    EXPECT_EQ(in(5) & 0x91, 0x91u);
    EXPECT_EQ(in(5) & 0x91, 0x01u);
}

TEST_F(SerialTest, ModemStatusFollowsTheCable) {
    EXPECT_EQ(in(6) & 0xF0, 0xB0u);
    out(4, 0x08);
    out(1, 0x08);
    in(6);
    cable.plugged = false;
    wait(10ms);
    EXPECT_TRUE(board.lines[4]);
    EXPECT_EQ(in(6), 0x0Bu);
    EXPECT_EQ(in(6), 0x00u);
    EXPECT_FALSE(board.lines[4]);
}

TEST_F(SerialTest, NobodyIsWokenForAPortThatWaitsForNothing) {
    EXPECT_FALSE(uart.deadline());
    out(1, 0x02);
    EXPECT_FALSE(uart.deadline());
    Serial silent(board, 1, kSerialLocations[1], make_serial_backend("null"));
    silent.write(0x2F9, 1, 0x0F);
    EXPECT_FALSE(silent.deadline());
}

TEST_F(SerialTest, FourPortsAtTheirPlaces) {
    EXPECT_EQ(uart.ports()[0].first, 0x3F8);
    EXPECT_EQ(uart.name(), "serial0");
    Serial fourth(board, 3, kSerialLocations[3], make_serial_backend("null"));
    EXPECT_EQ(fourth.ports()[0].first, 0x2E8);
    fourth.write(0x2EF, 1, 0x77);
    EXPECT_EQ(fourth.read(0x2EF, 1), 0x77u);
    EXPECT_EQ(fourth.read(0x2EE, 1) & 0xF0, 0u); // nothing plugged in
}

} // namespace
} // namespace btvm

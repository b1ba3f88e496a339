#include <gtest/gtest.h>

#include "tests/unit/common/test_board.hh"
#include "userland/devices/state.hh"
#include "userland/devices/system_ports.hh"

namespace btvm {
namespace {

using test::TestBoard;

TEST(SystemPorts, Port92hGatesA20) {
    TestBoard board;
    SystemPorts ports(board);
    ports.write(0x92, 1, 0x02);
    EXPECT_TRUE(board.a20_gate);
    EXPECT_EQ(ports.read(0x92, 1), 0x02u);
    board.a20_gate = false; // by the keyboard controller
    EXPECT_EQ(ports.read(0x92, 1), 0x00u);
    ports.write(0x92, 1, 0xFC);
    EXPECT_FALSE(board.a20_gate);
    EXPECT_EQ(ports.read(0x92, 1), 0xFCu);
    EXPECT_EQ(board.resets, 0u);
}

TEST(SystemPorts, Port92hBit0ResetsOnItsRise) {
    TestBoard board;
    SystemPorts ports(board);
    ports.write(0x92, 1, 0x03);
    EXPECT_EQ(board.resets, 1u);
    ports.write(0x92, 1, 0x03);
    EXPECT_EQ(board.resets, 1u);
    ports.write(0x92, 1, 0x02);
    ports.write(0x92, 1, 0x03);
    EXPECT_EQ(board.resets, 2u);
    ports.reset();
    EXPECT_EQ(ports.read(0x92, 1) & 1, 0u);
}

class DebugConsoleTest : public testing::Test {
protected:
    DebugConsoleTest() {
        console.on_line([this](DebugConsole::Channel channel, std::string_view line) {
            lines.emplace_back(channel, std::string(line));
        });
    }
    void print(std::uint16_t port, std::string_view text) {
        for (const char c : text)
            console.write(port, 1, static_cast<std::uint8_t>(c));
    }
    TestBoard board;
    DebugConsole console{board};
    std::vector<std::pair<DebugConsole::Channel, std::string>> lines;
};

TEST_F(DebugConsoleTest, GathersLinesByPort) {
    using Channel = DebugConsole::Channel;
    print(0x402, "Bochs ");
    print(0x500, "VGABios\r\n");
    print(0x402, "BIOS\n\n");
    print(0x403, "debug\n");
    print(0x503, "vga debug\n");
    const std::vector<std::pair<Channel, std::string>> expected = {{Channel::VgaInfo, "VGABios"},
                                                                   {Channel::BiosInfo, "Bochs BIOS"},
                                                                   {Channel::BiosDebug, "debug"},
                                                                   {Channel::VgaDebug, "vga debug"}};
    EXPECT_EQ(lines, expected);
}

TEST_F(DebugConsoleTest, PanicsComeWithTheirSourceLine) {
    print(0x402, "half a line");
    EXPECT_TRUE(console.takes_words(0x400));
    console.write(0x400, 2, 1234);
    ASSERT_EQ(lines.size(), 2u);
    EXPECT_EQ(lines[0].second, "half a line");
    EXPECT_EQ(lines[1].second, "panic at line 1234");
}

TEST_F(DebugConsoleTest, EndlessLineIsCut) {
    print(0x402, std::string(100'000, 'x'));
    ASSERT_GT(lines.size(), 10u);
    EXPECT_LE(lines[0].second.size(), 512u);
}

TEST_F(DebugConsoleTest, AnswersTheProbeOnlyIfAsked) {
    EXPECT_EQ(console.read(0x402, 1), 0xFFu);
    EXPECT_EQ(DebugConsole(board, true).read(0x402, 1), 0xE9u);
}

TEST_F(DebugConsoleTest, SavesHalfALine) {
    print(0x402, "half ");
    DebugConsole other(board);
    std::string line;
    other.on_line([&](DebugConsole::Channel, std::string_view l) { line = l; });
    load_state(other, save_state(console));
    other.write(0x402, 1, 'a');
    other.write(0x402, 1, '\n');
    EXPECT_EQ(line, "half a");
}

} // namespace
} // namespace btvm

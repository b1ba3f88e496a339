// The 8237A pair as the AT wires it.
#include <gtest/gtest.h>
#include <numeric>

#include "fake_platform.hh"
#include "userland/devices/dma.hh"

namespace btvm {
namespace {

struct DmaTest : testing::Test {
    FakePlatform platform;
    Dma dma{platform};
    std::vector<std::uint8_t> data = std::vector<std::uint8_t>(1024);

    DmaTest() {
        dma.reset();
        out(0xd6, 0xc0);
        out(0xd4, 0x00);
        std::iota(data.begin(), data.end(), std::uint8_t{1});
    }
    void out(std::uint16_t port, unsigned value) { dma.write(port, 1, value); }
    std::uint8_t in(std::uint16_t port) { return static_cast<std::uint8_t>(dma.read(port, 1)); }
    void program(unsigned channel, unsigned mode, unsigned address, unsigned count) {
        out(0x0c, 0);
        out(0x0b, mode | channel);
        const auto base = static_cast<std::uint16_t>(channel * 2);
        out(base, address & 0xff);
        out(base, address >> 8);
        out(base + 1, count & 0xff);
        out(base + 1, count >> 8);
        out(0x0a, channel);
    }
    unsigned pair(std::uint16_t port) {
        const unsigned low = in(port);
        return low | static_cast<unsigned>(in(port)) << 8;
    }
};

TEST_F(DmaTest, MovesToMemoryAndCounts) {
    program(2, 0x44, 0x1234, 99);
    out(0x81, 0x03);
    const auto first = dma.to_memory(2, std::span(data).first(60));
    EXPECT_EQ(first.bytes, 60u);
    EXPECT_FALSE(first.terminal_count);
    EXPECT_EQ(pair(0x04), 0x1234u + 60);
    EXPECT_EQ(pair(0x05), 39u);
    EXPECT_EQ(in(0x08), 0);
    const auto second = dma.to_memory(2, std::span(data).subspan(60));
    EXPECT_EQ(second.bytes, 40u);
    EXPECT_TRUE(second.terminal_count);
    EXPECT_TRUE(std::equal(data.begin(), data.begin() + 100, platform.memory.begin() + 0x31234));
    EXPECT_EQ(platform.memory[0x31234 + 100], 0);
    EXPECT_EQ(pair(0x05), 0xffffu);
    EXPECT_EQ(in(0x08), 0x04);
    EXPECT_EQ(in(0x08), 0x00); // read clears
    EXPECT_EQ(in(0x0f), 0xff); // masked by the terminal count
    EXPECT_EQ(dma.to_memory(2, data).bytes, 0u);
}

TEST_F(DmaTest, AutoinitialiseReloads) {
    program(1, 0x58, 0x0100, 9);
    std::copy_n(data.begin(), 10, platform.memory.begin() + 0x100);
    std::vector<std::uint8_t> got(10);
    for (int i = 0; i < 3; i++) {
        const auto t = dma.from_memory(1, got);
        EXPECT_EQ(t.bytes, 10u);
        EXPECT_TRUE(t.terminal_count);
        EXPECT_TRUE(std::equal(got.begin(), got.end(), data.begin()));
        EXPECT_EQ(pair(0x02), 0x0100u);
        EXPECT_EQ(pair(0x03), 9u);
    }
}

TEST_F(DmaTest, AddressWrapsWithinItsPage) {
    program(3, 0x44, 0xfffe, 0xffff);
    out(0x82, 0x05);
    EXPECT_EQ(dma.to_memory(3, std::span(data).first(4)).bytes, 4u);
    EXPECT_EQ(platform.memory[0x5fffe], 1);
    EXPECT_EQ(platform.memory[0x5ffff], 2);
    EXPECT_EQ(platform.memory[0x50000], 3);
    EXPECT_EQ(platform.memory[0x60000], 0);
}

TEST_F(DmaTest, Downwards) {
    program(2, 0x64, 0x2003, 3);
    const auto t = dma.to_memory(2, std::span(data).first(8));
    EXPECT_EQ(t.bytes, 4u);
    EXPECT_TRUE(t.terminal_count);
    EXPECT_EQ(platform.memory[0x2003], 1);
    EXPECT_EQ(platform.memory[0x2000], 4);
}

TEST_F(DmaTest, VerifyAndWrongDirectionTouchNoMemory) {
    program(2, 0x40, 0x3000, 511);
    EXPECT_TRUE(dma.to_memory(2, std::span(data).first(512)).terminal_count);
    EXPECT_EQ(platform.memory[0x3000], 0);
    program(2, 0x48, 0x3000, 511);
    EXPECT_EQ(dma.to_memory(2, std::span(data).first(512)).bytes, 512u);
    EXPECT_EQ(platform.memory[0x3000], 0);
    program(2, 0x44, 0x3000, 511);
    std::vector<std::uint8_t> got(4);
    EXPECT_EQ(dma.from_memory(2, got).bytes, 4u);
    EXPECT_EQ(got, std::vector<std::uint8_t>(4, 0xff));
}

TEST_F(DmaTest, SixteenBitChannelsMoveWords) {
    out(0xd8, 0);
    out(0xd6, 0x45); // channel 5, to memory
    out(0xc4, 0x00);
    out(0xc4, 0x40);
    out(0xc6, 3);
    out(0xc6, 0);
    out(0x8b, 0x03); // the low bit is not wired: page 2
    out(0xd4, 1);
    const auto t = dma.to_memory(5, std::span(data).first(9));
    EXPECT_EQ(t.bytes, 8u);
    EXPECT_TRUE(t.terminal_count);
    EXPECT_TRUE(std::equal(data.begin(), data.begin() + 8, platform.memory.begin() + 0x28000));
    EXPECT_EQ(in(0xd0), 0x02);
}

TEST_F(DmaTest, FlipFlopAndMasterClear) {
    out(0x0c, 0);
    out(0x00, 0x11);
    out(0x0c, 0);
    out(0x00, 0x22);
    out(0x00, 0x33);
    EXPECT_EQ(pair(0x00), 0x3322u);
    out(0x0f, 0x00);
    EXPECT_EQ(in(0x0f), 0xf0);
    (void)in(0x00);
    out(0x0d, 0);
    EXPECT_EQ(in(0x0f), 0xff);
    EXPECT_EQ(pair(0x00), 0x3322u); // low byte first again
    out(0x0e, 0);
    EXPECT_EQ(in(0x0f), 0xf0);
}

TEST_F(DmaTest, ReadyNeedsEveryGateOpen) {
    program(2, 0x44, 0, 10);
    EXPECT_TRUE(dma.ready(2));
    out(0x08, 0x04);
    EXPECT_FALSE(dma.ready(2));
    out(0x08, 0x00);
    out(0xd4, 0x04); // the cascade channel masked
    EXPECT_FALSE(dma.ready(2));
    out(0xd4, 0x00);
    out(0x0a, 0x06);
    EXPECT_FALSE(dma.ready(2));
    EXPECT_FALSE(dma.ready(4));
    EXPECT_FALSE(dma.ready(8));
}

TEST_F(DmaTest, RequestsShowInTheStatus) {
    dma.set_request(2, true);
    EXPECT_EQ(in(0x08), 0x40);
    out(0x09, 0x05);
    EXPECT_EQ(in(0x08), 0x60);
    out(0x09, 0x01);
    dma.set_request(2, false);
    EXPECT_EQ(in(0x08), 0x00);
}

TEST_F(DmaTest, PageRegistersReadBack) {
    for (std::uint16_t port = 0x80; port < 0x90; port++)
        out(port, port * 3u);
    for (std::uint16_t port = 0x80; port < 0x90; port++)
        EXPECT_EQ(in(port), static_cast<std::uint8_t>(port * 3u));
}

TEST_F(DmaTest, BeyondMemory) {
    program(2, 0x44, 0xfff0, 0xffff);
    out(0x81, 0xff);
    EXPECT_EQ(dma.to_memory(2, data).bytes, data.size());
}

} // namespace
} // namespace btvm

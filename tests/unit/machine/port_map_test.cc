#include <gtest/gtest.h>
#include <map>

#include "userland/machine/port_map.hh"
#include "userland/machine/reset_control.hh"

namespace btvm {
namespace {

class NullPlatform final : public Platform {
public:
    void set_irq(unsigned, bool) override {}
    void dma_read(std::uint64_t, std::span<std::uint8_t>) override {}
    void dma_write(std::uint64_t, std::span<const std::uint8_t>) override {}
    [[nodiscard]] GuestTime now() const override { return {}; }
    void set_a20(bool) override {}
    [[nodiscard]] bool a20() const override { return true; }
    void request_reset() override { resets++; }
    int resets{};
};

/// Remembers what it was given; reads give the low byte of the port's number, or all of it as a word.
class Recorder final : public Device {
public:
    Recorder(Platform& platform, PortRange range, bool words)
        : Device(platform), range_(range), words_(words) {}
    [[nodiscard]] std::string_view name() const override { return "recorder"; }
    [[nodiscard]] std::vector<PortRange> ports() const override { return {range_}; }
    void reset() override {}
    std::uint32_t read(std::uint16_t port, unsigned size) override { return size == 1 ? port & 0xff : port; }
    void write(std::uint16_t port, unsigned size, std::uint32_t value) override {
        writes.push_back({port, size, value});
    }
    [[nodiscard]] bool takes_words(std::uint16_t) const override { return words_; }
    void describe(StateArchive&) override {}

    struct Write {
        std::uint16_t port;
        unsigned size;
        std::uint32_t value;
        bool operator==(const Write&) const = default;
    };
    std::vector<Write> writes;

private:
    PortRange range_;
    bool words_;
};

using Writes = std::vector<Recorder::Write>;

TEST(PortMap, PortsWithoutDeviceFloatHigh) {
    PortMap map;
    EXPECT_EQ(map.read(0x1234, 1), 0xffu);
    EXPECT_EQ(map.read(0x1234, 2), 0xffffu);
    EXPECT_EQ(map.read(0xffff, 4), 0xffffffffu);
    map.write(0xffff, 4, 0); // wraps at the end of the port space
}

TEST(PortMap, WideAccessesAreSplitLowByteFirst) {
    NullPlatform platform;
    Recorder device(platform, {0x300, 3}, false);
    PortMap map;
    map.add(device);
    map.write(0x300, 4, 0x44332211);
    EXPECT_EQ(device.writes, (Writes{{0x300, 1, 0x11}, {0x301, 1, 0x22}, {0x302, 1, 0x33}}));
    EXPECT_EQ(map.read(0x301, 4), 0xffff0201u);
    EXPECT_EQ(map.read(0x2ff, 2), 0x00ffu); // starts beside the device
}

TEST(PortMap, DevicesMayTakeWordsWhole) {
    NullPlatform platform;
    Recorder device(platform, {0x1f0, 1}, true);
    PortMap map;
    map.add(device);
    map.write(0x1f0, 2, 0xbeef);
    EXPECT_EQ(device.writes, (Writes{{0x1f0, 2, 0xbeef}}));
    EXPECT_EQ(map.read(0x1f0, 2), 0x1f0u);
}

TEST(PortMap, TwoDevicesOnOnePortAreAnError) {
    NullPlatform platform;
    Recorder one(platform, {0x300, 4}, false), two(platform, {0x303, 1}, false),
        end(platform, {0xffff, 2}, false);
    PortMap map;
    map.add(one);
    EXPECT_THROW(map.add(two), std::logic_error);
    EXPECT_THROW(map.add(end), std::logic_error);
}

TEST(ResetControl, ResetsOnARiseOfBit2AndIgnoresPciAddresses) {
    NullPlatform platform;
    ResetControl device(platform);
    PortMap map;
    map.add(device);
    map.write(0xcf8, 4, 0x80000604); // PCI configuration: byte 1 must not reach CF9h
    EXPECT_EQ(platform.resets, 0);
    EXPECT_EQ(map.read(0xcf8, 4), 0xffffffffu);
    map.write(0xcf9, 1, 0x02);
    EXPECT_EQ(platform.resets, 0);
    map.write(0xcf9, 1, 0x06);
    EXPECT_EQ(platform.resets, 1);
    map.write(0xcf9, 1, 0x06);
    EXPECT_EQ(platform.resets, 1);
    EXPECT_EQ(map.read(0xcf9, 1), 0x06u);
}

} // namespace
} // namespace btvm

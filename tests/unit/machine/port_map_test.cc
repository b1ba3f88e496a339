#include <gtest/gtest.h>
#include <map>

#include "userland/devices/pci_host.hh"
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

/// A device whose ports the test moves.
class Mover final : public Device {
public:
    Mover(Platform& platform, std::uint32_t id) : Device(platform), id_(id) {}
    [[nodiscard]] std::string_view name() const override { return "mover"; }
    [[nodiscard]] std::vector<PortRange> ports() const override { return at; }
    void reset() override {}
    std::uint32_t read(std::uint16_t, unsigned) override { return id_; }
    void write(std::uint16_t, unsigned, std::uint32_t) override {}
    void describe(StateArchive&) override {}
    std::vector<PortRange> at;

private:
    std::uint32_t id_;
};

TEST(PortMap, DevicesMoveAndDoNotDislodgeOthers) {
    NullPlatform platform;
    Recorder fixed(platform, {0x300, 4}, false);
    Mover one(platform, 1), two(platform, 2);
    PortMap map;
    map.add(fixed);
    map.add(one);
    map.add(two);
    one.at = {{0xc000, 16}};
    map.update(one);
    EXPECT_EQ(map.read(0xc00f, 1), 1u);
    EXPECT_EQ(map.read(0xc010, 1), 0xffu);
    two.at = {{0xc008, 16}};
    map.update(two);
    EXPECT_EQ(map.read(0xc00f, 1), 1u); // the one that was there first
    EXPECT_EQ(map.read(0xc010, 1), 2u);
    one.at = {{0x2ff, 2}};
    map.update(one);
    EXPECT_EQ(map.read(0x2ff, 1), 1u);
    EXPECT_EQ(map.read(0x300, 1), 0u); // the fixed device
    EXPECT_EQ(map.read(0xc008, 1), 2u);
    one.at = {{0xfff8, 16}}; // beyond the last port
    map.update(one);
    EXPECT_EQ(map.read(0xffff, 1), 1u);
    EXPECT_EQ(map.read(0x2ff, 1), 0xffu);
    one.at.clear();
    map.update(one);
    EXPECT_EQ(map.owner(0xffff), nullptr);
}

TEST(PortMap, BlocksAreRunsOfSingleAccesses) {
    NullPlatform platform;
    Recorder words(platform, {0x1f0, 1}, true), bytes(platform, {0x300, 2}, false);
    PortMap map;
    map.add(words);
    map.add(bytes);
    const std::vector<std::uint8_t> data{0x11, 0x22, 0x33, 0x44};
    map.write_block(0x1f0, 2, data);
    EXPECT_EQ(words.writes, (Writes{{0x1f0, 2, 0x2211}, {0x1f0, 2, 0x4433}}));
    map.write_block(0x300, 2, data);
    EXPECT_EQ(bytes.writes, (Writes{{0x300, 1, 0x11}, {0x301, 1, 0x22}, {0x300, 1, 0x33}, {0x301, 1, 0x44}}));
    std::vector<std::uint8_t> back(4);
    map.read_block(0x1f0, 2, back);
    EXPECT_EQ(back, (std::vector<std::uint8_t>{0xf0, 0x01, 0xf0, 0x01}));
    map.read_block(0x300, 2, back);
    EXPECT_EQ(back, (std::vector<std::uint8_t>{0, 1, 0, 1}));
    map.read_block(0x4000, 4, back); // nobody there
    EXPECT_EQ(back, std::vector<std::uint8_t>(4, 0xff));
}

TEST(ResetControl, ResetsOnARiseOfBit2AndIgnoresPciAddresses) {
    NullPlatform platform;
    PciHost bridge(platform);
    ResetControl device(platform);
    PortMap map;
    map.add(bridge);
    map.add(device);
    map.write(0xcf8, 4, 0x80000604); // PCI configuration: byte 1 must not reach CF9h
    EXPECT_EQ(platform.resets, 0);
    EXPECT_EQ(map.read(0xcf8, 4), 0x80000604u);
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

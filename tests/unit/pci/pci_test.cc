#include <gtest/gtest.h>

#include "tests/unit/common/test_board.hh"
#include "userland/devices/pci_host.hh"
#include "userland/devices/piix_ide.hh"
#include "userland/devices/piix_isa.hh"
#include "userland/devices/state.hh"

namespace btvm::test {
namespace {

/// A board that remembers where a device said it had moved.
class PciBoard : public TestBoard {
public:
    void ports_changed(Device& device) override { moved = device.ports(); }
    std::vector<PortRange> moved;
};

struct Rig {
    Rig() : host(board), isa(board), ide(board) {
        host.add(1, 0, isa.function());
        host.add(1, 1, ide.function());
        host.reset();
        isa.reset();
        ide.reset();
    }
    void select(unsigned device, unsigned function, unsigned reg) {
        host.write(0xcf8, 4, 0x80000000 | device << 11 | function << 8 | (reg & 0xfc));
    }
    std::uint32_t get(unsigned device, unsigned function, unsigned reg, unsigned size = 4) {
        select(device, function, reg);
        return host.read(static_cast<std::uint16_t>(0xcfc + reg % 4), size);
    }
    void put(unsigned device, unsigned function, unsigned reg, unsigned size, std::uint32_t value) {
        select(device, function, reg);
        host.write(static_cast<std::uint16_t>(0xcfc + reg % 4), size, value);
    }
    PciBoard board;
    PciHost host;
    PiixIsa isa;
    PiixIde ide;
};

TEST(Pci, TheBusIsFoundAsSystemsLookForIt) {
    Rig rig;
    rig.host.write(0xcf8, 4, 0x80000000);
    EXPECT_EQ(rig.host.read(0xcf8, 4), 0x80000000u);
    EXPECT_EQ(rig.get(0, 0, kPciVendor), 0x12378086u);
    EXPECT_EQ(rig.get(0, 0, kPciClass, 2), 0x0600u);
    EXPECT_EQ(rig.get(1, 0, kPciVendor), 0x70008086u);
    EXPECT_EQ(rig.get(1, 0, kPciHeaderType, 1), 0x80u);
    EXPECT_EQ(rig.get(1, 1, kPciVendor), 0x70108086u);
    EXPECT_EQ(rig.get(1, 1, kPciInterface, 1), 0x80u);
    EXPECT_EQ(rig.get(0, 0, kPciSubsystemVendor), 0x11001af4u);
}

TEST(Pci, NobodyAnswersElsewhere) {
    Rig rig;
    EXPECT_EQ(rig.get(2, 0, kPciVendor), 0xffffffffu);
    EXPECT_EQ(rig.get(1, 2, kPciVendor, 2), 0xffffu);
    EXPECT_EQ(rig.get(1, 2, kPciVendor, 1), 0xffu);
    rig.host.write(0xcf8, 4, 0x80010000); // bus 1
    EXPECT_EQ(rig.host.read(0xcfc, 4), 0xffffffffu);
    rig.host.write(0xcf8, 4, 0x00000000); // not enabled
    EXPECT_EQ(rig.host.read(0xcfc, 4), 0xffffffffu);
    rig.put(2, 0, kPciCommand, 2, 7); // goes nowhere
}

TEST(Pci, OnlyDoubleWordsReachTheAddressRegister) {
    Rig rig;
    rig.host.write(0xcf8, 4, 0x80000a5b);
    EXPECT_EQ(rig.host.read(0xcf8, 4), 0x80000a58u);
    rig.host.write(0xcf8, 2, 0x1234);
    rig.host.write(0xcfa, 1, 0x56);
    EXPECT_EQ(rig.host.read(0xcf8, 4), 0x80000a58u);
    EXPECT_EQ(rig.host.read(0xcf8, 2), 0xffffu);
}

TEST(Pci, AccessesOfAnySizeWithinTheWindow) {
    Rig rig;
    rig.put(1, 0, 0x60, 4, 0x8b0a0905);
    EXPECT_EQ(rig.get(1, 0, 0x61, 1), 0x09u);
    EXPECT_EQ(rig.get(1, 0, 0x62, 2), 0x8b0au);
    rig.put(1, 0, 0x63, 1, 0x80);
    EXPECT_EQ(rig.get(1, 0, 0x60, 4), 0x800a0905u);
    // Beyond the window there is nothing.
    EXPECT_EQ(rig.get(1, 0, 0x63, 2), 0xff80u);
}

TEST(Pci, ReadOnlyAndClearableBits) {
    PciFunction function({0x1234, 0x5678, 0x0101, 0x80, 0x03, false});
    function.define16(kPciStatus, 0xf280, 0x0000);
    function.write(kPciVendor, 4, 0);
    EXPECT_EQ(function.read(kPciVendor, 4), 0x56781234u);
    function.write(kPciStatus, 2, 0x9000);
    EXPECT_EQ(function.get16(kPciStatus), 0x6280);
    function.reset();
    EXPECT_EQ(function.get16(kPciStatus), 0xf280);
}

TEST(Pci, BarGivesItsSizeAndMovesThePorts) {
    Rig rig;
    rig.put(1, 1, 0x20, 4, 0xffffffff);
    EXPECT_EQ(rig.get(1, 1, 0x20), 0xfffffff1u);
    rig.put(1, 1, 0x20, 4, 0xc000);
    EXPECT_TRUE(rig.board.moved.empty()); // not enabled yet
    rig.put(1, 1, kPciCommand, 2, kPciCommandIo);
    ASSERT_EQ(rig.board.moved.size(), 1u);
    EXPECT_EQ(rig.board.moved[0].first, 0xc000);
    EXPECT_EQ(rig.board.moved[0].count, 16);
    rig.ide.write(0xc00c, 4, 0x12340);
    EXPECT_EQ(rig.ide.read(0xc00c, 4), 0x12340u);
    EXPECT_EQ(rig.ide.read(0xc004, 4), 0u); // the other channel's
    rig.ide.reset();
    EXPECT_TRUE(rig.board.moved.empty());
}

TEST(Pci, State) {
    Rig rig, other;
    rig.put(1, 1, 0x20, 4, 0xc000);
    rig.put(1, 1, kPciCommand, 2, kPciCommandIo);
    rig.put(0, 0, 0x59, 1, 0x30);
    load_state(other.host, save_state(rig.host));
    load_state(other.ide, save_state(rig.ide));
    EXPECT_EQ(save_state(other.host), save_state(rig.host));
    EXPECT_EQ(other.board.moved.size(), 1u);
    EXPECT_EQ(other.get(0, 0, 0x59, 1), 0x30u);
}

} // namespace
} // namespace btvm::test

#include <gtest/gtest.h>

#include "tests/unit/common/test_board.hh"
#include "userland/devices/acpi_pm.hh"
#include "userland/devices/acpi_pm_timer.hh"
#include "userland/devices/state.hh"

namespace btvm::test {
namespace {

using namespace std::chrono_literals;

struct Rig {
    static constexpr std::uint16_t kBlock = 0xb000;

    Rig() : pm(board, [this] { offs++; }) {
        pm.reset();
        pm.function().write(0x40, 4, kBlock | 1);
        pm.function().write(0x80, 1, 1);
    }
    std::uint32_t get(unsigned offset, unsigned size = 1) {
        return pm.read(static_cast<std::uint16_t>(kBlock + offset), size);
    }
    /// A word, byte by byte as the bus brings it.
    std::uint32_t get16(unsigned offset) { return get(offset) | get(offset + 1) << 8; }
    void put16(unsigned offset, unsigned value) {
        pm.write(static_cast<std::uint16_t>(kBlock + offset), 1, value & 0xff);
        pm.write(static_cast<std::uint16_t>(kBlock + offset + 1), 1, value >> 8);
    }
    [[nodiscard]] bool irq() const { return board.lines[9]; }

    TestBoard board;
    int offs{};
    AcpiPm pm;
};

TEST(AcpiPm, PortsFollowTheBaseRegister) {
    Rig rig;
    EXPECT_EQ(rig.pm.ports().back().first, Rig::kBlock);
    rig.pm.function().write(0x40, 4, 0x601);
    EXPECT_EQ(rig.pm.ports().back().first, 0x600);
    rig.pm.function().write(0x80, 1, 0);
    EXPECT_NE(rig.pm.ports().back().first, 0x600);
}

TEST(AcpiPm, FirmwareIsToldToLeaveSmmAlone) {
    Rig rig;
    EXPECT_TRUE(rig.pm.function().read(0x58, 4) & 1u << 25);
    rig.pm.function().write(0x58, 4, 0);
    EXPECT_TRUE(rig.pm.function().read(0x58, 4) & 1u << 25);
}

TEST(AcpiPm, TimerRunsAtItsRate) {
    Rig rig;
    EXPECT_EQ(rig.get(8, 4), 0u);
    rig.board.time = 1s;
    EXPECT_EQ(rig.get(8, 4), 3579545u);
    EXPECT_EQ(rig.get(8, 2), 3579545u & 0xffff);
    EXPECT_EQ(rig.get(9), 3579545u >> 8 & 0xff);
    EXPECT_TRUE(rig.pm.takes_words(Rig::kBlock + 8));
    rig.board.time = 100h;
    EXPECT_EQ(rig.get(8, 4), 3579545ull * 360000 & 0xffffff);
}

TEST(AcpiPm, TimerChangesAreWhereTheySay) {
    for (const std::uint64_t number : {1u, 2u, 3u, 1000u, 123456789u}) {
        const GuestTime when = AcpiPmTimer::time_of_change(number);
        EXPECT_EQ(AcpiPmTimer::changes(when), number);
        EXPECT_EQ(AcpiPmTimer::changes(when - 1ns), number - 1);
    }
}

TEST(AcpiPm, TimerInterruptOnceItIsEnabled) {
    Rig rig;
    EXPECT_FALSE(rig.pm.deadline());
    rig.pm.write(0xb2, 1, 0xf1); // ACPI on
    EXPECT_EQ(rig.get16(4) & 1, 1u);
    rig.put16(2, 0x0001);
    ASSERT_TRUE(rig.pm.deadline());
    rig.board.advance(rig.pm, 2s);
    EXPECT_FALSE(rig.irq());
    rig.board.advance(rig.pm, 500ms); // 2^23 ticks are 2.34 s
    EXPECT_TRUE(rig.irq());
    EXPECT_EQ(rig.get16(0) & 1, 1u);
    EXPECT_FALSE(rig.pm.deadline()); // nothing more until it is acknowledged
    rig.put16(0, 0x0001);
    EXPECT_FALSE(rig.irq());
    EXPECT_EQ(rig.get16(0) & 1, 0u);
    ASSERT_TRUE(rig.pm.deadline());
    rig.pm.write(0xb2, 1, 0xf0); // ACPI off
    EXPECT_FALSE(rig.pm.deadline());
}

TEST(AcpiPm, PowerButton) {
    Rig rig;
    EXPECT_FALSE(rig.pm.power_button_enabled());
    rig.pm.press_power_button();
    EXPECT_FALSE(rig.irq());
    rig.put16(0, 0xffff);
    rig.pm.write(0xb2, 1, 0xf1);
    rig.put16(2, 0x0100);
    EXPECT_TRUE(rig.pm.power_button_enabled());
    rig.pm.press_power_button();
    EXPECT_TRUE(rig.irq());
    EXPECT_EQ(rig.get16(0) & 0x0100, 0x0100u);
    rig.put16(0, 0x0100);
    EXPECT_FALSE(rig.irq());
}

TEST(AcpiPm, SoftOffAndOnlyThat) {
    Rig rig;
    rig.put16(4, 0x0400 | 0x2000); // sleep type 1: there is no S3
    EXPECT_EQ(rig.offs, 0);
    rig.put16(4, 0x0000); // without SLP_EN
    EXPECT_EQ(rig.offs, 0);
    rig.put16(4, 0x2001);
    EXPECT_EQ(rig.offs, 1);
    EXPECT_EQ(rig.get16(4), 0x0001u); // SLP_EN reads as zero
}

TEST(AcpiPm, GeneralEventsAndWhatTablesAskAbout) {
    Rig rig;
    EXPECT_EQ(rig.pm.read(0xafe0, 1), 0u);
    rig.pm.write(0xafe2, 1, 0x06);
    EXPECT_EQ(rig.pm.read(0xafe2, 1), 0x06u);
    EXPECT_FALSE(rig.irq());
    EXPECT_EQ(rig.pm.read(0xae00, 1), 0u); // no slots
    EXPECT_EQ(rig.pm.read(0xaf00, 1), 1u); // one processor
    EXPECT_EQ(rig.pm.read(0xaf01, 1), 0u);
}

TEST(AcpiPm, NobodyAnswersOnTheSmbus) {
    Rig rig;
    rig.pm.function().write(0x90, 4, 0x701);
    EXPECT_NE(rig.pm.ports().rbegin()[1].first, 0x700);
    rig.pm.function().write(0xd2, 1, 0x09);
    EXPECT_EQ(rig.pm.ports().rbegin()[1].first, 0x700);
    EXPECT_EQ(rig.pm.read(0x700, 1), 0u);
    rig.pm.write(0x704, 1, 0xa1); // an address
    EXPECT_EQ(rig.pm.read(0x704, 1), 0xa1u);
    rig.pm.write(0x702, 1, 0x48); // start
    EXPECT_EQ(rig.pm.read(0x702, 1), 0x08u);
    EXPECT_EQ(rig.pm.read(0x700, 1), 0x04u);
    rig.pm.write(0x700, 1, 0x04);
    EXPECT_EQ(rig.pm.read(0x700, 1), 0u);
}

TEST(AcpiPm, State) {
    Rig rig, other;
    rig.pm.write(0xb2, 1, 0xf1);
    rig.put16(2, 0x0121);
    rig.pm.press_power_button();
    load_state(other.pm, save_state(rig.pm));
    EXPECT_EQ(save_state(other.pm), save_state(rig.pm));
    EXPECT_TRUE(other.irq());
}

} // namespace
} // namespace btvm::test

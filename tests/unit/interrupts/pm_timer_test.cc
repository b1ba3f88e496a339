#include <gtest/gtest.h>

#include "vmm/interrupts/pic.hh"
#include "vmm/interrupts/pit.hh"
#include "vmm/interrupts/pm_timer.hh"
#include "vmm/io/port_bus.hh"

namespace btvm {
namespace {

constexpr u64 kSecond = 1000000000;

struct PmTimerTest : testing::Test {
    Pic pic;
    Pit pit;
    PortRequest request;
    PortCounters counters;
    PortBus bus{pic, pit, request, counters};
    PmTimer timer{.port = 0xb008};
    PmTimerTest() {
        pic.reset();
        pit.reset(0);
        bus.pm_timer = &timer;
    }
};

TEST_F(PmTimerTest, RunsAtItsRateAndWraps) {
    EXPECT_EQ(timer.read(0xb008, 4, 0), 0u);
    EXPECT_EQ(timer.read(0xb008, 4, kSecond), 3579545u);
    EXPECT_EQ(timer.read(0xb008, 4, 5 * kSecond), 5 * 3579545u - (1u << 24));
    EXPECT_EQ(timer.read(0xb008, 2, kSecond), 3579545u & 0xffff);
    EXPECT_EQ(timer.read(0xb009, 1, kSecond), 3579545u >> 8 & 0xff);
    EXPECT_EQ(timer.read(0xb00b, 1, ~u64{0}), 0u);
}

TEST_F(PmTimerTest, ReadsAreInTheCoreOnlyWhereItIs) {
    bus.now_ns = kSecond;
    u32 value = 0;
    EXPECT_EQ(bus.read(0xb008, 4, value), IoStatus::Done);
    EXPECT_EQ(value, 3579545u);
    EXPECT_EQ(counters.in_core, 1u);
    EXPECT_EQ(bus.write(0xb008, 4, 0), IoStatus::NeedsUserland);
    EXPECT_EQ(bus.read(0xb00c, 1, value), IoStatus::NeedsUserland);
    EXPECT_EQ(bus.read(0xb009, 4, value), IoStatus::NeedsUserland); // one byte too many
    EXPECT_EQ(bus.read(0xb006, 4, value), IoStatus::NeedsUserland);
    timer.port = 0;
    EXPECT_EQ(bus.read(0xb008, 4, value), IoStatus::NeedsUserland);
    EXPECT_EQ(bus.read(0, 4, value), IoStatus::NeedsUserland);
    bus.pm_timer = nullptr;
    EXPECT_EQ(bus.read(0xb008, 4, value), IoStatus::NeedsUserland);
}

TEST_F(PmTimerTest, TheInterruptControllersGoBefore) {
    timer.port = 0x20;
    u32 value = 0;
    EXPECT_EQ(bus.write(0x21, 1, 0x5a), IoStatus::Done);
    EXPECT_EQ(bus.read(0x21, 1, value), IoStatus::Done);
    EXPECT_EQ(value, 0x5au);
}

} // namespace
} // namespace btvm

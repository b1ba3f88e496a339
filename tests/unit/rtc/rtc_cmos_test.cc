#include <gtest/gtest.h>

#include "tests/unit/common/test_board.hh"
#include "userland/devices/rtc_cmos.hh"

namespace btvm {
namespace {

class CmosTest : public testing::Test {
protected:
    unsigned word(unsigned index) const { return rtc.cmos(index) | rtc.cmos(index + 1) << 8; }
    test::TestBoard board;
    Rtc rtc{board, Rtc::WallTime{}};
};

TEST_F(CmosTest, FloppyMachine) {
    CmosSetup setup;
    setup.floppies = {CmosFloppy::Inch3Kb1440, CmosFloppy::Inch5Kb1200};
    setup.ram_bytes = 32u << 20;
    fill_cmos(rtc, setup);
    EXPECT_EQ(rtc.cmos(0x10), 0x42);
    EXPECT_EQ(rtc.cmos(0x12), 0x00);
    EXPECT_EQ(rtc.cmos(0x14), 0x47); // two drives, coprocessor, display
    EXPECT_EQ(word(0x15), 640u);
    EXPECT_EQ(word(0x17), 31u * 1024);
    EXPECT_EQ(word(0x30), 31u * 1024);
    EXPECT_EQ(word(0x34), 16u * 16);
    EXPECT_EQ(rtc.cmos(0x3D), 0x21);
    EXPECT_EQ(rtc.cmos(0x38), 0x00);
    EXPECT_EQ(rtc.cmos(0x0F), 0x00);
}

TEST_F(CmosTest, ChecksumIsTheSumOf10hTo2Dh) {
    fill_cmos(rtc, {});
    unsigned sum = 0;
    for (unsigned i = 0x10; i <= 0x2D; ++i)
        sum += rtc.cmos(i);
    EXPECT_EQ(rtc.cmos(0x2E), sum >> 8);
    EXPECT_EQ(rtc.cmos(0x2F), sum & 0xFF);
    EXPECT_GT(sum, 0u);
}

TEST_F(CmosTest, DiskOfType47) {
    CmosSetup setup;
    setup.disks[0] = CmosDisk{1000, 16, 63, 1};
    setup.disks[1] = CmosDisk{306, 4, 17, 0};
    setup.boot_order = {CmosBoot::Disk, CmosBoot::Floppy, CmosBoot::CdRom};
    setup.boot_without_signature = true;
    fill_cmos(rtc, setup);
    EXPECT_EQ(rtc.cmos(0x12), 0xFF);
    EXPECT_EQ(rtc.cmos(0x19), 47);
    EXPECT_EQ(rtc.cmos(0x1A), 47);
    EXPECT_EQ(word(0x1B), 1000u);
    EXPECT_EQ(rtc.cmos(0x1D), 16);
    EXPECT_EQ(word(0x1E), 0xFFFFu);
    EXPECT_EQ(rtc.cmos(0x20), 0xC8); // more than eight heads
    EXPECT_EQ(word(0x21), 1000u);
    EXPECT_EQ(rtc.cmos(0x23), 63);
    EXPECT_EQ(word(0x24), 306u);
    EXPECT_EQ(rtc.cmos(0x29), 0xC0);
    EXPECT_EQ(rtc.cmos(0x2C), 17);
    EXPECT_EQ(rtc.cmos(0x39), 0x01);
    EXPECT_EQ(rtc.cmos(0x3D), 0x12);
    EXPECT_EQ(rtc.cmos(0x38), 0x31);
    EXPECT_EQ(rtc.cmos(0x2D), 0x00);
}

TEST_F(CmosTest, MemoryLimitsAndNoFloppy) {
    CmosSetup setup;
    setup.floppies = {CmosFloppy::None, CmosFloppy::None};
    setup.coprocessor = false;
    setup.ram_bytes = 2048ull << 20;
    fill_cmos(rtc, setup);
    EXPECT_EQ(rtc.cmos(0x14), 0x04);
    EXPECT_EQ(word(0x17), 0xFC00u); // 63 MiB are all that fit
    EXPECT_EQ(word(0x34), (2048u - 16) * 16);
    setup.ram_bytes = 1u << 20;
    fill_cmos(rtc, setup);
    EXPECT_EQ(word(0x17), 0u);
    EXPECT_EQ(word(0x34), 0u);
}

TEST_F(CmosTest, LeavesTheClockAlone) {
    const auto before = rtc.cmos(0x0B);
    fill_cmos(rtc, {});
    EXPECT_EQ(rtc.cmos(0x0B), before);
    EXPECT_EQ(rtc.cmos(0x32), 0x19);
    EXPECT_EQ(rtc.cmos(9), 0x70);
}

} // namespace
} // namespace btvm

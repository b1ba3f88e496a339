// The clock against the MC146818 data sheet: formats, roll-over, alarm, update cycle, periodic rates, flags.
#include <gtest/gtest.h>
#include <random>

#include "tests/unit/common/test_board.hh"
#include "userland/devices/rtc.hh"

namespace btvm {
namespace {

using test::TestBoard;
using namespace std::chrono_literals;

constexpr Rtc::WallTime at(int y, unsigned mo, unsigned d, int h, int mi, int s,
                           std::chrono::nanoseconds ns = 0ns) {
    return std::chrono::sys_days(std::chrono::year(y) / mo / d) + std::chrono::hours(h) +
           std::chrono::minutes(mi) + std::chrono::seconds(s) + ns;
}

class RtcTest : public testing::Test {
protected:
    unsigned get(unsigned index) {
        rtc.write(0x70, 1, index);
        return rtc.read(0x71, 1);
    }
    void set(unsigned index, unsigned value) {
        rtc.write(0x70, 1, index);
        rtc.write(0x71, 1, value);
    }
    void wait(GuestTime by) { board.advance(rtc, by); }
    /// Year, month, day, hour, minute, second as the registers hold them.
    std::array<unsigned, 6> clock() { return {get(9), get(8), get(7), get(4), get(2), get(0)}; }
    using Clock = std::array<unsigned, 6>;

    TestBoard board;
    Rtc rtc{board, at(2026, 11, 21, 13, 45, 58)};
};

TEST_F(RtcTest, StartsFromTheWallClockInBcd) {
    EXPECT_EQ(clock(), (Clock{0x26, 0x11, 0x21, 0x13, 0x45, 0x58}));
    EXPECT_EQ(get(6), 7u); // a Saturday
    EXPECT_EQ(get(0x32), 0x20u);
    EXPECT_EQ(get(0x0D), 0x80u);
    EXPECT_EQ(get(0x0A), 0x26u);
    EXPECT_EQ(get(0x0B), 0x02u);
}

TEST_F(RtcTest, StepsWithGuestTimeAtTheWallClocksPhase) {
    wait(999ms);
    EXPECT_EQ(get(0), 0x58u);
    wait(2ms);
    EXPECT_EQ(get(0), 0x59u);
    wait(1s);
    EXPECT_EQ(clock(), (Clock{0x26, 0x11, 0x21, 0x13, 0x46, 0x00}));
    rtc.set_wall_time(at(2026, 1, 1, 0, 0, 0, 600ms));
    wait(390ms);
    EXPECT_EQ(get(0), 0x00u);
    wait(11ms);
    EXPECT_EQ(get(0), 0x01u);
}

TEST_F(RtcTest, RollsOver) {
    struct {
        Rtc::WallTime before;
        Clock after;
        unsigned century, weekday;
    } const cases[] = {
        {at(1999, 12, 31, 23, 59, 59), {0x00, 0x01, 0x01, 0x00, 0x00, 0x00}, 0x20, 7},
        {at(2000, 2, 28, 23, 59, 59), {0x00, 0x02, 0x29, 0x00, 0x00, 0x00}, 0x20, 3},
        {at(2023, 2, 28, 23, 59, 59), {0x23, 0x03, 0x01, 0x00, 0x00, 0x00}, 0x20, 4},
        {at(2024, 2, 29, 23, 59, 59), {0x24, 0x03, 0x01, 0x00, 0x00, 0x00}, 0x20, 6},
        {at(2026, 4, 30, 23, 59, 59), {0x26, 0x05, 0x01, 0x00, 0x00, 0x00}, 0x20, 6},
        {at(2026, 7, 31, 23, 59, 59), {0x26, 0x08, 0x01, 0x00, 0x00, 0x00}, 0x20, 7},
        {at(2026, 6, 15, 9, 59, 59), {0x26, 0x06, 0x15, 0x10, 0x00, 0x00}, 0x20, 2},
    };
    for (const auto& c : cases) {
        rtc.set_wall_time(c.before);
        wait(1s);
        EXPECT_EQ(clock(), c.after);
        EXPECT_EQ(get(0x32), c.century);
        EXPECT_EQ(get(6), c.weekday);
    }
}

TEST_F(RtcTest, AgreesWithTheCalendarOverYears) {
    // Long leaps of guest time against <chrono>'s calendar.
    std::mt19937 random(1);
    std::chrono::sys_seconds expected =
        std::chrono::floor<std::chrono::seconds>(at(2026, 11, 21, 13, 45, 58));
    for (unsigned i = 0; i < 60; ++i) {
        const std::chrono::seconds leap(random() % (random() % 2 != 0 ? 40'000'000 : 200'000));
        board.time += leap;
        expected += leap;
        Rtc fresh(board, expected);
        for (const unsigned index : {0u, 2u, 4u, 6u, 7u, 8u, 9u, 0x32u})
            ASSERT_EQ(get(index), fresh.cmos(index)) << "register " << index << " after leap " << i;
        if (expected > at(2095, 1, 1, 0, 0, 0)) break;
    }
}

TEST_F(RtcTest, BinaryAndTwelveHours) {
    set(0x0B, 0x06);
    rtc.set_wall_time(at(2026, 11, 21, 23, 59, 58));
    EXPECT_EQ(clock(), (Clock{26, 11, 21, 23, 59, 58}));
    set(0x0B, 0x00);
    struct {
        int hour;
        unsigned bcd, binary;
    } const hours[] = {{0, 0x12, 12},    {1, 0x01, 1},     {11, 0x11, 11},
                       {12, 0x92, 0x8C}, {13, 0x81, 0x81}, {23, 0x91, 0x8B}};
    for (const auto& h : hours) {
        set(0x0B, 0x00);
        rtc.set_wall_time(at(2026, 11, 21, h.hour, 0, 0));
        EXPECT_EQ(get(4), h.bcd) << h.hour;
        set(0x0B, 0x04);
        rtc.set_wall_time(at(2026, 11, 21, h.hour, 0, 0));
        EXPECT_EQ(get(4), h.binary) << h.hour;
    }
    set(0x0B, 0x00);
    rtc.set_wall_time(at(2026, 11, 21, 11, 59, 59));
    wait(1s);
    EXPECT_EQ(get(4), 0x92u);
    rtc.set_wall_time(at(2026, 11, 21, 23, 59, 59));
    wait(1s);
    EXPECT_EQ(get(4), 0x12u);
    EXPECT_EQ(get(7), 0x22u);
}

TEST_F(RtcTest, SetHoldsTheTimeForTheGuestToWrite) {
    set(0x0B, 0x82);
    set(0, 0x10);
    set(2, 0x20);
    wait(5s);
    EXPECT_EQ(get(0), 0x10u);
    set(0x0B, 0x02);
    wait(1s);
    EXPECT_EQ(get(0), 0x11u);
    EXPECT_EQ(get(2), 0x20u);
    set(0x0B, 0xF2); // SET clears the update interrupt's enable
    EXPECT_EQ(get(0x0B), 0xE2u);
}

TEST_F(RtcTest, DividerResetStopsTheClockAndRestartsHalfASecondBeforeAnUpdate) {
    set(0x0A, 0x76);
    wait(10s);
    EXPECT_EQ(get(0), 0x58u);
    set(0x0A, 0x26);
    wait(499ms);
    EXPECT_EQ(get(0), 0x58u);
    wait(2ms);
    EXPECT_EQ(get(0), 0x59u);
}

TEST_F(RtcTest, UpdateInProgressBeforeEachUpdate) {
    wait(990ms);
    EXPECT_EQ(get(0x0A) & 0x80, 0u);
    wait(8ms); // 998: within 2228 us of the update
    EXPECT_EQ(get(0x0A) & 0x80, 0x80u);
    wait(2100us);
    EXPECT_EQ(get(0x0A) & 0x80, 0u);
    EXPECT_EQ(get(0), 0x59u);
    // Once UIP is seen clear, at least 244 us remain to read a consistent time.
    for (unsigned i = 0; i < 3000; ++i) {
        if ((get(0x0A) & 0x80) == 0) {
            const auto before = clock();
            board.time += 240us;
            EXPECT_EQ(clock(), before);
        }
        board.time += 777us;
    }
    set(0x0B, 0x82);
    wait(900ms);
    for (unsigned i = 0; i < 1000; ++i) {
        board.time += 250us;
        ASSERT_EQ(get(0x0A) & 0x80, 0u);
    }
}

TEST_F(RtcTest, PeriodicRates) {
    const unsigned hertz[] = {0, 256, 128, 8192, 4096, 2048, 1024, 512, 256, 128, 64, 32, 16, 8, 4, 2};
    set(0x0B, 0x42);
    for (unsigned rate = 0; rate < 16; ++rate) {
        set(0x0A, 0x20 | rate);
        get(0x0C);
        unsigned count = 0;
        const GuestTime end = board.time + 1s;
        while (const auto due = rtc.deadline()) {
            if (*due > end) break;
            board.time = *due;
            rtc.run_until(board.time);
            ASSERT_TRUE(board.lines[8]);
            ASSERT_FALSE(rtc.deadline()) << "nothing more to tell until register C is read";
            ASSERT_EQ(get(0x0C) & 0xC0, 0xC0u);
            ASSERT_FALSE(board.lines[8]);
            ++count;
        }
        EXPECT_EQ(count, hertz[rate]) << rate;
        board.time = end;
    }
}

TEST_F(RtcTest, UpdateEndedInterruptAndFlags) {
    set(0x0B, 0x12);
    wait(990ms);
    EXPECT_FALSE(board.lines[8]);
    wait(20ms);
    EXPECT_TRUE(board.lines[8]);
    EXPECT_EQ(get(0x0C) & 0x90, 0x90u);
    EXPECT_FALSE(board.lines[8]);
    EXPECT_EQ(get(0x0C), 0x00u);
    set(0x0B, 0x02);
    wait(1s);
    EXPECT_FALSE(board.lines[8]);
    set(0x0B, 0x12); // the flag was set meanwhile; enabling it raises the line
    EXPECT_TRUE(board.lines[8]);
    rtc.reset();
    EXPECT_FALSE(board.lines[8]);
    EXPECT_EQ(get(0x0B), 0x02u);
}

TEST_F(RtcTest, AlarmAtATimeAndWithDontCare) {
    set(1, 0x05);
    set(3, 0x46);
    set(5, 0x13);
    set(0x0B, 0x22);
    unsigned before = board.rises[8];
    wait(6900ms);
    EXPECT_EQ(board.rises[8], before);
    wait(200ms);
    EXPECT_EQ(board.rises[8], before + 1);
    EXPECT_EQ(get(0x0C) & 0xA0, 0xA0u);
    EXPECT_EQ(clock(), (Clock{0x26, 0x11, 0x21, 0x13, 0x46, 0x05}));

    set(3, 0xFF);
    set(5, 0xC0); // any minute, any hour: once a minute
    before = board.rises[8];
    for (unsigned i = 0; i < 180; ++i) {
        wait(1s);
        get(0x0C);
    }
    EXPECT_EQ(board.rises[8], before + 3);
}

TEST_F(RtcTest, AlarmFlagAfterALongSleep) {
    set(1, 0x00);
    set(3, 0x00);
    set(5, 0x13); // passed today, comes tomorrow
    get(0x0C);
    board.time += 20h;
    EXPECT_EQ(get(0x0C) & 0x20, 0x00u);
    board.time += 100h;
    EXPECT_EQ(get(0x0C) & 0x20, 0x20u);
}

TEST_F(RtcTest, NoWakeUpsUnlessSomeoneWaits) {
    EXPECT_FALSE(rtc.deadline());
    set(0x0B, 0x12);
    EXPECT_EQ(rtc.deadline(), GuestTime(1s));
}

TEST_F(RtcTest, IndexNmiMaskAndMemory) {
    rtc.write(0x70, 1, 0x8F);
    EXPECT_TRUE(rtc.nmi_masked());
    rtc.write(0x71, 1, 0x5A);
    rtc.write(0x70, 1, 0x0F);
    EXPECT_FALSE(rtc.nmi_masked());
    EXPECT_EQ(rtc.read(0x71, 1), 0x5Au);
    EXPECT_EQ(rtc.read(0x70, 1), 0xFFu);
    for (unsigned i = 0x0E; i < 0x80; ++i)
        set(i, i ^ 0x55);
    for (unsigned i = 0x0E; i < 0x80; ++i)
        EXPECT_EQ(get(i), i ^ 0x55);
    set(0x0C, 0xFF);
    set(0x0D, 0x00);
    EXPECT_EQ(get(0x0D), 0x80u);
    EXPECT_EQ(get(0x0C) & 0x80, 0u);
    rtc.reset();
    EXPECT_EQ(get(0x40), 0x40u ^ 0x55);
}

TEST_F(RtcTest, NonsenseInTheRegistersDoesNoHarm) {
    std::mt19937 random(7);
    for (unsigned i = 0; i < 500; ++i) {
        set(random() % 10, random() & 0xFF);
        set(0x0B, random() & 0x06);
        wait(GuestTime(random() % 3'000'000'000u));
        clock();
    }
}

} // namespace
} // namespace btvm

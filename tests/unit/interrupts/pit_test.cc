// The 8254 against its datasheet: directed cases, and a model that really ticks.
#include <gtest/gtest.h>
#include <random>

#include "vmm/interrupts/pit.hh"

namespace btvm {
namespace {

u64 at(u64 tick) { return Pit::ns_at(tick); }

/// An 8254 counter clocked edge by edge, written from the datasheet's waveforms without any arithmetic on
/// time.
struct TickingCounter {
    unsigned mode = 0;
    bool out = false, gate = true, have_count = false, load = false, armed = false, counting = false;
    bool strobe_due = false;
    u32 cr = 0, ce = 0, in_use = 0;

    void control(unsigned new_mode) {
        mode = new_mode;
        out = mode != 0;
        have_count = load = armed = counting = strobe_due = false;
    }
    void count(u32 n) {
        cr = n;
        const bool first = !have_count;
        have_count = true;
        switch (mode) {
        case 0:
            out = false;
            load = true;
            break;
        case 4:
            out = true;
            load = true;
            break;
        case 2:
        case 3:
            if (first || load) load = gate;
            break;
        default: armed = true; break;
        }
    }
    void set_gate(bool level) {
        const bool rises = level && !gate;
        gate = level;
        if (mode == 1 || mode == 5) {
            if (rises && have_count) load = true;
        } else if (mode == 2 || mode == 3) {
            if (!level) {
                if (have_count) out = true;
                load = counting = false;
            } else if (rises && have_count) {
                load = true;
            }
        }
    }
    void start_half() { ce = in_use & ~1u; }
    void clock() {
        if (load) {
            load = armed = false;
            counting = true;
            in_use = ce = cr;
            if (mode == 1) out = false;
            if (mode == 3) {
                out = true;
                start_half();
            }
            strobe_due = mode >= 4;
            if (strobe_due) out = true;
            return;
        }
        if (!counting) return;
        const bool paused = !gate && mode != 1 && mode != 5;
        if (paused) return;
        switch (mode) {
        case 0:
        case 1:
            ce = (ce - 1) & 0xffff;
            if (ce == 0) out = true;
            break;
        case 2:
            ce--;
            if (ce == 1) out = false;
            if (ce == 0) {
                in_use = ce = cr;
                out = true;
            }
            break;
        case 3: {
            const bool odd = in_use & 1;
            const bool ends = odd && out ? ce == 0 : ce == 2;
            if (ends) {
                out = !out;
                in_use = cr;
                start_half();
            } else {
                ce -= 2;
            }
            break;
        }
        default:
            ce = (ce - 1) & 0xffff;
            out = true;
            if (ce == 0 && strobe_due) {
                out = false;
                strobe_due = false;
            }
            break;
        }
    }
};

struct Channel2 {
    Pit pit;
    u64 tick = 0;
    Channel2() { pit.reset(0); }
    void write(u16 port, u8 value) { pit.write(port, value, at(tick)); }
    void control(unsigned mode) { write(0x43, static_cast<u8>(0xb0 | mode << 1)); }
    void count(u32 n) {
        write(0x42, static_cast<u8>(n));
        write(0x42, static_cast<u8>(n >> 8));
    }
    void gate(bool level) { write(0x61, level); }
    bool out() { return pit.read(0x61, at(tick)) & 0x20; }
    u16 value() {
        write(0x43, 0x80);
        const u8 low = pit.read(0x42, at(tick));
        return static_cast<u16>(low | pit.read(0x42, at(tick)) << 8);
    }
};

TEST(Pit, AllModesFollowATickingCounter) {
    std::mt19937 random(8254);
    for (unsigned mode = 0; mode < 6; mode++) {
        for (int round = 0; round < 60; round++) {
            Channel2 channel;
            TickingCounter model;
            bool gate = round & 1;
            channel.gate(gate);
            model.gate = gate;
            channel.control(mode);
            model.control(mode);
            for (int step = 0; step < 300; step++) {
                const unsigned dice = random() % 40;
                if (dice == 0) {
                    // In mode 0 the bytes of a count come together here; the time between is another test.
                    const u32 n = 2 + random() % 30;
                    channel.count(n);
                    model.count(n);
                } else if (dice == 1) {
                    gate = !gate;
                    channel.gate(gate);
                    model.set_gate(gate);
                }
                ASSERT_EQ(channel.out(), model.out)
                    << "mode " << mode << " round " << round << " step " << step;
                if (model.counting && !model.load && gate) {
                    ASSERT_EQ(channel.value(), model.ce)
                        << "mode " << mode << " round " << round << " step " << step;
                }
                channel.tick++;
                model.clock();
            }
        }
    }
}

TEST(Pit, EdgesOfChannelZeroAreAllCountedOnce) {
    std::mt19937 random(1);
    for (int round = 0; round < 200; round++) {
        Pit pit;
        pit.reset(0);
        TickingCounter model;
        u64 tick = 0;
        u64 told = 0, expected = 0;
        bool was = false, programmed = false;
        const auto look = [&] {
            if (model.out && !was) expected++;
            was = model.out;
        };
        for (int step = 0; step < 400; step++) {
            const unsigned dice = random() % 60;
            if (dice == 0) {
                constexpr unsigned kModes[] = {0, 2, 3, 4};
                const unsigned mode = kModes[random() % 4];
                pit.write(0x43, static_cast<u8>(0x10 | mode << 1), at(tick));
                model.control(mode);
                programmed = true;
            } else if (dice < 4 && programmed) {
                const u8 n = static_cast<u8>(2 + random() % 20);
                pit.write(0x40, n, at(tick));
                model.count(n);
            }
            look();
            if (random() % 9 == 0) {
                told += pit.collect_ticks(at(tick));
                ASSERT_EQ(told, expected) << round << " " << step;
                // The next edge is where the model says, if nobody writes.
                TickingCounter ahead = model;
                u64 edge = Pit::kNever;
                for (u64 t = tick + 1; t < tick + 100; t++) {
                    const bool before = ahead.out;
                    ahead.clock();
                    if (ahead.out && !before) {
                        edge = t;
                        break;
                    }
                }
                if (edge != Pit::kNever) edge = at(edge);
                ASSERT_EQ(pit.next_irq_ns(at(tick)), edge) << round << " " << step;
                ASSERT_EQ(pit.level(at(tick)), model.out);
            }
            tick++;
            model.clock();
            look();
        }
    }
}

TEST(Pit, UncollectedEdgesAreDueNow) {
    Pit pit;
    pit.reset(0);
    pit.write(0x43, 0x34, 0);
    pit.write(0x40, 100, 0);
    pit.write(0x40, 0, 0);
    EXPECT_EQ(pit.collect_ticks(0), 1u); // the control word raised the output
    EXPECT_EQ(pit.next_irq_ns(0), at(101));
    EXPECT_EQ(pit.next_irq_ns(at(101)), at(101));
    EXPECT_EQ(pit.next_irq_ns(at(350)), at(350));
    EXPECT_EQ(pit.collect_ticks(at(350)), 3u);
    EXPECT_EQ(pit.next_irq_ns(at(350)), at(401));
}

TEST(Pit, NoDriftOverAYear) {
    Pit pit;
    pit.reset(0);
    pit.write(0x43, 0x34, 0);
    pit.write(0x40, 0, 0);
    pit.write(0x40, 0, 0); // 65536: the BIOS's 18.2 Hz
    (void)pit.collect_ticks(0);
    u64 ticks = 0;
    constexpr u64 kDay = 86400ull * 1000000000;
    for (u64 day = 1; day <= 365; day++)
        ticks += pit.collect_ticks(day * kDay);
    // 365 days of 1193182 Hz by 65536: 574157617.9 periods, a clock late.
    EXPECT_EQ(ticks, (365ull * 86400 * 1193182 - 1) / 65536);
    u64 now = 365 * kDay;
    for (int i = 0; i < 1000; i++) {
        const u64 next = pit.next_irq_ns(now);
        ASSERT_GT(next, now);
        ASSERT_EQ(pit.collect_ticks(next - 1), 0u);
        ASSERT_EQ(pit.collect_ticks(next), 1u);
        now = next;
    }
}

TEST(Pit, TickConversionIsExactBothWays) {
    std::mt19937_64 random(3);
    for (int i = 0; i < 100000; i++) {
        const u64 tick = random() >> (14 + random() % 40);
        const u64 ns = Pit::ns_at(tick);
        if (ns == Pit::kNever) continue;
        ASSERT_EQ(Pit::ticks_at(ns), tick);
        ASSERT_LT(ns ? Pit::ticks_at(ns - 1) : 0, tick + (ns == 0));
    }
    EXPECT_EQ(Pit::ticks_at(1000000000), 1193182u);
    EXPECT_EQ(Pit::ns_at(~u64{0}), Pit::kNever);
}

TEST(Pit, LatchHoldsUntilReadAndReadBackGivesStatusFirst) {
    Channel2 c;
    c.gate(true);
    c.control(2);
    c.count(1000);
    c.tick = 11;
    c.write(0x43, 0x80);
    c.tick = 500;
    c.write(0x43, 0x80); // ignored: one is latched
    EXPECT_EQ(c.pit.read(0x42, at(500)), 990 & 0xff);
    EXPECT_EQ(c.pit.read(0x42, at(500)), 990 >> 8);
    c.write(0x43, 0xc8); // read-back: count and status of channel 2
    c.tick = 700;
    EXPECT_EQ(c.pit.read(0x42, at(700)), 0xb4); // OUT high, count loaded, low/high, mode 2
    EXPECT_EQ(c.pit.read(0x42, at(700)), 501 & 0xff);
    EXPECT_EQ(c.pit.read(0x42, at(700)), 501 >> 8);
    c.write(0x43, 0xe8); // status only
    c.count(2000);
    EXPECT_EQ(c.pit.read(0x42, at(700)), 0xb4);
    c.write(0x43, 0xe8);
    EXPECT_EQ(c.pit.read(0x42, at(700)), 0xf4); // null count: 2000 waits for the period's end
    c.tick = 1001;
    EXPECT_EQ(c.value(), 2000);
}

TEST(Pit, ReadBackSelectsChannels) {
    Pit pit;
    pit.reset(0);
    for (u8 n = 0; n < 3; n++) {
        pit.write(0x43, static_cast<u8>(n << 6 | 0x30), 0);
        pit.write(static_cast<u16>(0x40 + n), 100, 0);
        pit.write(static_cast<u16>(0x40 + n), 0, 0);
    }
    pit.write(0x43, 0xd6, at(11)); // counts of channels 0 and 1
    EXPECT_EQ(pit.read(0x40, at(50)), 90);
    EXPECT_EQ(pit.read(0x41, at(50)), 90);
    EXPECT_EQ(pit.read(0x42, at(50)), 100); // not counting: its gate is low
}

TEST(Pit, AccessModes) {
    Channel2 c;
    c.gate(true);
    c.write(0x43, 0x90); // low byte only, mode 0
    c.write(0x42, 200);
    c.tick = 51;
    EXPECT_EQ(c.pit.read(0x42, at(51)), 150);
    EXPECT_EQ(c.pit.read(0x42, at(51)), 150);
    c.write(0x43, 0xa0); // high byte only
    c.write(0x42, 2);
    c.tick += 1 + 100;
    EXPECT_EQ(c.pit.read(0x42, at(c.tick)), 1);
    EXPECT_FALSE(c.out());
    c.tick += 412;
    EXPECT_TRUE(c.out());
}

TEST(Pit, ModeZeroFirstByteStopsTheCount) {
    Channel2 c;
    c.gate(true);
    c.control(0);
    c.count(10);
    c.tick = 20;
    EXPECT_TRUE(c.out());
    c.write(0x42, 5);
    EXPECT_FALSE(c.out());
    c.tick = 1000;
    EXPECT_FALSE(c.out());
    c.write(0x42, 0);
    c.tick = 1005;
    EXPECT_FALSE(c.out());
    c.tick = 1006; // N + 1 clocks after the write
    EXPECT_TRUE(c.out());
}

TEST(Pit, BinaryCodedDecimal) {
    Channel2 c;
    c.gate(true);
    c.write(0x43, 0xb1); // mode 0, BCD
    c.count(0x1000);
    c.tick = 2;
    EXPECT_EQ(c.value(), 0x0999);
    c.tick = 1001;
    EXPECT_TRUE(c.out());
    EXPECT_EQ(c.value(), 0);
    c.tick = 1002;
    EXPECT_EQ(c.value(), 0x9999);
    c.write(0x43, 0xb5); // mode 2
    c.count(0);          // 10000
    c.tick = 1003 + 9999;
    EXPECT_FALSE(c.out());
    EXPECT_EQ(c.value(), 1);
    c.tick++;
    EXPECT_TRUE(c.out());
}

TEST(Pit, ModesSixAndSevenAreTwoAndThree) {
    Channel2 c;
    c.write(0x43, 0xbc);
    c.write(0x43, 0xe8);
    EXPECT_EQ(c.pit.read(0x42, 0) & 0x0e, 0x04);
    c.write(0x43, 0xbe);
    c.write(0x43, 0xe8);
    EXPECT_EQ(c.pit.read(0x42, 0) & 0x0e, 0x06);
}

TEST(Pit, CountOfOneIsSurvived) {
    for (u8 mode : {2, 3}) {
        Pit pit;
        pit.reset(0);
        pit.write(0x43, static_cast<u8>(0x10 | mode << 1), 0);
        pit.write(0x40, 1, 0);
        EXPECT_GT(pit.next_irq_ns(at(1000)), 0u);
        EXPECT_GT(pit.collect_ticks(at(1000)), 400u);
        (void)pit.read(0x40, at(1000));
    }
}

TEST(Pit, Port61) {
    Pit pit;
    pit.reset(0);
    pit.write(0x61, 0xff, 0);
    EXPECT_EQ(pit.read(0x61, 0) & 0xcf, 0x0f);
    int toggles = 0;
    u8 last = pit.read(0x61, 0) & 0x10;
    for (u64 ns = 0; ns < 1508500; ns += 500) {
        const u8 now = pit.read(0x61, ns) & 0x10;
        toggles += now != last;
        last = now;
    }
    EXPECT_EQ(toggles, 99);
    pit.write(0x61, 0x02, 2000000);
    pit.write(0x43, 0xb6, 2000000);
    EXPECT_TRUE(pit.speaker(2000000)); // mode 3 rests high
    pit.write(0x61, 0x00, 2000000);
    EXPECT_FALSE(pit.speaker(2000000));
}

TEST(Pit, TimeRunningBackwardsStandsStill) {
    Pit pit;
    pit.reset(0);
    pit.write(0x43, 0x34, at(100000));
    pit.write(0x40, 0x10, at(100000));
    pit.write(0x40, 0x00, at(100000));
    (void)pit.collect_ticks(at(100000));
    EXPECT_EQ(pit.collect_ticks(at(5)), 0u);
    EXPECT_EQ(pit.collect_ticks(at(100017)), 1u);
}

} // namespace
} // namespace btvm

// A save and restore between any two operations of the interrupt controllers and the timer changes nothing.
#include <gtest/gtest.h>
#include <random>

#include "userland/devices/pic_state.hh"

namespace btvm {
namespace {

/// Saves `device` through the byte form and loads it into a new one.
template <class T>
void move_house(T& device) {
    std::vector<std::uint8_t> bytes;
    append_bytes(save_state("device", device), bytes);
    std::span<const std::uint8_t> rest = bytes;
    T other;
    load_state(other, take_section(rest));
    device = T{};
    device = other;
}

TEST(TimerState, PicBetweenAnyTwoOperations) {
    std::mt19937 random(20);
    constexpr u16 kPorts[] = {0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1};
    Pic stays, moves;
    stays.reset();
    moves.reset();
    for (int i = 0; i < 4000; i++) {
        const unsigned what = random() % 4;
        const u16 port = kPorts[random() % 6];
        const u8 value = static_cast<u8>(random());
        const unsigned line = random() % 16;
        if (what == 0) {
            ASSERT_EQ(stays.read(port), moves.read(port)) << i;
        } else if (what == 1) {
            stays.write(port, value);
            moves.write(port, value);
        } else if (what == 2) {
            stays.set_irq(line, value & 1);
            moves.set_irq(line, value & 1);
        } else {
            ASSERT_EQ(stays.pending(), moves.pending()) << i;
            if (stays.pending()) {
                ASSERT_EQ(stays.acknowledge(), moves.acknowledge()) << i;
            }
        }
        move_house(moves);
    }
}

TEST(TimerState, PitBetweenAnyTwoOperations) {
    std::mt19937 random(40);
    constexpr u16 kPorts[] = {0x40, 0x41, 0x42, 0x43, 0x61};
    Pit stays, moves;
    stays.reset(0);
    moves.reset(0);
    u64 now = 0;
    for (int i = 0; i < 4000; i++) {
        now += random() % 8 ? random() % 3000 : random() % 30000000;
        const u16 port = kPorts[random() % 5];
        const u8 value = static_cast<u8>(random());
        switch (random() % 3) {
        case 0: ASSERT_EQ(stays.read(port, now), moves.read(port, now)) << i; break;
        case 1:
            stays.write(port, value, now);
            moves.write(port, value, now);
            break;
        default:
            ASSERT_EQ(stays.next_irq_ns(now), moves.next_irq_ns(now)) << i;
            ASSERT_EQ(stays.level(now), moves.level(now)) << i;
            ASSERT_EQ(stays.collect_ticks(now), moves.collect_ticks(now)) << i;
            break;
        }
        move_house(moves);
    }
}

TEST(TimerState, ImpossibleValuesAreRefused) {
    Pit pit;
    StateSection section = save_state("pit", pit);
    section.fields[1].children[0].children[7].number = 0; // channel 0, count
    ASSERT_EQ(section.fields[1].children[0].children[7].name, "count");
    EXPECT_THROW(load_state(pit, section), StateError);
}

} // namespace
} // namespace btvm

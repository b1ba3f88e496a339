// Long random histories over random bytes: plans are made, cached, found again, code is overwritten, pages
// are evicted. Whatever the history, a plan that may run passes the checks.
#include <gtest/gtest.h>
#include <memory>
#include <random>

#include "tests/unit/plan/code_world.hh"
#include "vmm/plan/check.hh"
#include "vmm/plan/plan_cache.hh"

namespace btvm::test {
namespace {

constexpr u64 kEpoch = 7;

/// Bytes that make a dense control flow: many short branches, now and then anything at all.
u8 code_byte(std::mt19937_64& random) {
    static constexpr u8 kLikely[] = {0x74, 0x75, 0xeb, 0xe2, 0xe3, 0x7c, 0x0f, 0x84, 0xe8,
                                     0xe9, 0x90, 0x40, 0x89, 0xc8, 0x01, 0x10, 0xf0, 0x08,
                                     0xfa, 0x9c, 0xc3, 0x00, 0xff, 0x66, 0xf3, 0xb8};
    return random() % 4 ? kLikely[random() % std::size(kLikely)] : static_cast<u8>(random());
}

struct History {
    const char* name;
    u32 pages;      ///< More than CodeCache::kPages: with eviction.
    bool variables; ///< Writes go beside the code mostly.
};

class PlanHistory : public testing::TestWithParam<History> {};
INSTANTIATE_TEST_SUITE_P(All, PlanHistory,
                         testing::Values(History{"Dense", 4, false}, History{"Variables", 16, true},
                                         History{"Evicting", CodeCache::kPages + 100, false}),
                         [](const auto& info) { return std::string(info.param.name); });

TEST_P(PlanHistory, EveryPlanThatMayRunIsSound) {
    const History& history = GetParam();
    std::mt19937_64 random(history.pages);
    CodeWorld w(history.pages);
    const u64 size = u64{history.pages} * kPageSize;
    for (u64 at = 0; at < size; at++)
        w.put(at, {code_byte(random)});
    const auto plans = std::make_unique<PlanCache>();

    const bool evicting = history.pages > CodeCache::kPages;
    u32 checked = 0, found = 0, stale_running = 0;
    Plan running; // what the guest would be under when the write comes
    for (u32 step = 0, steps = evicting ? 48000 : 6000; step < steps; step++) {
        // A few favourite places, so that the plan cache has something to find.
        const u64 pc = random() % 4 ? (random() % 200) * (size / 200) : random() % size;
        PlanKey key{.pc = pc};
        key.breakpoints = static_cast<u8>(1 + random() % 4);
        key.kind = random() % 2 ? PlannerKind::Lookahead : PlannerKind::BreadthFirst;
        if (const Plan* cached = plans->lookup(key, w.cache(), w.translation, kEpoch)) {
            running = *cached;
            found++;
        } else {
            running = w.plan(pc, key.breakpoints, key.kind);
            plans->insert(key, running, kEpoch);
        }
        ASSERT_EQ(running.pc, pc);
        ASSERT_LE(running.count, key.breakpoints);
        if (!running.stop_at_pc) {
            ASSERT_TRUE(current(running, w.cache())) << "making a plan must not evict its own pages";
            ASSERT_EQ(check_plan(w.view(), running), Violation::None)
                << "step " << step << " pc " << std::hex << pc;
            checked++;
        }
        if (random() % (evicting ? 12 : 3) == 0) {
            const u64 at =
                history.variables ? (random() % history.pages) * kPageSize + random() % 64 : random() % size;
            const u64 value = code_byte(random) | u64{code_byte(random)} << 8;
            w.memory.write(GuestPhysical(at), &value, 1 + random() % 2);
            (void)w.cache().drop_written(w.memory);
            // The plan that runs is either declared void or as sound as before.
            if (running.stop_at_pc) continue;
            if (current(running, w.cache()))
                ASSERT_EQ(check_plan(w.view(), running), Violation::None) << "step " << step;
            else
                stale_running++;
        }
    }
    EXPECT_GT(checked, 2000u);
    EXPECT_GT(found, 100u);
    EXPECT_TRUE(history.variables || evicting || stale_running > 20) << stale_running;
    EXPECT_TRUE(!evicting || w.cache().counters.evicted > 50) << w.cache().counters.evicted;
    EXPECT_GT(w.cache().counters.spared, 10u);
}

TEST(PlanSizes, SixteenBitCodeWrapsAt64K) {
    CodeWorld w;
    w.put(0x0000, {0xe9, 0xed, 0xff}); // jmp -13h: to fff0 when IP wraps
    const CodeView view{w.cache(), w.memory, w.translation, CodeSize::Bits16};
    w.pushf(0xfff4);
    CodeView v = view;
    Plan p;
    make_plan(v, 0, PlannerOptions{}, p);
    EXPECT_EQ(addresses(p), std::vector<u64>{0xfff4});
    EXPECT_EQ(check_plan(v, p), Violation::None);
}

TEST(PlanSizes, TheSameBytesInTwoSizes) {
    CodeWorld w;
    w.put(0x1000, {0xb8, 0x00, 0x00, 0x9c, 0x90, 0xc3}); // mov ax / mov eax: the pushf is code or operand
    CodeView v16{w.cache(), w.memory, w.translation, CodeSize::Bits16};
    CodeView v32{w.cache(), w.memory, w.translation, CodeSize::Bits32};
    Plan p16, p32;
    make_plan(v16, 0x1000, PlannerOptions{}, p16);
    make_plan(v32, 0x1000, PlannerOptions{}, p32);
    EXPECT_EQ(addresses(p16), std::vector<u64>{0x1003});
    EXPECT_EQ(addresses(p32), std::vector<u64>{0x1005});
    EXPECT_EQ(p16.size, CodeSize::Bits16);
}

} // namespace
} // namespace btvm::test

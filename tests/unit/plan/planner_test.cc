#include <gtest/gtest.h>

#include "tests/unit/plan/code_world.hh"
#include "vmm/plan/check.hh"
#include "vmm/plan/planner.hh"

namespace btvm::test {
namespace {

using Addresses = std::vector<u64>;

/// The source's figure 3.3: conditional branch 1 leads to conditional branch 2 and pointer branch 1;
/// conditional branch 2 leads to the sensitive instruction and pointer branch 2.
class Figure33 : public testing::TestWithParam<PlannerKind> {
protected:
    static constexpr u64 kStart = 0x1000;
    static constexpr u64 kConditional1 = 0x1004;
    static constexpr u64 kPointer1 = 0x1010;
    static constexpr u64 kConditional2 = 0x1044;
    static constexpr u64 kSensitive = 0x1050;
    static constexpr u64 kPointer2 = 0x1084;

    Figure33() {
        w.jcc(kConditional1, 0x1040);
        w.ret(kPointer1);
        w.jcc(kConditional2, 0x1080);
        w.pushf(kSensitive);
        w.ret(kPointer2);
    }

    [[nodiscard]] Plan plan(u8 breakpoints) { return w.plan(kStart, breakpoints, GetParam()); }

    CodeWorld w;
};
INSTANTIATE_TEST_SUITE_P(Planners, Figure33,
                         testing::Values(PlannerKind::BreadthFirst, PlannerKind::Lookahead));

TEST_P(Figure33, WithThreeBreakpoints) {
    EXPECT_EQ(addresses(plan(3)), (Addresses{kPointer1, kSensitive, kPointer2}));
    EXPECT_EQ(addresses(plan(4)), (Addresses{kPointer1, kSensitive, kPointer2}));
}

TEST_P(Figure33, WithTwoBreakpoints) {
    EXPECT_EQ(addresses(plan(2)), (Addresses{kPointer1, kConditional2}));
    // And from there, as the source goes on:
    EXPECT_EQ(addresses(w.plan(kConditional2, 2, GetParam())), (Addresses{kSensitive, kPointer2}));
}

TEST_P(Figure33, WithOneBreakpoint) {
    EXPECT_EQ(addresses(plan(1)), (Addresses{kConditional1}));
    const Plan p = w.plan(kConditional1, 1, GetParam());
    EXPECT_TRUE(p.stop_at_pc) << "two outcomes, one breakpoint";
    EXPECT_EQ(p.count, 0);
}

TEST(Planner, StopsAtWhatMustNotRunNatively) {
    CodeWorld w;
    w.pushf(0x1000);
    w.ret(0x1010);
    w.put(0x1020, {0x0f, 0x04});
    for (const u64 pc : Addresses{0x1000, 0x1010, 0x1020, 0x80000000}) {
        const Plan p = w.plan(pc, 4);
        EXPECT_TRUE(p.stop_at_pc) << std::hex << pc;
        EXPECT_EQ(p.count, 0);
    }
}

TEST(Planner, WhatTrapsByItselfCostsNoBreakpoint) {
    CodeWorld w;
    w.cli(0x1010);
    Plan p = w.plan(0x1000, 1);
    EXPECT_FALSE(p.stop_at_pc);
    EXPECT_EQ(p.count, 0);
    // And makes room: one side of the branch is free.
    w.jcc(0x1004, 0x1020);
    w.pushf(0x1030);
    w.cache().drop_all(w.memory);
    p = w.plan(0x1000, 1);
    EXPECT_EQ(addresses(p), (Addresses{0x1030}));
    p = w.plan(0x1010, 4);
    EXPECT_FALSE(p.stop_at_pc);
    EXPECT_EQ(p.count, 0);
}

TEST(Planner, LoopsWithoutExitNeedNothing) {
    CodeWorld w;
    w.put(0x1000, {0xeb, 0xfe}); // jmp $
    EXPECT_EQ(w.plan(0x1000, 4).count, 0);
    EXPECT_FALSE(w.plan(0x1000, 4).stop_at_pc);
    w.jmp(0x1108, 0x1200);
    w.jmp(0x1208, 0x1100);
    EXPECT_EQ(w.plan(0x1100, 1).count, 0);
    w.jcc(0x1308, 0x1300);
    w.jmp(0x1310, 0x1300);
    EXPECT_EQ(w.plan(0x1300, 1).count, 0);
}

TEST(Planner, LoopBackEdgesAreFree) {
    CodeWorld w;
    w.jcc(0x1010, 0x1000);
    w.pushf(0x1020);
    for (u8 n = 1; n <= 4; n++) {
        EXPECT_EQ(addresses(w.plan(0x1000, n)), (Addresses{0x1020}));
        const Plan p = w.plan(0x1010, n);
        EXPECT_FALSE(p.stop_at_pc) << "a branch at the PC is expanded when its sides fit";
        EXPECT_EQ(addresses(p), (Addresses{0x1020}));
    }
}

TEST(Planner, CallsAreFollowedIntoTheCallee) {
    CodeWorld w;
    w.call(0x1000, 0x2000);
    w.pushf(0x1005);
    w.ret(0x2010);
    EXPECT_EQ(addresses(w.plan(0x1000, 4)), (Addresses{0x2010}));
}

TEST(Planner, DiamondsJoin) {
    CodeWorld w;
    w.jcc(0x1000, 0x1010);
    w.jmp(0x1008, 0x1020);
    w.pushf(0x1030);
    // Both sides come to the same instruction: one breakpoint covers both.
    EXPECT_EQ(addresses(w.plan(0x1000, 1)), (Addresses{0x1030}));
}

TEST(Planner, LookaheadSeesPastABranchThatDoesNotFit) {
    CodeWorld w;
    // if (a) { if (b) x; } join; with one breakpoint: `a` alone has two outcomes (`b` and the join).
    w.jcc(0x1004, 0x1040);
    w.jcc(0x1020, 0x1030);
    w.pushf(0x1050);
    EXPECT_EQ(addresses(w.plan(0x1000, 1, PlannerKind::BreadthFirst)), (Addresses{0x1004}));
    EXPECT_EQ(addresses(w.plan(0x1000, 1, PlannerKind::Lookahead)), (Addresses{0x1050}));
}

TEST(Planner, BothSidesOfAnExpandedBranchAreCovered) {
    // The source's pseudo code, depth first with one counter, spends all breakpoints below the first side of
    // the outer branch and leaves the other without one.
    CodeWorld w;
    w.jcc(0x1000, 0x1800); // outer: taken side is the sensitive instruction at 1810
    w.pushf(0x1810);
    w.jcc(0x1010, 0x1100);
    w.jcc(0x1020, 0x1200);
    w.ret(0x1030);
    w.ret(0x1110);
    w.ret(0x1210);
    for (u8 n = 1; n <= 4; n++) {
        const Plan p = w.plan(0x1000, n);
        if (n == 1) {
            EXPECT_TRUE(p.stop_at_pc);
        } else {
            EXPECT_TRUE(p.has(0x1810)) << int{n};
            EXPECT_LE(p.count, n);
        }
    }
    EXPECT_EQ(addresses(w.plan(0x1000, 4)), (Addresses{0x1030, 0x1110, 0x1210, 0x1810}));
    EXPECT_EQ(addresses(w.plan(0x1000, 3)), (Addresses{0x1020, 0x1110, 0x1810}));
}

TEST(Planner, StraightLineCodeIsCutWithABreakpoint) {
    CodeWorld w;
    const WalkBudget budget;
    const Plan p = w.plan(0x1000, 4);
    EXPECT_EQ(addresses(p), (Addresses{0x1000 + budget.decodes}));
    EXPECT_TRUE(p.provisional) << "decoding is what ended it";
    u64 pc = 0x1000;
    while (w.plan(pc, 4).provisional)
        pc = w.plan(pc, 4).address[0];
    const Plan again = w.plan(0x1000, 4);
    EXPECT_FALSE(again.provisional);
    EXPECT_EQ(addresses(again), (Addresses{0x1000 + budget.straight}));
}

TEST(Planner, AnEmptyBudgetStillGetsOnByOneInstruction) {
    CodeWorld w;
    PlannerOptions options;
    options.budget = {.instructions = 0, .decodes = 0, .straight = 0};
    EXPECT_EQ(addresses(w.plan(0x1000, options)), (Addresses{0x1001}));
    w.jcc(0x1100, 0x1200);
    EXPECT_EQ(addresses(w.plan(0x1100, options)), (Addresses{0x1106, 0x1200}));
}

TEST(Planner, ALoopOverItsOwnCutNeedsTheResumeFlag) {
    CodeWorld w;
    // From 1000 the jump comes back to 1000 and the walk is cut there again.
    w.jmp(0x1001, 0x0f00);
    PlannerOptions options;
    options.budget = {.instructions = 5000, .decodes = 1000, .straight = 0x100};
    const Plan p = w.plan(0x1000, options);
    EXPECT_EQ(addresses(p), (Addresses{0x1000}));
    EXPECT_TRUE(p.needs_rf);
    EXPECT_FALSE(p.stop_at_pc);
    EXPECT_EQ(check_plan(w.view(), p), Violation::None);
}

TEST(Planner, DependsOnTheUsedPagesOnly) {
    CodeWorld w;
    w.jcc(0x1ffd, 0x5000); // crosses
    w.pushf(0x5010);
    w.jcc(0x2010, 0x7000); // does not fit into two
    w.pushf(0x2020);
    w.pushf(0x7010);
    const Plan p = w.plan(0x1ff0, 2);
    EXPECT_EQ(addresses(p), (Addresses{0x2010, 0x5010}));
    EXPECT_EQ(p.pages.count, 3);
    EXPECT_GE(p.pages.find(1), 0);
    EXPECT_GE(p.pages.find(2), 0);
    EXPECT_GE(p.pages.find(5), 0);
    EXPECT_LT(p.pages.find(7), 0) << "looked at, but not relied on";
    EXPECT_TRUE(current(p, w.cache()));
    w.memory.store<u8>(GuestPhysical(0x7010), 0);
    (void)w.cache().drop_written(w.memory);
    EXPECT_TRUE(current(p, w.cache()));
    w.memory.store<u8>(GuestPhysical(0x2000), 0);
    (void)w.cache().drop_written(w.memory);
    EXPECT_FALSE(current(p, w.cache()));
}

TEST(Planner, APlanHasAtMostEightPages) {
    CodeWorld w(32);
    for (u64 page = 1; page < 20; page++)
        w.jmp(page << kPageShift, (page + 1) << kPageShift);
    const Plan p = w.plan(0x1000, 4);
    EXPECT_EQ(p.pages.count, 8);
    EXPECT_EQ(addresses(p), (Addresses{0x9000})) << "stops at the first page too many";
    EXPECT_EQ(w.state(9), 0) << "which is not even watched";
}

TEST(Planner, CodeThatRunsOutOfMemoryGetsABreakpointAtTheEdge) {
    CodeWorld w(2);
    EXPECT_EQ(addresses(w.plan(0x1ff0, 4)), (Addresses{0x2000}));
    w.put(0x1ffe, {0xe9});
    w.cache().drop_all(w.memory);
    EXPECT_EQ(addresses(w.plan(0x1ff0, 4)), (Addresses{0x1ffe}));
    w.jmp(0x1000, 0x80000000);
    w.cache().drop_all(w.memory);
    EXPECT_EQ(addresses(w.plan(0x1000, 4)), (Addresses{0x80000000}));
}

TEST(Planner, BranchTargetsWrapAt32Bits) {
    CodeWorld w;
    w.jmp(0x1000, 0xfffffff0);
    EXPECT_EQ(addresses(w.plan(0x1000, 4)), (Addresses{0xfffffff0}));
}

TEST(Planner, LongChainsOfJumpsAreCutAtAJump) {
    CodeWorld w;
    for (u64 i = 0; i < 40; i++)
        w.jmp(0x1000 + 0x10 * i, 0x1010 + 0x10 * i);
    w.pushf(0x1280);
    u64 pc = 0x1000;
    u32 plans = 0;
    for (; pc != 0x1280; plans++) {
        const Plan p = w.plan(pc, 4);
        ASSERT_EQ(p.count, 1);
        ASSERT_FALSE(p.stop_at_pc);
        ASSERT_EQ(check_plan(w.view(), p), Violation::None);
        pc = p.address[0];
    }
    EXPECT_EQ(plans, 3u);
}

TEST(Planner, JumpsIntoTheMiddleOfAnInstruction) {
    CodeWorld w;
    w.put(0x1000, {0xb8, 0x9c, 0xc3, 0x90, 0x90}); // mov eax, imm32 that holds pushf and ret
    w.jcc(0x1005, 0x1001);
    w.pushf(0x1010);
    EXPECT_EQ(addresses(w.plan(0x1000, 2)), (Addresses{0x1001, 0x1010}));
}

TEST(Planner, ClampsTheNumberOfBreakpoints) {
    CodeWorld w;
    for (u64 i = 0; i < 10; i++)
        w.jcc(0x1000 + 0x10 * i, 0x2000 + 0x10 * i);
    for (u64 i = 0; i < 10; i++)
        w.pushf(0x2000 + 0x10 * i);
    EXPECT_EQ(w.plan(0x1000, 255).count, 4);
    EXPECT_TRUE(w.plan(0x1000, 0).stop_at_pc);
}

TEST(Planner, MoreBranchesThanItCanHold) {
    CodeWorld w;
    // Each branch's taken side is free, so one breakpoint would do for hundreds of them.
    w.cli(0x3000);
    for (u64 i = 0; i < 200; i++)
        w.jcc(0x1000 + 8 * i, 0x3000);
    for (const auto kind : {PlannerKind::BreadthFirst, PlannerKind::Lookahead}) {
        Plan p = w.plan(0x1000, 1, kind);
        while (p.provisional)
            p = w.plan(0x1000, 1, kind);
        EXPECT_EQ(p.count, 1);
        EXPECT_EQ(check_plan(w.view(), p), Violation::None);
    }
}

} // namespace
} // namespace btvm::test

#include <gtest/gtest.h>

#include "tests/unit/plan/code_world.hh"
#include "vmm/plan/check.hh"

namespace btvm::test {
namespace {

class Check : public testing::Test {
protected:
    Check() {
        w.jcc(0x1004, 0x1100); // 1000: 4 NOPs, a branch
        w.pushf(0x1010);
        w.ret(0x1104);
    }

    Violation step(u64 previous, u64 pc, const Plan& plan) {
        return check_step(w.view(), previous, pc, plan);
    }

    CodeWorld w;
};

TEST_F(Check, AGoodRunHasNoViolation) {
    const Plan p = w.plan(0x1000, 4);
    ASSERT_EQ(addresses(p), (std::vector<u64>{0x1010, 0x1104}));
    EXPECT_EQ(check_plan(w.view(), p), Violation::None);
    EXPECT_EQ(step(kNoPreviousPc, 0x1000, p), Violation::None);
    for (u64 pc = 0x1000; pc < 0x1004; pc++)
        EXPECT_EQ(step(pc, pc + 1, p), Violation::None);
    EXPECT_EQ(step(0x1004, 0x100a, p), Violation::None);
    EXPECT_EQ(step(0x1004, 0x1100, p), Violation::None);
    EXPECT_EQ(step(0x100f, 0x1010, p), Violation::None) << "a breakpoint stands there";
    EXPECT_EQ(step(0x1103, 0x1104, p), Violation::None);
}

TEST_F(Check, TheCheckChangesNothing) {
    const Plan p = w.plan(0x1000, 4);
    const CodeCacheCounters before = w.cache().counters;
    (void)check_plan(w.view(), p);
    (void)step(kNoPreviousPc, 0x5000, p);
    EXPECT_EQ(w.cache().counters.decoded, before.decoded);
    EXPECT_EQ(w.cache().counters.hits, before.hits);
    EXPECT_EQ(w.state(5), 0);
}

TEST_F(Check, AMissingBreakpointIsFoundBothWays) {
    PlannerOptions options;
    options.leave_one_out = true;
    const Plan p = w.plan(0x1000, options);
    EXPECT_EQ(p.count, 1);
    EXPECT_NE(check_plan(w.view(), p), Violation::None);
    const bool sensitive_missing = !p.has(0x1010);
    if (sensitive_missing)
        EXPECT_EQ(step(0x100f, 0x1010, p), Violation::Sensitive);
    else
        EXPECT_EQ(step(0x1103, 0x1104, p), Violation::PointerBranch);
}

TEST_F(Check, SensitiveAndPointerInstructionsAreFoundAfterTheFactToo) {
    const Plan p = w.plan(0x1000, 4);
    EXPECT_EQ(step(0x1010, 0x1011, p), Violation::Sensitive);
    EXPECT_EQ(step(0x1104, 0x100a, p), Violation::PointerBranch);
}

TEST_F(Check, ControlOutOfTheBlue) {
    const Plan p = w.plan(0x1000, 4);
    EXPECT_EQ(step(0x1001, 0x1003, p), Violation::NotASuccessor);
    EXPECT_EQ(step(0x1004, 0x1008, p), Violation::NotASuccessor);
    EXPECT_EQ(step(kNoPreviousPc, 0x5000, p), Violation::NotPlanned);
    EXPECT_EQ(step(kNoPreviousPc, 0x1800, p), Violation::NotDecoded);
}

TEST_F(Check, RepeatedStringInstructionsStandStill) {
    w.put(0x1000, {0xf3, 0xa4}); // rep movsb
    const Plan p = w.plan(0x1000, 4);
    EXPECT_EQ(step(0x1000, 0x1000, p), Violation::None);
    EXPECT_EQ(step(0x1000, 0x1002, p), Violation::None);
    EXPECT_EQ(step(0x1002, 0x1002, p), Violation::NotASuccessor);
}

TEST_F(Check, InstructionsThatTrapByThemselvesAreInOrder) {
    w.cli(0x1002);
    const Plan p = w.plan(0x1000, 4);
    EXPECT_EQ(p.count, 0);
    EXPECT_EQ(step(0x1001, 0x1002, p), Violation::None);
    EXPECT_EQ(check_plan(w.view(), p), Violation::None);
}

TEST_F(Check, AWriteNobodyNoticed) {
    const Plan p = w.plan(0x1000, 4);
    w.put(0x1001, {0xfc}); // as a missing write protection would let happen: cld is plain and as long
    EXPECT_EQ(step(0x1000, 0x1001, p), Violation::None) << "the same class and length";
    w.put(0x1001, {0x9c});
    EXPECT_EQ(step(0x1000, 0x1001, p), Violation::StaleDecode);
    EXPECT_EQ(check_plan(w.view(), p), Violation::StaleDecode);
}

TEST_F(Check, ADroppedPageUnderARunningPlan) {
    const Plan p = w.plan(0x1000, 4);
    w.cache().drop(w.memory, 1);
    EXPECT_EQ(step(0x1000, 0x1001, p), Violation::NotWatched);
    EXPECT_EQ(check_plan(w.view(), p), Violation::NotWatched);
}

TEST_F(Check, AWatchBitThatWasLost) {
    const Plan p = w.plan(0x1000, 4);
    w.set_state(1, 0);
    EXPECT_EQ(step(0x1000, 0x1001, p), Violation::NotWatched);
}

TEST_F(Check, CrossingInstructionsNeedBothPages) {
    w.jmp(0x1ffd, 0x3000);
    w.pushf(0x3004);
    Plan p = w.plan(0x1ff0, 4);
    EXPECT_EQ(step(0x1ffc, 0x1ffd, p), Violation::None);
    EXPECT_EQ(step(0x1ffd, 0x3000, p), Violation::None);
    EXPECT_EQ(check_plan(w.view(), p), Violation::None);
    Plan forgetful = p;
    ASSERT_EQ(forgetful.pages.find(2), 1);
    forgetful.pages.linear_page[1] = 5;
    EXPECT_EQ(step(0x1ffc, 0x1ffd, forgetful), Violation::NotPlanned);
    w.cache().drop(w.memory, 2);
    EXPECT_EQ(step(0x1ffc, 0x1ffd, p), Violation::NotWatched);
    w.put(0x1ffd,
          {0x90, 0x90, 0x90}); // now straight into the next page, which the old plan has but never decoded
    p = w.plan(0x1ff0, 1);
    p.pages.count = 1;
    EXPECT_EQ(check_plan(w.view(), p), Violation::NotPlanned);
}

TEST_F(Check, EndlessLoopsEndTheCheck) {
    w.put(0x1200, {0xeb, 0xfe});
    w.jmp(0x1308, 0x1320);
    w.jmp(0x1328, 0x1340);
    w.jmp(0x1348, 0x1300);
    for (const u64 pc : {0x1200, 0x1300}) {
        const Plan p = w.plan(pc, 4);
        EXPECT_EQ(p.count, 0);
        EXPECT_EQ(check_plan(w.view(), p), Violation::None);
    }
}

} // namespace
} // namespace btvm::test

// Interpreter::run() does what step() does as often, and stops where its owner has to look.
#include <gtest/gtest.h>

#include "tests/unit/interpret/random_machine.hh"

namespace btvm::test {
namespace {

/// What an owner looks at between two instructions, and a stretch must leave alone until its last one.
struct Owned {
    Segment seg[kSegRegCount];
    u64 cr0, cr3, cr4, flags;
    u64 exceptions;
    u32 hits;
    u8 shadow, cpl;
    bool translations_changed, page_invalidated, interrupt;

    explicit Owned(const Machine& m)
        : cr0(m.cpu.cr0), cr3(m.cpu.cr3), cr4(m.cpu.cr4),
          flags(m.cpu.rflags & ~u64{eflags::kArithmetic | eflags::kDf | eflags::kRf}),
          exceptions(m.counters.exceptions), hits(m.memory.watched_hits), shadow(m.cpu.interrupt_shadow),
          cpl(m.cpu.cpl()), translations_changed(m.interpreter.translations_changed),
          page_invalidated(m.interpreter.page_invalidated), interrupt(m.pic.pending()) {
        std::copy(std::begin(m.cpu.seg), std::end(m.cpu.seg), seg);
    }
    bool operator==(const Owned&) const = default;
};

class Stretch : public testing::Test {
protected:
    /// Both machines get the same next state; some pages are watched.
    void next_case() {
        for (RandomMachine* m : {&by_steps, &by_runs}) {
            m->new_state();
            m->inputs.assign(8, 0x5a5a);
            m->outputs.clear();
            for (u32 page = 1; page < m->page_states.size(); page += 7)
                m->page_states[page] = page_state::kCode;
        }
    }

    static void look(RandomMachine& m) {
        m.memory.watched_hits = m.memory.watched_writes = 0;
        m.interpreter.translations_changed = m.interpreter.page_invalidated = false;
        if (m.request.phase == PortRequest::Phase::Asked) m.answer();
    }

    void expect_the_same() {
        const CpuState &a = by_steps.cpu, &b = by_runs.cpu;
        EXPECT_TRUE(std::equal(std::begin(a.gpr), std::end(a.gpr), b.gpr));
        EXPECT_TRUE(std::equal(std::begin(a.seg), std::end(a.seg), b.seg));
        EXPECT_TRUE(std::equal(std::begin(a.dr), std::end(a.dr), b.dr));
        EXPECT_EQ(a.rip, b.rip);
        EXPECT_EQ(a.rflags, b.rflags);
        EXPECT_EQ(a.cr0, b.cr0);
        EXPECT_EQ(a.cr2, b.cr2);
        EXPECT_EQ(a.cr3, b.cr3);
        EXPECT_EQ(a.activity, b.activity);
        EXPECT_EQ(a.interrupt_shadow, b.interrupt_shadow);
        EXPECT_EQ(std::memcmp(&a.fpu, &b.fpu, sizeof a.fpu), 0);
        EXPECT_EQ(by_steps.counters.instructions, by_runs.counters.instructions);
        EXPECT_EQ(by_steps.counters.exceptions, by_runs.counters.exceptions);
        EXPECT_EQ(by_steps.interpreter.tsc, by_runs.interpreter.tsc);
        EXPECT_EQ(by_steps.outputs, by_runs.outputs);
        EXPECT_EQ(by_steps.memory.watched_hits, by_runs.memory.watched_hits);
    }

    const u32 seed = from_environment("BTVM_SEED", 11);
    RandomMachine by_steps{seed}, by_runs{seed};
    std::mt19937 rng{seed};
};

TEST_F(Stretch, OfRandomCodeIsSoManySteps) {
    u64 stretches = 0, instructions = 0;
    for (u32 cases = from_environment("BTVM_CASES", 4000); cases; cases--) {
        next_case();
        StepStatus status = StepStatus::Completed;
        for (u32 turn = 0; turn < 12 && (status == StepStatus::Completed || status == StepStatus::Io);
             turn++) {
            u32 done = 0;
            const u32 most = 1 + rng() % 40;
            status = by_runs.interpreter.run(most, done);
            ASSERT_GE(done, 1u);
            ASSERT_LE(done, most);
            const Owned before(by_steps);
            StepStatus stepped = StepStatus::Completed;
            for (u32 n = 0; n < done; n++) {
                ASSERT_EQ(stepped, StepStatus::Completed);
                ASSERT_TRUE(!n || Owned(by_steps) == before)
                    << "case " << cases << ", step " << n << " of " << done;
                stepped = by_steps.interpreter.step();
            }
            ASSERT_EQ(status, stepped);
            expect_the_same();
            ASSERT_FALSE(HasFailure()) << "case " << cases << ", turn " << turn << ", " << done << " steps";
            look(by_steps);
            look(by_runs);
            stretches++;
            instructions += done;
        }
        ASSERT_EQ(by_steps.ram, by_runs.ram) << "case " << cases;
    }
    EXPECT_GT(instructions, stretches * 3 / 2) << "there are stretches at all";
}

} // namespace
} // namespace btvm::test

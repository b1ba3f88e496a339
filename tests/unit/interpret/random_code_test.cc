// Random bytes as code over random descriptor tables and page tables, in every mode. Nothing is compared: the
// sanitizers watch, every step must come to an end, and the state must stay one a processor can be in.
#include <gtest/gtest.h>

#include "tests/unit/interpret/random_machine.hh"

namespace btvm::test {
namespace {

class RandomCode : public RandomMachine {
public:
    using RandomMachine::RandomMachine;

    void run(u32 steps) {
        for (u32 i = 0; i < steps; i++) {
            if (i % 50 == 0) new_state();
            inputs = {static_cast<u32>(rng_())};
            outputs.clear();
            const StepStatus status = step();
            if (status == StepStatus::Halted && (rng_() & 1))
                (void)interpreter.deliver({Event::Kind::External, static_cast<u8>(rng_()), false, 0});
            else if (status != StepStatus::Completed)
                new_state();
            if (!(rng_() & 63))
                (void)interpreter.deliver({Event::Kind::External, static_cast<u8>(rng_()), false, 0});
            plausible();
        }
    }

private:
    void plausible() {
        EXPECT_EQ(cpu.rflags & ~eflags::kAll, 0u);
        EXPECT_TRUE(cpu.rflags & eflags::kFixed1);
        EXPECT_EQ(cpu.rip >> 32, 0u);
        for (unsigned r = 0; r < kGprCount; r++)
            EXPECT_EQ(cpu.gpr[r] >> 32, 0u) << r;
        EXPECT_FALSE(cpu.paging() && !cpu.protected_mode());
        if (!cpu.protected_mode()) {
            EXPECT_EQ(cpu.cpl(), 0);
            EXPECT_FALSE(cpu.rflags & eflags::kVm);
        } else if (cpu.v86()) {
            EXPECT_EQ(cpu.cpl(), 3);
        } else if (!cpu.seg[Cs].null()) {
            EXPECT_EQ(cpu.seg[Cs].selector & 3, cpu.cpl());
        }
    }
};

TEST(RandomCode, NeverLeavesTheArchitecture) {
    RandomCode machine(from_environment("BTVM_SEED", 7));
    machine.run(from_environment("BTVM_CASES", 150000));
}

} // namespace
} // namespace btvm::test

// The planner on code that somebody compiled: GRUB's kernel, wherever the package is installed.
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>

#include "tests/unit/plan/code_world.hh"
#include "vmm/plan/check.hh"

namespace btvm::test {
namespace {

constexpr u64 kLoadAddress = 0x9000; // where GRUB links it for the PC

class RealCode : public testing::Test {
protected:
    void SetUp() override {
        std::ifstream file("/usr/lib/grub/i386-pc/kernel.img", std::ios::binary);
        if (!file) GTEST_SKIP() << "grub-pc-bin is not installed";
        const std::vector<char> image{std::istreambuf_iterator<char>(file), {}};
        end_ = kLoadAddress + image.size();
        ASSERT_LT(end_, 64 * kPageSize);
        for (u64 i = 0; i < image.size(); i++)
            w.put(kLoadAddress + i, {static_cast<u8>(image[i])});
    }

    CodeWorld w;
    u64 end_{};
};

TEST_F(RealCode, EveryPlanIsSound) {
    u32 checked = 0;
    u64 breakpoints[kMaxBreakpoints + 1]{};
    for (u64 pc = kLoadAddress; pc < end_; pc += w.classify(pc).length) {
        for (u8 n = 1; n <= kMaxBreakpoints; n++)
            for (const auto kind : {PlannerKind::BreadthFirst, PlannerKind::Lookahead}) {
                // One in a few, each time another one: all of them take too long under the sanitizers.
                if ((pc * 8 + n * 2 + static_cast<u64>(kind)) % 29) continue;
                const Plan plan = w.plan(pc, n, kind);
                if (plan.stop_at_pc) continue;
                ASSERT_LE(plan.count, n);
                ASSERT_EQ(check_plan(w.view(), plan), Violation::None)
                    << std::hex << pc << " with " << int{n} << " breakpoints";
                breakpoints[plan.count]++;
                checked++;
            }
    }
    EXPECT_GT(checked, 1000u);
    for (u32 n = 1; n <= kMaxBreakpoints; n++)
        EXPECT_GT(breakpoints[n], 0u) << n;
}

TEST_F(RealCode, MostOfItIsRecognised) {
    u32 classes[8]{};
    u32 all = 0;
    // From the end of the 16-bit entry code on; data between the functions is why it is not all.
    for (u64 pc = kLoadAddress + 0x400; pc < end_; pc += w.classify(pc).length) {
        classes[static_cast<u8>(w.classify(pc).cls)]++;
        all++;
    }
    EXPECT_LT(classes[static_cast<u8>(InstructionClass::Unrecognised)], all / 50);
    EXPECT_GT(classes[static_cast<u8>(InstructionClass::ConditionalBranch)], all / 30);
}

} // namespace
} // namespace btvm::test

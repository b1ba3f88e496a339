// Traced execution must end where plain interpretation ends, whatever the number of breakpoints and the
// planner, and must never let ring 3 see what it would change.
#include <gtest/gtest.h>

#include "tests/unit/hypervisor/simulated_world.hh"

namespace btvm::test {
namespace {

// Adds 1 to 100 by a function called through a pointer, reads flags and selectors on the way, and halts:
//         mov ecx,100; xor eax,eax; mov edx,add
// again:  call edx; pushf; pop ebx; test ebx,3200h; jnz bad; mov esi,cs; cmp si,8; jne bad; dec ecx; jnz
// again; hlt bad:    mov eax,0badh; hlt add:    add eax,ecx; stc; cli; ret
constexpr u8 kProgram[] = {0xb9, 0x64, 0x00, 0x00, 0x00, 0x31, 0xc0, 0xba, 0x2d, 0x00, 0x01, 0x00, 0xff,
                           0xd2, 0x9c, 0x5b, 0xf7, 0xc3, 0x00, 0x32, 0x00, 0x00, 0x75, 0x0f, 0x8c, 0xce,
                           0x66, 0x83, 0xfe, 0x08, 0x75, 0x07, 0x49, 0x75, 0xe9, 0xf4, 0x90, 0x90, 0x90,
                           0xb8, 0xad, 0x0b, 0x00, 0x00, 0xf4, 0x01, 0xc8, 0xf9, 0xfa, 0xc3};

class TracerTest : public testing::TestWithParam<std::tuple<unsigned, u32>> {};

TEST_P(TracerTest, EndsWhereTheInterpreterEnds) {
    const auto [breakpoints, flags] = GetParam();
    SimulatedWorld traced(breakpoints, flags);
    traced.start(kProgram);
    ASSERT_EQ(traced.run(), HostRequest::Halt);
    EXPECT_EQ(traced.cpu().gpr[Rax], 5050u);
    EXPECT_EQ(traced.cpu().gpr[Rsp], SimulatedWorld::kStack);
    EXPECT_EQ(traced.cpu().gpr[Rcx], 0u);
    EXPECT_GT(traced.native_instructions(), 100u) << "nothing ran natively: nothing was tested";
    EXPECT_GT(traced.world().stats.trap_breakpoint, 0u);
}

INSTANTIATE_TEST_SUITE_P(Plans, TracerTest,
                         testing::Combine(testing::Values(1u, 2u, 3u, 4u),
                                          testing::Values(0u, u32{BTVM_CONFIG_LOOKAHEAD},
                                                          u32{BTVM_CONFIG_PLAN_CACHE_OFF})));

TEST(Tracer, MoreBreakpointsNeverMeanMoreTraps) {
    u64 before = ~u64{0};
    for (unsigned n = 1; n <= 4; n++) {
        SimulatedWorld traced(n);
        traced.start(kProgram);
        ASSERT_EQ(traced.run(), HostRequest::Halt);
        EXPECT_LE(traced.world().stats.trap_breakpoint, before) << n << " breakpoints";
        before = traced.world().stats.trap_breakpoint;
    }
}

TEST(Tracer, AMissingBreakpointIsSeen) {
    SimulatedWorld traced(4, BTVM_CONFIG_TEST_PLANNER_BUG);
    traced.start(kProgram);
    EXPECT_THROW((void)traced.run(), InvariantBroken);
}

TEST(Tracer, AnInterruptFindsItsHandlerBetweenInstructions) {
    // jmp $ with interrupts on; the handler halts. Vector 8 by the controller's power-on base is not used:
    // the IDT is empty, so the interrupt ends in a triple fault, which is what proves that it was delivered.
    constexpr u8 kSpin[] = {0xfb, 0x90, 0xeb, 0xfe};
    SimulatedWorld traced(4);
    traced.start(kSpin);
    World& world = traced.world();
    world.pic.write(0x20, 0x11);
    world.pic.write(0x21, 0x20);
    world.pic.write(0x21, 0x04);
    world.pic.write(0x21, 0x01);
    world.pic.write(0x21, 0x00);
    world.pic.pulse_irq(1);
    EXPECT_EQ(traced.run(), HostRequest::Shutdown);
    EXPECT_EQ(world.stats.interrupts_delivered, 1u);
}

} // namespace
} // namespace btvm::test

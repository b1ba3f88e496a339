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

TEST(Tracer, ABusLockIsTheHostsAndNotInt1) {
    for (const u64 dr6 : {u64{0xffff0ff0}, u64{0xffff07f0}}) {
        SimulatedWorld guest(4);
        constexpr u8 kForEver[] = {0xeb, 0xfe};
        guest.start(kForEver);
        for (Segment& s : guest.cpu().seg) {
            s.selector |= 3;
            s.access.value |= 0x60;
        }
        World& world = guest.world();
        world.native.way = native::Way::Direct;
        btvm_switch_context& context = *world.host.context;
        native::store_registers(guest.cpu(), context.frame, 0);
        context.frame.cs = context.frame.ss = 0x10 | 3;
        context.ds = context.es = context.fs = context.gs = 0x10 | 3;
        for (Segment& s : guest.cpu().seg)
            s.selector = 0x10 | 3;
        context.frame.vector = static_cast<u64>(Vector::Debug);
        context.trap_dr6 = dr6;
        Tracer tracer(world, world.host);
        EXPECT_EQ(tracer.trap(), Verdict::Leave);
        // What goes on is interpreted, since its IF is clear; INT1 has no handler.
        EXPECT_EQ(world.request, dr6 == 0xffff0ff0 ? HostRequest::Shutdown : HostRequest::ModeSwitch);
    }
}

TEST(Tracer, InterpretsNoLongerThanUserlandsDeadline) {
    constexpr u8 kForEver[] = {0xeb, 0xfe};
    SimulatedWorld guest(4, BTVM_CONFIG_INTERPRET);
    guest.start(kForEver);
    guest.world().clock.anchor_ns = 1000; // it stands still
    const auto steps_until = [&](u64 deadline) {
        const u64 before = guest.world().stats.interpreted_instructions;
        Tracer(guest.world(), guest.world().host).interpret(100, deadline);
        return guest.world().stats.interpreted_instructions - before;
    };
    EXPECT_EQ(steps_until(1001), 100u);
    EXPECT_EQ(steps_until(1000), 16u);
}

/// Programs the controllers as a BIOS does, and raises line 1. The guests here have an empty IDT, so the
/// interrupt ends in a triple fault: that it was delivered, and where, is what is looked at.
void raise_interrupt(Pic& pic) {
    pic.write(0x20, 0x11);
    pic.write(0x21, 0x20);
    pic.write(0x21, 0x04);
    pic.write(0x21, 0x01);
    pic.write(0x21, 0x00);
    pic.pulse_irq(1);
}

TEST(Tracer, AnInterruptIsDeliveredAfterSti) {
    constexpr u8 kSpin[] = {0xfb, 0x90, 0xeb, 0xfe}; // sti; nop; jmp $
    SimulatedWorld traced(4);
    traced.start(kSpin);
    raise_interrupt(traced.world().pic);
    EXPECT_EQ(traced.run(), HostRequest::Shutdown);
    EXPECT_EQ(traced.world().stats.interrupts_delivered, 1u);
    EXPECT_EQ(traced.cpu().rip, SimulatedWorld::kCode + 2)
        << "not right after the instruction that follows STI";
}

TEST(Tracer, AnInterruptWaitsForTheAnsweredPortAccess) {
    constexpr u8 kOut[] = {0xfb, 0x90, 0xe6, 0xe0, 0xf4}; // sti; nop; out e0h, al; hlt
    SimulatedWorld traced(4);
    traced.start(kOut);
    World& world = traced.world();
    ASSERT_EQ(traced.run(), HostRequest::Io);
    raise_interrupt(world.pic);
    world.port_request.phase = PortRequest::Phase::Answered;
    EXPECT_EQ(traced.run(), HostRequest::Shutdown);
    EXPECT_EQ(traced.cpu().rip, SimulatedWorld::kCode + 4) << "the OUT would be executed a second time";
    EXPECT_EQ(world.port_counters.userland, 1u);
}

} // namespace
} // namespace btvm::test

// What the debug registers hold while guest code runs, what DR6 says of it, and the way of EFLAGS.RF through
// native code.
#include <gtest/gtest.h>

#include "tests/unit/native/user_guest.hh"
#include "vmm/native/breakpoints.hh"

namespace btvm::test {
namespace {

constexpr u64 kNoBits = 0xffff0ff0;

struct BreakpointsTest : testing::Test {
    UserGuest guest;
    CpuState& cpu = guest.cpu();
    btvm_switch_context& context = guest.context();
    void enter() {
        ASSERT_TRUE(guest.prepare());
        guest.enter();
    }
    u64 dr7_for(u64 control) {
        cpu.dr[7] = control;
        native::store_breakpoints(cpu, nullptr, context);
        return context.dr7;
    }
    u64 hits(u64 dr6) { return native::breakpoint_hits(cpu, kNoBits | dr6); }
    /// DR7 with a plan that has these addresses.
    u64 dr7_beside(std::initializer_list<u64> addresses) {
        Plan plan;
        for (const u64 address : addresses)
            plan.address[plan.count++] = address;
        native::enter_kernel(guest.world(), guest.view(), &plan, 0);
        return context.dr7;
    }
    /// EFLAGS.RF as an interrupt would push it, after native code has stopped at `rip`.
    bool flag_after(u64 vector, u64 rip, u64 flag_in_frame) {
        context.frame.vector = vector;
        context.frame.rip = rip;
        context.frame.rflags = (context.frame.rflags & ~u64{eflags::kRf}) | flag_in_frame;
        guest.leave();
        return cpu.rflags & eflags::kRf;
    }
};

constexpr u64 kTimer = 0xec;
constexpr u64 kPageFault = static_cast<u64>(Vector::PageFault);
constexpr u64 kDebug = static_cast<u64>(Vector::Debug);

TEST_F(BreakpointsTest, TheDebugRegistersHoldTheGuests) {
    cpu.dr[0] = 0x12345678;
    cpu.dr[3] = 0xfffffffc;
    cpu.dr[7] = 0xd0010782; // DR0 by G0: write, a byte; DR3 by G3: write, a dword; LE, GE
    enter();
    EXPECT_EQ(context.dr7, 0xd0010482u);
    EXPECT_EQ(context.dr[0], 0x12345678u);
    EXPECT_EQ(context.dr[3], 0xfffffffcu);
    guest.leave();
    cpu.dr[7] = dr7::kFixed;
    enter();
    EXPECT_EQ(context.dr7, dr7::kFixed);
}

TEST_F(BreakpointsTest, WhatMustNotReachTheProcessor) {
    EXPECT_EQ(dr7_for(0x00002400), dr7::kFixed) << "GD";
    EXPECT_EQ(dr7_for(0xffff0400), dr7::kFixed) << "none enabled";
    EXPECT_EQ(dr7_for(0x00020401), dr7::kFixed) << "a port is no address of memory";
    EXPECT_EQ(dr7_for(0x000c0401), 0x401u) << "an instruction breakpoint has no length";
    cpu.dr[2] = 0xffffff8000000000;
    EXPECT_EQ(dr7_for(0x03000410), 0x03000410u);
    EXPECT_EQ(context.dr[2], 0u) << "the guest's addresses have 32 bits";
}

TEST_F(BreakpointsTest, TracedCodeHasThemToo) {
    cpu.dr[1] = 0x5000;
    cpu.dr[7] = 0x100408 | dr7::kFixed;
    native::enter_kernel(guest.world(), guest.view(), nullptr, 0);
    EXPECT_EQ(context.dr7, 0x100408u);
    EXPECT_EQ(context.dr[1], 0x5000u);
}

TEST_F(BreakpointsTest, APlanHasWhatTheGuestLeaves) {
    EXPECT_EQ(dr7_beside({0x6000, 0x7000, 0x8000, 0x9000}), 0x455u);
    cpu.dr[1] = 0x5000;
    cpu.dr[3] = 0x7000;
    cpu.dr[7] = 0xd0100488; // G1: write, a byte; G3: write, a dword
    EXPECT_EQ(native::free_registers(cpu), 2u);
    EXPECT_EQ(dr7_beside({0x7000, 0x8000}), 0xd0100499u);
    EXPECT_EQ(context.dr[0], 0x7000u);
    EXPECT_EQ(context.dr[1], 0x5000u);
    EXPECT_EQ(context.dr[2], 0x8000u) << "it was there already";
    EXPECT_EQ(context.dr[3], 0x7000u);
    EXPECT_EQ(hits(1), 0u) << "the plan's";
    EXPECT_EQ(hits(3), 2u);
    EXPECT_EQ(hits(4), 0u);
    EXPECT_EQ(dr7_beside({}), 0xd0100488u);
    cpu.dr[7] = 0x20402; // G0: a port
    EXPECT_EQ(native::free_registers(cpu), 4u);
    EXPECT_EQ(dr7_beside({0x5000}), 0x404u);
    cpu.dr[7] = 0x4ff;
    EXPECT_EQ(native::free_registers(cpu), 0u);
}

TEST_F(BreakpointsTest, WhatDr6Reports) {
    (void)dr7_for(0x00d10415); // L0: write, a byte; L1: write, a dword; L2: instruction
    EXPECT_EQ(hits(1), 1u);
    EXPECT_EQ(hits(3), 3u);
    EXPECT_EQ(hits(4), 4u);
    EXPECT_EQ(hits(8), 0u) << "not enabled";
    EXPECT_EQ(hits(5), 1u) << "the next instruction's comes by itself";
    EXPECT_EQ(hits(4 | dr6::kSingleStep), 0u);
    EXPECT_EQ(hits(1 | dr6::kSingleStep), 1u);
}

TEST_F(BreakpointsTest, TheProcessorHasTheResumeFlagWhereItCounts) {
    cpu.rflags |= eflags::kRf;
    enter();
    EXPECT_FALSE(context.frame.rflags & eflags::kRf) << "no breakpoint to pass";
    guest.leave();
    cpu.rflags |= eflags::kRf;
    cpu.dr[7] = 0x401;
    enter();
    EXPECT_TRUE(context.frame.rflags & eflags::kRf);
    cpu.rflags &= ~u64{eflags::kRf};
    enter();
    EXPECT_FALSE(context.frame.rflags & eflags::kRf);
}

TEST_F(BreakpointsTest, TheResumeFlagLastsUntilTheInstructionIsDone) {
    const u64 begin = cpu.rip;
    for (const u64 armed : {0, 1}) {
        cpu.dr[7] = dr7::kFixed | armed;
        const auto enter_with_flag = [&] {
            cpu.rip = begin;
            cpu.rflags |= eflags::kRf;
            enter();
        };
        enter_with_flag();
        EXPECT_TRUE(flag_after(kTimer, begin, context.frame.rflags & eflags::kRf)) << "nothing was executed";
        enter_with_flag();
        EXPECT_TRUE(flag_after(kPageFault, begin, eflags::kRf)) << "nor was it here";
        enter_with_flag();
        EXPECT_TRUE(flag_after(kPageFault, begin, 0)) << "an emulated processor's frame";
        enter_with_flag();
        EXPECT_FALSE(flag_after(kTimer, begin + 2, 0));
        enter_with_flag();
        EXPECT_FALSE(flag_after(kPageFault, begin + 2, eflags::kRf)) << "every fault pushes it";
        enter_with_flag();
        EXPECT_TRUE(flag_after(kTimer, begin + 2, eflags::kRf)) << "a repeated string instruction has begun";
        EXPECT_FALSE(flag_after(kPageFault, begin, eflags::kRf)) << "the flag is spent";
    }
    cpu.rip = begin;
    cpu.rflags |= eflags::kRf;
    enter();
    EXPECT_FALSE(flag_after(kDebug, begin, 0)) << "the instruction led to itself, and met its breakpoint";
}

TEST_F(BreakpointsTest, OurOwnResumeFlagIsNotTheGuests) {
    native::enter_kernel(guest.world(), guest.view(), nullptr, eflags::kRf);
    EXPECT_TRUE(context.frame.rflags & eflags::kRf);
    EXPECT_FALSE(flag_after(kTimer, cpu.rip, eflags::kRf));
    // Both at once: whether the instruction has been passed, the processor knows.
    cpu.dr[7] = 0x401;
    cpu.rflags |= eflags::kRf;
    native::enter_kernel(guest.world(), guest.view(), nullptr, eflags::kRf);
    EXPECT_TRUE(flag_after(kTimer, cpu.rip, eflags::kRf));
    native::enter_kernel(guest.world(), guest.view(), nullptr, eflags::kRf);
    EXPECT_FALSE(flag_after(kDebug, cpu.rip, 0)) << "it led to itself, and met its breakpoint";
}

TEST_F(BreakpointsTest, OnesThatTrapAtRing0WaitForTheInstruction) {
    cpu.dr[7] = 0x00030401; // L0: access, a byte
    enter();
    context.late_dr6 = kNoBits | 1;
    context.frame.vector = static_cast<u64>(Vector::GeneralProtection);
    guest.leave();
    EXPECT_EQ(cpu.debug_pending, 1u);
    EXPECT_EQ(cpu.interrupt_shadow, 3u) << "as after MOV SS";
    EXPECT_EQ(context.late_dr6, 0u);
    cpu.debug_pending = cpu.interrupt_shadow = 0;
    enter();
    context.late_dr6 = kNoBits | 2;
    guest.leave();
    EXPECT_EQ(cpu.debug_pending, 0u) << "no breakpoint of the guest";
    EXPECT_EQ(cpu.interrupt_shadow, 0u);
    enter();
    context.late_dr6 = kNoBits | dr6::kSingleStep | 1;
    context.trap_dr6 = kNoBits;
    context.frame.vector = kDebug;
    guest.leave();
    EXPECT_EQ(cpu.debug_pending, 0u) << "it is part of the #DB that came in";
    EXPECT_EQ(context.trap_dr6, kNoBits | dr6::kSingleStep | 1);
}

} // namespace
} // namespace btvm::test

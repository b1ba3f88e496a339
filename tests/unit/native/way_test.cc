// Which code may run natively, and how.
#include <gtest/gtest.h>

#include "tests/unit/native/user_guest.hh"

namespace btvm::test {
namespace {

using native::Way;

struct WayTest : testing::Test {
    UserGuest guest;
    CpuState& cpu = guest.cpu();
    Way lax() const { return native::way(cpu, {}); }
    Way full() const { return native::way(cpu, {.lax_segments = false}); }
    Way guarding(SegmentSet set) const { return native::way(cpu, {.guarded = set}); }
    void at_ring_0() {
        cpu.seg[Cs] = {0, 0xffffffff, 0x08, AccessRights{0xc09b}};
        for (const SegReg s : {Ds, Es, Fs, Gs, Ss})
            cpu.seg[s] = {0, 0xffffffff, 0x10, AccessRights{0xc093}};
    }
};

TEST_F(WayTest, FlatCodeOfEitherRing) {
    EXPECT_EQ(lax(), Way::Direct);
    EXPECT_EQ(full(), Way::Direct);
    cpu.cr0 |= cr0::kPg;
    EXPECT_EQ(full(), Way::Direct);
    at_ring_0();
    EXPECT_EQ(lax(), Way::Trace);
    EXPECT_EQ(full(), Way::Trace);
    cpu.rflags |= eflags::kTf;
    EXPECT_EQ(full(), Way::Interpret) << "the planner's own steps and the guest's do not mix";
    cpu.rflags &= ~eflags::kTf;
}

TEST_F(WayTest, ModesThatAreInterpreted) {
    cpu.cr0 &= ~cr0::kPe;
    EXPECT_EQ(full(), Way::Interpret);
    cpu.cr0 |= cr0::kPe;
    cpu.rflags |= eflags::kVm;
    EXPECT_EQ(full(), Way::Interpret);
    cpu.rflags &= ~eflags::kVm;
    EXPECT_EQ(full(), Way::Direct);
}

TEST_F(WayTest, BreakpointsOfTheGuest) {
    cpu.dr[7] = 0x402;
    EXPECT_EQ(full(), Way::Direct) << "user code has the debug registers to itself";
    at_ring_0();
    EXPECT_EQ(full(), Way::Trace) << "a plan has room beside one";
    EXPECT_EQ(native::way(cpu, {.traced_segments = true}), Way::Trace);
    EXPECT_EQ(native::way(cpu, {.traced_segments = true, .room_for_breakpoints = false}), Way::Interpret)
        << "not beside four";
}

TEST_F(WayTest, FlagsThatRing3CannotHave) {
    for (const u64 flag : {u64{1} << eflags::kIoplShift, eflags::kIopl, eflags::kIf}) {
        const u64 before = cpu.rflags;
        cpu.rflags ^= flag;
        EXPECT_EQ(full(), Way::Interpret) << std::hex << flag;
        cpu.rflags = before;
    }
    for (const u64 flag : {eflags::kNt, eflags::kId, eflags::kDf, eflags::kTf}) {
        cpu.rflags |= flag;
        EXPECT_EQ(full(), Way::Direct) << std::hex << flag;
    }
}

TEST_F(WayTest, AlignmentChecksNeedAProcessorThatMakesThem) {
    cpu.rflags |= eflags::kAc;
    EXPECT_EQ(lax(), Way::Direct);
    EXPECT_EQ(full(), Way::Interpret) << "the host's CR0.AM would make them";
    cpu.cr0 |= cr0::kAm;
    EXPECT_EQ(lax(), Way::Interpret);
    EXPECT_EQ(full(), Way::Direct);
}

TEST_F(WayTest, SegmentsThatNeedAProcessorThatChecksThem) {
    cpu.seg[Ds].limit = 0xffff;
    EXPECT_EQ(lax(), Way::Interpret);
    EXPECT_EQ(full(), Way::Direct);
    cpu.seg[Ds].limit = 0xffffffff;
    cpu.seg[Gs] = {0, 0, 0, AccessRights{0}};
    EXPECT_EQ(lax(), Way::Direct) << "GS is null in every program without threads";
    cpu.seg[Es] = {0, 0, 0, AccessRights{0}};
    EXPECT_EQ(lax(), Way::Interpret);
    EXPECT_EQ(full(), Way::Direct);
    at_ring_0();
    cpu.seg[Ds].limit = 0xffff;
    EXPECT_EQ(lax(), Way::Interpret);
    EXPECT_EQ(full(), Way::Trace);
    EXPECT_EQ(guarding(only(Ds) | only(Fs)), Way::Trace);
    EXPECT_EQ(native::to_guard(cpu, 0), 0) << "nearly every instruction would trap";
}

TEST_F(WayTest, ASmallSegmentOfTheKernelIsGuarded) {
    at_ring_0();
    EXPECT_EQ(native::to_guard(cpu, 0), 0) << "no need";
    cpu.seg[Gs].limit = 0x18;
    EXPECT_EQ(lax(), Way::Interpret);
    EXPECT_EQ(full(), Way::Trace);
    EXPECT_EQ(native::to_guard(cpu, 0), only(Gs));
    EXPECT_EQ(guarding(only(Fs)), Way::Interpret);
    EXPECT_EQ(guarding(only(Gs)), Way::Trace);
    EXPECT_EQ(native::to_guard(cpu, only(Gs)), 0);
    cpu.seg[Fs].access = AccessRights{0xc091};
    EXPECT_EQ(native::to_guard(cpu, only(Gs)), only(Fs)) << "it cannot be written";
    cpu.seg[Ds].limit = 0xffff;
    EXPECT_EQ(native::to_guard(cpu, 0), 0) << "it would not help";
    cpu.seg[Ds].limit = 0xffffffff;
    cpu.seg[Cs].limit = 0xffffff;
    EXPECT_EQ(native::to_guard(cpu, 0), 0);
    cpu.seg[Cs].limit = 0xffffffff;
    cpu.cr0 &= ~cr0::kPe;
    EXPECT_EQ(native::to_guard(cpu, 0), 0);
}

TEST_F(WayTest, CodeAndStackOfTheKernelMayEnd) {
    at_ring_0();
    for (const SegReg r : {Cs, Ss}) {
        cpu.seg[r].limit = 0xffffff; // as the first Linux has them
        EXPECT_EQ(lax(), Way::Interpret);
        EXPECT_EQ(full(), Way::Trace);
        cpu.seg[r].base = 0x1000;
        EXPECT_EQ(full(), Way::Interpret) << "what is decoded goes by linear addresses";
        cpu.seg[r].base = 0;
    }
    cpu.rip = 0xffffff;
    EXPECT_EQ(full(), Way::Trace);
    cpu.rip = 0x1000000;
    EXPECT_EQ(full(), Way::Interpret) << "IRET would fault";
    EXPECT_EQ(native::way(cpu, {.lax_segments = false, .traced_segments = true}), Way::Interpret);
}

TEST_F(WayTest, SegmentsThatNobodyCanLoadAreTheInterpreters) {
    at_ring_0();
    cpu.seg[Fs].access = AccessRights{0x4098}; // execute-only code
    EXPECT_EQ(full(), Way::Interpret);
    cpu.seg[Fs].access = AccessRights{0x4089}; // a TSS
    EXPECT_EQ(full(), Way::Interpret);
    cpu.seg[Fs].access = AccessRights{0x409a};
    EXPECT_EQ(full(), Way::Trace);
}

TEST_F(WayTest, CodeAndStackSizes) {
    cpu.seg[Cs].access.value &= ~0x4000;
    EXPECT_EQ(lax(), Way::Interpret);
    EXPECT_EQ(full(), Way::Direct);
    cpu.seg[Ss].access.value &= ~0x4000;
    EXPECT_EQ(full(), Way::Interpret) << "IRET to a 16-bit stack leaves ESP's upper half";
}

} // namespace
} // namespace btvm::test

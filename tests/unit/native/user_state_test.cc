// The way to ring 3 and back for code that believes itself there: selectors, hidden parts, flags.
#include <gtest/gtest.h>

#include "tests/unit/native/user_guest.hh"

namespace btvm::test {
namespace {

constexpr u64 kBased = 0x00cff3000100ffff; // data with base 100h
constexpr u64 kMoved = 0x00cff3000300ffff;

TEST(UserState, TheFrameIsTheGuests) {
    UserGuest guest;
    guest.cpu().gpr[Rsp] = 0x8000;
    guest.cpu().gpr[Rdi] = 0x1234;
    guest.cpu().rflags |= eflags::kNt | eflags::kId | eflags::kDf | eflags::kCf;
    guest.context().dr7 = 0x401;
    ASSERT_TRUE(guest.prepare());
    guest.enter();
    const btvm_trap_frame& frame = guest.context().frame;
    EXPECT_EQ(frame.cs, UserGuest::kCs);
    EXPECT_EQ(frame.ss, UserGuest::kDs);
    EXPECT_EQ(frame.rip, 0x10000u);
    EXPECT_EQ(frame.rsp, 0x8000u);
    EXPECT_EQ(frame.gpr[Rdi], 0x1234u);
    EXPECT_EQ(frame.rflags, guest.cpu().rflags);
    EXPECT_EQ(guest.context().dr7, 0x400u) << "no plan may fire in user code";
    EXPECT_EQ(guest.context().user_tables, 1u);
    EXPECT_EQ(guest.context().es, UserGuest::kDs);
    EXPECT_TRUE(native::from_user(guest.world()));
}

TEST(UserState, WhatUserCodeLoadedComesBack) {
    UserGuest guest;
    guest.put(0x63, kBased);
    guest.put(0xf, kUserCode);
    ASSERT_TRUE(guest.prepare());
    guest.enter();
    btvm_switch_context& context = guest.context();
    context.es = 0x63;
    context.fs = 0x60;
    context.gs = 3;
    context.frame.cs = 0xf;
    context.frame.rip = 0x123;
    context.frame.rflags = eflags::kFixed1 | eflags::kIf | eflags::kTf | eflags::kAc | eflags::kRf;
    guest.leave();
    const CpuState& cpu = guest.cpu();
    EXPECT_EQ(cpu.seg[Es], Descriptor{kBased}.segment(0x63));
    EXPECT_EQ(cpu.seg[Fs], Descriptor{kBased}.segment(0x60));
    EXPECT_TRUE(cpu.seg[Gs].null());
    EXPECT_EQ(cpu.seg[Gs].selector, 3);
    EXPECT_EQ(cpu.seg[Cs], Descriptor{kUserCode}.segment(0xf));
    EXPECT_EQ(cpu.seg[Ds], Descriptor{kUserData}.segment(UserGuest::kDs));
    EXPECT_EQ(cpu.rip, 0x123u);
    EXPECT_EQ(cpu.rflags, eflags::kFixed1 | eflags::kIf | eflags::kTf | eflags::kAc);
}

TEST(UserState, AStaleRegisterIsLoadedFromWhatItHolds) {
    UserGuest guest;
    guest.put(0x63, kBased);
    guest.load(Es, 0x63);
    guest.put(0x63, kMoved);
    ASSERT_TRUE(guest.prepare());
    EXPECT_EQ(guest.context().hidden_part[1], kBased);
    EXPECT_EQ(guest.seen(0x63), kMoved & ~kAccessedBit) << "a load by user code must trap";
    guest.enter();
    guest.leave();
    EXPECT_EQ(guest.cpu().seg[Es].base, 0x100u);
    guest.load(Es, 0x63);
    ASSERT_TRUE(guest.prepare());
    EXPECT_EQ(guest.context().hidden_part[1], 0u);
    EXPECT_EQ(guest.seen(0x63), kMoved);
}

TEST(UserState, ADescriptorThatIsGoneStaysInItsRegister) {
    UserGuest guest;
    guest.put(0x63, kBased);
    guest.load(Gs, 0x63);
    guest.put(0x63, 0);
    ASSERT_TRUE(guest.prepare());
    EXPECT_EQ(guest.context().hidden_part[3], kBased);
    EXPECT_EQ(guest.seen(0x63), 0u);
}

TEST(UserState, TwoRegistersThatHoldOldAndNew) {
    UserGuest guest;
    guest.put(0x63, kBased);
    guest.load(Es, 0x63);
    guest.put(0x63, kMoved);
    guest.load(Fs, 0x63);
    ASSERT_TRUE(guest.prepare());
    EXPECT_EQ(guest.context().hidden_part[1], kBased);
    EXPECT_EQ(guest.context().hidden_part[2], kMoved) << "its place in the table traps now";
}

TEST(UserState, CodeAndStackMustBeWhatIretLoads) {
    UserGuest guest;
    ASSERT_TRUE(guest.prepare());
    guest.cpu().seg[Ss].base = 0x1000;
    EXPECT_FALSE(guest.prepare());
    guest.cpu().seg[Ss].base = 0;
    guest.cpu().seg[Cs].limit = 0xffff;
    EXPECT_FALSE(guest.prepare());
    guest.cpu().seg[Cs].limit = 0xffffffff;
    ASSERT_TRUE(guest.prepare());
    guest.put(UserGuest::kCs, kUserCode & ~kAccessedBit);
    EXPECT_FALSE(guest.prepare()) << "IRET would write the table at ring 0";
    guest.put(UserGuest::kCs, kUserCode);
    guest.cpu().seg[Ds].base = 0x1000;
    EXPECT_FALSE(guest.prepare()) << "the selector is the stack's too";
}

TEST(UserState, ASegmentOfAnInnerRingDoesNotComeThroughIret) {
    UserGuest guest;
    guest.put(0x60, kBased & ~(u64{3} << 45));
    guest.load(Ds, 0x60);
    EXPECT_FALSE(guest.prepare()) << "as SYSEXIT leaves it";
    guest.put(0x60, kBased);
    guest.load(Ds, 0x60);
    EXPECT_TRUE(guest.prepare());
}

TEST(UserState, EipBeyondTheSegment) {
    UserGuest guest;
    constexpr u64 kSmall = 0x0040fb000000ffff;
    guest.put(UserGuest::kCs, kSmall);
    guest.load(Cs, UserGuest::kCs);
    guest.cpu().rip = 0xffff;
    EXPECT_TRUE(guest.prepare());
    guest.cpu().rip = 0x10000;
    EXPECT_FALSE(guest.prepare());
}

TEST(UserState, RegistersThatNoLoadGives) {
    UserGuest guest;
    guest.cpu().seg[Es].selector = 0; // as real mode leaves them
    EXPECT_FALSE(guest.prepare());
    guest.cpu().seg[Es] = {0, 0, 0x63, AccessRights{0}};
    EXPECT_FALSE(guest.prepare());
    guest.cpu().seg[Es] = {0, 0, 0, AccessRights{0}};
    EXPECT_TRUE(guest.prepare());
    guest.cpu().seg[Es] = {0, 0x100fff01, 0x63, AccessRights{0xc0f3}}; // no descriptor has that limit
    EXPECT_FALSE(guest.prepare());
}

TEST(UserState, BackToKernelCodeTakesTheOtherTables) {
    UserGuest guest;
    guest.put(0x63, kBased);
    guest.load(Es, 0x63);
    guest.put(0x63, kMoved);
    ASSERT_TRUE(guest.prepare());
    guest.enter();
    guest.leave();
    guest.cpu().cr4 |= cr4::kOsfxsr;
    guest.cpu().seg[Gs] = {0, 0, 0, AccessRights{0}};
    native::enter_kernel(guest.world(), guest.view(), nullptr, 0);
    EXPECT_EQ(guest.context().user_tables, 0u);
    EXPECT_EQ(guest.context().hidden_part[1], 0u);
    EXPECT_EQ(guest.context().es, BTVM_SEL_GUEST_ES);
    EXPECT_EQ(guest.context().gs, 0u);
    EXPECT_EQ(guest.context().frame.cs, u64{BTVM_SEL_GUEST_CS});
    EXPECT_EQ(guest.context().guest_cr4, cr4::kOsfxsr);
    EXPECT_FALSE(native::from_user(guest.world()));
}

} // namespace
} // namespace btvm::test

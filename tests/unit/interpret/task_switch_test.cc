// Hardware tasks, and virtual-8086 mode.
#include <gtest/gtest.h>

#include "tests/unit/interpret/protected_machine.hh"

namespace btvm::test {
namespace {

class Tasks : public ::testing::Test, protected ProtectedMachine {
protected:
    static constexpr u32 kOther = 0x18000;
    static constexpr u32 kOtherStack = 0x38000;

    Tasks() {
        store<u32>(kTss2 + 0x20, kOther);
        store<u32>(kTss2 + 0x24, eflags::kFixed1 | eflags::kCf);
        for (u32 r = 0; r < 8; r++)
            store<u32>(kTss2 + 0x28 + 4 * r, 0x1000 * r);
        store<u32>(kTss2 + 0x38, kOtherStack);
        for (u32 s = 0; s < 6; s++)
            store<u32>(kTss2 + 0x48 + 4 * s, kData0);
        store<u32>(kTss2 + 0x4c, kCode0);
        cpu.gpr[Rcx] = 0xc0ffee;
        cpu.rflags |= eflags::kIf;
    }
    [[nodiscard]] u8 type(u16 selector) const { return load<u8>(kGdt + (selector & 0xfff8u) + 5) & 0xf; }
};

TEST_F(Tasks, JumpSavesAndLoads) {
    put(kCode, {0xea, 0, 0, 0, 0, kTss2Selector, 0}); // jmp to the TSS
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(cpu.rip, kOther);
    EXPECT_EQ(cpu.gpr[Rcx], 0x1000u);
    EXPECT_EQ(cpu.gpr[Rsp], kOtherStack);
    EXPECT_EQ(cpu.rflags, eflags::kFixed1 | eflags::kCf);
    EXPECT_EQ(cpu.tr.selector, kTss2Selector);
    EXPECT_TRUE(cpu.cr0 & cr0::kTs);
    EXPECT_EQ(type(kTssSelector), 9) << "the old task is no longer busy";
    EXPECT_EQ(type(kTss2Selector), 11);
    EXPECT_EQ(load<u32>(kTss + 0x20), kCode + 7);
    EXPECT_EQ(load<u32>(kTss + 0x24), eflags::kFixed1 | eflags::kIf);
    EXPECT_EQ(load<u32>(kTss + 0x2c), 0xc0ffeeu);
    EXPECT_EQ(load<u16>(kTss + 0x4c), kCode0);
}

TEST_F(Tasks, CallNestsAndIretReturns) {
    put(kCode, {0x9a, 0, 0, 0, 0, kTss2Selector, 0, 0x90});
    put(kOther, {0xcf, 0x41, 0xcf}); // iret; inc ecx; iret
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_TRUE(cpu.rflags & eflags::kNt);
    EXPECT_EQ(load<u16>(kTss2), kTssSelector);
    EXPECT_EQ(type(kTssSelector), 11);
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(cpu.rip, kCode + 7);
    EXPECT_EQ(cpu.gpr[Rcx], 0xc0ffeeu);
    EXPECT_EQ(cpu.rflags, eflags::kFixed1 | eflags::kIf);
    EXPECT_EQ(type(kTssSelector), 11);
    EXPECT_EQ(type(kTss2Selector), 9);
    EXPECT_FALSE(load<u32>(kTss2 + 0x24) & eflags::kNt) << "cleared in the image of the task that returned";
    // The other task goes on where it was.
    cpu.rip = kCode;
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(cpu.rip, kOther + 1);
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(cpu.gpr[Rcx], 0x1001u);
}

TEST_F(Tasks, BusyTaskIsRefused) {
    put(kCode, {0xea, 0, 0, 0, 0, kTssSelector, 0});
    (void)step();
    EXPECT_EQ(vector(), 13);
    EXPECT_EQ(stack(0), kTssSelector);
}

TEST_F(Tasks, ShortTssIsRefused) {
    set_descriptor(kTss2Selector, kTss2, 0x66, 0x89);
    put(kCode, {0xea, 0, 0, 0, 0, kTss2Selector, 0});
    (void)step();
    EXPECT_EQ(vector(), 10);
    EXPECT_EQ(stack(0), kTss2Selector);
    EXPECT_EQ(stack(1), kCode) << "raised in the old task";
    EXPECT_EQ(type(kTss2Selector), 9);
}

TEST_F(Tasks, BadSegmentIsRaisedInTheNewTask) {
    store<u32>(kTss2 + 0x54, kTssSelector); // DS
    put(kCode, {0xea, 0, 0, 0, 0, kTss2Selector, 0});
    (void)step();
    EXPECT_EQ(vector(), 10);
    EXPECT_EQ(stack(0), kTssSelector);
    EXPECT_EQ(stack(1), kOther);
    EXPECT_EQ(cpu.tr.selector, kTss2Selector);
}

TEST_F(Tasks, TaskGateForAFaultPushesTheErrorCode) {
    set_raw(kTaskGate, gate(kTss2Selector, 0, 0x85));
    store(kIdt + 8 * 13, gate(kTss2Selector, 0, 0x85));
    put(kCode, {0x66, 0xb8, 0x00, 0x02, 0x8e, 0xd8}); // mov ax, 200h; mov ds, ax
    ASSERT_EQ(step(), StepStatus::Completed);
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(cpu.rip, kOther);
    EXPECT_EQ(stack(0), 0x200u);
    EXPECT_EQ(cpu.gpr[Rsp], kOtherStack - 4);
    EXPECT_TRUE(cpu.rflags & eflags::kNt);
    EXPECT_EQ(load<u32>(kTss + 0x20), kCode + 4);
    EXPECT_TRUE(load<u32>(kTss + 0x24) & eflags::kIf);
    EXPECT_TRUE(load<u32>(kTss + 0x24) & eflags::kRf) << "a fault";
}

TEST_F(Tasks, DebugTrapBit) {
    store<u16>(kTss2 + 0x64, 1);
    put(kCode, {0xea, 0, 0, 0, 0, kTss2Selector, 0});
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(vector(), 1);
    EXPECT_EQ(stack(0), kOther);
    EXPECT_TRUE(cpu.dr[6] & 0x8000);
}

TEST_F(Tasks, SixteenBitTss) {
    set_descriptor(kTss2Selector, kTss2, 0x2b, 0x81);
    std::memset(ram.data() + kTss2, 0, 0x2c);
    store<u16>(kTss2 + 0x0e, 0x8000);
    store<u16>(kTss2 + 0x10, 0x0002);
    store<u16>(kTss2 + 0x14, 0x1234); // CX
    store<u16>(kTss2 + 0x1a, 0x7000); // SP
    store<u16>(kTss2 + 0x24, kCode16);
    store<u16>(kTss2 + 0x26, kData16);
    put(kCode, {0x9a, 0, 0, 0, 0, kTss2Selector, 0});
    put(0x8000, {0xcf});
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(cpu.rip, 0x8000u);
    EXPECT_EQ(cpu.gpr[Rcx] & 0xffff, 0x1234u);
    EXPECT_TRUE(cpu.seg[Ds].null());
    EXPECT_EQ(cpu.seg[Ss].selector, kData16);
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(cpu.rip, kCode + 7);
    EXPECT_EQ(cpu.gpr[Rcx], 0xc0ffeeu);
}

class V86 : public ::testing::Test, protected ProtectedMachine {
protected:
    /// Goes to 1000:0100 in v86 by IRET from level 0.
    void enter(u32 flags = 0) {
        cpu.gpr[Rsp] = kStack0 - 36;
        const u32 frame[9] = {0x100,  0x1000, static_cast<u32>(eflags::kFixed1 | eflags::kVm | flags),
                              0x7000, 0x2000, 0x3000,
                              0x4000, 0x5000, 0x6000};
        std::memcpy(ram.data() + cpu.gpr[Rsp], frame, sizeof frame);
        ram[kCode] = 0xcf;
        ASSERT_EQ(step(), StepStatus::Completed);
    }
    static constexpr u32 kAt = 0x10100;
};

TEST_F(V86, EntersByIret) {
    enter();
    EXPECT_TRUE(cpu.v86());
    EXPECT_EQ(cpu.cpl(), 3);
    EXPECT_EQ(cpu.rip, 0x100u);
    EXPECT_EQ(cpu.seg[Cs].base, 0x10000u);
    EXPECT_EQ(cpu.seg[Ss].base, 0x20000u);
    EXPECT_EQ(cpu.seg[Es].base, 0x30000u);
    EXPECT_EQ(cpu.seg[Gs].base, 0x60000u);
    EXPECT_EQ(cpu.gpr[Rsp], 0x7000u);
    put(kAt, {0xb8, 0x78, 0x56, 0x8e, 0xd8, 0x8c, 0xdb}); // mov ax, 5678h; mov ds, ax; mov bx, ds
    for (int i = 0; i < 3; i++)
        ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(cpu.seg[Ds].base, 0x56780u);
    EXPECT_EQ(cpu.gpr[Rbx] & 0xffff, 0x5678u);
}

TEST_F(V86, FaultGoesToLevel0WithNineDwords) {
    enter();
    put(kAt, {0xfa}); // cli with IOPL 0
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(vector(), 13);
    EXPECT_FALSE(cpu.v86());
    EXPECT_EQ(cpu.cpl(), 0);
    EXPECT_EQ(cpu.gpr[Rsp], kStack0 - 40);
    EXPECT_EQ(stack(0), 0u);
    EXPECT_EQ(stack(1), 0x100u);
    EXPECT_EQ(stack(2), 0x1000u);
    EXPECT_TRUE(stack(3) & eflags::kVm);
    EXPECT_EQ(stack(4), 0x7000u);
    EXPECT_EQ(stack(5), 0x2000u);
    EXPECT_EQ(stack(6), 0x3000u);
    EXPECT_EQ(stack(9), 0x6000u);
    EXPECT_TRUE(cpu.seg[Ds].null());
    EXPECT_TRUE(cpu.seg[Gs].null());
}

TEST_F(V86, IoplDecidesSensitiveInstructions) {
    for (u8 op : {0xfa, 0xfb, 0x9c, 0x9d, 0xcf}) {
        go(0);
        enter();
        put(kAt, {op});
        (void)step();
        EXPECT_EQ(vector(), 13) << unsigned{op};
    }
    go(0);
    enter();
    put(kAt, {0xcd, 0x21});
    (void)step();
    EXPECT_EQ(vector(), 13);
    go(0);
    enter(eflags::kIopl);
    (void)step();
    EXPECT_EQ(vector(), 0x21) << "INT n goes through the IDT, not the table at 0";
    go(0);
    enter();
    put(kAt, {0xcc}); // INT3 does not ask IOPL
    (void)step();
    EXPECT_EQ(vector(), 3);
    go(0);
    enter(eflags::kIopl);
    put(kAt, {0xfb, 0x9c}); // sti; pushf
    (void)step();
    (void)step();
    EXPECT_EQ(load<u16>(0x20000 + 0x6ffe), eflags::kFixed1 | eflags::kIf | eflags::kIopl);
}

TEST_F(V86, PortsAskTheBitmapWhateverTheIopl) {
    enter(eflags::kIopl);
    put(kAt, {0xe4, 0x40});
    (void)step();
    EXPECT_EQ(vector(), 13);
}

TEST_F(V86, ProtectedModeInstructionsAreUndefined) {
    for (u8 modrm : {0xc8, 0xd0, 0xd8, 0xe0}) {
        go(0);
        enter();
        put(kAt, {0x0f, 0x00, modrm});
        (void)step();
        EXPECT_EQ(vector(), 6);
    }
}

TEST_F(V86, HandlerAtLevel3IsRefused) {
    set_gate(0x80, kCode3 & 0xfffc, kHandlers, 0xee);
    enter(eflags::kIopl);
    put(kAt, {0xcd, 0x80});
    (void)step();
    EXPECT_EQ(vector(), 13);
    EXPECT_EQ(stack(0), kCode3 & 0xfffcu);
}

TEST_F(V86, EnteredByATask) {
    store<u32>(kTss2 + 0x20, 0x100);
    store<u32>(kTss2 + 0x24, eflags::kFixed1 | eflags::kVm);
    store<u32>(kTss2 + 0x38, 0x7000);
    store<u32>(kTss2 + 0x4c, 0x1000);
    store<u32>(kTss2 + 0x54, 0x2000);
    put(kCode, {0xea, 0, 0, 0, 0, kTss2Selector, 0});
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_TRUE(cpu.v86());
    EXPECT_EQ(cpu.seg[Cs].base, 0x10000u);
    EXPECT_EQ(cpu.seg[Ds].base, 0x20000u);
    EXPECT_EQ(cpu.cpl(), 3);
}

} // namespace
} // namespace btvm::test

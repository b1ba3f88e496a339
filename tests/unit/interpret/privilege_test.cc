// Protected mode: descriptor checks, gates, levels, and the frames that faults leave.
#include <gtest/gtest.h>

#include "tests/unit/interpret/protected_machine.hh"

namespace btvm::test {
namespace {

class Privilege : public ::testing::Test, protected ProtectedMachine {
protected:
    /// Runs the code at kCode for `steps` instructions.
    void run_code(std::span<const u8> code, unsigned steps = 1) {
        place(code);
        for (unsigned i = 0; i < steps; i++)
            ASSERT_EQ(step(), StepStatus::Completed);
    }
    /// Expects to be in the handler of a fault of the instruction at `ip`, with this error code on the stack.
    void expect_fault(Vector v, u32 error, u32 ip = kCode) {
        EXPECT_EQ(vector(), static_cast<int>(v));
        EXPECT_EQ(stack(0), error);
        EXPECT_EQ(stack(1), ip);
        EXPECT_TRUE(stack(3) & eflags::kRf) << "faults push RF";
    }
};

// Written so that no assembler gives them a prefix of 66h.
GUEST_CODE(load_ds, 32, "mov ds, eax");
GUEST_CODE(load_ss, 32, "mov ss, eax");
GUEST_CODE(pop_es, 32, ".att_syntax prefix; popl %es");

TEST_F(Privilege, SegmentLoads) {
    cpu.gpr[Rax] = kCode16; // readable code is fine in DS
    run_code(GUEST_BYTES(load_ds));
    EXPECT_EQ(cpu.seg[Ds].limit, 0xffffu);

    struct Case {
        u16 selector;
        Vector vector;
        u32 error;
    };
    for (const Case c : {Case{kTssSelector, Vector::GeneralProtection, kTssSelector},
                         Case{kAbsent, Vector::SegmentNotPresent, kAbsent},
                         Case{0x200, Vector::GeneralProtection, 0x200}, // beyond the GDT
                         Case{0x0c, Vector::GeneralProtection, 0x0c},   // no LDT
                         Case{kData0 | 3, Vector::GeneralProtection, kData0}}) {
        go(0);
        cpu.gpr[Rax] = c.selector;
        run_code(GUEST_BYTES(load_ds));
        expect_fault(c.vector, c.error);
    }
}

TEST_F(Privilege, NullSelectors) {
    cpu.gpr[Rax] = 0;
    run_code(GUEST_BYTES(load_ds));
    EXPECT_EQ(vector(), -1);
    EXPECT_TRUE(cpu.seg[Ds].null());
    ram[kCode] = 0xa0; // mov al, [0]
    cpu.rip = kCode;
    (void)step();
    expect_fault(Vector::GeneralProtection, 0);

    go(0);
    cpu.gpr[Rax] = 3;
    run_code(GUEST_BYTES(load_ss));
    expect_fault(Vector::GeneralProtection, 0);
}

TEST_F(Privilege, StackSegmentChecks) {
    for (const auto& [selector, vector, error] :
         {std::tuple{kData3, Vector::GeneralProtection, u32{kData3 & 0xfffc}},
          std::tuple{kReadOnly, Vector::GeneralProtection, u32{kReadOnly}},
          std::tuple{kCode0, Vector::GeneralProtection, u32{kCode0}},
          std::tuple{kAbsent, Vector::StackFault, u32{kAbsent}}}) {
        go(0);
        cpu.gpr[Rax] = selector;
        run_code(GUEST_BYTES(load_ss));
        expect_fault(vector, error);
    }
}

TEST_F(Privilege, AccessedBit) {
    set_descriptor(kFree, 0x12345678, 0x10, 0x92);
    cpu.gpr[Rax] = kFree;
    run_code(GUEST_BYTES(load_ds));
    EXPECT_EQ(load<u8>(kGdt + kFree + 5), 0x93);
    EXPECT_EQ(cpu.seg[Ds].base, 0x12345678u);
}

TEST_F(Privilege, LimitsAndTypes) {
    set_descriptor(kFree, kData, 0xff, 0x4093);
    cpu.gpr[Rax] = kFree;
    run_code(GUEST_BYTES(load_ds));
    put(kCode, {0x8b, 0x1d, 0xfc, 0, 0, 0}); // mov ebx, [fch]
    cpu.rip = kCode;
    (void)step();
    EXPECT_EQ(vector(), -1);
    ram[kCode + 2] = 0xfd;
    cpu.rip = kCode;
    (void)step();
    expect_fault(Vector::GeneralProtection, 0);

    go(0);
    cpu.gpr[Rax] = kExpandDown;
    run_code(GUEST_BYTES(load_ds));
    store<u32>(0x100000, 0xabcd1234);
    put(kCode, {0xa1, 0x00, 0x00, 0x10, 0x00}); // mov eax, [100000h]
    cpu.rip = kCode;
    (void)step();
    EXPECT_EQ(cpu.gpr[Rax], 0xabcd1234u);
    put(kCode, {0xa1, 0xff, 0xff, 0x0f, 0x00});
    cpu.rip = kCode;
    (void)step();
    expect_fault(Vector::GeneralProtection, 0);

    go(0);
    cpu.gpr[Rax] = kReadOnly;
    run_code(GUEST_BYTES(load_ds));
    put(kCode, {0xa3, 0, 0, 5, 0}); // mov [50000h], eax
    cpu.rip = kCode;
    (void)step();
    expect_fault(Vector::GeneralProtection, 0);

    go(0);
    put(kCode, {0x2e, 0xa3, 0, 0, 5, 0}); // mov cs:[50000h], eax
    (void)step();
    expect_fault(Vector::GeneralProtection, 0);
}

GUEST_CODE(int80, 32, "int 0x80; nop");
GUEST_CODE(iret, 32, "iretd");

TEST_F(Privilege, InterruptFromUserAndBack) {
    go(3);
    cpu.rflags |= eflags::kIf | eflags::kCf;
    set_gate(0x80, kCode0, kHandlers, 0xee);
    place(GUEST_BYTES(iret), kHandlers);
    run_code(GUEST_BYTES(int80));
    EXPECT_EQ(cpu.rip, kHandlers);
    EXPECT_EQ(cpu.cpl(), 0);
    EXPECT_EQ(cpu.seg[Cs].selector, kCode0);
    EXPECT_EQ(cpu.seg[Ss].selector, kData0);
    EXPECT_EQ(cpu.gpr[Rsp], kStack0 - 20);
    EXPECT_FALSE(cpu.rflags & eflags::kIf);
    EXPECT_EQ(stack(0), kCode + 2);
    EXPECT_EQ(stack(1), kCode3);
    EXPECT_EQ(stack(2), eflags::kFixed1 | eflags::kIf | eflags::kCf);
    EXPECT_EQ(stack(3), kStack3);
    EXPECT_EQ(stack(4), kData3);
    cpu.seg[Fs] = Descriptor{load<u64>(kGdt + kData0)}.segment(kData0);
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(cpu.rip, kCode + 2);
    EXPECT_EQ(cpu.cpl(), 3);
    EXPECT_EQ(cpu.gpr[Rsp], kStack3);
    EXPECT_TRUE(cpu.rflags & eflags::kIf);
    EXPECT_TRUE(cpu.seg[Fs].null()) << "a level 0 segment must not reach level 3";
    EXPECT_FALSE(cpu.seg[Gs].null());
}

TEST_F(Privilege, SoftwareInterruptChecksTheGate) {
    go(3);
    set_gate(0x80, kCode0, kHandlers, 0x8e);
    run_code(GUEST_BYTES(int80));
    expect_fault(Vector::GeneralProtection, 0x80 * 8 + 2);
    go(3);
    set_gate(0x80, kCode0, kHandlers, 0x6e); // not present
    run_code(GUEST_BYTES(int80));
    expect_fault(Vector::SegmentNotPresent, 0x80 * 8 + 2);
    // The same gate from outside: EXT.
    go(3);
    set_gate(0x81, kAbsent, 0, 0x8e);
    set_descriptor(kAbsent, 0, 0xfffff, 0xc01b);
    Event e{Event::Kind::External, 0x81, false, 0};
    ASSERT_EQ(interpreter.deliver(e), StepStatus::Completed);
    EXPECT_EQ(vector(), 11);
    EXPECT_EQ(stack(0), kAbsent | 1u);
}

TEST_F(Privilege, TrapGateKeepsIf) {
    cpu.rflags |= eflags::kIf | eflags::kTf;
    set_gate(0x80, kCode0, kHandlers, 0x8f);
    run_code(GUEST_BYTES(int80));
    EXPECT_TRUE(cpu.rflags & eflags::kIf);
    EXPECT_FALSE(cpu.rflags & eflags::kTf);
    EXPECT_EQ(cpu.gpr[Rsp], kStack0 - 12) << "same level: no SS:ESP, and no trap for the TF it began with";
    EXPECT_EQ(cpu.rip, kHandlers);
}

// GNU's and LLVM's assemblers agree on a far call in this syntax only.
GUEST_CODE(call_gate, 32, ".att_syntax prefix; lcall $0x5b, $0");
GUEST_CODE(retf8, 32, "retf 8");

TEST_F(Privilege, CallGateToAnInnerLevel) {
    go(3);
    set_raw(kCallGate, gate(kCode0, kHandlers, 0xec, 2));
    cpu.gpr[Rsp] -= 8;
    store<u32>(kStack3 - 8, 0x11111111);
    store<u32>(kStack3 - 4, 0x22222222);
    place(GUEST_BYTES(retf8), kHandlers);
    run_code(GUEST_BYTES(call_gate));
    EXPECT_EQ(cpu.rip, kHandlers);
    EXPECT_EQ(cpu.cpl(), 0);
    EXPECT_EQ(cpu.gpr[Rsp], kStack0 - 24);
    EXPECT_EQ(stack(0), kCode + 7);
    EXPECT_EQ(stack(1), kCode3);
    EXPECT_EQ(stack(2), 0x11111111u);
    EXPECT_EQ(stack(3), 0x22222222u);
    EXPECT_EQ(stack(4), kStack3 - 8);
    EXPECT_EQ(stack(5), kData3);
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(cpu.rip, kCode + 7);
    EXPECT_EQ(cpu.cpl(), 3);
    EXPECT_EQ(cpu.gpr[Rsp], kStack3);
}

TEST_F(Privilege, CallGateFaults) {
    go(3);
    set_raw(kCallGate, gate(kCode0, kHandlers, 0x8c)); // DPL 0
    run_code(GUEST_BYTES(call_gate));
    expect_fault(Vector::GeneralProtection, kCallGate);
    go(3);
    set_raw(kCallGate, gate(kData0, kHandlers, 0xec));
    run_code(GUEST_BYTES(call_gate));
    expect_fault(Vector::GeneralProtection, kData0);
    // A bad inner stack is #TS with the selector of the stack; it is raised at level 3 and needs that stack
    // too: #DF cannot be delivered either, so the machine shuts down.
    go(3);
    set_raw(kCallGate, gate(kCode0, kHandlers, 0xec));
    store<u32>(kTss + 8, kData3);
    place(GUEST_BYTES(call_gate));
    EXPECT_EQ(step(), StepStatus::Shutdown);
}

TEST_F(Privilege, ConformingCodeKeepsTheLevel) {
    go(3);
    put(kCode, {0x9a, 0x00, 0x10, 0x02, 0x00, kConforming, 0x00}); // call 38h:21000h
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(cpu.rip, 0x21000u);
    EXPECT_EQ(cpu.cpl(), 3);
    EXPECT_EQ(cpu.seg[Cs].selector, kConforming | 3);
    go(3);
    put(kCode, {0xea, 0x00, 0x10, 0x02, 0x00, kCode0, 0x00}); // jmp to level 0 code
    (void)step();
    expect_fault(Vector::GeneralProtection, kCode0);
}

TEST_F(Privilege, FarJumpTo16BitCodeAndBackToRealMode) {
    put(kCode, {0xea, 0x00, 0x80, 0x00, 0x00, kCode16, 0x00}); // jmp 40h:8000h
    put(0x8000, {0x0f, 0x20, 0xc0, 0x48, 0x0f, 0x22, 0xc0,     // mov eax, cr0; dec ax; mov cr0, eax
                 0xb8, 0x34, 0x12, 0xf4});                     // mov ax, 1234h; hlt
    EXPECT_EQ(run(), StepStatus::Halted);
    EXPECT_FALSE(cpu.protected_mode());
    EXPECT_EQ(cpu.gpr[Rax] & 0xffff, 0x1234u);
    EXPECT_EQ(cpu.seg[Ds].limit, 0xffffffffu) << "hidden limits outlive protected mode";
}

TEST_F(Privilege, PrivilegedInstructionsAtLevel3) {
    const std::initializer_list<std::initializer_list<u8>> all = {
        {0xfa},                         // cli
        {0xfb},                         // sti
        {0xf4},                         // hlt
        {0x0f, 0x06},                   // clts
        {0x0f, 0x08},                   // invd
        {0x0f, 0x20, 0xc0},             // mov eax, cr0
        {0x0f, 0x23, 0xc0},             // mov dr0, eax
        {0x0f, 0x30},                   // wrmsr
        {0x0f, 0x01, 0x15, 0, 0, 5, 0}, // lgdt
        {0x0f, 0x01, 0x38},             // invlpg
        {0x0f, 0x01, 0xf0},             // lmsw ax
        {0x0f, 0x00, 0xd0},             // lldt ax
        {0xe4, 0x60},                   // in al, 60h
        {0xef},                         // out dx, eax
        {0x6c},                         // insb
    };
    for (const auto& bytes : all) {
        go(3);
        put(kCode, bytes);
        (void)step();
        SCOPED_TRACE(static_cast<unsigned>(*bytes.begin()));
        expect_fault(Vector::GeneralProtection, 0);
    }
}

TEST_F(Privilege, IoPermissionBitmap) {
    go(3);
    set_descriptor(kTssSelector, kTss, 0x67 + 16, 0x8b);
    cpu.tr.limit = 0x67 + 16;
    store<u16>(kTss + 0x66, 0x68);
    std::memset(ram.data() + kTss + 0x68, 0xff, 16);
    ram[kTss + 0x68 + 8] = 0xfc; // ports 40h and 41h
    cpu.gpr[Rdx] = 0x40;
    put(kCode, {0xec, 0x66, 0xed, 0xed}); // in al, dx; in ax, dx; in eax, dx
    ASSERT_EQ(step(), StepStatus::Completed);
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(cpu.rip, kCode + 3);
    (void)step();
    expect_fault(Vector::GeneralProtection, 0, kCode + 3);
    // Two bytes of the map are read for any port: both must lie within the limit.
    go(3);
    cpu.gpr[Rdx] = 0x40;
    cpu.tr.limit = 0x68 + 8;
    (void)step();
    expect_fault(Vector::GeneralProtection, 0);
    cpu.tr.limit++;
    go(3);
    cpu.gpr[Rdx] = 0x40;
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(vector(), -1);
    go(3);
    cpu.rflags |= eflags::kIopl;
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(cpu.rip, kCode + 1);
}

GUEST_CODE(popf, 32, "popfd");

TEST_F(Privilege, PopfChangesWhatTheLevelMay) {
    go(3);
    cpu.gpr[Rsp] -= 4;
    store<u32>(kStack3 - 4, 0x3ffeff);
    run_code(GUEST_BYTES(popf));
    EXPECT_EQ(cpu.rflags & (eflags::kIopl | eflags::kIf | eflags::kVm | eflags::kRf), 0u);
    EXPECT_TRUE(cpu.rflags & eflags::kNt);
    go(0);
    cpu.gpr[Rsp] -= 4;
    store<u32>(kStack0 - 4, eflags::kIopl | eflags::kIf);
    run_code(GUEST_BYTES(popf));
    EXPECT_EQ(cpu.rflags, eflags::kFixed1 | eflags::kIopl | eflags::kIf);
}

TEST_F(Privilege, SelectorInquiries) {
    go(3);
    cpu.gpr[Rcx] = kData0;
    put(kCode, {0x0f, 0x02, 0xc1, 0x0f, 0x03, 0xd1}); // lar eax, ecx; lsl edx, ecx
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_FALSE(cpu.rflags & eflags::kZf);
    cpu.gpr[Rcx] = kData3;
    cpu.rip = kCode;
    ASSERT_EQ(step(), StepStatus::Completed);
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_TRUE(cpu.rflags & eflags::kZf);
    EXPECT_EQ(cpu.gpr[Rax], 0xc0f300u);
    EXPECT_EQ(cpu.gpr[Rdx], 0xffffffffu);
    put(kCode, {0x0f, 0x00, 0xe1, 0x0f, 0x00, 0xe9, 0x63, 0xc8}); // verr cx; verw cx; arpl ax, cx
    cpu.rip = kCode;
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_TRUE(cpu.rflags & eflags::kZf);
    cpu.gpr[Rcx] = kCode3;
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_FALSE(cpu.rflags & eflags::kZf);
    cpu.gpr[Rax] = kData0;
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_TRUE(cpu.rflags & eflags::kZf);
    EXPECT_EQ(cpu.gpr[Rax], kData0 | 3u);
}

TEST_F(Privilege, LoadTaskRegisterSetsBusy) {
    cpu.gpr[Rax] = kTss2Selector;
    put(kCode, {0x0f, 0x00, 0xd8, 0x0f, 0x00, 0xd8}); // ltr ax, twice
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(load<u8>(kGdt + kTss2Selector + 5), 0x8b);
    EXPECT_EQ(cpu.tr.base, kTss2);
    (void)step();
    expect_fault(Vector::GeneralProtection, kTss2Selector, kCode + 3);
}

TEST_F(Privilege, SixteenBitGates) {
    go(3);
    store(kIdt + 8 * 13, gate(kCode0, 0x4000, 0x86)); // a 16-bit interrupt gate
    put(kCode, {0xfa});
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(cpu.rip, 0x4000u);
    EXPECT_EQ(cpu.gpr[Rsp], kStack0 - 12) << "six words";
    EXPECT_EQ(load<u16>(kStack0 - 12), 0) << "the error code";
    EXPECT_EQ(load<u16>(kStack0 - 10), kCode & 0xffff);
    EXPECT_EQ(load<u16>(kStack0 - 8), kCode3);
    EXPECT_EQ(load<u16>(kStack0 - 4), kStack3 & 0xffff);
    EXPECT_EQ(load<u16>(kStack0 - 2), kData3);
    // A 16-bit call gate with one word of parameters.
    go(3);
    set_raw(kCallGate, gate(kCode0, 0x4000, 0xe4, 1));
    store<u16>(kStack3, 0xabcd);
    place(GUEST_BYTES(call_gate));
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(cpu.rip, 0x4000u);
    EXPECT_EQ(cpu.gpr[Rsp], kStack0 - 10);
    EXPECT_EQ(load<u16>(kStack0 - 6), 0xabcd);
    EXPECT_EQ(load<u16>(kStack0 - 10), (kCode + 7) & 0xffff);
}

TEST_F(Privilege, SixteenBitStackKeepsTheUpperHalf) {
    cpu.gpr[Rax] = kData16;
    cpu.gpr[Rsp] = 0xdead0000;
    put(kCode, {0x8e, 0xd0, 0x50, 0xc8, 0x10, 0, 0, 0xc9}); // mov ss, ax; push eax; enter 16, 0; leave
    ASSERT_EQ(step(), StepStatus::Completed);
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(cpu.gpr[Rsp], 0xdeadfffcu);
    EXPECT_EQ(load<u32>(0xfffc), kData16);
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(cpu.gpr[Rbp], 0xdeadfff8u);
    EXPECT_EQ(cpu.gpr[Rsp], 0xdeadffe8u);
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(cpu.gpr[Rsp], 0xdeadfffcu);
}

TEST_F(Privilege, Sysenter) {
    go(3);
    cpu.sysenter_cs = kCode0;
    cpu.sysenter_esp = 0x31000;
    cpu.sysenter_eip = kHandlers;
    put(kCode, {0x0f, 0x34});
    put(kHandlers, {0x0f, 0x35});
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(cpu.cpl(), 0);
    EXPECT_EQ(cpu.rip, kHandlers);
    EXPECT_EQ(cpu.gpr[Rsp], 0x31000u);
    cpu.gpr[Rdx] = kCode + 2;
    cpu.gpr[Rcx] = kStack3;
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(cpu.cpl(), 3);
    EXPECT_EQ(cpu.rip, kCode + 2);
    EXPECT_EQ(cpu.seg[Cs].selector, kCode3);
    EXPECT_EQ(cpu.seg[Ss].selector, kData3);
    cpu.sysenter_cs = 0;
    cpu.rip = kCode;
    (void)step();
    expect_fault(Vector::GeneralProtection, 0);
}

TEST_F(Privilege, LocalDescriptors) {
    cpu.gpr[Rax] = kLdtSelector;
    put(kCode, {0x0f, 0x00, 0xd0, 0xb8, 0x0c, 0, 0, 0, 0x8e, 0xd8}); // lldt ax; mov eax, 0ch; mov ds, ax
    const u64 data = load<u64>(kGdt + kReadOnly);
    store(kLdt + 8, data);
    for (int i = 0; i < 3; i++)
        ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(vector(), -1);
    EXPECT_EQ(cpu.seg[Ds].selector, 0x0c);
}

} // namespace
} // namespace btvm::test

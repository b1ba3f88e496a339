// Real mode: interrupts, limits (and their absence after protected mode), A20, ports.
#include <gtest/gtest.h>

#include "tests/unit/interpret/guest_code.hh"
#include "tests/unit/interpret/machine.hh"

namespace btvm::test {
namespace {

constexpr u16 kAt = 0x8000;
constexpr u16 kHandlers = 0x6000;

class RealMode : public ::testing::Test, protected Machine {
protected:
    RealMode() { real_mode(kAt, kHandlers); }
    void place(std::span<const u8> bytes) { std::memcpy(ram.data() + kAt, bytes.data(), bytes.size()); }
    [[nodiscard]] u16 stack(u32 index) const {
        return load<u16>(static_cast<u32>(cpu.seg[Ss].base + (cpu.gpr[Rsp] & 0xffff)) + 2 * index);
    }
    [[nodiscard]] int vector() const {
        return cpu.rip >= kHandlers && cpu.rip < kHandlers + 256u ? static_cast<int>(cpu.rip - kHandlers)
                                                                  : -1;
    }
};

TEST_F(RealMode, StartsAtTheResetVector) {
    reset(cpu);
    EXPECT_EQ(cpu.seg[Cs].base + cpu.rip, 0xfffffff0u);
    memory.slots[1].first = 0xffff0000;
    memory.slots[1].size = 0x10000;
    memory.slots[1].memory = ram.data();
    memory.slots[1].read_only = 1;
    memory.slot_count = 2;
    put(0xfff0, {0xea, 0x5b, 0xe0, 0x00, 0xf0}); // jmp f000:e05b
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(cpu.seg[Cs].base, 0xf0000u) << "from here on in the first MiB";
    EXPECT_EQ(cpu.rip, 0xe05bu);
}

TEST_F(RealMode, InterruptAndReturn) {
    cpu.rflags |= eflags::kIf | eflags::kTf | eflags::kCf;
    put(kAt, {0xcd, 0x13});
    put(kHandlers + 0x13, {0xcf});
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(vector(), 0x13);
    EXPECT_EQ(stack(0), kAt + 2);
    EXPECT_EQ(stack(1), 0);
    EXPECT_EQ(stack(2), eflags::kFixed1 | eflags::kIf | eflags::kTf | eflags::kCf);
    EXPECT_FALSE(cpu.rflags & (eflags::kIf | eflags::kTf));
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(cpu.rip, kAt + 2u);
    EXPECT_EQ(cpu.gpr[Rsp], 0x7000u);
}

TEST_F(RealMode, FaultsPushNoErrorCode) {
    put(kAt, {0x8b, 0x07}); // mov ax, [bx] with BX = FFFFh
    cpu.gpr[Rbx] = 0xffff;
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(vector(), 13);
    EXPECT_EQ(stack(0), kAt);
    real_mode(kAt, kHandlers);
    cpu.gpr[Rbp] = 0xffff;
    put(kAt, {0x8b, 0x46, 0x00}); // through SS
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(vector(), 12);
    real_mode(kAt, kHandlers);
    put(kAt, {0xf6, 0xf3}); // div bl by zero
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(vector(), 0);
    EXPECT_EQ(stack(0), kAt);
}

TEST_F(RealMode, StackWraps) {
    cpu.gpr[Rsp] = 0;
    cpu.gpr[Rax] = 0xbeef;
    put(kAt, {0x50, 0x5b}); // push ax; pop bx
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(cpu.gpr[Rsp], 0xfffeu);
    EXPECT_EQ(load<u16>(0xfffe), 0xbeef);
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(cpu.gpr[Rbx], 0xbeefu);
    EXPECT_EQ(cpu.gpr[Rsp], 0u);
    cpu.gpr[Rsp] = 1; // the word at FFFFh would cross the limit, in the frame of the fault too
    cpu.rip = kAt;
    EXPECT_EQ(step(), StepStatus::Shutdown);
}

TEST_F(RealMode, ShortVectorTable) {
    cpu.idtr.limit = 0x3f; // vectors 0 to 15
    put(kAt, {0xcd, 0x10});
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(vector(), 13);
}

GUEST_CODE(unreal, 16, R"(
    cli
    lgdt [0x9000]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    mov bx, 8
    mov ds, bx
    and al, 0xfe
    mov cr0, eax
    xor bx, bx
    mov ds, bx
    mov edi, 0x180000
    mov dword ptr [edi], 0x600dcafe
    mov es, bx
    hlt
)");

TEST_F(RealMode, UnrealModeKeepsTheLimit) {
    store<u16>(0x9000, 15);
    store<u32>(0x9002, 0x9010);
    store<u64>(0x9018, 0x00cf93000000ffff);
    place(GUEST_BYTES(unreal));
    EXPECT_EQ(run(), StepStatus::Halted);
    EXPECT_EQ(load<u32>(0x180000), 0x600dcafeu);
    EXPECT_EQ(cpu.seg[Ds].limit, 0xffffffffu);
    EXPECT_EQ(cpu.seg[Es].limit, 0xffffu);
}

TEST_F(RealMode, A20) {
    cpu.seg[Ds] = {0xffff0, 0xffff, 0xffff, AccessRights{0x93}};
    store<u8>(0x100000, 0x11);
    store<u8>(0x000000, 0x22);
    put(kAt, {0xa0, 0x10, 0x00}); // mov al, [10h] at FFFF:0010
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(cpu.gpr[Rax], 0x11u);
    cpu.a20_mask_off = 1;
    cpu.rip = kAt;
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(cpu.gpr[Rax], 0x22u);
    // REP across the wrap.
    cpu.seg[Es] = {0xffff0, 0xffff, 0xffff, AccessRights{0x93}};
    cpu.seg[Ds] = {0, 0xffff, 0, AccessRights{0x93}};
    put(kAt, {0xf3, 0xa4});
    cpu.gpr[Rcx] = 8;
    cpu.gpr[Rsi] = 0x4000;
    cpu.gpr[Rdi] = 0x0c;
    store<u64>(0x4000, 0x8877665544332211);
    cpu.rip = kAt;
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(load<u32>(0xffffc), 0x44332211u);
    EXPECT_EQ(load<u32>(0), 0x88776655u);
}

TEST_F(RealMode, PortsGoToUserlandAndBack) {
    put(kAt, {0xe4, 0x60, 0xba, 0xf5, 0x03, 0xee}); // in al, 60h; mov dx, 3f5h; out dx, al
    const CpuState before = cpu;
    EXPECT_EQ(interpreter.step(), StepStatus::Io);
    EXPECT_EQ(request.port, 0x60);
    EXPECT_EQ(cpu.rip, before.rip);
    EXPECT_EQ(interpreter.step(), StepStatus::Io) << "still unanswered";
    inputs = {0xfa};
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(cpu.gpr[Rax], 0xfau);
    for (int i = 0; i < 2; i++)
        ASSERT_EQ(step(), StepStatus::Completed);
    ASSERT_EQ(outputs.size(), 1u);
    EXPECT_EQ(outputs[0], (Output{0x3f5, 1, 0xfa}));
}

TEST_F(RealMode, StringPorts) {
    put(kAt, {0xf3, 0x6d, 0xf3, 0x6e}); // rep insw; rep outsb
    cpu.gpr[Rdx] = 0x1f0;
    cpu.gpr[Rdi] = 0x4000;
    cpu.gpr[Rcx] = 3;
    inputs = {0x1111, 0x2222, 0x3333};
    interpreter.port_block = 0;
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(cpu.gpr[Rcx], 2u) << "an instruction boundary after each element that userland gave";
    EXPECT_EQ(cpu.rip, kAt);
    while (cpu.rip == kAt)
        ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(cpu.rip, kAt + 2u);
    EXPECT_EQ(load<u32>(0x4000), 0x22221111u);
    EXPECT_EQ(load<u16>(0x4004), 0x3333);
    EXPECT_EQ(cpu.gpr[Rdi], 0x4006u);
    cpu.gpr[Rcx] = 2;
    cpu.gpr[Rsi] = 0x4000;
    while (cpu.rip == kAt + 2u)
        ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(outputs, (std::vector<Output>{{0x1f0, 1, 0x11}, {0x1f0, 1, 0x11}}));
}

TEST_F(RealMode, RepInsIntoAFaultReadsNoPort) {
    put(kAt, {0xf3, 0x6d});
    cpu.gpr[Rdx] = 0x1f0;
    cpu.gpr[Rdi] = 0xfffd;
    cpu.gpr[Rcx] = 3;
    inputs = {0x1111, 0x2222, 0x3333};
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(cpu.gpr[Rcx], 2u);
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(vector(), 13);
    EXPECT_EQ(cpu.gpr[Rcx], 2u);
    EXPECT_EQ(inputs.size(), 2u) << "the second word is still in the device";
}

TEST_F(RealMode, PushSegmentWritesTwoBytes) {
    store<u32>(0x6ffc, 0xffffffff);
    cpu.seg[Ds].selector = 0x1234;
    put(kAt, {0x66, 0x1e}); // push ds, 32-bit
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(cpu.gpr[Rsp], 0x6ffcu);
    EXPECT_EQ(load<u32>(0x6ffc), 0xffff1234u);
}

TEST_F(RealMode, EnterCopiesOuterFrames) {
    put(kAt, {0xc8, 0x04, 0x00, 0x03}); // enter 4, 3
    cpu.gpr[Rbp] = 0x5000;
    store<u16>(0x4ffe, 0xaaaa);
    store<u16>(0x4ffc, 0xbbbb);
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(cpu.gpr[Rbp], 0x6ffeu);
    EXPECT_EQ(cpu.gpr[Rsp], 0x7000u - 8 - 4);
    EXPECT_EQ(load<u16>(0x6ffe), 0x5000);
    EXPECT_EQ(load<u16>(0x6ffc), 0xaaaa);
    EXPECT_EQ(load<u16>(0x6ffa), 0xbbbb);
    EXPECT_EQ(load<u16>(0x6ff8), 0x6ffe);
}

TEST_F(RealMode, Bound) {
    put(kAt, {0x62, 0x06, 0x00, 0x40}); // bound ax, [4000h]
    store<s16>(0x4000, -5);
    store<s16>(0x4002, 5);
    cpu.gpr[Rax] = 0xfffb;
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(vector(), -1);
    cpu.gpr[Rax] = 6;
    cpu.rip = kAt;
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(vector(), 5);
    EXPECT_EQ(stack(0), kAt);
}

TEST_F(RealMode, SystemInstructions) {
    put(kAt, {0x0f, 0x00, 0xc0}); // sldt ax: not in real mode
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(vector(), 6);
    real_mode(kAt, kHandlers);
    put(kAt, {0x0f, 0x01, 0xe0, 0x0f, 0x01, 0x06, 0x00, 0x40}); // smsw ax; sgdt [4000h]
    cpu.gdtr = {0x12345678, 0x77, {}};
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(cpu.gpr[Rax], 0x10u);
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(load<u16>(0x4000), 0x77);
    EXPECT_EQ(load<u32>(0x4002), 0x12345678u);
    put(kAt, {0x0f, 0x01, 0x16, 0x00, 0x40}); // lgdt [4000h], 16-bit: 24 bits of base
    cpu.rip = kAt;
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(cpu.gdtr.base, 0x345678u);
}

TEST_F(RealMode, ControlRegisterChecks) {
    put(kAt, {0x0f, 0x22, 0xc0}); // mov cr0, eax: PG without PE
    cpu.gpr[Rax] = cr0::kPg;
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(vector(), 13);
    real_mode(kAt, kHandlers);
    put(kAt, {0x0f, 0x22, 0xe0}); // mov cr4, eax: a bit CPUID does not offer
    cpu.gpr[Rax] = 1u << 16;
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(vector(), 13);
    EXPECT_EQ(cpu.cr4, 0u);
    real_mode(kAt, kHandlers);
    put(kAt, {0x0f, 0x01, 0xf0}); // lmsw ax sets PE and cannot clear it
    cpu.gpr[Rax] = 1;
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_TRUE(cpu.protected_mode());
    cpu.gpr[Rax] = 0;
    cpu.rip = kAt;
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_TRUE(cpu.protected_mode());
}

TEST_F(RealMode, CpuidRdtscMsr) {
    put(kAt, {0x0f, 0xa2, 0x0f, 0xa2, 0x0f, 0x31, 0x0f, 0x30, 0x0f, 0x32, 0x0f, 0x32});
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(cpu.gpr[Rax], 7u);
    EXPECT_EQ(cpu.gpr[Rbx], 0x756e6547u);
    EXPECT_EQ(cpu.gpr[Rdx], 0x49656e69u);
    EXPECT_EQ(cpu.gpr[Rcx], 0x6c65746eu);
    cpu.gpr[Rax] = 1;
    ASSERT_EQ(step(), StepStatus::Completed);
    CpuState fresh;
    reset(fresh);
    EXPECT_EQ(cpu.gpr[Rax], fresh.gpr[Rdx]) << "the signature RESET leaves in EDX";
    EXPECT_EQ(cpu.gpr[Rdx], cpu.features.basic);
    interpreter.tsc = 0x100000010;
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(cpu.gpr[Rdx], 1u);
    EXPECT_GE(cpu.gpr[Rax], 0x10u);
    cpu.gpr[Rcx] = 0x174;
    cpu.gpr[Rax] = 0x1234;
    ASSERT_EQ(step(), StepStatus::Completed);
    cpu.gpr[Rax] = 0;
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(cpu.gpr[Rax], 0x1234u);
    cpu.gpr[Rcx] = 0xdead;
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(vector(), 13);
}

TEST(Cpuid, Brand) {
    char text[49]{};
    for (u32 leaf = 0; leaf < 3; leaf++) {
        const CpuidResult r = cpuid(CpuFeatures{}, 0x80000002 + leaf, 0);
        std::memcpy(text + 16 * leaf, &r, 16);
    }
    EXPECT_STREQ(text, "btvm virtual CPU");
    EXPECT_EQ(cpuid(CpuFeatures{}, 0x80000000, 0).eax, 0x80000004u);
    EXPECT_EQ(cpuid(CpuFeatures{}, 0x12345, 0).edx, cpuid(CpuFeatures{}, 7, 0).edx)
        << "beyond the last leaf: the highest basic one";
}

} // namespace
} // namespace btvm::test

// Faults that meet faults, restarted REPs, breakpoints and single steps, interrupt shadows, illegal LOCKs.
#include <gtest/gtest.h>

#include "tests/unit/interpret/protected_machine.hh"

namespace btvm::test {
namespace {

class Faults : public ::testing::Test, protected ProtectedMachine {};

TEST_F(Faults, ContributoryPairIsADoubleFault) {
    set_gate(13, kData0, 0, 0x8e); // the #GP handler's selector is no code segment
    put(kCode, {0x66, 0xb8, 0x00, 0x02, 0x8e, 0xd8});
    (void)step();
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(vector(), 8);
    EXPECT_EQ(stack(0), 0u);
    EXPECT_EQ(stack(1), kCode + 4);
}

TEST_F(Faults, BenignThenContributoryIsSerial) {
    set_gate(6, kData0, 0, 0x8e);
    put(kCode, {0x0f, 0x0b});
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(vector(), 13);
    EXPECT_EQ(stack(0), kData0 | 1u) << "EXT: not the program's own doing";
}

TEST_F(Faults, TripleFaultShutsDown) {
    cpu.idtr.limit = 0;
    put(kCode, {0x0f, 0x0b});
    EXPECT_EQ(step(), StepStatus::Shutdown);
    EXPECT_EQ(cpu.activity, Activity::Shutdown);
    EXPECT_EQ(step(), StepStatus::Shutdown);
    EXPECT_EQ(interpreter.deliver({Event::Kind::Nmi, 2, false, 0}), StepStatus::Shutdown);
}

TEST_F(Faults, NothingChangesBeforeAFault) {
    // ADD with a destination beyond the limit, XCHG, PUSHA, CALL, CMPXCHG, ENTER: registers and flags stay.
    set_descriptor(kFree, kData, 0xfff, 0x4093);
    cpu.seg[Ds] = cpu.seg[Ss] = Descriptor{load<u64>(kGdt + kFree)}.segment(kFree);
    const std::initializer_list<std::initializer_list<u8>> all = {
        {0x01, 0x05, 0xfd, 0x0f, 0, 0},       // add [0ffdh], eax
        {0x87, 0x05, 0xfd, 0x0f, 0, 0},       // xchg
        {0x0f, 0xb1, 0x0d, 0xfd, 0x0f, 0, 0}, // cmpxchg [..], ecx
        {0x0f, 0xc1, 0x0d, 0xfd, 0x0f, 0, 0}, // xadd
        {0xf7, 0x3d, 0xfd, 0x0f, 0, 0},       // idiv
        {0xf7, 0xf6},                         // div esi: #DE
        {0x60},                               // pusha, stack too small
        {0x61},                               // popa
        {0xe8, 0, 0, 0, 0},                   // call
        {0xc3},                               // ret
        {0xc8, 0x10, 0x00, 0x01},             // enter
        {0xff, 0x35, 0xfd, 0x0f, 0, 0},       // push [..]
        {0x8f, 0x05, 0x00, 0x00, 0, 0},       // pop [..]
        {0xc5, 0x05, 0xfd, 0x0f, 0, 0},       // lds
        {0xa5},                               // movs
        {0x0f, 0xc7, 0x0d, 0xfd, 0x0f, 0, 0}, // cmpxchg8b
        {0xd1, 0x25, 0xfd, 0x0f, 0, 0},       // shl
        {0x0f, 0xa3, 0x0d, 0xfd, 0x0f, 0, 0}, // bt
    };
    set_gate(13, kCode0, kHandlers + 16 * 13, 0x8e);
    for (const auto& bytes : all) {
        SCOPED_TRACE(static_cast<unsigned>(*bytes.begin()));
        put(kCode, bytes);
        for (unsigned r = 0; r < 8; r++)
            cpu.gpr[r] = 0x2000 + r;
        cpu.gpr[Rsi] = 0xfff;
        cpu.gpr[Rax] = 0xffffffff;
        cpu.gpr[Rdx] = 0xffffffff;
        cpu.gpr[Rcx] = 8;
        cpu.gpr[Rsp] = 0xfffffffc; // nothing can be pushed, so the fault cannot be delivered either
        cpu.rip = kCode;
        cpu.rflags = eflags::kFixed1 | eflags::kCf | eflags::kZf;
        const CpuState before = cpu;
        const std::vector<u8> data(ram.begin() + kData, ram.begin() + kData + 0x1000);
        EXPECT_EQ(step(), StepStatus::Shutdown);
        for (unsigned r = 0; r < 8; r++)
            EXPECT_EQ(cpu.gpr[r], before.gpr[r]) << r;
        EXPECT_EQ(cpu.rflags, before.rflags);
        EXPECT_EQ(cpu.rip, before.rip);
        EXPECT_EQ(cpu.seg[Ds], before.seg[Ds]);
        EXPECT_TRUE(std::equal(data.begin(), data.end(), ram.begin() + kData));
        cpu.activity = Activity::Running;
    }
}

TEST_F(Faults, RepIsCutIntoSlicesAndRestarts) {
    put(kCode, {0xf3, 0xa4}); // rep movsb
    cpu.gpr[Rcx] = 1000;
    cpu.gpr[Rsi] = kData;
    cpu.gpr[Rdi] = kData + 0x1000;
    for (u32 i = 0; i < 1000; i++)
        ram[kData + i] = static_cast<u8>(i * 7);
    interpreter.rep_slice = 300;
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(cpu.rip, kCode);
    EXPECT_EQ(cpu.gpr[Rcx], 700u);
    EXPECT_TRUE(cpu.rflags & eflags::kRf);
    // An interrupt between the slices shows RF and returns to the same instruction.
    ASSERT_EQ(interpreter.deliver({Event::Kind::External, 0x20, false, 0}), StepStatus::Completed);
    EXPECT_EQ(stack(0), kCode);
    EXPECT_TRUE(stack(2) & eflags::kRf);
    ram[kHandlers + 16 * 0x20] = 0xcf;
    for (int i = 0; i < 4; i++)
        ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(cpu.rip, kCode + 2);
    EXPECT_FALSE(cpu.rflags & eflags::kRf);
    EXPECT_EQ(cpu.gpr[Rcx], 0u);
    EXPECT_EQ(cpu.gpr[Rdi], kData + 0x1000 + 1000);
    EXPECT_EQ(std::memcmp(ram.data() + kData, ram.data() + kData + 0x1000, 1000), 0);
}

TEST_F(Faults, RepFaultsAtTheRightIteration) {
    set_descriptor(kFree, kData, 0x103, 0x4093);
    cpu.seg[Es] = Descriptor{load<u64>(kGdt + kFree)}.segment(kFree);
    put(kCode, {0xf3, 0xab}); // rep stosd
    cpu.gpr[Rcx] = 100;
    cpu.gpr[Rdi] = 0;
    cpu.gpr[Rax] = 0x5a5a5a5a;
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(vector(), 13);
    EXPECT_EQ(stack(1), kCode);
    EXPECT_EQ(cpu.gpr[Rdi], 0x104u);
    EXPECT_EQ(cpu.gpr[Rcx], 100u - 0x41);
}

TEST_F(Faults, OverlappingCopiesPropagate) {
    put(kCode, {0xf3, 0xa4});
    ram[kData] = 0xaa;
    cpu.gpr[Rcx] = 64;
    cpu.gpr[Rsi] = kData;
    cpu.gpr[Rdi] = kData + 1;
    ASSERT_EQ(step(), StepStatus::Completed);
    for (u32 i = 0; i <= 64; i++)
        ASSERT_EQ(ram[kData + i], 0xaa);
}

TEST_F(Faults, SingleStep) {
    cpu.rflags |= eflags::kTf;
    put(kCode, {0x90});
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(vector(), 1);
    EXPECT_EQ(stack(0), kCode + 1);
    EXPECT_TRUE(cpu.dr[6] & 0x4000);
    EXPECT_TRUE(stack(2) & eflags::kTf);
    EXPECT_FALSE(cpu.rflags & eflags::kTf);
}

TEST_F(Faults, PopfStartsSteppingAfterTheNextInstruction) {
    cpu.gpr[Rsp] -= 4;
    store<u32>(kStack0 - 4, eflags::kFixed1 | eflags::kTf);
    put(kCode, {0x9d, 0x90});
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(cpu.rip, kCode + 1);
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(vector(), 1);
}

TEST_F(Faults, MovSsHoldsInterruptsAndTraps) {
    cpu.rflags |= eflags::kTf;
    cpu.gpr[Rax] = kData0;
    put(kCode, {0x8e, 0xd0, 0x90});
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(cpu.rip, kCode + 2);
    EXPECT_NE(cpu.interrupt_shadow, 0);
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(vector(), 1);
    EXPECT_EQ(cpu.interrupt_shadow, 0);
}

TEST_F(Faults, StiHoldsInterruptsOnlyIfTheyWereOff) {
    put(kCode, {0xfb, 0xfb, 0x90});
    (void)step();
    EXPECT_EQ(cpu.interrupt_shadow, 1);
    (void)step();
    EXPECT_EQ(cpu.interrupt_shadow, 0);
}

TEST_F(Faults, HaltWakesByAnEvent) {
    put(kCode, {0xf4, 0x90});
    EXPECT_EQ(step(), StepStatus::Halted);
    EXPECT_EQ(cpu.rip, kCode + 1);
    EXPECT_EQ(step(), StepStatus::Halted);
    ASSERT_EQ(interpreter.deliver({Event::Kind::External, 0x20, false, 0}), StepStatus::Completed);
    EXPECT_EQ(cpu.activity, Activity::Running);
    EXPECT_EQ(stack(0), kCode + 1);
}

TEST_F(Faults, InstructionBreakpoint) {
    put(kCode, {0x90, 0x90});
    cpu.dr[0] = kCode + 1;
    cpu.dr[7] |= 2;
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(vector(), -1);
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(vector(), 1);
    EXPECT_EQ(stack(0), kCode + 1) << "a fault: before the instruction";
    EXPECT_EQ(cpu.dr[6] & 0xf, 1u);
    // Back with RF set it does not hit again.
    go(0);
    cpu.rip = kCode + 1;
    cpu.rflags |= eflags::kRf;
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(cpu.rip, kCode + 2);
    EXPECT_FALSE(cpu.rflags & eflags::kRf);
}

TEST_F(Faults, DataBreakpoint) {
    cpu.dr[1] = kData + 4;
    cpu.dr[7] |= 8 | 0xdu << 20; // enabled globally, 4 bytes, writes
    put(kCode, {0xa1, 0x04, 0x00, 0x05, 0x00, 0xa2, 0x07, 0x00, 0x05, 0x00}); // mov eax, [..4]; mov [..7], al
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(vector(), -1) << "a read";
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(vector(), 1);
    EXPECT_EQ(stack(0), kCode + 10) << "a trap: after the instruction";
    EXPECT_EQ(cpu.dr[6] & 0xf, 2u);
}

TEST_F(Faults, DataBreakpointOfMovSsComesAfterTheNextInstruction) {
    cpu.dr[1] = kData;
    cpu.dr[7] |= 8 | 7u << 20; // enabled globally, 2 bytes, reads and writes
    store<u16>(kData, kData0);
    put(kCode, {0x8e, 0x15, 0x00, 0x00, 0x05, 0x00, 0x90, 0x90}); // mov ss, [kData]; nop; nop
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(cpu.rip, kCode + 6) << "held back";
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(vector(), 1);
    EXPECT_EQ(cpu.dr[6] & 0xf, 2u);
    EXPECT_EQ(stack(0), kCode + 7);
    cpu.rip = kCode + 7;
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(cpu.rip, kCode + 8) << "once";
}

TEST_F(Faults, GeneralDetect) {
    cpu.dr[7] |= 1u << 13;
    put(kCode, {0x0f, 0x21, 0xc0});
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(vector(), 1);
    EXPECT_EQ(stack(0), kCode);
    EXPECT_TRUE(cpu.dr[6] & 0x2000);
    EXPECT_FALSE(cpu.dr[7] & 1u << 13);
}

TEST_F(Faults, IcebpIsATrapWithoutAGateCheck) {
    go(3);
    set_gate(1, kCode0, kHandlers + 16, 0x8e);
    put(kCode, {0xf1});
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(vector(), 1);
    EXPECT_EQ(stack(0), kCode + 1);
}

TEST_F(Faults, LockLegality) {
    const std::initializer_list<std::initializer_list<u8>> bad = {
        {0xf0, 0x90},                         // nop
        {0xf0, 0x01, 0xc0},                   // add eax, eax
        {0xf0, 0x03, 0x05, 0, 0, 5, 0},       // add eax, [mem]
        {0xf0, 0x39, 0x05, 0, 0, 5, 0},       // cmp [mem], eax
        {0xf0, 0x0f, 0xa3, 0x05, 0, 0, 5, 0}, // bt
        {0xf0, 0x89, 0x05, 0, 0, 5, 0},       // mov
        {0xf0, 0xd1, 0x05, 0, 0, 5, 0},       // rol
    };
    for (const auto& bytes : bad) {
        go(0);
        put(kCode, bytes);
        (void)step();
        EXPECT_EQ(vector(), 6) << static_cast<unsigned>(bytes.begin()[1]);
    }
    const std::initializer_list<std::initializer_list<u8>> good = {
        {0xf0, 0x01, 0x05, 0, 0, 5, 0},          {0xf0, 0x0f, 0xab, 0x05, 0, 0, 5, 0},
        {0xf0, 0x87, 0x05, 0, 0, 5, 0},          {0xf0, 0xff, 0x05, 0, 0, 5, 0},
        {0xf0, 0xf7, 0x1d, 0, 0, 5, 0},          {0xf0, 0x0f, 0xc1, 0x05, 0, 0, 5, 0},
        {0xf0, 0x0f, 0xba, 0x2d, 0, 0, 5, 0, 1},
    };
    for (const auto& bytes : good) {
        go(0);
        put(kCode, bytes);
        (void)step();
        EXPECT_EQ(vector(), -1) << static_cast<unsigned>(bytes.begin()[1]);
    }
}

TEST_F(Faults, FetchBeyondTheLimit) {
    set_descriptor(kFree, 0, kCode + 2, 0x409b);
    cpu.seg[Cs] = Descriptor{load<u64>(kGdt + kFree)}.segment(kFree);
    put(kCode, {0x90, 0x90, 0xb8, 1, 0, 0, 0}); // the third straddles the limit
    (void)step();
    (void)step();
    EXPECT_EQ(vector(), -1);
    (void)step();
    EXPECT_EQ(vector(), 13);
    EXPECT_EQ(stack(1), kCode + 2);
}

TEST_F(Faults, AlignmentCheck) {
    go(3);
    cpu.cr0 |= cr0::kAm;
    cpu.rflags |= eflags::kAc;
    put(kCode, {0xa1, 0x02, 0x00, 0x05, 0x00});
    (void)step();
    EXPECT_EQ(vector(), 17);
    EXPECT_EQ(stack(0), 0u);
}

TEST_F(Faults, TooLongAndUndefined) {
    for (u32 i = 0; i < 15; i++)
        ram[kCode + i] = 0x66;
    ram[kCode + 15] = 0x90;
    (void)step();
    EXPECT_EQ(vector(), 13);
    go(0);
    put(kCode, {0x0f, 0x0b});
    (void)step();
    EXPECT_EQ(vector(), 6);
    go(0);
    put(kCode, {0x0f, 0xaa}); // RSM outside SMM
    (void)step();
    EXPECT_EQ(vector(), 6);
}

} // namespace
} // namespace btvm::test

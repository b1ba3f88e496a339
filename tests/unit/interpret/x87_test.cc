// x87: results, environments, exceptions. What the board makes of them is in x87_irq13_test.cc.
#include <cmath>
#include <gtest/gtest.h>

#include "tests/unit/interpret/machine.hh"

namespace btvm::test {
namespace {

constexpr u16 kHandlers = 0x6000;

/// Real mode at 8000h with the FPU ready.
class X87 : public ::testing::Test {
protected:
    X87() {
        m.real_mode(0x8000, kHandlers);
        m.put(0x8000, {0xdb, 0xe3}); // fninit
        m.step();
        at = 0x8002;
    }
    /// Runs one instruction.
    void run(std::initializer_list<u8> code) {
        m.put(at, code);
        m.cpu.rip = at;
        ASSERT_EQ(m.step(), StepStatus::Completed);
        at += static_cast<u32>(code.size());
    }
    Machine m;
    u32 at{};
};

TEST_F(X87, Initialises) {
    run({0xd9, 0x3e, 0x00, 0x50}); // fnstcw [5000h]
    EXPECT_EQ(m.load<u16>(0x5000), 0x37f);
    run({0xdf, 0xe0}); // fnstsw ax
    EXPECT_EQ(m.cpu.gpr[Rax] & 0xffff, 0u);
}

TEST_F(X87, Computes) {
    m.store<double>(0x5000, 2.0);
    m.store<s32>(0x5010, 40);
    run({0xdd, 0x06, 0x00, 0x50}); // fld qword [5000h]
    run({0xd9, 0xfa});             // fsqrt
    run({0xda, 0x0e, 0x10, 0x50}); // fimul dword [5010h]
    run({0xdd, 0x1e, 0x20, 0x50}); // fstp qword [5020h]
    EXPECT_DOUBLE_EQ(m.load<double>(0x5020), std::sqrt(2.0) * 40);
    EXPECT_EQ(m.cpu.fpu.bytes[4], 0) << "the stack is empty again";
}

TEST_F(X87, KeepsTheHostState) {
    const double before = 1.25;
    double after;
    asm volatile("fldl %0" ::"m"(before));
    run({0xd9, 0xe8}); // fld1
    run({0xd8, 0xc0}); // fadd st0
    asm volatile("fstpl %0" : "=m"(after));
    EXPECT_EQ(after, before);
    run({0xdf, 0x1e, 0x00, 0x50}); // fistp word [5000h]
    EXPECT_EQ(m.load<u16>(0x5000), 2);
}

TEST_F(X87, PackedDecimal) {
    m.store<s32>(0x5000, -1234567);
    run({0xdb, 0x06, 0x00, 0x50}); // fild dword
    run({0xdf, 0x36, 0x10, 0x50}); // fbstp
    EXPECT_EQ(m.load<u32>(0x5010), 0x01234567u);
    EXPECT_EQ(m.load<u8>(0x5019), 0x80);
}

TEST_F(X87, CompareAndMoveUseTheGuestsFlags) {
    run({0xd9, 0xe8}); // fld1
    run({0xd9, 0xee}); // fldz: st0 = 0, st1 = 1
    m.cpu.rflags |= eflags::kOf;
    run({0xdb, 0xf1}); // fcomi st1: below
    EXPECT_EQ(m.cpu.rflags & eflags::kArithmetic, eflags::kCf);
    run({0xda, 0xc1}); // fcmovb st1
    run({0xdb, 0xf1}); // equal now
    EXPECT_EQ(m.cpu.rflags & eflags::kArithmetic, eflags::kZf);
    run({0xd9, 0xee}); // fldz
    run({0xdb, 0xc9}); // fcmovne st1: not taken
    run({0xdb, 0xf1});
    EXPECT_EQ(m.cpu.rflags & eflags::kArithmetic, eflags::kCf);
}

TEST_F(X87, EnvironmentShowsGuestAddresses) {
    m.cpu.seg[Ds] = {0x20000 - 0x5000, 0xffff, 0x1b00, AccessRights{0x93}};
    m.store<float>(0x20000, 1.5f);
    run({0xd9, 0x06, 0x00, 0x50}); // fld dword [5000h]
    const u32 ip = at - 4;
    m.cpu.seg[Ds] = {0, 0xffff, 0, AccessRights{0x93}};
    run({0xd9, 0x36, 0x00, 0x40}); // fnstenv [4000h], 16-bit real-mode layout
    EXPECT_EQ(m.load<u16>(0x4000), 0x37f);
    EXPECT_EQ(m.load<u16>(0x4002), 0x3800) << "TOP is 7";
    EXPECT_EQ(m.load<u16>(0x4004), 0x3fff) << "register 7 is valid";
    EXPECT_EQ(m.load<u16>(0x4006), ip);
    EXPECT_EQ(m.load<u16>(0x4008), 0x106) << "opcode D9 06";
    EXPECT_EQ(m.load<u16>(0x400a), 0x0000);
    EXPECT_EQ(m.load<u16>(0x400c), 0x2000);
}

TEST_F(X87, SaveAndRestore) {
    run({0xd9, 0xeb});             // fldpi
    run({0xd9, 0xe8});             // fld1
    run({0xdd, 0x36, 0x00, 0x40}); // fnsave [4000h]
    EXPECT_EQ(m.cpu.fpu.bytes[4], 0);
    run({0xdd, 0x26, 0x00, 0x40}); // frstor
    EXPECT_EQ(m.cpu.fpu.bytes[4], 0xc0);
    run({0xde, 0xc9});             // fmulp
    run({0xdd, 0x1e, 0x20, 0x50}); // fstp qword
    EXPECT_DOUBLE_EQ(m.load<double>(0x5020), M_PI);
}

TEST_F(X87, PhysicalRegistersStayWhenTopChanges) {
    run({0xd9, 0xeb});             // fldpi: R7
    run({0xd9, 0xe8});             // fld1: R6
    run({0xd9, 0x36, 0x00, 0x40}); // fnstenv [4000h]
    run({0xdb, 0xe3});             // fninit: TOP 0, all empty, R6 and R7 as they were
    run({0xd9, 0x26, 0x00, 0x40}); // fldenv [4000h]
    run({0xdd, 0x1e, 0x20, 0x50}); // fstp qword: R6
    EXPECT_EQ(m.load<double>(0x5020), 1.0);
    run({0xdd, 0x1e, 0x20, 0x50}); // R7
    EXPECT_DOUBLE_EQ(m.load<double>(0x5020), M_PI);
}

TEST_F(X87, ComparisonsIntoFlagsClearTheOthers) {
    run({0xd9, 0xe8}); // fld1
    m.cpu.rflags |= eflags::kArithmetic;
    run({0xdb, 0xf0}); // fcomi st0
    EXPECT_EQ(m.cpu.rflags & eflags::kArithmetic, eflags::kZf);
}

TEST_F(X87, PackedDecimalOfNegativeZeroKeepsItsSign) {
    run({0xd9, 0xee});             // fldz
    run({0xd9, 0xe0});             // fchs
    run({0xdf, 0x36, 0x10, 0x50}); // fbstp
    EXPECT_EQ(m.load<u64>(0x5010), 0u);
    EXPECT_EQ(m.load<u16>(0x5018), 0x8000);
}

TEST_F(X87, PendingExceptionIsMathFaultAtTheNextWaitingInstruction) {
    m.cpu.cr0 |= cr0::kNe;
    m.store<u16>(0x5000, 0x37b); // divide by zero unmasked
    run({0xd9, 0x2e, 0x00, 0x50});
    run({0xd9, 0xe8}); // fld1
    run({0xd9, 0xee}); // fldz
    run({0xde, 0xf9}); // fdivp: the exception waits
    EXPECT_EQ(m.cpu.fpu.bytes[2] & 0x84, 0x84);
    run({0xdf, 0xe0}); // fnstsw does not
    EXPECT_EQ(m.cpu.rip, at);
    const u32 faulting = at;
    run({0x9b}); // fwait does
    EXPECT_EQ(m.cpu.rip, kHandlers + 16u);
    EXPECT_EQ(m.load<u16>(static_cast<u32>(m.cpu.gpr[Rsp])), faulting);
    run({0xdb, 0xe2}); // fnclex
    run({0x9b});
    EXPECT_EQ(m.cpu.rip, at);
}

TEST_F(X87, NotAvailable) {
    m.cpu.cr0 |= cr0::kTs;
    run({0xd9, 0xe8});
    EXPECT_EQ(m.cpu.rip, kHandlers + 7u);
    run({0x9b}); // WAIT looks at MP too
    EXPECT_EQ(m.cpu.rip, at);
    m.cpu.cr0 |= cr0::kMp;
    run({0x9b});
    EXPECT_EQ(m.cpu.rip, kHandlers + 7u);
}

TEST_F(X87, UnmaskedStoreFaultLeavesMemoryAlone) {
    m.store<u16>(0x5000, 0x37e); // invalid operation unmasked
    run({0xd9, 0x2e, 0x00, 0x50});
    m.store<u32>(0x5010, 0x12345678);
    run({0xd9, 0x1e, 0x10, 0x50}); // fstp dword of an empty register
    EXPECT_EQ(m.load<u32>(0x5010), 0x12345678u);
    EXPECT_EQ(m.cpu.fpu.bytes[2] & 0xc1, 0xc1);
}

TEST_F(X87, FxsaveIsAligned) {
    run({0xd9, 0xeb});
    run({0x0f, 0xae, 0x06, 0x08, 0x40}); // fxsave [4008h]
    EXPECT_EQ(m.cpu.rip, kHandlers + 13u);
    run({0x0f, 0xae, 0x06, 0x00, 0x40});
    EXPECT_EQ(m.load<u16>(0x4000), 0x37f);
    EXPECT_EQ(m.load<u8>(0x4004), 0x80);
    run({0xdb, 0xe3});
    run({0x0f, 0xae, 0x0e, 0x00, 0x40}); // fxrstor
    run({0xdd, 0x1e, 0x20, 0x50});
    EXPECT_DOUBLE_EQ(m.load<double>(0x5020), M_PI);
}

TEST_F(X87, EveryRegisterFormRunsOrIsUndefined) {
    // Each must leave the host alone and come back; the invalid ones are #UD.
    unsigned undefined = 0;
    for (unsigned op = 0xd8; op <= 0xdf; op++)
        for (unsigned modrm = 0xc0; modrm <= 0xff; modrm++) {
            run({0xdb, 0xe3});
            run({static_cast<u8>(op), static_cast<u8>(modrm)});
            undefined += m.cpu.rip == kHandlers + 6u;
            at = 0x8002;
            m.cpu.gpr[Rsp] = 0x7000;
        }
    // SDM Vol. 2D tables, undocumented aliases counted as valid: D9 12, DA 31, DB 11, DD 16, DE
    // 7, DF 15.
    EXPECT_EQ(undefined, 92u);
}

} // namespace
} // namespace btvm::test

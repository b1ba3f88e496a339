// x87 exceptions with CR0.NE clear, the way of the AT: FERR#, IRQ 13, port F0h, IGNNE# (SDM Vol. 1 appendix
// D.2).
#include <gtest/gtest.h>

#include "tests/unit/interpret/machine.hh"

namespace btvm::test {
namespace {

constexpr u16 kHandlers = 0x6000;
constexpr u8 kIrq13Vector = 0x75;

/// Real mode at 8000h, the interrupt controllers as a BIOS sets them up, and a division by zero pending.
class X87Irq13 : public ::testing::Test {
protected:
    X87Irq13() {
        m.real_mode(0x8000, kHandlers);
        m.pic.reset();
        for (const auto& [port, value] : std::initializer_list<std::pair<u16, u8>>{{0x20, 0x11},
                                                                                   {0x21, 0x08},
                                                                                   {0x21, 0x04},
                                                                                   {0x21, 0x01},
                                                                                   {0xa0, 0x11},
                                                                                   {0xa1, 0x70},
                                                                                   {0xa1, 0x02},
                                                                                   {0xa1, 0x01},
                                                                                   {0x21, 0xfb},
                                                                                   {0xa1, 0xdf}})
            m.pic.write(port, value);
        m.store<u16>(0x5000, 0x37b);   // divide by zero unmasked
        run({0xdb, 0xe3});             // fninit
        run({0xd9, 0x2e, 0x00, 0x50}); // fldcw [5000h]
        run({0xd9, 0xe8});             // fld1
        run({0xd9, 0xee});             // fldz
        run({0xdc, 0xf9});             // fdiv st1, st0: 1 / 0
    }
    void run(std::initializer_list<u8> code) {
        m.put(at, code);
        m.cpu.rip = at;
        ASSERT_EQ(m.step(), StepStatus::Completed);
        at += static_cast<u32>(code.size());
    }
    /// What the handler of IRQ 13 does first; PortF0IsAPort shows that OUT does the same.
    void write_f0() { m.pic.write(0xf0, 0); }

    /// The processor takes the interrupt; its end is signalled at once.
    void take_irq13() {
        ASSERT_TRUE(m.pic.pending());
        ASSERT_EQ(m.pic.acknowledge(), kIrq13Vector);
        m.pic.write(0xa0, 0x20);
        m.pic.write(0x20, 0x20);
    }

    Machine m;
    u32 at{0x8000};
};

TEST_F(X87Irq13, TheProcessorWaitsForTheInterrupt) {
    EXPECT_FALSE(m.pic.pending()) << "an instruction reports what the one before it raised";
    const u32 waiting = at;
    run({0xd9, 0xe8}); // fld1
    EXPECT_EQ(m.cpu.rip, waiting);
    EXPECT_EQ(m.step(), StepStatus::Completed) << "and goes on waiting";
    EXPECT_EQ(m.cpu.rip, waiting);
    ASSERT_TRUE(m.pic.pending());
    EXPECT_EQ(m.pic.acknowledge(), kIrq13Vector);
    EXPECT_FALSE(m.pic.pending()) << "one exception, one interrupt";
}

TEST_F(X87Irq13, WaitWaitsToo) {
    const u32 waiting = at;
    run({0x9b});
    EXPECT_EQ(m.cpu.rip, waiting);
    EXPECT_TRUE(m.pic.pending());
}

TEST_F(X87Irq13, ControlInstructionsDoNotWait) {
    run({0xdf, 0xe0}); // fnstsw ax
    EXPECT_EQ(m.cpu.rip, at);
    EXPECT_EQ(m.cpu.gpr[Rax] & 0x84, 0x84u);
    EXPECT_FALSE(m.pic.pending());
}

TEST_F(X87Irq13, PortF0WithdrawsTheInterruptAndLetsTheProcessorGoOn) {
    run({0x9b});
    at--;
    take_irq13();
    EXPECT_TRUE(m.pic.slave().lines & 0x20) << "latched";
    write_f0();
    EXPECT_FALSE(m.pic.slave().lines & 0x20);
    EXPECT_FALSE(m.pic.pending());
    EXPECT_TRUE(m.pic.fpu_error().ignne);
    run({0x9b}); // IGNNE#: on
    EXPECT_EQ(m.cpu.rip, at);
    m.store<double>(0x5010, 3.0);
    run({0xdd, 0x06, 0x10, 0x50}); // fld qword [5010h]
    EXPECT_EQ(m.cpu.rip, at);
    run({0xd8, 0xc8}); // fmul st0, st0
    EXPECT_EQ(m.cpu.rip, at);
    run({0xdd, 0x1e, 0x18, 0x50}); // fstp qword [5018h]
    EXPECT_EQ(m.load<double>(0x5018), 9.0);
    run({0xd9, 0x3e, 0x20, 0x50}); // fnstcw [5020h]
    EXPECT_EQ(m.load<u16>(0x5020), 0x37b) << "the masks are the guest's";
    EXPECT_EQ(m.cpu.fpu.bytes[2] & 0x84, 0x84) << "and the exception is pending as before";
}

TEST_F(X87Irq13, ClearingTheExceptionEndsIgnne) {
    run({0x9b});
    at--;
    take_irq13();
    write_f0();
    run({0xdb, 0xe2}); // fnclex
    EXPECT_FALSE(m.pic.fpu_error().ferr);
    EXPECT_FALSE(m.pic.fpu_error().ignne);
    run({0xd9, 0xe8}); // fld1
    run({0xd9, 0xee}); // fldz
    run({0xdc, 0xf9}); // 1 / 0 again
    run({0x9b});
    EXPECT_TRUE(m.pic.pending()) << "the next exception is another interrupt";
}

TEST_F(X87Irq13, FxrstorClearsItToo) {
    run({0x0f, 0xae, 0x06, 0x00, 0x40}); // fxsave [4000h]
    m.store<u16>(0x4002, 0);
    run({0x9b});
    at--;
    run({0x0f, 0xae, 0x0e, 0x00, 0x40}); // fxrstor [4000h]
    EXPECT_FALSE(m.pic.fpu_error().ferr);
}

TEST_F(X87Irq13, ClearedWithoutPortF0TheInterruptStaysLatched) {
    run({0x9b});
    at--;
    run({0xdb, 0xe2}); // fnclex
    take_irq13();
    write_f0();
    EXPECT_FALSE(m.pic.pending());
    EXPECT_FALSE(m.pic.fpu_error().ignne) << "nothing is left to ignore";
}

TEST_F(X87Irq13, WithNeThereIsNoInterrupt) {
    m.cpu.cr0 |= cr0::kNe;
    run({0x9b});
    EXPECT_EQ(m.cpu.rip, kHandlers + 16u);
    EXPECT_FALSE(m.pic.pending());
}

TEST_F(X87Irq13, PortF0IsAPort) {
    run({0x9b});
    take_irq13();
    run({0xe6, 0xf0}); // out 0f0h, al
    EXPECT_FALSE(m.pic.slave().lines & 0x20);
    EXPECT_TRUE(m.outputs.empty()) << "userland is not asked";
}

TEST_F(X87Irq13, PortF0DoesNothingByItself) {
    write_f0();
    EXPECT_FALSE(m.pic.fpu_error().ignne);
    run({0xe4, 0xf0}); // in al, 0f0h
    EXPECT_EQ(m.cpu.gpr[Rax] & 0xff, 0xffu);
    m.pic.set_ferr(true);
    m.pic.reset();
    EXPECT_FALSE(m.pic.pending());
    EXPECT_FALSE(m.pic.fpu_error().ferr);
}

} // namespace
} // namespace btvm::test

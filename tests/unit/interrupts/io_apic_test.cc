// The I/O APIC against the 82093AA datasheet, and how it, the local APIC and the 8259 pair are wired.
#include "tests/unit/interrupts/apic_rig.hh"

namespace btvm::test {
namespace {

struct IoApicTest : ApicRig {
    IoApicTest() { enable(); }
    /// A low-to-high edge, and back.
    void pulse(unsigned line) {
        controllers.set_irq(line, true);
        controllers.set_irq(line, false);
    }
};

TEST_F(IoApicTest, PowerOnAndRegisters) {
    EXPECT_EQ(io(1), 0x170011u);
    for (unsigned n = 0; n < IoApic::kPins; n++) {
        EXPECT_EQ(io(0x10 + 2 * n), kMasked) << n;
        EXPECT_EQ(io(0x11 + 2 * n), 0u) << n;
    }
    io(0, 0xffffffff);
    EXPECT_EQ(io(0), 0x0f000000u);
    EXPECT_EQ(io(2), 0x0f000000u);
    io(1, 0);
    EXPECT_EQ(io(1), 0x170011u);
    io(0x3e, 0xffffffff);
    io(0x3f, 0xffffffff);
    EXPECT_EQ(io(0x3e), 0x1afffu) << "status and remote IRR are read-only";
    EXPECT_EQ(io(0x3f), 0xff000000u);
    io(0x40, 5); // behind the table
    EXPECT_EQ(io(0x40), 0u);
    io(3, 5);
    EXPECT_EQ(io(3), 0u);
    EXPECT_EQ(get(kIo + 0x20), 0u);
    const u8 selector = 1;
    controllers.write(GuestPhysical(kIo), &selector, 1); // as some systems write it
    EXPECT_EQ(get(kIo + 0x10), 0x170011u);
}

TEST_F(IoApicTest, EveryLineHasItsPin) {
    for (unsigned line = 0; line < 16; line++) {
        if (line == 2) continue; // the cascade
        const unsigned n = line == 0 ? 2 : line;
        pin(n, 0x40 + n);
        pulse(line);
        EXPECT_EQ(take(), static_cast<int>(0x40 + n)) << line;
        end();
        pin(n, kMasked);
    }
    pin(2, 0x50);
    pulse(2);
    EXPECT_EQ(take(), -1);
}

TEST_F(IoApicTest, EdgesWhileMaskedAreLost) {
    pin(4, kMasked | 0x44);
    controllers.set_irq(4, true);
    pin(4, 0x44);
    EXPECT_EQ(take(), -1);
    controllers.set_irq(4, true); // no edge
    EXPECT_EQ(take(), -1);
    controllers.set_irq(4, false);
    controllers.set_irq(4, true);
    EXPECT_EQ(take(), 0x44);
    end();
    EXPECT_EQ(take(), -1) << "an edge counts once";
}

TEST_F(IoApicTest, ALevelStaysUntilItFalls) {
    pin(5, kLevel | 0x45);
    controllers.set_irq(5, true);
    EXPECT_EQ(io(0x1a), kLevel | kRemoteIrr | 0x45);
    EXPECT_EQ(take(), 0x45);
    EXPECT_EQ(local(0x1a0) & 1u << 5, 1u << 5) << "the trigger mode";
    controllers.set_irq(5, true);
    EXPECT_EQ(take(), -1);
    end();
    EXPECT_EQ(take(), 0x45) << "still high";
    controllers.set_irq(5, false);
    EXPECT_EQ(io(0x1a), kLevel | kRemoteIrr | 0x45);
    end();
    EXPECT_EQ(io(0x1a), kLevel | 0x45);
    EXPECT_EQ(take(), -1);
}

TEST_F(IoApicTest, ALevelThatWasMaskedComesWhenItIsNot) {
    pin(5, kMasked | kLevel | 0x45);
    controllers.set_irq(5, true);
    EXPECT_EQ(take(), -1);
    pin(5, kLevel | 0x45);
    EXPECT_EQ(take(), 0x45);
    pin(5, kMasked | kLevel | 0x45);
    end();
    EXPECT_EQ(take(), -1);
    pin(5, kLevel | 0x45);
    EXPECT_EQ(take(), 0x45);
}

TEST_F(IoApicTest, AnEntryMadeAnEdgeForgetsThatItWaits) {
    pin(5, kLevel | 0x45);
    controllers.set_irq(5, true);
    EXPECT_EQ(take(), 0x45);
    io(0x1a, kMasked | 0x45); // as systems do that cannot rely on the end of interrupt
    io(0x1a, kLevel | 0x45);
    EXPECT_EQ(local(0x220), 1u << 5) << "asked for anew, before the end";
    end();
    EXPECT_EQ(take(), 0x45);
}

TEST_F(IoApicTest, TwoLevelsOfOneVectorEndTogether) {
    pin(5, kLevel | 0x45);
    pin(10, kLevel | 0x45);
    controllers.set_irq(5, true);
    controllers.set_irq(10, true);
    EXPECT_EQ(take(), 0x45);
    controllers.set_irq(5, false);
    end();
    EXPECT_EQ(take(), 0x45) << "the other's";
    controllers.set_irq(10, false);
    end();
    EXPECT_EQ(take(), -1);
}

TEST_F(IoApicTest, EndsInAnyOrder) {
    pin(5, kLevel | 0x45);
    pin(7, kLevel | 0x75);
    controllers.set_irq(5, true);
    EXPECT_EQ(take(), 0x45);
    controllers.set_irq(7, true);
    EXPECT_EQ(take(), 0x75);
    pin(5, kMasked); // while in service
    controllers.set_irq(7, false);
    end(); // of 75h
    EXPECT_EQ(io(0x1e) & kRemoteIrr, 0u);
    end();
    EXPECT_EQ(take(), -1);
    for (u32 offset = 0x100; offset < 0x280; offset += 0x10) {
        if (offset >= 0x180 && offset < 0x200) continue; // the trigger modes stay
        EXPECT_EQ(local(offset), 0u) << offset;
    }
}

TEST_F(IoApicTest, PolarityIsKeptAndChangesNothing) {
    constexpr u32 kActiveLow = 1u << 13;
    pin(11, kLevel | kActiveLow | 0x4b);
    EXPECT_EQ(io(0x26), kLevel | kActiveLow | 0x4b);
    EXPECT_EQ(take(), -1);
    controllers.set_irq(11, true);
    EXPECT_EQ(take(), 0x4b);
}

TEST_F(IoApicTest, DestinationsAndARefusedLevelComesLater) {
    constexpr u32 kLogical = 1u << 11, kLowest = 1u << 8;
    pin(5, 0x45, 3);
    pulse(5);
    EXPECT_EQ(take(), -1) << "there is no APIC 3";
    pin(5, kLogical | kLowest | kLevel | 0x45, 0x02);
    controllers.set_irq(5, true);
    EXPECT_EQ(take(), -1);
    EXPECT_EQ(io(0x1a) & kRemoteIrr, 0u);
    local(0xd0, 0x02000000);
    EXPECT_EQ(take(), 0x45);
    controllers.set_irq(5, false);
    end();
    local(0xf0, 0xff); // disabled
    controllers.set_irq(5, true);
    EXPECT_EQ(take(), -1);
    enable();
    EXPECT_EQ(take(), 0x45);
}

TEST_F(IoApicTest, NmiAndWhatIsIgnored) {
    pin(5, 0x400 | kLevel);
    pulse(5);
    EXPECT_TRUE(cpu.nmi_pending);
    cpu.nmi_pending = 0;
    for (const u32 mode : {0x200u, 0x300u, 0x500u, 0x600u}) {
        pin(5, mode | 0x45);
        pulse(5);
        EXPECT_EQ(take(), -1) << mode;
        EXPECT_FALSE(cpu.nmi_pending) << mode;
    }
}

/// The 8259 pair as a BIOS programs it, only line 1 let through.
struct Wired : ApicRig {
    Wired() {
        for (const u8 value : {0x11, 0x08, 0x04, 0x01})
            pic.write(value == 0x11 ? 0x20 : 0x21, value);
        pic.write(0x21, 0xfd);
        controllers.follow_pic();
    }
    void end_in_pic() {
        pic.write(0x20, 0x20);
        controllers.follow_pic();
    }
    void key() {
        controllers.set_irq(1, true);
        controllers.set_irq(1, false);
    }
    /// Held, as the pair wants it.
    int take_key() {
        controllers.set_irq(1, true);
        const int vector = take();
        controllers.set_irq(1, false);
        if (vector == 0x09) end_in_pic();
        return vector;
    }
};

TEST_F(Wired, ThePairReachesTheProcessorAtPowerOnAndAsTheFirmwareLeavesIt) {
    EXPECT_EQ(take_key(), 0x09);
    enable();
    local(0x350, 0x8700);
    EXPECT_EQ(take_key(), 0x09);
}

TEST_F(Wired, Lint0AsExtIntIsAWire) {
    enable();
    local(0x350, 0x8700);
    EXPECT_EQ(take_key(), 0x09);
    local(0x80, 0xff); // priorities do not matter to it
    EXPECT_EQ(take_key(), 0x09);
    local(0x350, kMasked | 0x700);
    EXPECT_EQ(take_key(), -1);
    local(0x350, 0x700);
    controllers.set_irq(1, true);
    EXPECT_TRUE(controllers.requested());
    ipi(kSelf | 0x41);
    local(0x80, 0);
    EXPECT_EQ(take(), 0x41) << "its own come first";
    EXPECT_EQ(take(), 0x09);
}

TEST_F(Wired, Lint0AsFixedInterruptAndAsNmi) {
    enable();
    local(0x350, 0x51);
    controllers.set_irq(1, true);
    EXPECT_EQ(take(), 0x51);
    end();
    EXPECT_EQ(take(), -1) << "an edge";
    local(0x350, kLevel | 0x52); // INTR is still high
    EXPECT_EQ(take(), 0x52);
    EXPECT_EQ(local(0x350), kLevel | kRemoteIrr | 0x52);
    EXPECT_EQ(take(), -1);
    end();
    EXPECT_EQ(take(), 0x52);
    controllers.set_irq(1, false);
    end();
    EXPECT_EQ(take(), -1);
    local(0x350, 0x400);
    key();
    EXPECT_TRUE(cpu.nmi_pending);
}

TEST_F(Wired, TheNmiPinIsLint1) {
    enable();
    controllers.pulse_nmi();
    EXPECT_FALSE(cpu.nmi_pending) << "masked";
    local(0x360, 0x400);
    controllers.pulse_nmi();
    EXPECT_TRUE(cpu.nmi_pending);
    local(0x360, 0x61);
    controllers.pulse_nmi();
    EXPECT_EQ(take(), 0x61);
    ASSERT_TRUE(controllers.write_base(0xfee00100));
    cpu.nmi_pending = 0;
    controllers.pulse_nmi();
    EXPECT_TRUE(cpu.nmi_pending) << "turned off it is not in between";
}

TEST_F(Wired, ExtIntByMessage) {
    enable();
    local(0x350, kMasked);
    pin(1, 0x700);
    controllers.set_irq(1, true);
    EXPECT_TRUE(controllers.requested());
    EXPECT_EQ(take(), 0x09);
    EXPECT_EQ(take(), -1);
}

TEST_F(Wired, TurnedOffTheProcessorHasThePairsOwnPin) {
    enable();
    local(0x350, kMasked);
    ipi(kSelf | 0x41);
    ASSERT_TRUE(controllers.write_base(0xfee00100));
    EXPECT_FALSE(controllers.owns(GuestPhysical(kLocal)));
    EXPECT_EQ(take_key(), 0x09);
    ASSERT_TRUE(controllers.write_base(0xfee00900));
    EXPECT_TRUE(controllers.owns(GuestPhysical(kLocal + 0xfff)));
    EXPECT_EQ(take(), -1) << "it has forgotten everything";
    EXPECT_EQ(local(0xf0), 0xffu);
    EXPECT_EQ(take_key(), 0x09);
}

TEST_F(Wired, TheBaseRegister) {
    EXPECT_FALSE(controllers.write_base(0xfee00d00)) << "x2APIC mode";
    EXPECT_FALSE(controllers.write_base(0xfee00901));
    EXPECT_FALSE(controllers.write_base(0x10fee00900));
    ASSERT_TRUE(controllers.write_base(0xfed00800));
    EXPECT_EQ(cpu.apic_base, 0xfed00900u) << "the bootstrap processor it stays";
    EXPECT_TRUE(controllers.owns(GuestPhysical(0xfed00030)));
    EXPECT_EQ(get(0xfed00030), 0x50014u);
    EXPECT_FALSE(controllers.owns(GuestPhysical(kLocal)));
}

TEST_F(Wired, TheTimersTickWaitsForTheOneBefore) {
    EXPECT_TRUE(controllers.takes_tick());
    controllers.pulse_irq(0); // masked in the pair, where the request now stands
    EXPECT_FALSE(controllers.takes_tick());
    enable();
    pin(2, 0x42);
    EXPECT_TRUE(controllers.takes_tick());
    controllers.pulse_irq(0);
    EXPECT_FALSE(controllers.takes_tick());
    EXPECT_EQ(take(), 0x42);
    EXPECT_TRUE(controllers.takes_tick());
}

TEST_F(Wired, TicksThatAreOwed) {
    const auto owe = [&](u32 owed, u64 fresh) {
        const InterruptControllers::OwedTicks ticks = controllers.owe(owed, fresh);
        return std::pair(ticks.owed, ticks.lost);
    };
    using Pair = std::pair<u32, u64>;
    pic.write(0x21, 0xff);
    EXPECT_EQ(owe(0, 1), Pair(1, 0)) << "masked";
    EXPECT_EQ(owe(0, 100), Pair(4, 0));
    EXPECT_EQ(owe(3, 100), Pair(4, 0));
    EXPECT_EQ(owe(50, 100), Pair(50, 0)) << "of the time before";
    pic.write(0x21, 0xfe);
    EXPECT_EQ(owe(50, 100), Pair(128, 22));
    EXPECT_EQ(owe(128, 0), Pair(128, 0));
    EXPECT_EQ(owe(0, 0xffffffff), Pair(128, 0xffffffff - 128));
    EXPECT_EQ(owe(2, 3), Pair(5, 0));
    pic.write(0x21, 0xff);
    enable();
    pin(2, 0x42);
    EXPECT_EQ(owe(0, 100), Pair(100, 0)) << "the other way is open";
}

TEST_F(Wired, TheCoprocessorsLineReachesItsPin) {
    enable();
    pin(13, 0x4d);
    pic.set_ferr(true);
    controllers.follow_pic();
    EXPECT_EQ(take(), 0x4d);
}

TEST(InterruptControllers, WithoutApicsThereIsThePairAlone) {
    CpuState cpu;
    Pic pic;
    Apics apics;
    btvm::reset(cpu);
    InterruptControllers controllers(cpu, pic, apics);
    EXPECT_EQ(cpu.apic_base, 0u);
    EXPECT_FALSE(controllers.owns(GuestPhysical(0xfee00000)));
    EXPECT_FALSE(controllers.owns(GuestPhysical(0xfec00000)));
    EXPECT_FALSE(controllers.write_base(0xfee00900));
    EXPECT_EQ(controllers.next_timer_ns(), ~u64{0});
    for (const u8 value : {0x11, 0x08, 0x04, 0x01, 0x00})
        pic.write(value == 0x11 ? 0x20 : 0x21, value);
    controllers.set_irq(1, true);
    EXPECT_TRUE(controllers.pending());
    EXPECT_EQ(controllers.acknowledge(), 0x09);
    controllers.pulse_nmi();
    EXPECT_TRUE(cpu.nmi_pending);
}

} // namespace
} // namespace btvm::test

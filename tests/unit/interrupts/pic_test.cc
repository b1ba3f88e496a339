// The 8259A pair against its datasheet, programmed as an AT BIOS does it.
#include <gtest/gtest.h>

#include "vmm/interrupts/pic.hh"

namespace btvm {
namespace {

void initialise(Pic& pic, u8 icw1 = 0x11, u8 master_icw4 = 0x01) {
    pic.write(0x20, icw1);
    pic.write(0x21, 0x08);
    pic.write(0x21, 0x04);
    pic.write(0x21, master_icw4);
    pic.write(0xa0, icw1);
    pic.write(0xa1, 0x70);
    pic.write(0xa1, 0x02);
    pic.write(0xa1, 0x01);
    pic.write(0x21, 0);
    pic.write(0xa1, 0);
}

struct PicTest : testing::Test {
    Pic pic;
    PicTest() {
        pic.reset();
        initialise(pic);
    }
    u8 isr(u16 port) {
        pic.write(port, 0x0b);
        return pic.read(port);
    }
    u8 irr(u16 port) {
        pic.write(port, 0x0a);
        return pic.read(port);
    }
    /// Raises a line and takes the interrupt: its vector, or -1.
    int take(unsigned line) {
        pic.set_irq(line, false);
        pic.set_irq(line, true);
        return pic.pending() ? pic.acknowledge() : -1;
    }
};

TEST_F(PicTest, VectorsOfAllLines) {
    for (unsigned line = 0; line < 16; line++) {
        if (line == 2) continue;
        EXPECT_EQ(take(line), line < 8 ? 0x08 + static_cast<int>(line) : 0x70 + static_cast<int>(line) - 8);
        pic.write(0xa0, 0x20);
        pic.write(0x20, 0x20);
        EXPECT_EQ(isr(0x20), 0);
        EXPECT_EQ(isr(0xa0), 0);
        EXPECT_FALSE(pic.pending()) << line; // an edge counts once, though the line is still high
    }
}

TEST_F(PicTest, CascadeLineCannotBeDriven) {
    EXPECT_EQ(take(2), -1);
    EXPECT_EQ(take(16), -1);
}

TEST_F(PicTest, MaskHoldsBackAndLetsGo) {
    pic.write(0x21, 0x02);
    EXPECT_EQ(pic.read(0x21), 0x02);
    EXPECT_EQ(take(1), -1);
    EXPECT_EQ(irr(0x20), 0x02);
    pic.write(0x21, 0);
    EXPECT_TRUE(pic.pending());
    EXPECT_EQ(pic.acknowledge(), 0x09);
    EXPECT_EQ(irr(0x20), 0);
}

TEST_F(PicTest, FullyNestedPriority) {
    EXPECT_EQ(take(3), 0x0b);
    EXPECT_EQ(take(5), -1);
    EXPECT_EQ(take(3), -1);
    EXPECT_EQ(take(1), 0x09);
    EXPECT_EQ(isr(0x20), 0x0a);
    pic.write(0x20, 0x20); // the highest in service: 1
    EXPECT_EQ(isr(0x20), 0x08);
    EXPECT_FALSE(pic.pending());
    pic.write(0x20, 0x20);
    EXPECT_EQ(pic.acknowledge(), 0x0b); // 3 came again meanwhile
    pic.write(0x20, 0x63);              // specific EOI
    EXPECT_EQ(pic.acknowledge(), 0x0d);
}

TEST_F(PicTest, SlaveSitsBetweenIrq1AndIrq3) {
    EXPECT_EQ(take(8), 0x70);
    EXPECT_EQ(isr(0x20), 0x04);
    EXPECT_EQ(isr(0xa0), 0x01);
    EXPECT_EQ(take(3), -1);
    EXPECT_EQ(take(1), 0x09);
}

TEST_F(PicTest, AutomaticEoi) {
    initialise(pic, 0x11, 0x03);
    EXPECT_EQ(take(4), 0x0c);
    EXPECT_EQ(isr(0x20), 0);
    EXPECT_EQ(take(4), 0x0c);
}

TEST_F(PicTest, RotateOnNonSpecificEoi) {
    EXPECT_EQ(take(0), 0x08);
    pic.write(0x20, 0xa0);
    pic.set_irq(0, false);
    pic.set_irq(0, true);
    pic.set_irq(7, true);
    EXPECT_EQ(pic.acknowledge(), 0x0f); // 0 is the lowest now
    pic.write(0x20, 0x20);
    EXPECT_EQ(pic.acknowledge(), 0x08);
}

TEST_F(PicTest, RotateInAutomaticEoi) {
    initialise(pic, 0x11, 0x03);
    pic.write(0x20, 0x80);
    EXPECT_EQ(take(3), 0x0b);
    pic.set_irq(3, false);
    pic.set_irq(3, true);
    pic.set_irq(4, true);
    EXPECT_EQ(pic.acknowledge(), 0x0c);
    pic.write(0x20, 0x00);
    EXPECT_EQ(pic.acknowledge(), 0x0b);
}

TEST_F(PicTest, SetPriorityAndRotateOnSpecificEoi) {
    pic.write(0x20, 0xc4); // 4 lowest, 5 highest
    pic.set_irq(0, true);
    pic.set_irq(5, true);
    EXPECT_EQ(pic.acknowledge(), 0x0d);
    pic.write(0x20, 0xe5); // ends 5 and makes it the lowest
    EXPECT_EQ(isr(0x20), 0);
    pic.set_irq(6, true);
    EXPECT_EQ(pic.acknowledge(), 0x0e);
    pic.write(0x20, 0x40); // no operation
    EXPECT_EQ(isr(0x20), 0x40);
}

TEST_F(PicTest, SpecialMaskModeLetsLowerLevelsIn) {
    EXPECT_EQ(take(3), 0x0b);
    pic.write(0x21, 0x08);
    EXPECT_EQ(take(5), -1);
    pic.write(0x20, 0x68);
    EXPECT_TRUE(pic.pending());
    EXPECT_EQ(pic.acknowledge(), 0x0d);
    pic.write(0x20, 0x20); // a masked level is not ended by a non-specific EOI
    EXPECT_EQ(isr(0x20), 0x08);
    pic.write(0x20, 0x48); // back to normal
    EXPECT_EQ(take(5), -1);
}

TEST_F(PicTest, SpecialFullyNestedModeLetsTheSlaveNest) {
    EXPECT_EQ(take(12), 0x74);
    EXPECT_EQ(take(9), -1); // normal: IR2 in service blocks the slave
    initialise(pic, 0x11, 0x11);
    EXPECT_EQ(take(12), 0x74);
    EXPECT_EQ(take(9), 0x71);
    EXPECT_EQ(isr(0xa0), 0x12);
    EXPECT_EQ(take(3), -1); // but lower levels of the master stay out
}

TEST_F(PicTest, LevelTriggeredByElcr) {
    pic.write(0x4d0, 0xff);
    pic.write(0x4d1, 0xff);
    EXPECT_EQ(pic.read(0x4d0), 0xf8);
    EXPECT_EQ(pic.read(0x4d1), 0xde);
    EXPECT_EQ(take(5), 0x0d);
    EXPECT_EQ(irr(0x20), 0x20); // the line is still high
    EXPECT_FALSE(pic.pending());
    pic.write(0x20, 0x20);
    EXPECT_EQ(pic.acknowledge(), 0x0d);
    pic.set_irq(5, false);
    pic.write(0x20, 0x20);
    EXPECT_FALSE(pic.pending());
    EXPECT_EQ(take(10), 0x72);
    pic.write(0xa0, 0x20);
    pic.write(0x20, 0x20);
    EXPECT_TRUE(pic.pending());
    EXPECT_EQ(pic.acknowledge(), 0x72);
}

TEST_F(PicTest, LevelTriggeredByIcw1) {
    initialise(pic, 0x19);
    EXPECT_EQ(take(1), 0x09);
    pic.write(0x20, 0x20);
    EXPECT_TRUE(pic.pending());
    pic.set_irq(1, false);
    EXPECT_FALSE(pic.pending());
    pic.set_irq(9, true);
    EXPECT_TRUE(pic.pending());
    pic.set_irq(9, false);
    EXPECT_FALSE(pic.pending());
}

TEST_F(PicTest, SpuriousSeven) {
    pic.set_irq(4, true);
    EXPECT_TRUE(pic.pending());
    pic.set_irq(4, false); // withdrawn before the acknowledge
    EXPECT_FALSE(pic.pending());
    EXPECT_EQ(pic.acknowledge(), 0x0f);
    EXPECT_EQ(isr(0x20), 0);
}

TEST_F(PicTest, SpuriousFifteen) {
    pic.set_irq(9, true);
    pic.set_irq(9, false);
    EXPECT_EQ(pic.acknowledge(), 0x77);
    EXPECT_EQ(isr(0x20), 0x04); // the handler ends the master only
    EXPECT_EQ(isr(0xa0), 0);
    pic.write(0x20, 0x20);
    EXPECT_EQ(take(9), 0x71);
}

TEST_F(PicTest, PulseLeavesAnEdge) {
    pic.pulse_irq(0);
    EXPECT_EQ(pic.acknowledge(), 0x08);
    pic.write(0x20, 0x20);
    EXPECT_FALSE(pic.pending());
    pic.pulse_irq(0);
    EXPECT_EQ(pic.acknowledge(), 0x08);
}

TEST_F(PicTest, PollIsAnAcknowledge) {
    pic.set_irq(6, true);
    pic.write(0x20, 0x0c);
    EXPECT_EQ(pic.read(0x20), 0x86);
    EXPECT_EQ(isr(0x20), 0x40);
    EXPECT_FALSE(pic.pending());
    pic.write(0x20, 0x0c);
    EXPECT_EQ(pic.read(0x21), 0x00); // nothing above 6; any port answers the poll
    EXPECT_EQ(pic.read(0x21), 0x00); // and then it is the mask again
    pic.write(0x20, 0x20);
    pic.set_irq(11, true);
    pic.write(0x20, 0x0c);
    EXPECT_EQ(pic.read(0x20), 0x82);
    pic.write(0xa0, 0x0c);
    EXPECT_EQ(pic.read(0xa0), 0x83);
    EXPECT_EQ(isr(0xa0), 0x08);
}

TEST_F(PicTest, InitialisationForgetsEdgesAndUnmasks) {
    pic.set_irq(1, true);
    pic.write(0x21, 0xff);
    pic.write(0x20, 0x11);
    EXPECT_EQ(pic.read(0x21), 0x00);
    EXPECT_FALSE(pic.pending());
    pic.write(0x21, 0x20);
    pic.write(0x21, 0x04);
    pic.write(0x21, 0x01);
    EXPECT_FALSE(pic.pending()); // the line must fall and rise
    EXPECT_EQ(take(1), 0x21);
}

TEST_F(PicTest, InitialisationRestoresThePriorities) {
    pic.write(0x20, 0xc4);
    initialise(pic);
    pic.set_irq(5, true);
    pic.set_irq(0, true);
    EXPECT_EQ(pic.acknowledge(), 0x08);
}

TEST_F(PicTest, SingleWithoutIcw4TakesOneWord) {
    pic.write(0x20, 0x12);
    pic.write(0x21, 0x40);
    pic.write(0x21, 0xfe);
    EXPECT_EQ(pic.read(0x21), 0xfe);
    EXPECT_EQ(take(0), 0x40);
}

TEST_F(PicTest, ReadRegisterSelectionSticks) {
    pic.set_irq(3, true);
    pic.write(0x20, 0x0b);
    pic.write(0x20, 0x08); // RR = 0: unchanged
    pic.acknowledge();
    EXPECT_EQ(pic.read(0x20), 0x08);
    EXPECT_EQ(pic.read(0x20), 0x08);
}

TEST_F(PicTest, ForeignPortsFloat) {
    EXPECT_EQ(pic.read(0x22), 0xff);
    pic.write(0x22, 0x55);
    EXPECT_FALSE(Pic::owns(0x22));
    EXPECT_TRUE(Pic::owns(0x4d1));
}

} // namespace
} // namespace btvm

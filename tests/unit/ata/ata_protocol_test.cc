// Registers, selection, resets and interrupts of a channel (ATA/ATAPI-6, clauses 7 and 9).
#include "tests/unit/ata/ata_driver.hh"

namespace btvm::test {
namespace {

using namespace std::chrono_literals;

TEST(AtaChannel, PowerOnGivesTheSignatureOfADisk) {
    DiskRig rig;
    EXPECT_EQ(rig.get(kAtaStatus), kGood);
    EXPECT_EQ(rig.get(kAtaError), 1);
    EXPECT_EQ(rig.get(kAtaCount), 1);
    EXPECT_EQ(rig.get(kAtaLbaLow), 1);
    EXPECT_EQ(rig.get(kAtaLbaMid), 0);
    EXPECT_EQ(rig.get(kAtaLbaHigh), 0);
    EXPECT_FALSE(rig.irq());
}

TEST(AtaChannel, EmptyChannelReadsAsZerosAndSwallowsCommands) {
    AtaDriver rig;
    rig.power_on();
    rig.put(kAtaCount, 0x55);
    EXPECT_EQ(rig.get(kAtaCount), 0);
    rig.put(kAtaStatus, 0xec);
    rig.board.advance(rig.channel, 10ms);
    EXPECT_EQ(rig.get(kAtaStatus), 0);
    EXPECT_FALSE(rig.irq());
    EXPECT_EQ(rig.channel.read(AtaDriver::kBase, 2), 0xffffu);
}

TEST(AtaChannel, MissingSlaveHasRegistersButNoStatus) {
    DiskRig rig;
    rig.select(1);
    rig.put(kAtaCount, 0x55);
    EXPECT_EQ(rig.get(kAtaCount), 0x55); // device 0 answers
    EXPECT_EQ(rig.get(kAtaDevice) & 0x10, 0x10);
    EXPECT_EQ(rig.get(kAtaStatus), 0);
    rig.put(kAtaStatus, 0xec);
    rig.board.advance(rig.channel, 10ms);
    EXPECT_EQ(rig.get(kAtaStatus), 0);
    rig.select(0);
    EXPECT_EQ(rig.get(kAtaStatus), kGood);
}

TEST(AtaChannel, CommandIsBusyFirstAndInterruptsLater) {
    DiskRig rig;
    rig.set_lba28(0, 1);
    rig.put(kAtaStatus, 0x20);
    EXPECT_EQ(rig.alternate(), ata_status::kBusy);
    EXPECT_FALSE(rig.irq());
    EXPECT_TRUE(rig.wait());
    EXPECT_TRUE(rig.irq());
    EXPECT_EQ(rig.alternate(), kGood | ata_status::kDataRequest);
    EXPECT_TRUE(rig.irq()); // the alternate status leaves it
    EXPECT_EQ(rig.get(kAtaStatus), kGood | ata_status::kDataRequest);
    EXPECT_FALSE(rig.irq());
}

TEST(AtaChannel, NoInterruptWhileTheyAreDisabledAndALateOneWhenTheyAreEnabled) {
    DiskRig rig;
    rig.control(ata_control::kNoInterrupt);
    rig.set_lba28(0, 1);
    rig.put(kAtaStatus, 0x40);
    EXPECT_TRUE(rig.wait());
    EXPECT_FALSE(rig.irq());
    rig.control(0);
    EXPECT_TRUE(rig.irq());
    EXPECT_EQ(rig.get(kAtaStatus), kGood);
    EXPECT_FALSE(rig.irq());
}

TEST(AtaChannel, SoftwareResetEndsWhatGoesOnAndKeepsSettings) {
    DiskRig rig;
    rig.put(kAtaCount, 4);
    EXPECT_EQ(rig.command(0xc6), kGood); // SET MULTIPLE
    rig.set_lba28(7, 8);
    rig.command(0x20);
    rig.control(ata_control::kReset);
    EXPECT_EQ(rig.alternate(), ata_status::kBusy);
    rig.board.advance(rig.channel, 10us);
    rig.control(0);
    EXPECT_EQ(rig.alternate(), ata_status::kBusy);
    EXPECT_TRUE(rig.wait());
    EXPECT_FALSE(rig.irq());
    EXPECT_EQ(rig.get(kAtaError), 1);
    EXPECT_EQ(rig.get(kAtaCount), 1);
    EXPECT_EQ(rig.get(kAtaLbaLow), 1);
    rig.set_lba28(0, 1);
    rig.command(0xec);
    const auto identity = rig.read_data();
    EXPECT_EQ(identity[2 * 59], 4);
}

TEST(AtaChannel, DiagnosticIsForBothAndSelectsTheFirst) {
    DiskRig rig;
    TemporaryDisk second(100);
    rig.channel.attach<AtaDisk>(1, DiskImage::open(second.path()), 1);
    rig.power_on();
    rig.select(1);
    EXPECT_EQ(rig.command(0x90), kGood);
    EXPECT_EQ(rig.get(kAtaDevice) & 0x10, 0);
    EXPECT_EQ(rig.get(kAtaError), 1);
    rig.select(1);
    EXPECT_EQ(rig.get(kAtaStatus), kGood);
    EXPECT_EQ(rig.get(kAtaCount), 1);
}

TEST(AtaChannel, BusyDeviceTakesNeitherRegistersNorCommands) {
    DiskRig rig;
    rig.set_lba28(3, 1);
    rig.put(kAtaStatus, 0x20);
    rig.put(kAtaLbaLow, 99);
    rig.put(kAtaStatus, 0x30);
    EXPECT_TRUE(rig.wait());
    EXPECT_EQ(rig.read_data(), numbered(3, 1));
}

TEST(AtaChannel, PreviousContentOfRegistersShowsUnderTheControlBit) {
    DiskRig rig;
    rig.put(kAtaLbaLow, 0x12);
    rig.put(kAtaLbaLow, 0x34);
    EXPECT_EQ(rig.get(kAtaLbaLow), 0x34);
    rig.control(ata_control::kPrevious);
    EXPECT_EQ(rig.get(kAtaLbaLow), 0x12);
    rig.put(kAtaLbaMid, 0); // a write to any register ends it
    EXPECT_EQ(rig.get(kAtaLbaLow), 0x34);
}

TEST(AtaChannel, SelectionMovesTheInterruptLineToTheOtherDevice) {
    DiskRig rig;
    TemporaryDisk second(100);
    rig.channel.attach<AtaDisk>(1, DiskImage::open(second.path()), 1);
    rig.power_on();
    rig.set_lba28(0, 1);
    rig.put(kAtaStatus, 0x40);
    EXPECT_TRUE(rig.wait());
    EXPECT_TRUE(rig.irq());
    rig.select(1);
    EXPECT_FALSE(rig.irq());
    rig.select(0);
    EXPECT_TRUE(rig.irq());
}

TEST(AtaChannel, DataPortBlocksAreTheSameAsSingleAccesses) {
    DiskRig rig;
    rig.set_lba28(5, 2);
    rig.command(0x20);
    std::vector<std::uint8_t> block(512);
    rig.channel.read_port_block(AtaDriver::kBase, 2, block);
    EXPECT_EQ(block, numbered(5, 1));
    EXPECT_TRUE(rig.wait());
    (void)rig.get(kAtaStatus);
    EXPECT_EQ(rig.read_data(4), numbered(6, 1));
    // What is read beyond the block is not data.
    block.assign(4, 0);
    rig.channel.read_port_block(AtaDriver::kBase, 2, block);
    EXPECT_EQ(block, std::vector<std::uint8_t>(4, 0xff));
}

} // namespace
} // namespace btvm::test

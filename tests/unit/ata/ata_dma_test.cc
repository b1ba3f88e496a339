// Bus-master DMA: the disk's commands and the descriptor tables.
#include "tests/unit/ata/ata_driver.hh"

namespace btvm::test {
namespace {

using namespace std::chrono_literals;

std::vector<std::uint8_t> memory(const AtaDriver& rig, std::uint32_t at, std::size_t bytes) {
    return {rig.board.memory.begin() + at,
            rig.board.memory.begin() + at + static_cast<std::ptrdiff_t>(bytes)};
}

TEST(AtaDma, ReadsIntoScatteredRegions) {
    DiskRig rig;
    rig.set_table({{AtaDriver::kData, 512},
                   {AtaDriver::kData + 0x1000, 1024},
                   {AtaDriver::kData + 0x400, 510},
                   {AtaDriver::kData + 0x2000, 2}});
    rig.set_lba28(20, 4);
    EXPECT_EQ(rig.dma(0xc8, true), kGood);
    EXPECT_EQ(rig.last_bus_master_status & 7, 4); // interrupt, not active, no error
    EXPECT_EQ(memory(rig, AtaDriver::kData, 512), numbered(20, 1));
    EXPECT_EQ(memory(rig, AtaDriver::kData + 0x1000, 1024), numbered(21, 2));
    const auto last = numbered(23, 1);
    EXPECT_EQ(memory(rig, AtaDriver::kData + 0x400, 510), std::vector(last.begin(), last.end() - 2));
    EXPECT_EQ(memory(rig, AtaDriver::kData + 0x2000, 2), std::vector(last.end() - 2, last.end()));
}

TEST(AtaDma, WritesFromMemoryToTheFile) {
    DiskRig rig;
    const auto data = numbered(777, 300);
    std::copy(data.begin(), data.end(), rig.board.memory.begin() + AtaDriver::kData);
    rig.set_table({{AtaDriver::kData, 0},
                   {AtaDriver::kData + 0x10000, 300 * 512 - 0x10000 - 0x8000},
                   {AtaDriver::kData + 300 * 512 - 0x8000, 0x8000}});
    rig.set_lba48(100, 300);
    EXPECT_EQ(rig.dma(0x35, false), kGood);
    const auto content = rig.file.content();
    EXPECT_TRUE(std::equal(data.begin(), data.end(), content.begin() + 100 * 512));
    EXPECT_EQ(content[99 * 512], 100);
    EXPECT_EQ(content[400 * 512], 401 & 0xff);
}

TEST(AtaDma, LongTransfersLetTheOthersRunInBetween) {
    DiskRig rig;
    rig.set_table({{AtaDriver::kData, 0}, {AtaDriver::kData + 0x10000, 0}, {AtaDriver::kData + 0x20000, 0}});
    rig.set_lba48(0, 384);
    rig.bus_master(0, 1, 0x08);
    rig.put(kAtaStatus, 0x25);
    rig.bus_master(0, 1, 0x09);
    unsigned stops = 0;
    while (!rig.irq() && stops < 100) {
        const auto due = rig.channel.deadline();
        ASSERT_TRUE(due);
        ASSERT_GT(*due, rig.board.time);
        rig.board.time = *due;
        rig.channel.run_until(rig.board.time);
        stops++;
    }
    EXPECT_EQ(stops, 4u); // the command, and three chunks
    EXPECT_EQ(memory(rig, AtaDriver::kData, 384 * 512), numbered(0, 384));
}

TEST(AtaDma, ATableThatEndsTooSoonLeavesTheDriveWaiting) {
    DiskRig rig;
    rig.set_table({{AtaDriver::kData, 1024}});
    rig.set_lba28(0, 4);
    rig.bus_master(0, 1, 0x08);
    rig.put(kAtaStatus, 0xc8);
    rig.bus_master(0, 1, 0x09);
    rig.board.advance(rig.channel, 10ms);
    EXPECT_FALSE(rig.irq());
    EXPECT_EQ(rig.bus_master_status() & 7, 0); // neither active nor interrupt: the table is at fault
    EXPECT_TRUE(rig.alternate() & ata_status::kDataRequest);
    // The driver can go on with another table.
    rig.set_table({{AtaDriver::kData + 1024, 1024}});
    rig.bus_master(0, 1, 0x08);
    rig.bus_master(0, 1, 0x09);
    rig.board.advance(rig.channel, 10ms);
    EXPECT_TRUE(rig.irq());
    EXPECT_EQ(memory(rig, AtaDriver::kData, 2048), numbered(0, 4));
}

TEST(AtaDma, ATableThatIsTooLongStaysActive) {
    DiskRig rig;
    rig.set_table({{AtaDriver::kData, 4096}});
    rig.set_lba28(0, 2);
    EXPECT_EQ(rig.dma(0xc8, true), kGood);
    EXPECT_EQ(rig.last_bus_master_status & 7, 5);
    EXPECT_EQ(rig.bus_master_status() & 1, 0); // stopped by the driver since
}

TEST(AtaDma, StopInTheMiddleAndResetOfTheDrive) {
    DiskRig rig;
    rig.set_table({{AtaDriver::kData, 0}, {AtaDriver::kData, 0}});
    rig.set_lba28(0, 256);
    rig.bus_master(0, 1, 0x08);
    rig.put(kAtaStatus, 0xc8);
    rig.bus_master(0, 1, 0x09);
    rig.board.advance(rig.channel, 35us); // one chunk
    rig.bus_master(0, 1, 0x08);
    rig.board.advance(rig.channel, 10ms);
    EXPECT_FALSE(rig.irq());
    rig.control(ata_control::kReset);
    rig.control(0);
    EXPECT_TRUE(rig.wait());
    rig.set_table({{AtaDriver::kData, 512}});
    rig.set_lba28(9, 1);
    EXPECT_EQ(rig.dma(0xc8, true), kGood);
    EXPECT_EQ(memory(rig, AtaDriver::kData, 512), numbered(9, 1));
}

TEST(AtaDma, NothingMovesWhileTheFunctionMayNotReachMemory) {
    DiskRig rig;
    rig.ide.function().write(kPciCommand, 2, kPciCommandIo);
    rig.set_table({{AtaDriver::kData, 512}});
    rig.set_lba28(9, 1);
    rig.bus_master(0, 1, 0x08);
    rig.put(kAtaStatus, 0xc8);
    rig.bus_master(0, 1, 0x09);
    rig.board.advance(rig.channel, 10ms);
    EXPECT_FALSE(rig.irq());
    rig.ide.function().write(kPciCommand, 2, kPciCommandIo | kPciCommandMaster);
    rig.board.advance(rig.channel, 10ms);
    EXPECT_TRUE(rig.irq());
    EXPECT_EQ(memory(rig, AtaDriver::kData, 512), numbered(9, 1));
}

TEST(AtaDma, EndOfTheDiskWithinATransfer) {
    DiskRig rig(100);
    rig.set_table({{AtaDriver::kData, 4096}});
    rig.set_lba28(96, 8);
    EXPECT_EQ(rig.dma(0xc8, true), kGood | ata_status::kError);
    EXPECT_EQ(rig.get(kAtaError), ata_error::kNotFound);
    EXPECT_EQ(rig.get(kAtaLbaLow), 100);
}

TEST(AtaDma, StatusBitsAreClearedByOnesAndCapabilitiesKept) {
    DiskRig rig;
    rig.set_table({{AtaDriver::kData, 512}});
    rig.set_lba28(9, 1);
    rig.dma(0xc8, true);
    rig.bus_master(2, 1, 0x60);
    EXPECT_EQ(rig.bus_master_status(), 0x64);
    rig.bus_master(2, 1, 0x24);
    EXPECT_EQ(rig.bus_master_status(), 0x20);
    rig.bus_master(4, 4, 0x12345677);
    EXPECT_EQ(rig.ide.read(AtaDriver::kBusMaster + 4, 4), 0x12345674u);
}

} // namespace
} // namespace btvm::test

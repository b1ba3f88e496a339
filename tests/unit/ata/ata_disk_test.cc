// Every command of a disk that is not DMA.
#include "tests/unit/ata/ata_driver.hh"

namespace btvm::test {
namespace {

constexpr std::uint8_t kFailed = kGood | ata_status::kError;

unsigned word(const std::vector<std::uint8_t>& identity, unsigned at) {
    return identity[2 * at] | identity[2 * at + 1] << 8;
}
std::string text(const std::vector<std::uint8_t>& identity, unsigned at, unsigned words) {
    std::string out;
    for (unsigned i = 0; i < 2 * words; i++)
        out += static_cast<char>(identity[2 * at + (i ^ 1)]);
    out.erase(out.find_last_not_of(' ') + 1);
    return out;
}

TEST(AtaDisk, Identify) {
    DiskRig rig(63 * 16 * 10);
    EXPECT_EQ(rig.command(0xec), kGood | ata_status::kDataRequest);
    const auto identity = rig.read_data();
    ASSERT_EQ(identity.size(), 512u);
    EXPECT_EQ(rig.interrupts, 0u); // one before the data, none after
    EXPECT_EQ(word(identity, 0), 0x0040u);
    EXPECT_EQ(word(identity, 1), 10u);
    EXPECT_EQ(word(identity, 3), 16u);
    EXPECT_EQ(word(identity, 6), 63u);
    EXPECT_EQ(text(identity, 10, 10), "QM00001");
    EXPECT_EQ(text(identity, 27, 20), "QEMU HARDDISK");
    EXPECT_EQ(word(identity, 60) | word(identity, 61) << 16, 63u * 16 * 10);
    EXPECT_EQ(word(identity, 100) | word(identity, 101) << 16, 63u * 16 * 10);
    EXPECT_EQ(word(identity, 49) & 0x0300, 0x0300u); // LBA and DMA
    EXPECT_EQ(word(identity, 83) & 0xf400, 0x7400u); // LBA48 and both flushes
    EXPECT_EQ(word(identity, 57) | word(identity, 58) << 16, 63u * 16 * 10);
}

TEST(AtaDisk, ReadSectorsByLba28GivesAnInterruptForEach) {
    DiskRig rig;
    rig.set_lba28(100, 3);
    rig.command(0x20);
    EXPECT_EQ(rig.read_data(), numbered(100, 3));
    EXPECT_EQ(rig.interrupts, 2u); // and the one that command() took
    EXPECT_EQ(rig.get(kAtaStatus), kGood);
    EXPECT_EQ(rig.get(kAtaCount), 0);
    EXPECT_EQ(rig.get(kAtaLbaLow), 102); // the last one
}

TEST(AtaDisk, CountZeroIs256Sectors) {
    DiskRig rig;
    rig.set_lba28(7, 0);
    rig.command(0x21);
    EXPECT_EQ(rig.read_data(), numbered(7, 256));
}

TEST(AtaDisk, ReadSectorsByChs) {
    DiskRig rig;
    rig.set_chs(2, 5, 9, 2);
    rig.command(0x20);
    EXPECT_EQ(rig.read_data(4), numbered((2 * 16 + 5) * 63 + 8, 2));
    EXPECT_EQ(rig.get(kAtaLbaLow), 10);
    EXPECT_EQ(rig.get(kAtaLbaMid), 2);
    EXPECT_EQ(rig.get(kAtaDevice) & 0x0f, 5);
}

TEST(AtaDisk, InitialiseParametersChangesTheGeometry) {
    DiskRig rig;
    rig.put(kAtaCount, 17);
    rig.select(0, 3); // four heads
    EXPECT_EQ(rig.command(0x91), kGood);
    rig.set_chs(10, 3, 17, 1);
    rig.command(0x20);
    EXPECT_EQ(rig.read_data(), numbered((10 * 4 + 3) * 17 + 16, 1));
    rig.set_chs(10, 4, 1, 1); // no such head now
    EXPECT_EQ(rig.command(0x20), kFailed);
    EXPECT_EQ(rig.get(kAtaError), ata_error::kNotFound);
    rig.put(kAtaCount, 0);
    EXPECT_EQ(rig.command(0x91), kFailed);
}

TEST(AtaDisk, Lba48ReachesBeyondLba28AndTakesLongCounts) {
    DiskRig rig(4096);
    rig.set_lba48(1000, 300);
    rig.command(0x24);
    EXPECT_EQ(rig.read_data(), numbered(1000, 300));
    rig.set_lba48((1ull << 32) + 5, 1);
    EXPECT_EQ(rig.command(0x24), kFailed);
    EXPECT_EQ(rig.get(kAtaError), ata_error::kNotFound);
}

TEST(AtaDisk, MultipleMovesBlocksWithOneInterruptEach) {
    DiskRig rig;
    rig.put(kAtaCount, 8);
    EXPECT_EQ(rig.command(0xc6), kGood);
    rig.set_lba28(40, 20);
    rig.command(0xc4);
    EXPECT_EQ(rig.read_data(), numbered(40, 20));
    EXPECT_EQ(rig.interrupts, 2u); // 8, 8, 4
    rig.set_lba48(60, 17);
    rig.interrupts = 0;
    rig.command(0x29);
    EXPECT_EQ(rig.read_data(), numbered(60, 17));
    EXPECT_EQ(rig.interrupts, 2u); // 8, 8, 1
}

TEST(AtaDisk, SetMultipleTakesPowersOfTwoUpToSixteen) {
    DiskRig rig;
    for (const unsigned good : {1u, 2u, 4u, 8u, 16u}) {
        rig.put(kAtaCount, good);
        EXPECT_EQ(rig.command(0xc6), kGood) << good;
    }
    for (const unsigned bad : {3u, 5u, 32u, 255u}) {
        rig.put(kAtaCount, bad);
        EXPECT_EQ(rig.command(0xc6), kFailed) << bad;
        EXPECT_EQ(rig.get(kAtaError), ata_error::kAborted);
    }
    rig.put(kAtaCount, 0); // off
    EXPECT_EQ(rig.command(0xc6), kGood);
    rig.set_lba28(0, 1);
    EXPECT_EQ(rig.command(0xc4), kFailed);
}

TEST(AtaDisk, WriteSectorsReachTheFileAtOnce) {
    DiskRig rig;
    std::vector<std::uint8_t> data(3 * 512);
    for (std::size_t i = 0; i < data.size(); i++)
        data[i] = static_cast<std::uint8_t>(i * 7 + i / 512);
    rig.set_lba28(50, 3);
    EXPECT_EQ(rig.command(0x30), kGood | ata_status::kDataRequest);
    rig.write_data(data);
    EXPECT_EQ(rig.interrupts, 3u);
    EXPECT_EQ(rig.alternate(), kGood);
    const auto content = rig.file.content();
    EXPECT_TRUE(std::equal(data.begin(), data.end(), content.begin() + 50 * 512));
    EXPECT_EQ(rig.disk.sectors_written(), 3u);
}

TEST(AtaDisk, FirstBlockOfAWriteIsTakenFromWhoDoesNotWaitForIt) {
    DiskRig rig;
    const auto data = numbered(7000, 2);
    rig.set_lba28(50, 2);
    rig.put(kAtaStatus, 0x30);
    EXPECT_EQ(rig.alternate(), ata_status::kBusy);
    for (std::size_t at = 0; at < 512; at += 4)
        rig.channel.write(DiskRig::kBase, 4,
                          data[at] | data[at + 1] << 8 | data[at + 2] << 16 | data[at + 3] << 24);
    EXPECT_TRUE(rig.wait());
    EXPECT_TRUE(rig.irq());
    rig.write_data(std::span(data).subspan(512));
    const auto content = rig.file.content();
    EXPECT_TRUE(std::equal(data.begin(), data.end(), content.begin() + 50 * 512));
    // To a command that takes none it does nothing.
    rig.set_lba28(3, 1);
    rig.put(kAtaStatus, 0x20);
    rig.channel.write(DiskRig::kBase, 2, 0x1234);
    EXPECT_TRUE(rig.wait());
    EXPECT_EQ(rig.read_data(), numbered(3, 1));
}

TEST(AtaDisk, FirstBlockOfAWriteComesWithoutAnInterrupt) {
    DiskRig rig;
    rig.set_lba28(50, 1);
    rig.put(kAtaStatus, 0x30);
    EXPECT_TRUE(rig.wait());
    EXPECT_FALSE(rig.irq());
}

TEST(AtaDisk, WriteMultipleAndExt) {
    DiskRig rig;
    const auto data = numbered(3000, 20);
    rig.put(kAtaCount, 16);
    rig.command(0xc6);
    rig.set_lba28(200, 20);
    rig.command(0xc5);
    rig.write_data(data, 4);
    EXPECT_EQ(rig.interrupts, 2u);
    rig.set_lba48(300, 20);
    rig.command(0x39);
    rig.write_data(data);
    rig.set_lba48(400, 20);
    rig.command(0x34);
    rig.write_data(data);
    const auto content = rig.file.content();
    for (const std::ptrdiff_t first : {200, 300, 400})
        EXPECT_TRUE(std::equal(data.begin(), data.end(), content.begin() + first * 512)) << first;
}

TEST(AtaDisk, TransferAcrossTheEndStopsAtTheFirstMissingSector) {
    DiskRig rig(100);
    rig.set_lba28(98, 4);
    rig.command(0x20);
    EXPECT_EQ(rig.read_data(), numbered(98, 2));
    EXPECT_EQ(rig.alternate(), kFailed);
    EXPECT_EQ(rig.get(kAtaError), ata_error::kNotFound);
    EXPECT_EQ(rig.get(kAtaLbaLow), 100);
    rig.set_lba28(100, 1);
    EXPECT_EQ(rig.command(0x30), kFailed);
    EXPECT_EQ(rig.get(kAtaError), ata_error::kNotFound);
}

TEST(AtaDisk, VerifyReadsNothingOut) {
    DiskRig rig(100);
    rig.set_lba28(10, 5);
    EXPECT_EQ(rig.command(0x40), kGood);
    EXPECT_EQ(rig.get(kAtaLbaLow), 14);
    rig.set_lba48(10, 5);
    EXPECT_EQ(rig.command(0x42), kGood);
    rig.set_lba28(98, 5);
    EXPECT_EQ(rig.command(0x41), kFailed);
    EXPECT_EQ(rig.get(kAtaLbaLow), 100);
}

TEST(AtaDisk, SeekAndRecalibrate) {
    DiskRig rig;
    rig.set_chs(3, 2, 1, 0);
    EXPECT_EQ(rig.command(0x70), kGood);
    rig.set_chs(300, 2, 1, 0);
    EXPECT_EQ(rig.command(0x70), kFailed);
    EXPECT_EQ(rig.command(0x10), kGood);
    EXPECT_EQ(rig.get(kAtaLbaMid), 0);
    EXPECT_EQ(rig.command(0x1f), kGood);
}

TEST(AtaDisk, ReadNativeMax) {
    DiskRig rig(5000);
    EXPECT_EQ(rig.command(0xf8), kGood);
    EXPECT_EQ(rig.get(kAtaLbaLow) | rig.get(kAtaLbaMid) << 8, 4999);
    EXPECT_EQ(rig.command(0x27), kGood);
    EXPECT_EQ(rig.get(kAtaLbaLow) | rig.get(kAtaLbaMid) << 8, 4999);
    rig.control(ata_control::kPrevious);
    EXPECT_EQ(rig.get(kAtaLbaLow), 0);
}

TEST(AtaDisk, SetFeatures) {
    DiskRig rig;
    const auto set = [&rig](unsigned feature, unsigned count) {
        rig.put(kAtaFeatures, feature);
        rig.put(kAtaCount, count);
        return rig.command(0xef);
    };
    for (const unsigned feature : {0x02u, 0x82u, 0xaau, 0x55u, 0x66u, 0xccu})
        EXPECT_EQ(set(feature, 0), kGood) << feature;
    for (const unsigned mode : {0x00u, 0x01u, 0x08u, 0x0cu, 0x20u, 0x22u, 0x40u, 0x45u})
        EXPECT_EQ(set(0x03, mode), kGood) << mode;
    for (const unsigned mode : {0x02u, 0x0du, 0x10u, 0x23u, 0x46u, 0xffu})
        EXPECT_EQ(set(0x03, mode), kFailed) << mode;
    EXPECT_EQ(set(0x99, 0), kFailed);
    EXPECT_EQ(set(0x03, 0x22), kGood);
    rig.command(0xec);
    auto identity = rig.read_data();
    EXPECT_EQ(word(identity, 63), 0x0407u);
    EXPECT_EQ(word(identity, 85) & 0x0060, 0x0000u); // both caches are off
}

TEST(AtaDisk, PowerModes) {
    DiskRig rig;
    const auto mode = [&rig](unsigned check) {
        EXPECT_EQ(rig.command(check), kGood);
        return rig.get(kAtaCount);
    };
    EXPECT_EQ(mode(0xe5), 0xff);
    for (const unsigned standby : {0xe0u, 0xe2u, 0xe6u, 0x94u, 0x96u, 0x99u}) {
        EXPECT_EQ(rig.command(standby), kGood);
        EXPECT_EQ(mode(0xe5), 0x00) << standby;
    }
    for (const unsigned idle : {0xe1u, 0xe3u, 0x95u, 0x97u}) {
        EXPECT_EQ(rig.command(idle), kGood);
        EXPECT_EQ(mode(0x98), 0x80) << idle;
    }
    rig.set_lba28(0, 1);
    rig.command(0x20);
    (void)rig.read_data();
    EXPECT_EQ(mode(0xe5), 0xff);
}

TEST(AtaDisk, UnknownCommandsAndNopAreAborted) {
    DiskRig rig;
    for (const unsigned code : {0x00u, 0x08u, 0xa0u, 0xa1u, 0xb0u, 0xffu}) {
        rig.put(kAtaStatus, code);
        EXPECT_TRUE(rig.wait());
        EXPECT_TRUE(rig.irq());
        EXPECT_EQ(rig.get(kAtaStatus), kFailed) << code;
        EXPECT_EQ(rig.get(kAtaError), ata_error::kAborted);
    }
}

TEST(AtaDisk, FlushCacheEndsWithAnInterrupt) {
    DiskRig rig;
    EXPECT_EQ(rig.command(0xe7), kGood);
    EXPECT_EQ(rig.command(0xea), kGood);
    EXPECT_EQ(rig.board.rises[AtaDriver::kIrq], 2u);
}

TEST(AtaDisk, ResetDuringAFlush) {
    DiskRig rig;
    rig.put(kAtaStatus, 0xe7);
    rig.board.advance(rig.channel, std::chrono::microseconds(100));
    rig.control(ata_control::kReset);
    rig.control(0);
    EXPECT_TRUE(rig.wait());
    EXPECT_EQ(rig.get(kAtaStatus), kGood);
    EXPECT_EQ(rig.command(0xe7), kGood);
}

TEST(AtaDisk, HostErrorsBecomeDeviceErrorsAndMessages) {
    DiskRig rig(4096, {.snapshot = true, .overlay_limit = 8192});
    rig.set_lba28(0, 64);
    rig.command(0x30);
    rig.write_data(numbered(0, 64));
    EXPECT_EQ(rig.alternate(), kFailed | ata_status::kFault);
    EXPECT_EQ(rig.get(kAtaError), ata_error::kAborted);
    EXPECT_EQ(rig.get(kAtaLbaLow), 16); // the first that found no room
    ASSERT_EQ(rig.messages.size(), 1u);
    EXPECT_NE(rig.messages[0].find("fill the 0 MiB"), std::string::npos);
    // What was written before can be read.
    rig.set_lba28(0, 16);
    rig.command(0x20);
    EXPECT_EQ(rig.read_data(), numbered(0, 16));
}

TEST(AtaDisk, AFileThatShrinksGivesUncorrectableErrors) {
    DiskRig rig;
    std::filesystem::resize_file(rig.file.path(), 512 * 10);
    rig.set_lba28(9, 2);
    rig.command(0x20);
    EXPECT_EQ(rig.read_data(), numbered(9, 1));
    EXPECT_EQ(rig.alternate(), kFailed);
    EXPECT_EQ(rig.get(kAtaError), ata_error::kUncorrectable);
    EXPECT_EQ(rig.messages.size(), 1u);
}

} // namespace
} // namespace btvm::test

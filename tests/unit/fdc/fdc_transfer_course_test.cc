// How a transfer of the 82077AA goes on or does not: without DMA, with nobody to take the data, without motor
// or medium, and with a host that fails.
#include "fdc_transfer.hh"

namespace btvm {
namespace {

TEST_F(FdcTransfer, NonDmaRead) {
    start(0, true);
    command(transfer(0x66, 0, 0, 0, 17, 18), 0);
    Bytes data;
    while (data.size() < 1024) {
        ASSERT_TRUE(wait());
        ASSERT_EQ(in(0x3f4), 0xf0);
        const unsigned edges = platform.edges[6];
        data.push_back(in(0x3f5));
        if (data.size() % 512) {
            ASSERT_EQ(platform.edges[6], edges + 1); // the FIFO is off: an interrupt a byte
        }
    }
    EXPECT_EQ(in(0x3f4), 0x30);
    ASSERT_TRUE(wait());
    const Bytes r = result(7);
    EXPECT_EQ(r[0] >> 6, 1); // there is no terminal count without DMA
    EXPECT_EQ(r[1], 0x80);
    const auto second = pattern_sector(17);
    EXPECT_TRUE(std::equal(second.begin(), second.end(), data.begin() + 512));
}

TEST_F(FdcTransfer, NonDmaWriteWithFifo) {
    start(0, true);
    command({0x13, 0x00, 0x07, 0x00}, 0); // FIFO on, threshold 8
    command(transfer(0x45, 0, 0, 0, 18, 18), 0);
    ASSERT_TRUE(wait());
    const unsigned edges = platform.edges[6];
    for (std::size_t i = 0; i < 512; i++) {
        ASSERT_EQ(in(0x3f4), 0xb0);
        out(0x3f5, static_cast<unsigned>(i * 5));
    }
    EXPECT_EQ(platform.edges[6], edges + 63);
    ASSERT_TRUE(wait());
    EXPECT_EQ(result(7)[1], 0x80);
    EXPECT_EQ(file.contents()[17 * 512 + 511], static_cast<std::uint8_t>(511 * 5));
}

TEST_F(FdcTransfer, SectorsPassWhileNobodyLooks) {
    program_dma(0x46, 0x8000, 9 * 512);
    command(transfer(0xe6, 0, 0, 0, 1, 18), 0);
    platform.time += 550us;
    fdc.run_until(platform.time); // one look, late
    EXPECT_EQ(in_memory(0x8000 + 4 * 512), pattern_sector(4));
    EXPECT_NE(in_memory(0x8000 + 5 * 512), pattern_sector(5));
    EXPECT_FALSE(irq());
    platform.time += 500us;
    fdc.run_until(platform.time);
    EXPECT_TRUE(irq());
    EXPECT_EQ(result(7), (Bytes{0, 0, 0, 0, 0, 10, 2}));
    EXPECT_EQ(in_memory(0x8000 + 8 * 512), pattern_sector(8));
}

TEST_F(FdcTransfer, MaskedDmaChannelIsWaitedForAndThenAnOverrun) {
    program_dma(0x46, 0x8000, 512);
    dma.write(0x0a, 1, 6);
    command(transfer(0xe6, 0, 0, 0, 1, 18), 0);
    platform.run(fdc, 100ms);
    EXPECT_EQ(dma.read(0x08, 1) & 0xf0, 0x40); // the request shows
    dma.write(0x0a, 1, 2);
    ASSERT_TRUE(wait(1ms));
    EXPECT_EQ(result(7)[0], 0);
    dma.write(0x0a, 1, 6);
    command(transfer(0xe6, 0, 0, 0, 1, 18), 0);
    ASSERT_TRUE(wait());
    EXPECT_EQ(result(7)[1], 0x10);
}

TEST_F(FdcTransfer, MotorOffHangsUntilItTurns) {
    out(0x3f2, 0x0c);
    program_dma(0x46, 0x8000, 512);
    command(transfer(0xe6, 0, 0, 0, 1, 18), 0);
    EXPECT_FALSE(wait(10s));
    EXPECT_EQ(in(0x3f4), 0x10);
    out(0x3f2, 0x1c);
    ASSERT_TRUE(wait());
    EXPECT_EQ(result(7)[0], 0);
}

TEST_F(FdcTransfer, NoMediumHangsUntilReset) {
    program_dma(0x46, 0x8000, 512);
    command(transfer(0xe6, 1, 0, 0, 1, 18), 0);
    EXPECT_FALSE(wait(10s));
    EXPECT_EQ(fdc.deadline(), std::nullopt);
    EXPECT_EQ(in(0x3f4), 0x10);
    start();
    EXPECT_EQ(read_sector(0, 0, 1)[0], 0);
}

TEST_F(FdcTransfer, MediumPulledOutInTheMiddle) {
    program_dma(0x46, 0x8000, 36 * 512);
    command(transfer(0xe6, 0, 0, 0, 1, 18), 0);
    platform.run(fdc, 500us);
    auto image = fdc.eject(0);
    EXPECT_FALSE(wait(10s));
    fdc.insert(0, std::move(image));
    ASSERT_TRUE(wait());
    EXPECT_EQ(result(7)[0] >> 6, 0);
}

TEST_F(FdcTransfer, HostErrorIsADataErrorAndAMessage) {
    ASSERT_EQ(::truncate(file.path().c_str(), 5 * 512), 0);
    EXPECT_EQ(read_sector(0, 0, 5)[0], 0);
    const Bytes r = read_sector(0, 0, 6);
    EXPECT_EQ(r[0] >> 6, 1);
    EXPECT_EQ(r[1], 0x20);
    EXPECT_EQ(r[2], 0x20);
    ASSERT_EQ(messages.size(), 1u);
    EXPECT_NE(messages[0].find("has become shorter"), std::string::npos);
}

TEST_F(FdcTransfer, FortyTrackMediumInAnEightyTrackDrive) {
    PatternFile small(360);
    fdc.set_drive_type(1, FloppyDriveType::Mb1_2);
    fdc.insert(1, FloppyImage::open(small.path()));
    out(0x3f7, 1); // 300 kbit/s
    seek(1, 20);   // double step: track 10
    program_dma(0x46, 0x8000, 512);
    const Bytes r = complete(transfer(0x66, 1, 10, 1, 3, 9));
    EXPECT_EQ(r[0], 0x05);
    EXPECT_EQ(in_memory(0x8000), pattern_sector((10 * 2 + 1) * 9 + 2));
    out(0x3f7, 2);
    EXPECT_EQ(complete(transfer(0x66, 1, 10, 1, 3, 9))[1], 0x01);
}

} // namespace
} // namespace btvm

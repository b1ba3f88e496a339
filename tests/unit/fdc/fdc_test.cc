// The 82077AA's registers, phases, interrupts and the commands that move no data.
#include <random>

#include "fdc_driver.hh"

namespace btvm {
namespace {

struct FdcTest : FdcDriver {
    PatternFile file{1440};
    void with_medium() {
        fdc.insert(0, FloppyImage::open(file.path()));
        start();
    }
};

TEST_F(FdcTest, HeldInResetNothingAnswers) {
    EXPECT_EQ(in(0x3f4), 0);
    out(0x3f5, 0x10);
    EXPECT_EQ(in(0x3f5), 0);
    EXPECT_EQ(in(0x3f4), 0);
    EXPECT_EQ(in(0x3f0), 0xff);
    EXPECT_EQ(in(0x3f1), 0xff);
}

TEST_F(FdcTest, ResetGivesOneInterruptAndFourSenses) {
    out(0x3f2, 0x0c);
    EXPECT_EQ(in(0x3f4), 0x80);
    EXPECT_FALSE(irq());
    ASSERT_TRUE(wait(1ms));
    for (std::uint8_t n = 0; n < 4; n++) {
        EXPECT_EQ(command({0x08}, 2), (Bytes{static_cast<std::uint8_t>(0xc0 | n), 0}));
        EXPECT_FALSE(irq());
    }
    EXPECT_EQ(command({0x08}, 1), Bytes{0x80});
    EXPECT_EQ(platform.edges[6], 1u);
}

TEST_F(FdcTest, SoftwareResetByDsr) {
    start();
    const unsigned edges = platform.edges[6];
    out(0x3f4, 0x80);
    ASSERT_TRUE(wait(1ms));
    EXPECT_EQ(platform.edges[6], edges + 1);
    EXPECT_EQ(command({0x08}, 2)[0], 0xc0);
}

TEST_F(FdcTest, InterruptsNeedTheDmaGate) {
    out(0x3f2, 0x04);
    EXPECT_FALSE(wait(10ms));
    out(0x3f2, 0x0c);
    EXPECT_TRUE(irq());
}

TEST_F(FdcTest, PollingCanBeTurnedOff) {
    start();
    command({0x13, 0x00, 0x30, 0x00}, 0);
    command({0x94}, 1); // Lock does not protect POLL
    out(0x3f2, 0x00);
    out(0x3f2, 0x0c);
    EXPECT_TRUE(wait(10ms));
    start();
    command({0x13, 0x00, 0x30, 0x00}, 0);
    platform.run(fdc, 1ms);
    const unsigned edges = platform.edges[6];
    // Configured between the reset and its poll: no interrupt.
    out(0x3f4, 0x80);
    command({0x13, 0x00, 0x30, 0x00}, 0);
    platform.run(fdc, 10ms);
    EXPECT_EQ(platform.edges[6], edges);
}

TEST_F(FdcTest, VersionLockAndInvalid) {
    start();
    EXPECT_EQ(command({0x10}, 1), Bytes{0x90});
    EXPECT_EQ(command({0x94}, 1), Bytes{0x10});
    EXPECT_EQ(command({0x14}, 1), Bytes{0x00});
    for (const std::uint8_t code : {0x00, 0x01, 0x0b, 0x15, 0x17, 0x18, 0x1f, 0x88, 0x84, 0x33, 0xb3}) {
        EXPECT_EQ(command({code}, 1), Bytes{0x80}) << int(code);
        EXPECT_EQ(in(0x3f4), 0x80);
    }
}

TEST_F(FdcTest, DumpRegistersAndLock) {
    start();
    seek(0, 5);
    seek(1, 9);
    command({0x03, 0xaf, 0x1e}, 0);
    command({0x13, 0x00, 0x5b, 0x11}, 0);
    command({0x12, 0x80 | 0x0c | 0x03}, 0);
    EXPECT_EQ(command({0x0e}, 10), (Bytes{5, 9, 0, 0, 0xaf, 0x1e, 0, 0x0f, 0x5b, 0x11}));
    command({0x12, 0x00}, 0); // OW clear: the drive bits stay
    EXPECT_EQ(command({0x0e}, 10)[7], 0x0c);
    command({0x94}, 1);
    out(0x3f4, 0x80);
    ASSERT_TRUE(wait());
    Bytes dump = command({0x0e}, 10);
    EXPECT_EQ(dump[7], 0x8c);
    EXPECT_EQ(dump[8], 0x0b); // FIFO settings survive, EIS does not
    EXPECT_EQ(dump[9], 0x11);
    EXPECT_EQ(dump[4], 0xaf);
    command({0x14}, 1);
    out(0x3f4, 0x80);
    ASSERT_TRUE(wait());
    dump = command({0x0e}, 10);
    EXPECT_EQ(dump[8], 0x20);
    EXPECT_EQ(dump[9], 0x00);
    fdc.reset();
    out(0x3f2, 0x0c);
    EXPECT_EQ(command({0x0e}, 10), (Bytes{0, 0, 0, 0, 0, 0, 0, 0, 0x20, 0}));
}

TEST_F(FdcTest, SeekAndRecalibrate) {
    with_medium();
    seek(0, 79);
    EXPECT_EQ(fdc.activity(0).cylinder, 79u);
    EXPECT_EQ(command({0x04, 0x04}, 1)[0], 0x2c); // not at track 0, head 1
    command({0x07, 0x00}, 0);
    EXPECT_EQ(in(0x3f4), 0x81); // ready for another command while drive 0 seeks
    ASSERT_TRUE(wait());
    EXPECT_EQ(in(0x3f4), 0x80);
    EXPECT_EQ(command({0x08}, 2), (Bytes{0x20, 0}));
    EXPECT_EQ(command({0x04, 0x00}, 1)[0], 0x38);
}

TEST_F(FdcTest, RecalibrateGivesUpAfter79Steps) {
    with_medium();
    seek(0, 82);
    command({0x07, 0x00}, 0);
    ASSERT_TRUE(wait());
    EXPECT_EQ(command({0x08}, 2)[0], 0x70);
    command({0x07, 0x00}, 0);
    ASSERT_TRUE(wait());
    EXPECT_EQ(command({0x08}, 2)[0], 0x20);
    command({0x07, 0x03}, 0); // a drive that is not there never reports track 0
    ASSERT_TRUE(wait());
    EXPECT_EQ(command({0x08}, 2)[0], 0x73);
}

TEST_F(FdcTest, SeeksOverlapAndAreSensedOneByOne) {
    with_medium();
    command({0x0f, 0x00, 40}, 0);
    command({0x0f, 0x01, 20}, 0);
    EXPECT_EQ(in(0x3f4), 0x83);
    platform.run(fdc, 10ms);
    EXPECT_TRUE(irq());
    EXPECT_EQ(command({0x08}, 2), (Bytes{0x20, 40}));
    EXPECT_TRUE(irq()); // the other one
    EXPECT_EQ(command({0x08}, 2), (Bytes{0x21, 20}));
    EXPECT_FALSE(irq());
    EXPECT_EQ(command({0x08}, 1), Bytes{0x80});
}

TEST_F(FdcTest, RelativeSeek) {
    with_medium();
    seek(0, 10);
    command({0xcf, 0x00, 5}, 0);
    ASSERT_TRUE(wait());
    EXPECT_EQ(command({0x08}, 2)[1], 15);
    command({0x8f, 0x00, 20}, 0);
    ASSERT_TRUE(wait());
    EXPECT_EQ(command({0x08}, 2)[1], 0);
    EXPECT_EQ(fdc.activity(0).cylinder, 0u);
}

TEST_F(FdcTest, DiskChangeLine) {
    start();
    EXPECT_EQ(in(0x3f7), 0); // there is no drive 0 yet
    fdc.insert(0, FloppyImage::open(file.path()));
    EXPECT_EQ(in(0x3f7), 0x80);
    seek(0, 0); // no step, no change
    EXPECT_EQ(in(0x3f7), 0x80);
    seek(0, 1);
    EXPECT_EQ(in(0x3f7), 0);
    auto image = fdc.eject(0);
    EXPECT_EQ(in(0x3f7), 0x80);
    seek(0, 5); // an empty drive keeps the line
    EXPECT_EQ(in(0x3f7), 0x80);
    fdc.insert(0, std::move(image));
    EXPECT_EQ(in(0x3f7), 0x80);
    out(0x3f2, 0x3d); // drive 1 selected, which is not there
    EXPECT_EQ(in(0x3f7), 0);
    out(0x3f2, 0x3c);
    seek(0, 0);
    EXPECT_EQ(in(0x3f7), 0);
}

TEST_F(FdcTest, MediaMustFitTheDrive) {
    PatternFile five(1200), small(720), large(2880);
    fdc.set_drive_type(0, FloppyDriveType::Mb1_44);
    const auto message = [&](const PatternFile& f) -> std::string {
        try {
            fdc.insert(0, FloppyImage::open(f.path()));
        } catch (const FloppyError& e) {
            return e.what();
        }
        return "";
    };
    EXPECT_NE(message(five).find("a 1200 KB medium does not work in a 3.5\" 1.44 MB drive"),
              std::string::npos);
    EXPECT_NE(message(large), "");
    EXPECT_EQ(message(small), "");
    EXPECT_NE(message(file).find("already a medium"), std::string::npos);
    EXPECT_EQ(fdc.eject(0)->geometry().kilobytes, 720);
    EXPECT_EQ(fdc.eject(0), nullptr);
    EXPECT_THROW(fdc.insert(2, FloppyImage::open(file.path())), std::out_of_range);
}

TEST_F(FdcTest, Activity) {
    with_medium();
    EXPECT_TRUE(fdc.activity(0).motor);
    EXPECT_TRUE(fdc.activity(0).selected);
    EXPECT_TRUE(fdc.activity(1).motor);
    EXPECT_FALSE(fdc.activity(1).selected);
    out(0x3f2, 0x2c);
    EXPECT_FALSE(fdc.activity(0).selected);
}

TEST_F(FdcTest, TapeDriveRegister) {
    out(0x3f3, 0xff);
    EXPECT_EQ(in(0x3f3), 3);
}

// A guest that writes command bytes to 3F5h without end once ran over another controller's FIFO: Read ID and
// (the 82078's) Drive Specification took parameters without a bound (CVE-2015-3456, "VENOM").
TEST_F(FdcTest, Venom) {
    with_medium();
    for (const std::uint8_t first : {0x0a, 0x4a, 0x8e, 0xce, 0xcd, 0x06, 0x13, 0x00, 0xff}) {
        out(0x3f5, first);
        for (int i = 0; i < 100000; i++)
            out(0x3f5, 0x41);
        platform.run(fdc, 10ms);
        for (int i = 0; i < 1000; i++)
            (void)in(0x3f5);
        start();
    }
    // In the result phase and while a transfer hangs as well.
    command({0x0e}, 0);
    for (int i = 0; i < 100000; i++)
        out(0x3f5, 0xff);
    EXPECT_EQ(result(10).size(), 10u);
    command(transfer(0xe6, 1, 0, 0, 1, 18), 0);
    for (int i = 0; i < 100000; i++)
        out(0x3f5, 0xff);
    EXPECT_EQ(in(0x3f4), 0x10);
    start();
    program_dma(0x46, 0x8000, 512);
    EXPECT_EQ(complete(transfer(0xe6, 0, 0, 0, 1, 18))[0], 0);
    EXPECT_EQ(in_memory(0x8000), pattern_sector(0));
}

TEST_F(FdcTest, RandomTrafficKeepsItInBounds) {
    with_medium();
    std::mt19937 random(82077);
    constexpr std::uint16_t kPorts[] = {0x3f0, 0x3f1, 0x3f2, 0x3f3, 0x3f4, 0x3f5, 0x3f5, 0x3f5, 0x3f7};
    for (int i = 0; i < 100000; i++) {
        const std::uint16_t port = kPorts[random() % 9];
        if (random() % 3)
            out(port, random() & 0xff);
        else
            (void)in(port);
        if (random() % 8 == 0) platform.run(fdc, GuestTime(random() % 300000));
        if (random() % 50 == 0) dma.write(static_cast<std::uint16_t>(random() % 16), 1, random() & 0xff);
    }
    EXPECT_EQ(file.contents().size(), 1474560u);
}

} // namespace
} // namespace btvm

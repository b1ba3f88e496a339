// Sectors through the 82077AA: reading, writing, formatting, verifying, scanning, and what the command itself
// may have wrong.
#include "fdc_transfer.hh"

namespace btvm {
namespace {

struct FdcFormat : FdcDriver, testing::WithParamInterface<unsigned> {};

unsigned rate_of(FloppyDriveType type) {
    switch (type) {
    case FloppyDriveType::Kb360:
    case FloppyDriveType::Kb720: return 2;
    case FloppyDriveType::Mb2_88: return 3;
    default: return 0;
    }
}

std::vector<unsigned> all_sizes() {
    std::vector<unsigned> sizes;
    for (const FloppyGeometry& g : floppy_formats())
        sizes.push_back(g.kilobytes);
    return sizes;
}

TEST_P(FdcFormat, EverySectorOfTheMediumIsReadByDma) {
    PatternFile file(GetParam());
    fdc.insert(0, FloppyImage::open(file.path()));
    start(rate_of(fdc.drive_type(0)));
    const FloppyGeometry g = fdc.medium(0)->geometry();
    ASSERT_EQ(g.kilobytes, GetParam());
    std::uint32_t place = 0;
    for (unsigned c = 0; c < g.cylinders; c++) {
        seek(0, static_cast<std::uint8_t>(c));
        // A whole cylinder: one multi-track command, as systems do it.
        const std::size_t bytes = std::size_t{g.heads} * g.sectors * 512;
        program_dma(0x46, 0x20000, bytes);
        const Bytes result = complete(transfer(g.heads == 2 ? 0xe6 : 0x66, 0, c, 0, 1, g.sectors));
        ASSERT_EQ(result[0] & 0xf8, 0) << c;
        ASSERT_EQ(result[1], 0);
        ASSERT_EQ(result[2], 0);
        ASSERT_EQ(result[3], c + 1); // the next sector is on the next cylinder
        ASSERT_EQ(result[5], 1);
        for (unsigned i = 0; i < unsigned{g.heads} * g.sectors; i++)
            ASSERT_EQ(in_memory(0x20000 + i * 512), pattern_sector(place++)) << c;
    }
    EXPECT_EQ(place, g.total_sectors());
    EXPECT_EQ(fdc.activity(0).reads, place);
    // And beyond the last sector, side and track there is nothing.
    program_dma(0x46, 0x20000, 512);
    const Bytes beyond = complete(transfer(0x66, 0, g.cylinders - 1u, 0, g.sectors + 1u, 255));
    EXPECT_EQ(beyond[0] >> 6, 1);
    EXPECT_EQ(beyond[1], 0x04);
    if (g.heads == 1) {
        EXPECT_EQ(complete(transfer(0x66, 0, g.cylinders - 1u, 1, 1, g.sectors))[1], 0x01);
    }
    if (g.cylinders > 80 || (g.cylinders > 40 && g.cylinders < 80)) return; // as far as the head can go
    seek(0, g.cylinders);
    EXPECT_EQ(complete(transfer(0x66, 0, g.cylinders, 0, 1, g.sectors))[1], 0x01);
}

INSTANTIATE_TEST_SUITE_P(AllFormats, FdcFormat, testing::ValuesIn(all_sizes()));

TEST_F(FdcTransfer, ResultAddressesFollowTheTable) {
    struct Case {
        std::uint8_t code;
        unsigned head, r;
        unsigned count;
        Bytes chr;
    };
    // Datasheet, Result Phase Table: MT, head, last sector moved before EOT or at EOT.
    const Case cases[] = {
        {0x66, 0, 1, 1, {0, 0, 2}},  {0x66, 0, 18, 1, {1, 0, 1}}, {0x66, 1, 3, 2, {0, 1, 5}},
        {0x66, 1, 18, 1, {1, 1, 1}}, {0xe6, 0, 4, 1, {0, 0, 5}},  {0xe6, 0, 18, 1, {0, 1, 1}},
        {0xe6, 1, 4, 1, {0, 1, 5}},  {0xe6, 1, 18, 1, {1, 0, 1}}, {0xe6, 0, 17, 4, {0, 1, 3}},
    };
    for (const Case& c : cases) {
        program_dma(0x46, 0x8000, c.count * 512);
        const Bytes r = complete(transfer(c.code, 0, 0, c.head, c.r, 18));
        EXPECT_EQ(r[0] >> 6, 0);
        EXPECT_EQ((Bytes{r[3], r[4], r[5]}), c.chr) << int(c.code) << " " << c.head << " " << c.r;
        EXPECT_EQ(r[6], 2);
    }
}

TEST_F(FdcTransfer, WithoutTerminalCountTheCylinderEndsTheCommand) {
    program_dma(0x56, 0x20000, 0x10000); // autoinitialise, more than a track
    const Bytes r = complete(transfer(0x66, 0, 0, 0, 1, 18));
    EXPECT_EQ(r[0] >> 6, 1);
    EXPECT_EQ(r[1], 0x80);
    EXPECT_EQ(in_memory(0x20000 + 17 * 512), pattern_sector(17));
    EXPECT_EQ(platform.memory[0x20000 + 18 * 512], 0);
}

TEST_F(FdcTransfer, CountMayEndWithinASector) {
    program_dma(0x46, 0x8000, 700);
    const Bytes r = complete(transfer(0xe6, 0, 0, 0, 1, 18));
    EXPECT_EQ(r[0] >> 6, 0);
    EXPECT_EQ(r[5], 3);
    EXPECT_EQ(platform.memory[0x8000 + 699], pattern_sector(1)[187]);
    EXPECT_EQ(platform.memory[0x8000 + 700], 0);
}

TEST_F(FdcTransfer, WriteReachesTheFile) {
    seek(0, 40);
    to_memory(0x9000, pattern_sector(5000));
    to_memory(0x9200, pattern_sector(6000));
    program_dma(0x4a, 0x9000, 1024);
    EXPECT_EQ(complete(transfer(0xc5, 0, 40, 1, 18, 18))[1],
              0x80); // MT from head 1: the cylinder ends after one
    program_dma(0x4a, 0x9000, 1024);
    const Bytes r = complete(transfer(0xc5, 0, 40, 1, 9, 18));
    EXPECT_EQ(r[0], 0x04);
    EXPECT_EQ(fdc.activity(0).writes, 3u);
    const std::uint32_t place = (40 * 2 + 1) * 18 + 8;
    const Bytes contents = file.contents();
    FloppyImage::Sector sector;
    std::copy_n(contents.begin() + (place + 1) * 512, 512, sector.begin());
    EXPECT_EQ(sector, pattern_sector(6000));
    std::copy_n(contents.begin() + (place + 2) * 512, 512, sector.begin());
    EXPECT_EQ(sector, pattern_sector(place + 2));
    EXPECT_EQ(contents.size(), 1474560u);
}

TEST_F(FdcTransfer, ShortWriteIsFilledWithZeros) {
    to_memory(0x9000, pattern_sector(77));
    program_dma(0x4a, 0x9000, 100);
    EXPECT_EQ(complete(transfer(0x45, 0, 0, 0, 2, 18))[0], 0);
    const Bytes contents = file.contents();
    EXPECT_EQ(contents[512 + 99], pattern_sector(77)[99]);
    EXPECT_TRUE(std::all_of(contents.begin() + 612, contents.begin() + 1024, [](auto b) { return b == 0; }));
    EXPECT_EQ(contents[1024], pattern_sector(2)[0]);
}

TEST_F(FdcTransfer, FormatTrack) {
    seek(0, 3);
    for (std::uint8_t r = 1; r <= 18; r++) {
        const std::uint8_t id[4] = {3, 1, r, 2};
        std::copy_n(id, 4, platform.memory.begin() + 0x9000 + (r - 1) * 4);
    }
    program_dma(0x4a, 0x9000, 72);
    const Bytes r = complete({0x4d, 0x04, 2, 18, 0x54, 0xf6});
    EXPECT_EQ(r[0], 0x04);
    EXPECT_EQ(r[1], 0);
    const Bytes contents = file.contents();
    const auto track = contents.begin() + (3 * 2 + 1) * 18 * 512;
    EXPECT_TRUE(std::all_of(track, track + 18 * 512, [](auto b) { return b == 0xf6; }));
    EXPECT_NE(track[-1], 0xf6);
    EXPECT_EQ(track[18 * 512], pattern_sector((3 * 2 + 2) * 18)[0]);
}

TEST_F(FdcTransfer, FormatThatTheImageCannotHoldIsRefused) {
    program_dma(0x4a, 0x9000, 36);
    EXPECT_EQ(complete({0x4d, 0x00, 2, 9, 0x54, 0xf6})[0], 0x50);
    program_dma(0x4a, 0x9000, 72); // sector addresses of zeros
    EXPECT_EQ(complete({0x4d, 0x00, 2, 18, 0x54, 0xf6})[0], 0x50);
    EXPECT_EQ(messages.size(), 2u);
    EXPECT_EQ(file.contents()[0], pattern_sector(0)[0]);
}

TEST_F(FdcTransfer, WriteProtect) {
    fdc.eject(0);
    FloppyImage::Options options;
    options.read_only = true;
    fdc.insert(0, FloppyImage::open(file.path(), options));
    EXPECT_EQ(command({0x04, 0x00}, 1)[0], 0x78);
    program_dma(0x4a, 0x9000, 512);
    const Bytes r = complete(transfer(0x45, 0, 0, 0, 1, 18));
    EXPECT_EQ(r[0] >> 6, 1);
    EXPECT_EQ(r[1], 0x02);
    program_dma(0x4a, 0x9000, 72);
    EXPECT_EQ(complete({0x4d, 0x00, 2, 18, 0x54, 0xf6})[1], 0x02);
    EXPECT_EQ(read_sector(0, 0, 1)[0], 0);
    EXPECT_EQ(file.contents()[0], pattern_sector(0)[0]);
}

TEST_F(FdcTransfer, SnapshotLeavesTheFileAlone) {
    fdc.eject(0);
    FloppyImage::Options options;
    options.snapshot = true;
    fdc.insert(0, FloppyImage::open(file.path(), options));
    to_memory(0x9000, pattern_sector(1234));
    program_dma(0x4a, 0x9000, 512);
    EXPECT_EQ(complete(transfer(0x45, 0, 0, 0, 1, 18))[0], 0);
    EXPECT_EQ(read_sector(0, 0, 1)[0], 0);
    EXPECT_EQ(in_memory(0x8000), pattern_sector(1234));
    EXPECT_EQ(file.contents()[0], pattern_sector(0)[0]);
}

TEST_F(FdcTransfer, WrongAddresses) {
    EXPECT_EQ(read_sector(1, 0, 1)[2], 0x10);    // wrong cylinder
    EXPECT_EQ(read_sector(0xff, 0, 1)[2], 0x12); // "bad" cylinder
    EXPECT_EQ(read_sector(0, 0, 19)[1], 0x04);
    EXPECT_EQ(read_sector(0, 0, 0)[1], 0x04);
    Bytes other_head = transfer(0x66, 0, 0, 0, 1, 18);
    other_head[3] = 1;
    EXPECT_EQ(complete(other_head)[1], 0x04);
    Bytes other_size = transfer(0x66, 0, 0, 0, 1, 18);
    other_size[5] = 3;
    EXPECT_EQ(complete(other_size)[1], 0x04);
}

TEST_F(FdcTransfer, WrongRateOrEncodingSeesNoMarks) {
    for (const unsigned rate : {1u, 2u, 3u}) {
        out(0x3f7, rate);
        const Bytes r = read_sector(0, 0, 1);
        EXPECT_EQ(r[0] >> 6, 1);
        EXPECT_EQ(r[1], 0x01);
    }
    out(0x3f4, 0x00); // the DSR sets the rate, too
    EXPECT_EQ(read_sector(0, 0, 1)[0], 0);
    program_dma(0x46, 0x8000, 512);
    EXPECT_EQ(complete(transfer(0xa6, 0, 0, 0, 1, 18))[1], 0x01); // FM
    out(0x3f7, 2);
    EXPECT_EQ(complete({0x4a, 0x00})[1], 0x01);
}

TEST_F(FdcTransfer, RateNobodyChoseIsTheMediums) {
    fdc.reset(); // the BIOS that never writes CCR
    out(0x3f2, 0x3c);
    ASSERT_TRUE(wait());
    (void)command({0x08}, 2);
    EXPECT_EQ(read_sector(0, 0, 1)[0], 0);
    out(0x3f7, 2);
    EXPECT_EQ(read_sector(0, 0, 1)[1], 0x01);
}

TEST_F(FdcTransfer, ReadIdMeetsEverySectorInTurn) {
    seek(0, 7);
    std::array<bool, 19> seen{};
    for (int i = 0; i < 18; i++) {
        const Bytes r = complete({0x4a, 0x04});
        EXPECT_EQ(r[0], 0x04);
        EXPECT_EQ((Bytes{r[3], r[4], r[6]}), (Bytes{7, 1, 2}));
        seen.at(r[5]) = true;
    }
    EXPECT_EQ(std::count(seen.begin(), seen.end(), true), 18);
    EXPECT_FALSE(seen[0]);
}

TEST_F(FdcTransfer, ImpliedSeek) {
    command({0x13, 0x00, 0x60, 0x00}, 0);
    const Bytes r = read_sector(33, 1, 5);
    EXPECT_EQ(r[0], 0x24); // normal, seek end
    EXPECT_EQ(in_memory(0x8000), pattern_sector((33 * 2 + 1) * 18 + 4));
    EXPECT_EQ(fdc.activity(0).cylinder, 33u);
    EXPECT_EQ(command({0x0e}, 10)[0], 33);
}

TEST_F(FdcTransfer, DeletedData) {
    to_memory(0x9000, pattern_sector(900));
    program_dma(0x4a, 0x9000, 512);
    EXPECT_EQ(complete(transfer(0x49, 0, 0, 0, 2, 18))[0], 0);
    // Read Data without SK: the sector is read, flagged, and the command ends there.
    program_dma(0x46, 0x8000, 3 * 512);
    Bytes r = complete(transfer(0x46, 0, 0, 0, 1, 18));
    EXPECT_EQ(r[0], 0);
    EXPECT_EQ(r[2], 0x40);
    EXPECT_EQ(r[5], 2);
    EXPECT_EQ(in_memory(0x8200), pattern_sector(900));
    // With SK it is left out.
    program_dma(0x46, 0x8000, 2 * 512);
    r = complete(transfer(0x66, 0, 0, 0, 1, 18));
    EXPECT_EQ(r[0], 0);
    EXPECT_EQ(r[2], 0x40);
    EXPECT_EQ(r[5], 4);
    EXPECT_EQ(in_memory(0x8200), pattern_sector(2));
    // Read Deleted Data finds it without remark.
    program_dma(0x46, 0x8000, 512);
    r = complete(transfer(0x4c, 0, 0, 0, 2, 18));
    EXPECT_EQ(r[2], 0);
    EXPECT_EQ(in_memory(0x8000), pattern_sector(900));
    // Writing it normally takes the mark away.
    program_dma(0x4a, 0x9000, 512);
    (void)complete(transfer(0x45, 0, 0, 0, 2, 18));
    EXPECT_EQ(read_sector(0, 0, 2)[2], 0);
}

TEST_F(FdcTransfer, ReadTrackTakesSectorsAsTheyCome) {
    program_dma(0x46, 0x8000, 4 * 512);
    Bytes r = complete(transfer(0x42, 0, 0, 0, 1, 4));
    EXPECT_EQ(r[0], 0);
    EXPECT_EQ(in_memory(0x8000 + 3 * 512), pattern_sector(3));
    program_dma(0x46, 0x8000, 4 * 512);
    r = complete(transfer(0x42, 0, 5, 0, 9, 4)); // addresses that are not there: noted, and read all the same
    EXPECT_EQ(r[1] & 0x04, 0x04);
    EXPECT_EQ(in_memory(0x8000), pattern_sector(0));
}

TEST_F(FdcTransfer, Verify) {
    EXPECT_EQ(complete(transfer(0x56, 0, 0, 0, 1, 18))[0], 0);
    Bytes counted = transfer(0xd6, 0, 0, 0, 10, 18, 12);
    counted[1] |= 0x80; // EC: sectors to verify in the last byte
    Bytes r = complete(counted);
    EXPECT_EQ(r[0] >> 6, 0);
    EXPECT_EQ((Bytes{r[3], r[4], r[5]}), (Bytes{0, 1, 4}));
    counted[8] = 40; // more than there are
    r = complete(counted);
    EXPECT_EQ(r[0] >> 6, 1);
    EXPECT_EQ(r[1], 0x80);
    EXPECT_EQ(complete(transfer(0x56, 0, 0, 0, 1, 19))[1], 0x04);
    EXPECT_EQ(platform.memory[0x8000], 0); // nothing was moved
}

TEST_F(FdcTransfer, Scans) {
    const auto scan = [&](std::uint8_t code, int offset, unsigned eot = 3, unsigned step = 1) {
        FloppyImage::Sector sector = pattern_sector(1);
        sector[3] = static_cast<std::uint8_t>(sector[3] + offset);
        to_memory(0x9000,
                  pattern_sector(0)); // sector 1 is compared with itself or not, sector 2 with `sector`
        to_memory(0x9000, sector);
        program_dma(0x4a, 0x9000, 512);
        return complete(transfer(code, 0, 0, 0, 2, eot, step));
    };
    EXPECT_EQ(scan(0x51, 0)[2], 0x08); // equal: hit
    EXPECT_EQ(scan(0x51, 1)[2], 0x04); // not
    EXPECT_EQ(scan(0x59, 0)[2], 0x08); // low or equal
    EXPECT_EQ(scan(0x59, 1)[2], 0x00); // medium below memory
    EXPECT_EQ(scan(0x59, -1)[2], 0x04);
    EXPECT_EQ(scan(0x5d, 0)[2], 0x08); // high or equal
    EXPECT_EQ(scan(0x5d, -1)[2], 0x00);
    EXPECT_EQ(scan(0x5d, 1)[2], 0x04);
    // FFh in memory matches anything; a hit leaves the address at the sector.
    FloppyImage::Sector any;
    any.fill(0xff);
    to_memory(0x9000, any);
    program_dma(0x4a, 0x9000, 512);
    const Bytes r = complete(transfer(0x51, 0, 0, 0, 7, 18, 1));
    EXPECT_EQ(r[2], 0x08);
    EXPECT_EQ(r[5], 7);
    // STP 2 looks at every other sector only.
    for (int i = 0; i < 4; i++)
        to_memory(0x9000 + static_cast<std::uint32_t>(i) * 512, pattern_sector(8));
    program_dma(0x5a, 0x9000, 2048);
    EXPECT_EQ(complete(transfer(0x51, 0, 0, 0, 5, 18, 2))[5], 9);
}

} // namespace
} // namespace btvm

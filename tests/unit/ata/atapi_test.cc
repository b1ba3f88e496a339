// The CD-ROM drive: packets by PIO and DMA, sense data, media changes.
#include "tests/unit/ata/ata_driver.hh"
#include "userland/devices/atapi_cdrom.hh"

namespace btvm::test {
namespace {

using Bytes = std::vector<std::uint8_t>;

struct CdRig : AtaDriver {
    explicit CdRig(bool loaded = true)
        : file(500, 2048),
          drive(channel.attach<AtapiCdrom>(0, loaded ? AtapiCdrom::open(file.path()) : nullptr, 2)) {
        power_on();
    }

    /// Sends a packet; leaves the drive where its first data or its end is.
    std::uint8_t packet(std::initializer_list<unsigned> bytes, unsigned limit = 0xfffe, bool dma = false) {
        put(kAtaFeatures, dma ? 1 : 0);
        put(kAtaLbaMid, limit & 0xff);
        put(kAtaLbaHigh, limit >> 8);
        put(kAtaStatus, 0xa0);
        EXPECT_TRUE(wait());
        EXPECT_FALSE(irq()); // the drive asks within 50 us and does not interrupt
        EXPECT_EQ(get(kAtaCount) & 3, 1);
        Bytes raw(12, 0);
        std::copy(bytes.begin(), bytes.end(), raw.begin());
        for (unsigned i = 0; i < 12; i += 2)
            channel.write(kBase, 2, raw[i] | raw[i + 1] << 8);
        if (dma) return 0;
        EXPECT_TRUE(wait());
        EXPECT_TRUE(irq());
        return get(kAtaStatus);
    }
    /// The data of a packet, in the blocks that the drive announces; ends at its completion.
    Bytes data() {
        Bytes all;
        blocks.clear();
        while (alternate() & ata_status::kDataRequest) {
            EXPECT_EQ(get(kAtaCount) & 3, 2);
            const unsigned bytes = get(kAtaLbaMid) | get(kAtaLbaHigh) << 8;
            blocks.push_back(bytes);
            for (unsigned i = 0; i < bytes; i += 2) {
                const std::uint32_t value = channel.read(kBase, 2);
                all.push_back(static_cast<std::uint8_t>(value));
                if (i + 1 < bytes) all.push_back(static_cast<std::uint8_t>(value >> 8));
            }
            EXPECT_TRUE(wait());
            EXPECT_TRUE(irq());
            (void)get(kAtaStatus);
        }
        EXPECT_EQ(get(kAtaCount) & 3, 3);
        EXPECT_EQ(alternate(), kGood);
        return all;
    }
    /// Key, code and qualifier, as REQUEST SENSE gives them.
    std::array<unsigned, 3> sense() {
        packet({0x03, 0, 0, 0, 18});
        const Bytes reply = data();
        return {reply.at(2), reply.at(12), reply.at(13)};
    }

    TemporaryDisk file;
    AtapiCdrom& drive;
    std::vector<unsigned> blocks;
};

constexpr std::uint8_t kChecked = kGood | ata_status::kError;

TEST(Atapi, SignatureAndIdentification) {
    CdRig rig;
    EXPECT_EQ(rig.get(kAtaStatus), 0);
    EXPECT_EQ(rig.get(kAtaLbaMid), 0x14);
    EXPECT_EQ(rig.get(kAtaLbaHigh), 0xeb);
    EXPECT_EQ(rig.command(0xec), kChecked);
    EXPECT_EQ(rig.get(kAtaError), ata_error::kAborted);
    EXPECT_EQ(rig.get(kAtaLbaMid), 0x14);
    rig.command(0xa1);
    const Bytes identity = rig.read_data();
    ASSERT_EQ(identity.size(), 512u);
    EXPECT_EQ(identity[0] | identity[1] << 8, 0x85c0);
    EXPECT_EQ(std::string(identity.begin() + 54, identity.begin() + 60), "EQUMD "); // bytes exchanged
}

TEST(Atapi, DeviceResetEvenWhenBusy) {
    CdRig rig;
    rig.packet({0x28, 0, 0, 0, 0, 1, 0, 0, 5});
    rig.put(kAtaStatus, 0x08);
    EXPECT_TRUE(rig.wait());
    EXPECT_FALSE(rig.irq());
    EXPECT_EQ(rig.get(kAtaStatus), 0);
    EXPECT_EQ(rig.get(kAtaLbaHigh), 0xeb);
    EXPECT_EQ(rig.packet({0x00}), kGood);
}

TEST(Atapi, InquiryIsCutToWhatIsAskedFor) {
    CdRig rig;
    rig.packet({0x12, 0, 0, 0, 36});
    const Bytes reply = rig.data();
    ASSERT_EQ(reply.size(), 36u);
    EXPECT_EQ(reply[0], 5);
    EXPECT_EQ(reply[1], 0x80);
    EXPECT_EQ(std::string(reply.begin() + 16, reply.begin() + 28), "QEMU DVD-ROM");
    rig.packet({0x12, 0, 0, 0, 5});
    EXPECT_EQ(rig.data().size(), 5u);
    EXPECT_EQ(rig.packet({0x12, 0, 0, 0, 0}), kGood);
}

TEST(Atapi, CapacityAndRead) {
    CdRig rig;
    rig.packet({0x25});
    EXPECT_EQ(rig.data(), (Bytes{0, 0, 1, 243, 0, 0, 8, 0})); // 499; 2048
    rig.packet({0x28, 0, 0, 0, 1, 0, 0, 0, 3});
    EXPECT_EQ(rig.data(), numbered(256, 3, 2048));
    EXPECT_EQ(rig.blocks, (std::vector<unsigned>{6144}));
    rig.packet({0xa8, 0, 0, 0, 0, 7, 0, 0, 0, 40});
    EXPECT_EQ(rig.data(), numbered(7, 40, 2048));
    EXPECT_EQ(rig.blocks, (std::vector<unsigned>{31 * 2048, 9 * 2048}));
    EXPECT_EQ(rig.packet({0x28, 0, 0, 0, 0, 0, 0, 0, 0}), kGood); // none
}

TEST(Atapi, ByteCountLimitsAreKept) {
    CdRig rig;
    rig.packet({0x28, 0, 0, 0, 0, 2, 0, 0, 2}, 2048);
    EXPECT_EQ(rig.data(), numbered(2, 2, 2048));
    EXPECT_EQ(rig.blocks, (std::vector<unsigned>{2048, 2048}));
    rig.packet({0x28, 0, 0, 0, 0, 2, 0, 0, 1}, 1001);
    EXPECT_EQ(rig.data(), numbered(2, 1, 2048));
    EXPECT_EQ(rig.blocks, (std::vector<unsigned>{1000, 1000, 48}));
    rig.packet({0x12, 0, 0, 0, 35}, 8);
    EXPECT_EQ(rig.data().size(), 35u);
    EXPECT_EQ(rig.blocks, (std::vector<unsigned>{8, 8, 8, 8, 3}));
}

TEST(Atapi, ReadByDma) {
    CdRig rig;
    rig.set_table({{AtaDriver::kData, 0}, {AtaDriver::kData + 0x10000, 0x4000}});
    rig.bus_master(0, 1, 0x08);
    rig.packet({0x28, 0, 0, 0, 0, 9, 0, 0, 40}, 0xfffe, true);
    rig.bus_master(0, 1, 0x09);
    for (int i = 0; i < 1000 && !rig.irq(); i++)
        rig.board.advance(rig.channel, std::chrono::microseconds(10));
    EXPECT_EQ(rig.bus_master_status() & 7, 4);
    EXPECT_EQ(rig.get(kAtaStatus), kGood);
    EXPECT_EQ(rig.get(kAtaCount) & 3, 3);
    const auto begin = rig.board.memory.begin() + AtaDriver::kData;
    EXPECT_EQ(Bytes(begin, begin + 40 * 2048), numbered(9, 40, 2048));
}

TEST(Atapi, ReadsBeyondTheEndAreRefused) {
    CdRig rig;
    EXPECT_EQ(rig.packet({0x28, 0, 0, 0, 1, 243, 0, 0, 2}), kChecked);
    EXPECT_EQ(rig.get(kAtaError) >> 4, 5);
    EXPECT_EQ(rig.sense(), (std::array<unsigned, 3>{5, 0x21, 0}));
    EXPECT_EQ(rig.sense(), (std::array<unsigned, 3>{0, 0, 0})); // told once
    EXPECT_EQ(rig.packet({0xa8, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}), kChecked);
}

TEST(Atapi, TableOfContents) {
    CdRig rig;
    rig.packet({0x43, 0, 0, 0, 0, 0, 0, 0xff, 0xff});
    EXPECT_EQ(rig.data(), (Bytes{0, 18, 1, 1, 0, 0x14, 1, 0, 0, 0, 0, 0, 0, 0x14, 0xaa, 0, 0, 0, 1, 244}));
    rig.packet({0x43, 2, 0, 0, 0, 0, 0xaa, 0, 64}); // only the lead-out, as a time
    EXPECT_EQ(rig.data(), (Bytes{0, 10, 1, 1, 0, 0x14, 0xaa, 0, 0, 0, 8, 50}));
    rig.packet({0x43, 0, 0, 0, 0, 0, 0, 0, 64, 0x40}); // sessions, asked for in the old place
    EXPECT_EQ(rig.data(), (Bytes{0, 10, 1, 1, 0, 0x14, 1, 0, 0, 0, 0, 0}));
    rig.packet({0x43, 2, 2, 0, 0, 0, 0, 0, 64});
    EXPECT_EQ(rig.data().size(), 48u);
    EXPECT_EQ(rig.packet({0x43, 0, 5, 0, 0, 0, 0, 0, 64}), kChecked);
    EXPECT_EQ(rig.packet({0x43, 0, 0, 0, 0, 0, 9, 0, 64}), kChecked);
}

TEST(Atapi, ModePagesAndTheRest) {
    CdRig rig;
    rig.packet({0x5a, 0, 0x2a, 0, 0, 0, 0, 0, 128});
    const Bytes page = rig.data();
    ASSERT_EQ(page.size(), 28u);
    EXPECT_EQ(page[1], 26);
    EXPECT_EQ(page[8], 0x2a);
    EXPECT_EQ(page[9], 18);
    rig.packet({0x5a, 0, 0x3f, 0, 0, 0, 0, 0, 255});
    EXPECT_EQ(rig.data().size(), 8u + 8 + 16 + 20);
    EXPECT_EQ(rig.packet({0x5a, 0, 0x05, 0, 0, 0, 0, 0, 255}), kChecked);
    rig.packet({0x46, 0, 0, 0, 0, 0, 0, 0, 255});
    const Bytes configuration = rig.data();
    EXPECT_EQ(configuration[7], 0x08);
    EXPECT_EQ(configuration[3] + 4u, configuration.size());
    rig.packet({0x51, 0, 0, 0, 0, 0, 0, 0, 255});
    EXPECT_EQ(rig.data().size(), 34u);
    rig.packet({0xbd, 0, 0, 0, 0, 0, 0, 0, 0, 8});
    EXPECT_EQ(rig.data().size(), 8u);
    rig.packet({0xbe, 0, 0, 0, 0, 3, 0, 0, 1, 0x10});
    EXPECT_EQ(rig.data(), numbered(3, 1, 2048));
    EXPECT_EQ(rig.packet({0xbe, 0, 0, 0, 0, 3, 0, 0, 1, 0xf8}), kChecked); // raw sectors
    EXPECT_EQ(rig.packet({0xff}), kChecked);
    EXPECT_EQ(rig.sense(), (std::array<unsigned, 3>{5, 0x20, 0}));
}

TEST(Atapi, EmptyDrive) {
    CdRig rig(false);
    EXPECT_EQ(rig.packet({0x00}), kChecked);
    EXPECT_EQ(rig.get(kAtaError) >> 4, 2);
    EXPECT_EQ(rig.sense(), (std::array<unsigned, 3>{2, 0x3a, 1}));
    EXPECT_EQ(rig.packet({0x28, 0, 0, 0, 0, 0, 0, 0, 1}), kChecked);
    rig.packet({0x12, 0, 0, 0, 36});
    EXPECT_EQ(rig.data().size(), 36u);
}

TEST(Atapi, AnotherDiscIsToldOnceAndEvents) {
    CdRig rig;
    EXPECT_EQ(rig.packet({0x00}), kGood);
    const TemporaryDisk other(20, 2048);
    rig.drive.change(AtapiCdrom::open(other.path()));
    EXPECT_EQ(rig.packet({0x00}), kChecked);
    EXPECT_EQ(rig.sense(), (std::array<unsigned, 3>{6, 0x28, 0}));
    EXPECT_EQ(rig.packet({0x00}), kGood);
    const auto event = [&rig] {
        rig.packet({0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8});
        const Bytes reply = rig.data();
        return std::pair<unsigned, unsigned>(reply.at(4), reply.at(5));
    };
    EXPECT_EQ(event(), std::pair(2u, 2u)); // new medium; present
    EXPECT_EQ(event(), std::pair(0u, 2u));
    rig.drive.change(nullptr);
    EXPECT_EQ(event(), std::pair(3u, 0u));
    rig.packet({0x4a, 1, 0, 0, 0x02, 0, 0, 0, 8}); // a class there is not
    EXPECT_EQ(rig.data(), (Bytes{0, 2, 0x80, 0x10}));
    EXPECT_EQ(rig.packet({0x4a, 0, 0, 0, 0x10, 0, 0, 0, 8}), kChecked);
}

TEST(Atapi, LockAndTray) {
    CdRig rig;
    EXPECT_EQ(rig.packet({0x1e, 0, 0, 0, 1}), kGood);
    EXPECT_TRUE(rig.drive.locked());
    EXPECT_EQ(rig.packet({0x1b, 0, 0, 0, 2}), kChecked);
    EXPECT_EQ(rig.sense()[1], 0x53u);
    EXPECT_EQ(rig.packet({0x1e, 0, 0, 0, 0}), kGood);
    EXPECT_EQ(rig.packet({0x1b, 0, 0, 0, 2}), kGood);
    EXPECT_EQ(rig.packet({0x00}), kChecked);
    EXPECT_EQ(rig.sense(), (std::array<unsigned, 3>{2, 0x3a, 2}));
    EXPECT_EQ(rig.packet({0x1b, 0, 0, 0, 3}), kGood); // closed again
    EXPECT_EQ(rig.packet({0x00}), kChecked);          // and told so
    EXPECT_EQ(rig.packet({0x00}), kGood);
}

} // namespace
} // namespace btvm::test

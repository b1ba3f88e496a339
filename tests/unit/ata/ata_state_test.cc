// Saving and loading a channel between any two accesses.
#include <random>
#include <set>

#include "tests/unit/ata/ata_driver.hh"
#include "tests/unit/common/ide_cable.hh"
#include "tests/unit/common/state_round_trip.hh"

namespace btvm::test {
namespace {

TEST(AtaState, RoundTripsBetweenAnyTwoAccesses) {
    const TemporaryDisk disk(64), disc(8, 2048);
    // Only the first one on a board is powered on: what is loaded later comes to lines that stand already.
    std::set<TestBoard*> boards;
    const auto make = [&](TestBoard& board) {
        auto cable = std::make_unique<IdeCable>(board, disk.path(), disc.path());
        if (boards.insert(&board).second) cable->reset();
        return cable;
    };
    const auto operate = [](TestBoard& board, IdeCable& cable, std::mt19937& random) -> std::uint64_t {
        // All but FLUSH CACHE, whose end is the host's affair.
        static constexpr std::uint8_t kCommands[] = {0x20, 0x24, 0x25, 0x29, 0x30, 0x34, 0x35,
                                                     0x40, 0x90, 0xa0, 0xa1, 0xc4, 0xc5, 0xc6,
                                                     0xc8, 0xca, 0xec, 0x08, 0xe5, 0xf8};
        const auto port = static_cast<std::uint16_t>(0x1f0 + random() % 8);
        switch (random() % 11) {
        case 10:
            if (random() % 2) return cable.pci().read(0x40, 4);
            cable.pci().write(0x40, 4, random());
            return 0;
        case 0: cable.write(0x1f7, 1, kCommands[random() % sizeof kCommands]); return 0;
        case 1: cable.write(static_cast<std::uint16_t>(0x1f2 + random() % 2), 1, random() % 4); return 0;
        case 2: cable.write(0x1f6, 1, 0xe0 | (random() & 0x10)); return 0;
        case 3: cable.write(0x3f6, 1, random() % 8 ? 0 : random() & 0x86); return 0;
        case 4: cable.write(0xc000, 1, random() & 9); return 0;
        case 5: cable.write(0xc004, 4, random() & 0xffffc); return 0;
        case 6: board.advance(cable, std::chrono::microseconds(random() % 40)); return 0;
        case 7: {
            std::uint64_t sum = 0;
            for (unsigned i = random() % 300; i; i--)
                sum = sum * 31 + cable.read(0x1f0, 2);
            return sum;
        }
        case 8: {
            for (unsigned i = random() % 300; i; i--)
                cable.write(0x1f0, 2, random() & 0xffff);
            return 0;
        }
        default: return port == 0x1f0 ? 0 : cable.read(port, 1);
        }
    };
    for (const unsigned seed : {1u, 2u, 3u}) {
        boards.clear(); // those of the next round may lie where the last one's did
        check_state_round_trips<IdeCable>(make, operate, 1500, seed);
    }
    boards.clear();
    EXPECT_EQ(fields_nobody_misses<IdeCable>(make, operate, 600, {1}), std::vector<std::string>{});
}

TEST(AtaState, AnotherDiskIsRefused) {
    DiskRig large(200), small(100);
    const StateSection saved = save_state(large.channel);
    EXPECT_THROW(load_state(small.channel, saved), StateError);
    AtaDriver none;
    none.power_on();
    EXPECT_THROW(load_state(none.channel, saved), StateError);
}

TEST(AtaState, AFlushUnderWayIsStartedAgain) {
    DiskRig rig(200);
    rig.put(kAtaStatus, 0xe7);
    rig.board.advance(rig.channel, std::chrono::microseconds(100));
    const StateSection saved = save_state(rig.channel);
    DiskRig other(200);
    other.board.time = rig.board.time;
    load_state(other.channel, saved);
    EXPECT_TRUE(other.alternate() & ata_status::kBusy);
    for (int i = 0; i < 2000 && !other.irq(); i++) {
        other.board.advance(other.channel, std::chrono::milliseconds(1));
        ::usleep(1000);
    }
    EXPECT_EQ(other.get(kAtaStatus), kGood);
}

TEST(AtaState, ACommandThatFailedAfterAReplyByDmaIsRestored) {
    const TemporaryDisk image(20, 2048);
    AtaDriver rig;
    rig.channel.attach<AtapiCdrom>(0, AtapiCdrom::open(image.path()), 2);
    rig.power_on();
    rig.board.memory[AtaDriver::kTable + 1] = 0x20;
    rig.board.memory[AtaDriver::kTable + 5] = 0x01;
    rig.board.memory[AtaDriver::kTable + 7] = 0x80;
    rig.ide.write(AtaDriver::kBusMaster + 4, 4, AtaDriver::kTable);
    const auto packet = [&rig](std::uint8_t operation, unsigned length) {
        rig.put(kAtaFeatures, 1); // by DMA
        rig.put(kAtaStatus, 0xa0);
        rig.board.advance(rig.channel, std::chrono::milliseconds(1));
        for (unsigned i = 0; i < 6; i++)
            rig.channel.write(AtaDriver::kBase, 2, i == 0 ? operation : i == 2 ? length : 0);
        rig.ide.write(AtaDriver::kBusMaster, 1, 9);
        rig.board.advance(rig.channel, std::chrono::milliseconds(1));
        rig.ide.write(AtaDriver::kBusMaster, 1, 0);
    };
    packet(0x03, 18); // REQUEST SENSE: 18 bytes
    EXPECT_EQ(rig.board.memory[0x2000], 0xf0);
    packet(0xff, 0); // there is no such command
    EXPECT_TRUE(rig.get(kAtaStatus) & ata_status::kError);
    const StateSection saved = save_state(rig.channel);
    EXPECT_NO_THROW(load_state(rig.channel, saved));
}

} // namespace
} // namespace btvm::test

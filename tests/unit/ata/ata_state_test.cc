// A channel that is saved: what it refuses, and a flush under way.
#include "tests/unit/ata/ata_driver.hh"
#include "userland/devices/atapi_cdrom.hh"
#include "userland/devices/state.hh"

namespace btvm::test {
namespace {

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

// A whole machine taken back and forth, on the hosted engine.
#include <chrono>
#include <cstring>
#include <gtest/gtest.h>
#include <random>
#include <thread>

#include "tests/unit/ata/temporary_disk.hh"
#include "tests/unit/machine/disk_worker.hh"
#include "userland/checkpoint/ref.hh"
#include "userland/machine/saved_machine.hh"
#include "userland/state/page_runs.hh"

namespace btvm {
namespace {

using namespace std::chrono_literals;
using test::TemporaryDisk;
using Bytes = std::vector<std::uint8_t>;

class PcCheckpoint : public testing::Test {
protected:
    PcConfig worker(bool snapshot) { return worker_config(kWorker, disk.path(), snapshot); }
    /// What a state of the machine as it is now holds of memory or a medium.
    Bytes content(Pc& pc, const std::string& name) {
        const std::string file = disk.path() + ".state";
        (void)pc.save(file);
        const StateReader reader(open_state_file(file));
        return test::content(reader, name, disk.content());
    }
    /// The work is done, and nothing of it twice or not at all.
    void expect_done(Pc& pc) {
        const Bytes memory = content(pc, "memory/conventional RAM");
        std::uint32_t sum = 0;
        for (unsigned sector = 0; sector < kSectors; sector++)
            sum += 256 * (0x1234 + sector);
        EXPECT_EQ(load(memory, 0x604, 1), 0xaau);
        EXPECT_EQ(load(memory, 0x600, 4), sum);
        const Bytes written = content(pc, "media/hda");
        for (unsigned sector = 0; sector < kSectors; sector++)
            ASSERT_EQ(load(written, sector * 512 + 510, 2), 0x1234 + sector);
    }

    TemporaryDisk disk{2048};
};

TEST_F(PcCheckpoint, TakenBackAgainAndAgainTheWorkComesOutTheSame) {
    std::mt19937 random(5);
    Pc pc(worker(true));
    pc.start();
    (void)pc.checkpoint("start", true);
    unsigned taken = 1, rewinds = 0;
    for (; rewinds < 200; rewinds++) {
        std::this_thread::sleep_for(std::chrono::microseconds(random() % 2000));
        if (random() % 4 == 0) {
            (void)pc.checkpoint("", true);
            taken++;
        }
        const auto lines = pc.checkpoints().lines;
        ASSERT_EQ(lines.size(), taken);
        (void)pc.rewind(lines[random() % lines.size()].node.name);
    }
    ASSERT_TRUE(halts(pc));
    expect_done(pc);
    // Back from the halt, too.
    (void)pc.rewind("start");
    EXPECT_EQ(pc.state(), MachineState::Running);
    ASSERT_TRUE(halts(pc));
    expect_done(pc);
}

TEST_F(PcCheckpoint, AThousandRewindsInARow) {
    Pc pc(worker(true));
    pc.start();
    std::this_thread::sleep_for(5ms);
    const CheckpointReport report = pc.checkpoint("here");
    const auto stored_when_there = [&pc] { // what the guest has written since counts, too
        pc.pause();
        (void)pc.rewind("");
        const std::uint64_t stored = pc.checkpoints().stored_bytes;
        pc.resume();
        return stored;
    };
    const std::uint64_t stored = stored_when_there();
    for (int i = 0; i < 1000; i++) {
        const CheckpointReport back = pc.rewind("");
        ASSERT_EQ(back.guest_time, report.guest_time);
        ASSERT_LT(back.pages, 100u) << "what the guest has written in that moment, not all of memory";
    }
    EXPECT_EQ(stored_when_there(), stored);
    ASSERT_TRUE(halts(pc));
    expect_done(pc);
}

TEST_F(PcCheckpoint, APausedMachineIsExactlyAsItWas) {
    Pc pc(worker(true));
    pc.start();
    std::this_thread::sleep_for(8ms);
    pc.pause();
    (void)pc.checkpoint("then");
    const Bytes low = content(pc, "memory/conventional RAM"), media = content(pc, "media/hda");
    const Registers registers = pc.registers();
    pc.resume();
    std::this_thread::sleep_for(20ms);
    pc.pause();
    EXPECT_NE(content(pc, "memory/conventional RAM"), low);
    (void)pc.rewind("then");
    EXPECT_EQ(pc.state(), MachineState::Paused);
    EXPECT_EQ(content(pc, "memory/conventional RAM"), low);
    EXPECT_EQ(content(pc, "media/hda"), media);
    EXPECT_EQ(pc.registers().general.rip, registers.general.rip);
    EXPECT_EQ(std::memcmp(pc.registers().general.gpr, registers.general.gpr, sizeof registers.general.gpr),
              0);
}

TEST_F(PcCheckpoint, TheImageIsUntouchedUntilCommit) {
    Bytes before, after;
    {
        Pc pc(worker(false));
        pc.start();
        (void)pc.checkpoint("start");
        before = disk.content(); // perhaps with some sectors written already
        ASSERT_TRUE(halts(pc));
        (void)pc.checkpoint("done");
        EXPECT_EQ(disk.content(), before);
        expect_done(pc);
        const Bytes seen = content(pc, "media/hda");
        const auto committed = pc.commit();
        ASSERT_EQ(committed.size(), 1u);
        EXPECT_EQ(committed[0].path, disk.path());
        EXPECT_GT(committed[0].bytes, 0u);
        EXPECT_LE(committed[0].bytes, kSectors * 512u);
        after = disk.content();
        EXPECT_EQ(after, seen);
        EXPECT_TRUE(pc.commit().empty()) << "once is enough";
        // Those taken before see the disk as it was, and one can go on from there.
        (void)pc.rewind("start"); // a halted machine cannot be paused
        pc.pause();
        (void)pc.rewind("start");
        EXPECT_EQ(content(pc, "media/hda"), before);
        (void)pc.rewind("done");
        EXPECT_EQ(content(pc, "media/hda"), after);
        (void)pc.rewind("start");
        EXPECT_EQ(disk.content(), after);
        (void)pc.commit();
        EXPECT_EQ(disk.content(), before);
        (void)pc.rewind("done");
        EXPECT_EQ(content(pc, "media/hda"), after);
    }
    EXPECT_EQ(disk.content(), before) << "the machine's end writes nothing by itself";
}

TEST_F(PcCheckpoint, ASnapshotIsNeverWritten) {
    const Bytes before = disk.content();
    Pc pc(worker(true));
    pc.start();
    (void)pc.checkpoint("");
    ASSERT_TRUE(halts(pc));
    EXPECT_TRUE(pc.commit().empty());
    EXPECT_EQ(disk.content(), before);
}

TEST_F(PcCheckpoint, ChildrenOfADeletedCheckpointStayWhole) {
    Pc pc(worker(true));
    pc.start();
    for (const char* name : {"a", "b", "c"}) {
        (void)pc.checkpoint(name);
        std::this_thread::sleep_for(8ms);
    }
    ASSERT_TRUE(halts(pc));
    const auto lines = pc.checkpoints().lines;
    pc.delete_checkpoint("b");
    pc.delete_checkpoint("a");
    const auto left = pc.checkpoints().lines;
    ASSERT_EQ(left.size(), 1u);
    EXPECT_EQ(left[0].parent, "");
    // More, unless all that the others held was written again before "c", which is a matter of time.
    EXPECT_GE(left[0].node.changed_bytes, lines[2].node.changed_bytes) << "it holds all by itself now";
    (void)pc.rewind("c");
    ASSERT_TRUE(halts(pc));
    expect_done(pc);
    EXPECT_THROW((void)pc.rewind("b"), CheckpointError);
    pc.delete_checkpoint("c");
    EXPECT_THROW((void)pc.rewind(""), CheckpointError);
    (void)pc.checkpoint("again", true);
    EXPECT_NO_THROW((void)pc.rewind(""));
}

TEST_F(PcCheckpoint, TheClockTakesAndThins) {
    Pc pc(worker(true));
    pc.start();
    pc.checkpoint_every(2ms, 10);
    (void)pc.checkpoint("mine");
    ASSERT_TRUE(halts(pc));
    std::size_t by_clock = 0;
    for (const auto& line : pc.checkpoints().lines)
        by_clock += line.node.ring != 0;
    EXPECT_GE(by_clock, 5u);
    EXPECT_LE(by_clock, 10u);
    EXPECT_NO_THROW((void)pc.rewind("mine"));
    pc.checkpoint_every(0ms, 0);
    ASSERT_TRUE(halts(pc));
    expect_done(pc);
}

TEST_F(PcCheckpoint, MemoryForThemIsBounded) {
    PcConfig config = worker(true);
    config.checkpoint_memory = 1; // any page is enough
    Pc pc(config);
    pc.start();
    while (pc.checkpoint("first").pages == 0) // it has not begun
        pc.delete_checkpoint("first");
    EXPECT_THROW((void)pc.checkpoint("second"), CheckpointError);
    EXPECT_EQ(pc.checkpoints().lines.size(), 1u);
    // The clock's own make room for each other; when there are none, it is told.
    pc.checkpoint_every(10ms, 10);
    ASSERT_TRUE(halts(pc));
    EXPECT_EQ(pc.checkpoints().lines.size(), 1u);
    const auto messages = pc.take_messages();
    ASSERT_EQ(messages.size(), 1u);
    EXPECT_NE(messages[0].find("by the clock"), std::string::npos) << messages[0];
}

TEST_F(PcCheckpoint, WritesToDisksAndDevicesCountAsMemory) {
    {
        Pc pc(worker(true));
        pc.start();
        pc.pause();
        (void)pc.checkpoint("start");
        const std::uint64_t start = pc.checkpoints().stored_bytes;
        EXPECT_GT(start, sizeof(btvm_state)) << "its devices, at least";
        pc.resume();
        ASSERT_TRUE(halts(pc));
        (void)pc.checkpoint("written");
        EXPECT_GE(pc.checkpoints().stored_bytes, start + kSectors * 512);
        (void)pc.rewind("start");
        pc.pause();
        (void)pc.rewind("start");
        const std::uint64_t before = pc.checkpoints().stored_bytes;
        EXPECT_GE(before, start + kSectors * 512) << "the other branch has them";
        pc.delete_checkpoint("written");
        EXPECT_LE(pc.checkpoints().stored_bytes, before - kSectors * 512);
        pc.delete_checkpoint("start");
        EXPECT_EQ(pc.checkpoints().stored_bytes, 0u);
    }
    EXPECT_EQ(RefCounted::bytes_in_use(), 0u) << "all goes with the machine";
}

TEST_F(PcCheckpoint, AMachineThatIsOffTakesNone) {
    Pc pc(worker(true));
    pc.start();
    (void)pc.checkpoint("a");
    pc.stop();
    EXPECT_THROW((void)pc.checkpoint("b"), MachineStopped);
    EXPECT_THROW((void)pc.rewind("a"), MachineStopped);
    EXPECT_EQ(pc.checkpoints().lines.size(), 1u);
}

} // namespace
} // namespace btvm

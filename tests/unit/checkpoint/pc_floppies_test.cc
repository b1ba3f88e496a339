// Floppies that come and go between checkpoints, on the hosted engine.
#include <gtest/gtest.h>

#include "tests/unit/ata/temporary_disk.hh"
#include "tests/unit/machine/disk_worker.hh"
#include "userland/machine/saved_machine.hh"

namespace btvm {
namespace {

using Bytes = std::vector<std::uint8_t>;

class CheckpointedFloppies : public testing::Test {
protected:
    PcConfig worker() { return worker_config(kWorker, disk.path(), true); }

    test::TemporaryDisk disk{2048};
};

TEST_F(CheckpointedFloppies, FloppiesGoBackIntoTheirDrives) {
    const std::string images[] = {make_floppy(disk.path() + ".one"), make_floppy(disk.path() + ".two")};
    Pc pc(worker());
    const auto path = [&pc] { return pc.status().floppies[0].path; };
    pc.start();
    pc.insert_floppy(0, {images[0], false, false});
    (void)pc.checkpoint("one");
    pc.eject_floppy(0);
    (void)pc.checkpoint("none");
    pc.insert_floppy(0, {images[1], true, false});
    (void)pc.checkpoint("two");
    (void)pc.rewind("one");
    EXPECT_EQ(path(), images[0]);
    (void)pc.rewind("none");
    EXPECT_EQ(path(), "");
    (void)pc.rewind("two");
    EXPECT_EQ(path(), images[1]);
    // The first one's file is still ours: it goes in again without being opened anew.
    pc.insert_floppy(0, {images[0], false, false});
    EXPECT_EQ(path(), images[0]);
    ASSERT_TRUE(halts(pc));
}

TEST_F(CheckpointedFloppies, AnotherFileInTheFloppysPlaceIsAnotherFloppy) {
    const std::string image = disk.path() + ".floppy";
    const auto make = [](const std::string& path, char content) {
        std::ofstream(path, std::ios::binary) << std::string(1440 * 1024, content);
    };
    const auto digest = [](std::uint8_t content) { // of the pieces' digests
        constexpr std::size_t kPiece = 1 << 20;
        const Digest one = sha256(Bytes(kPiece, content)), two = sha256(Bytes(1440 * 1024 - kPiece, content));
        Bytes both(one.begin(), one.end());
        both.insert(both.end(), two.begin(), two.end());
        return sha256(both);
    };
    make(image, 'a');
    Pc pc(worker());
    const auto seen = [&] {
        (void)pc.save(disk.path() + ".state");
        return SavedMachine(disk.path() + ".state").description().medium("fda")->digest;
    };
    pc.start();
    pc.pause();
    pc.insert_floppy(0, {image, false, false});
    (void)pc.checkpoint("a");
    pc.eject_floppy(0);
    make(image + ".new", 'b');
    std::filesystem::rename(image + ".new", image);
    pc.insert_floppy(0, {image, false, false});
    EXPECT_EQ(seen(), digest('b'));
    (void)pc.rewind("a");
    EXPECT_EQ(seen(), digest('a'));
}

} // namespace
} // namespace btvm

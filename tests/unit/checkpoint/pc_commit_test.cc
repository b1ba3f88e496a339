// Writing to an image what checkpoints have kept from it, on a host whose disk fails in the middle of it.
#include <cerrno>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/unit/checkpoint/saved_trees.hh"
#include "userland/devices/disk_image_file.hh"

namespace {

int good_writes = -1; // until one fails; below 0: none does
bool syncs_fail{};
unsigned syncs{};

} // namespace

// In place of the C library's.
extern "C" ssize_t pwrite(int fd, const void* bytes, size_t count, off_t at) {
    if (good_writes == 0) {
        // A part of it still fits.
        good_writes = -1;
        (void)::syscall(SYS_pwrite64, fd, bytes, count / 2, at);
        errno = ENOSPC;
        return -1;
    }
    if (good_writes > 0) good_writes--;
    return ::syscall(SYS_pwrite64, fd, bytes, count, at);
}

extern "C" int fdatasync(int fd) {
    syncs++;
    if (!syncs_fail) return static_cast<int>(::syscall(SYS_fdatasync, fd));
    errno = EIO;
    return -1;
}

namespace btvm {
namespace {

/// A machine whose work is done, with a checkpoint from before it and one from after it, on an image that
/// holds nothing of it.
class Commit : public SavedTrees {
protected:
    void SetUp() override {
        pc.start();
        pc.pause();
        (void)pc.checkpoint("start");
        before = disk.content();
        pc.resume();
        ASSERT_TRUE(halts(pc));
        (void)pc.checkpoint("done");
        at_start = seen_at("start");
        at_end = seen_at("done");
    }
    /// What the guest has of memory and disk at a checkpoint.
    Bytes seen_at(const std::string& name) {
        (void)pc.rewind(name);
        pc.pause();
        (void)pc.rewind(name);
        return content(pc);
    }
    void expect_all_is_right() {
        (void)pc.rewind("done");
        EXPECT_FALSE(pc.commit().empty());
        EXPECT_EQ(Bytes(at_end.begin(), at_end.begin() + 2048 * 512), disk.content());
        EXPECT_EQ(seen_at("start"), at_start);
        EXPECT_EQ(seen_at("done"), at_end);
        (void)pc.rewind("start");
        (void)pc.commit();
        EXPECT_EQ(disk.content(), before);
        EXPECT_EQ(seen_at("done"), at_end);
    }

    Pc pc{worker()};
    Bytes before, at_start, at_end;
};

TEST_F(Commit, ADiskThatIsFullInTheMiddle) {
    for (const int good : {0, 1, 5}) {
        (void)pc.rewind("done");
        good_writes = good;
        EXPECT_THROW((void)pc.commit(), DiskError);
        EXPECT_EQ(good_writes, -1);
        // Whatever is in the image by now, checkpoints show what they showed.
        EXPECT_EQ(seen_at("start"), at_start) << good;
        EXPECT_EQ(seen_at("done"), at_end) << good;
    }
    expect_all_is_right();
}

TEST_F(Commit, WhatHasNotReachedTheHostsDiskIsWrittenAgain) {
    (void)pc.rewind("done");
    syncs_fail = true;
    EXPECT_THROW((void)pc.commit(), DiskError);
    syncs_fail = false;
    EXPECT_EQ(seen_at("start"), at_start);
    EXPECT_EQ(seen_at("done"), at_end);
    (void)pc.rewind("done");
    const unsigned before_it = syncs;
    EXPECT_FALSE(pc.commit().empty()) << "the host shows us what it may have lost";
    EXPECT_GT(syncs, before_it);
    (void)pc.rewind("start");
    (void)pc.commit();
    expect_all_is_right();
}

TEST_F(SavedTrees, ACommitThatWasInterruptedIsFinishedByTheNextMachineWhichSaysSo) {
    {
        Pc pc(worker());
        pc.start();
        (void)pc.checkpoint("start");
        ASSERT_TRUE(halts(pc));
        good_writes = 1;
        EXPECT_THROW((void)pc.commit(), DiskError);
    }
    const Bytes torn = disk.content();
    Pc next(worker_config(kWorker, disk.path(), true));
    const std::vector<std::string> messages = next.take_messages();
    ASSERT_FALSE(messages.empty());
    EXPECT_NE(messages[0].find("a commit to it was interrupted, and is now complete"), std::string::npos);
    EXPECT_NE(disk.content(), torn);
    EXPECT_EQ(load(disk.content(), (kSectors - 1) * 512, 2), 0x1234 + kSectors - 1);
}

} // namespace
} // namespace btvm

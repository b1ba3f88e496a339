// Commits and their journals where something is in the way: a full disk, one that fails, directories that may
// not be written, long names, links, images that have moved, grow, or are in use.
#include <cerrno>
#include <sys/stat.h>

#include "tests/unit/commit/interrupted.hh"

namespace btvm::test {
namespace {

std::string commit_error(DiskImage& image, const host::Wishes& wishes) {
    host::watch(wishes);
    std::string what;
    try {
        (void)commit_layer(image, {});
    } catch (const DiskError& error) {
        what = error.what();
    }
    (void)host::unwatch();
    return what;
}

TEST(CommitJournal, AFullDiskTouchesNothingAndIsSaid) {
    const TemporaryDisk disk(DiskKind::kSectors);
    const Bytes before = disk.content();
    const auto image = layered<DiskKind>(disk.path());
    // Writing the journal, bringing it to the disk, and giving it its name.
    for (unsigned call = 1; call <= 3; call++) {
        const std::string said = commit_error(*image, {.fail_at = call, .error = ENOSPC});
        EXPECT_NE(said.find(disk.path() + ": nothing is written to it"), std::string::npos) << said;
        EXPECT_NE(said.find("No space left"), std::string::npos) << said;
        EXPECT_EQ(disk.content(), before);
        EXPECT_TRUE(beside(disk).empty());
        EXPECT_EQ(image->changes().size(), 6u);
    }
    // Nor when the directory cannot be brought there.
    const std::string said = commit_error(*image, {.fail_at = 5, .error = EIO});
    EXPECT_NE(said.find("nothing is written"), std::string::npos) << said;
    EXPECT_EQ(disk.content(), before);
    EXPECT_TRUE(beside(disk).empty());
    const LayerCommit done = commit_layer(*image, {});
    EXPECT_EQ(done.bytes, 5 * 4096 + 4 * 512u);
    EXPECT_TRUE(done.atomic);
    EXPECT_EQ(disk.content(), committed(before));
}

TEST(CommitJournal, AnImageThatCannotBeWrittenIsDoneLaterByWhomever) {
    for (const bool here : {true, false}) {
        for (unsigned call = 6; call <= 12; call++) { // the units and the sync
            const TemporaryDisk disk(DiskKind::kSectors);
            const Bytes before = disk.content();
            {
                const auto image = layered<DiskKind>(disk.path());
                EXPECT_NE(commit_error(*image, {.fail_at = call, .error = EIO}), "") << call;
                EXPECT_EQ(beside(disk).size(), 1u);
                if (here) (void)commit_layer(*image, {});
            }
            (void)DiskImage::open(disk.path());
            EXPECT_EQ(disk.content(), committed(before));
            EXPECT_TRUE(beside(disk).empty());
        }
    }
}

TEST(CommitJournal, OfAFailedCommitDoesNotOutliveWhatItWasFor) {
    const TemporaryDisk disk(DiskKind::kSectors);
    const Bytes before = disk.content();
    const auto image = layered<DiskKind>(disk.path());
    DiskImage::Changes start(DiskKind::kSectors / 8 + 1);
    host::watch({.fail_at = 8, .error = EIO});
    EXPECT_THROW((void)commit_layer(*image, {&start}), DiskError);
    (void)host::unwatch();
    EXPECT_NE(disk.content(), before);
    // The machine goes back to before the writes, and that is committed.
    image->set_changes(start);
    (void)commit_layer(*image, {});
    EXPECT_EQ(disk.content(), before);
    EXPECT_TRUE(beside(disk).empty());
}

TEST(CommitJournal, WithNothingKeptTheJournalOfAFailedCommitGoes) {
    const TemporaryDisk disk(DiskKind::kSectors);
    const auto image = layered<DiskKind>(disk.path());
    write_bytes(journal_of(disk), {1, 2, 3});
    image->clear_changes();
    (void)commit_layer(*image, {});
    EXPECT_TRUE(beside(disk).empty());
}

TEST(CommitJournal, WhereThereCanBeNoneTheImageIsWrittenInPlace) {
    const TemporaryDisk disk(DiskKind::kSectors);
    const Bytes before = disk.content();
    const auto image = layered<DiskKind>(disk.path());
    std::filesystem::remove(disk.path()); // it has no name any more, and nobody will open it again
    const LayerCommit done = commit_layer(*image, {});
    EXPECT_FALSE(done.atomic);
    EXPECT_TRUE(beside(disk).empty());
    Bytes now(before.size());
    image->read(0, now);
    EXPECT_EQ(now, committed(before));
}

TEST(CommitJournal, ADirectoryThatMayNotBeWritten) {
    if (::geteuid() != 0) GTEST_SKIP() << "for root, who can be somebody else";
    const TemporaryDisk disk(DiskKind::kSectors);
    const Bytes before = disk.content();
    const std::filesystem::path folder = std::filesystem::path(disk.path()).parent_path();
    std::filesystem::permissions(folder, std::filesystem::perms(0755));
    std::filesystem::permissions(disk.path(), std::filesystem::perms(0666));
    EXPECT_FALSE(killed([&] {
        if (::seteuid(65534) != 0) ::_exit(2);
        const auto image = layered<DiskKind>(disk.path());
        if (commit_layer(*image, {}).atomic) ::_exit(3);
    }));
    EXPECT_EQ(disk.content(), committed(before));
}

TEST(CommitJournal, LiesBesideTheFileThatLinksLeadTo) {
    const TemporaryDisk disk(DiskKind::kSectors), elsewhere;
    const Bytes before = disk.content();
    const std::string link = elsewhere.path();
    std::filesystem::create_symlink(disk.path(), link);
    ASSERT_TRUE(killed([&] {
        const auto image = layered<DiskKind>(link);
        host::watch({.kill_at = 7});
        (void)commit_layer(*image, {});
    }));
    EXPECT_EQ(beside(disk), std::vector<std::string>{"disk.img.btvm-journal"});
    EXPECT_TRUE(beside(elsewhere).empty());
    (void)DiskImage::open(disk.path());
    EXPECT_EQ(disk.content(), committed(before));
}

TEST(CommitJournal, FollowsAnImageThatHasAnotherNameByNow) {
    const TemporaryDisk disk(DiskKind::kSectors);
    const Bytes before = disk.content();
    const std::string moved = std::filesystem::path(disk.path()).parent_path() / std::string(255, 'm');
    ASSERT_TRUE(killed([&] {
        const auto image = layered<DiskKind>(disk.path());
        std::filesystem::rename(disk.path(), moved);
        host::watch({.kill_at = 7});
        (void)commit_layer(*image, {});
    }));
    EXPECT_EQ(beside(disk).size(), 2u);
    (void)DiskImage::open(moved);
    EXPECT_EQ(file_bytes(moved), committed(before));
    EXPECT_EQ(beside(disk).size(), 1u);
}

class InterruptedDisk : public Interrupted {};

TEST_F(InterruptedDisk, IsCompleteBeforeItGrows) {
    expect_opening_says("is now complete", {.size = 100 * 4096});
    Bytes grown = after;
    grown.resize(100 * 4096);
    EXPECT_EQ(disk.content(), grown);
}

TEST_F(InterruptedDisk, MovedWithItsJournalIsStillKnown) {
    const TemporaryDisk other;
    write_bytes(other.path(), torn); // as a copy on another machine
    write_bytes(journal_of(other), journal);
    std::filesystem::permissions(journal_of(other), std::filesystem::perms(0600));
    (void)DiskImage::open(other.path());
    EXPECT_EQ(other.content(), after);
}

TEST_F(InterruptedDisk, InUseIsRefused) {
    const int fd = ::open(disk.path().c_str(), O_RDONLY);
    struct flock lock {};
    lock.l_type = F_RDLCK;
    ASSERT_EQ(::fcntl(fd, F_OFD_SETLK, &lock), 0);
    for (const DiskImage::Options& options : {DiskImage::Options{.snapshot = true}, {.read_only = true}})
        expect_opening_says(
            "has to be written into it first: " + disk.path() + ": is in use by another program", options);
    EXPECT_EQ(disk.content(), torn);
    ::close(fd);
    expect_opening_says("is now complete", {.snapshot = true});
    EXPECT_EQ(disk.content(), after);
}

TEST_F(InterruptedDisk, ThatCannotBeWrittenIsRefused) {
    if (::geteuid() != 0) GTEST_SKIP() << "for root, who can be somebody else";
    const std::filesystem::path folder = std::filesystem::path(disk.path()).parent_path();
    std::filesystem::permissions(folder, std::filesystem::perms(0755));
    std::filesystem::permissions(disk.path(), std::filesystem::perms(0644));
    std::filesystem::permissions(journal_of(disk), std::filesystem::perms(0644));
    EXPECT_FALSE(killed([&] {
        if (::seteuid(65534) != 0) ::_exit(2);
        const std::string said = opening({.snapshot = true});
        if (said.find(": cannot be written: Permission denied") == std::string::npos) ::_exit(3);
        if (said.find("--snapshot") != std::string::npos) ::_exit(4); // it is of no use
        // What is no journal of it is passed over.
        if (::seteuid(0) != 0) ::_exit(2);
        bend([](Bytes& bytes) { bytes[0]++; });
        std::filesystem::permissions(journal_of(disk), std::filesystem::perms(0644));
        if (::seteuid(65534) != 0) ::_exit(2);
        if (opening({.snapshot = true}).find("is no journal of a commit to") == std::string::npos) ::_exit(5);
    }));
    EXPECT_EQ(disk.content(), torn);
}

TEST_F(InterruptedDisk, WhoseJournalStaysIsRefusedForWriting) {
    for (const DiskImage::Options& options : {DiskImage::Options{}, {.snapshot = true}}) {
        bend([](Bytes&) {});
        host::watch({.fail_at = 6 + 2, .error = EPERM});
        expect_opening_says("is done with and cannot be removed: Operation not permitted", options);
        (void)host::unwatch();
        EXPECT_EQ(disk.content(), after);
    }
}

TEST_F(InterruptedDisk, ThatCannotBeWrittenWholeStaysInterrupted) {
    for (unsigned call = 1; call <= 7; call++) {
        write_bytes(disk.path(), torn);
        host::watch({.fail_at = call, .error = EIO});
        expect_opening_says("the image cannot be written: Input/output error", {.snapshot = call % 2 == 0});
        (void)host::unwatch();
    }
    expect_opening_says("is now complete");
    EXPECT_EQ(disk.content(), after);
}

} // namespace
} // namespace btvm::test

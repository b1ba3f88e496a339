// Journals that are damaged, of another image, of somebody else, or none at all: nothing of them comes into
// an image.
#include <sys/stat.h>

#include "tests/unit/commit/interrupted.hh"
#include "userland/state/checksum.hh"

namespace btvm::test {
namespace {

class StrangeJournal : public Interrupted {
protected:
    /// It is put aside, and the image is as it was found.
    void expect_put_aside(const std::string& reason, const DiskImage::Options& options = {}) {
        const Bytes strange = file_bytes(journal_of(disk));
        expect_opening_says("is no journal of a commit to " + disk.path() + ": " + reason, options);
        EXPECT_EQ(disk.content(), torn);
        EXPECT_EQ(beside(disk), std::vector<std::string>{"disk.img.btvm-journal.bad"});
        EXPECT_EQ(file_bytes(journal_of(disk) + ".bad"), strange);
        std::filesystem::remove(journal_of(disk) + ".bad");
    }
    /// With a checksum that is right.
    void bend_well(const std::function<void(Bytes&)>& change) {
        bend([&](Bytes& bytes) {
            change(bytes);
            put(bytes, bytes.size() - 4, crc32(std::span(bytes).first(bytes.size() - 4)), 4);
        });
    }
    // Places in the journal.
    static constexpr std::size_t kImageBytes = 12, kRecords = 20, kFirst = 28, kFirstSize = 36;
    static constexpr std::size_t kRecord = 12 + 8 * 4 + 4096;
};

TEST_F(StrangeJournal, DamagedAtAnyByte) {
    // Each byte of what is not bytes of the image, and some of those.
    for (std::size_t at = 0; at < journal.size();
         at += at % kRecord < 100 || at + 100 > journal.size() ? 1 : 509) {
        bend([at](Bytes& bytes) { bytes[at] ^= 0x41; });
        const std::string said = opening();
        ASSERT_NE(said.find("is no journal of a commit to"), std::string::npos) << at << said;
        ASSERT_EQ(disk.content(), torn) << at;
        ASSERT_TRUE(std::filesystem::remove(journal_of(disk) + ".bad"));
    }
    bend([](Bytes&) {});
    expect_opening_says("is now complete");
    EXPECT_EQ(disk.content(), after);
}

TEST_F(StrangeJournal, CutOffAtAnyByte) {
    for (std::size_t size = 0; size < journal.size();
         size += size < 200 || size + 100 > journal.size() ? 1 : 509) {
        bend([size](Bytes& bytes) { bytes.resize(size); });
        const std::string said = opening({.snapshot = true});
        ASSERT_NE(said.find("its end is missing"), std::string::npos) << size << said;
        ASSERT_EQ(disk.content(), torn) << size;
        ASSERT_TRUE(std::filesystem::remove(journal_of(disk) + ".bad"));
    }
    bend([](Bytes& bytes) { bytes.push_back(0); });
    expect_put_aside("it is damaged: something follows its end");
}

TEST_F(StrangeJournal, WithAbsurdLengthsAndPlaces) {
    const auto tries = [this](std::size_t at, std::uint64_t value, std::size_t size, const char* reason) {
        SCOPED_TRACE(testing::Message() << at << ": " << value);
        bend_well([=](Bytes& bytes) { put(bytes, at, value, size); });
        expect_put_aside(reason);
    };
    constexpr const char* kNowhere = "it is damaged: a record is where none can be";
    tries(8, 2, 4, "it is of version 2");
    tries(kImageBytes, 100 * 512 + 1, 8, "it is of an image of 51201 bytes");
    tries(kImageBytes, ~0ull, 8, "it is of an image of 18446744073709551615 bytes");
    tries(kRecords, 0, 8, "it is damaged");
    tries(kRecords, ~0ull, 8, "it");
    for (const std::uint64_t size : {0u, 1u, 511u, 65536u + 512u, 100u * 512u + 512u, ~0u, 1u << 31})
        tries(kFirstSize, size, 4, kNowhere);
    for (const std::uint64_t at : {~0ull, ~0ull - 511, 100ull * 512, 100ull * 512 - 512, 1ull, 1ull << 63})
        tries(kFirst, at, 8, kNowhere);
    tries(kFirst + kRecord, 0, 8, kNowhere);   // out of order
    tries(kFirst + kRecord, 512, 8, kNowhere); // one over the other
}

TEST_F(StrangeJournal, OfAnotherImageOfTheSameSize) {
    Bytes other = torn;
    other[99 * 512 + 5] ^= 1;
    write_bytes(disk.path(), other);
    torn = other;
    expect_put_aside("it is of another image, or the image has been written since");
}

TEST_F(StrangeJournal, AlreadyDone) {
    write_bytes(disk.path(), after);
    expect_opening_says("is now complete");
    EXPECT_EQ(disk.content(), after);
    EXPECT_TRUE(beside(disk).empty());
}

TEST_F(StrangeJournal, ThatIsNoFile) {
    const std::string path = journal_of(disk);
    const std::string treasure = path + "-elsewhere";
    write_bytes(treasure, journal);
    const auto expect_aside = [&] {
        for (const DiskImage::Options& options : {DiskImage::Options{}, {.snapshot = true}}) {
            expect_opening_says("it is of nobody who may write the image", options);
            EXPECT_EQ(disk.content(), torn);
            if (std::filesystem::exists(std::filesystem::symlink_status(path + ".bad")))
                std::filesystem::rename(path + ".bad", path);
        }
        std::filesystem::remove(path);
    };
    std::filesystem::remove(path);
    std::filesystem::create_symlink(treasure, path);
    expect_aside();
    std::filesystem::create_symlink("/nowhere", path);
    expect_aside();
    ASSERT_EQ(::mkfifo(path.c_str(), 0666), 0);
    expect_aside();
    std::filesystem::create_directory(path);
    expect_aside();
    EXPECT_EQ(file_bytes(treasure), journal);
}

TEST_F(StrangeJournal, ALinkInItsPlaceIsNotWrittenThrough) {
    const std::string path = journal_of(disk), treasure = path + "-elsewhere";
    std::filesystem::remove(path);
    write_bytes(disk.path(), before);
    write_bytes(treasure, {1, 2, 3});
    const auto image = layered<DiskKind>(disk.path());
    std::filesystem::create_symlink(treasure, path);
    (void)commit_layer(*image, {});
    EXPECT_EQ(disk.content(), after);
    EXPECT_EQ(file_bytes(treasure), (Bytes{1, 2, 3}));
}

TEST_F(StrangeJournal, KeepsEarlierOnesThatWerePutAside) {
    for (int number = 1; number <= 12; number++) {
        bend([](Bytes& bytes) { bytes[0] = 0; });
        expect_opening_says(number <= 9 ? "it is now " + journal_of(disk) + ".bad" : "it is still there");
        EXPECT_EQ(beside(disk).size(), number <= 9 ? std::size_t(number) : 10u);
        EXPECT_EQ(disk.content(), torn);
    }
}

TEST_F(StrangeJournal, ThatOthersMayWrite) {
    std::filesystem::permissions(journal_of(disk), std::filesystem::perms(0620));
    for (const DiskImage::Options& options : {DiskImage::Options{}, {.snapshot = true}, {.read_only = true}})
        expect_opening_says("or may be written by others", options);
    EXPECT_EQ(disk.content(), torn);
    EXPECT_THROW((void)DiskImage::open(disk.path()), UnfinishedCommit);
}

TEST_F(StrangeJournal, OfSomebodyElse) {
    if (::geteuid() != 0) GTEST_SKIP() << "for root, who can give files away";
    const std::string path = journal_of(disk);
    const auto expect_refused = [this] {
        expect_opening_says("it is user 12345's");
        EXPECT_THROW((void)DiskImage::open(disk.path(), {.snapshot = true}), UnfinishedCommit);
        EXPECT_EQ(disk.content(), torn);
    };
    // Nobody but the image's owner could have committed.
    ASSERT_EQ(::chown(path.c_str(), 12345, 0), 0);
    std::filesystem::permissions(disk.path(), std::filesystem::perms(0644));
    expect_put_aside("it is of nobody who may write the image");
    // Others could have.
    bend([](Bytes&) {});
    ASSERT_EQ(::chown(path.c_str(), 12345, 0), 0);
    std::filesystem::permissions(disk.path(), std::filesystem::perms(0664));
    expect_refused();
    // The image's owner.
    ASSERT_EQ(::chown(disk.path().c_str(), 12345, 0), 0);
    expect_opening_says("is now complete");
    EXPECT_EQ(disk.content(), after);
}

} // namespace
} // namespace btvm::test

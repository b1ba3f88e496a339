// btvm-run is killed at each call by which a commit, or the end of an interrupted one, changes files.
#include "tests/unit/commit/host_calls.hh"
#include "tests/unit/commit/layered_image.hh"

namespace btvm::test {
namespace {

template <class Kind>
class KilledCommit : public testing::Test {};

using Kinds = testing::Types<DiskKind, FloppyKind>;
TYPED_TEST_SUITE(KilledCommit, Kinds);

/// Commits to the image and is killed at a call, by half if it is a write. False: it was not, there are not
/// as many.
template <class Kind>
bool killed_at(const TemporaryDisk& disk, unsigned call, bool half,
               const std::vector<std::uint32_t>& sectors = kWritten) {
    return killed([&] {
        const auto image = layered<Kind>(disk.path(), sectors);
        host::watch({.kill_at = call, .half = half});
        (void)commit_layer(*image, {});
    });
}

TYPED_TEST(KilledCommit, LeavesTheOldImageOrTheNewOne) {
    const std::function<std::string(const std::string&)> ways[] = {
        [](const std::string& path) { return TypeParam::open(path)->notice(); },
        [](const std::string& path) { return TypeParam::open_snapshot(path)->notice(); },
        [](const std::string& path) { return TypeParam::open_read_only(path)->notice(); },
    };
    for (const bool half : {false, true}) {
        unsigned call = 1, was_old = 0, was_new = 0, was_told = 0;
        for (;; call++) {
            const TemporaryDisk disk(TypeParam::kSectors);
            const Bytes before = disk.content(), after = committed(before);
            if (!killed_at<TypeParam>(disk, call, half)) break;
            const std::string notice = ways[call % 3](disk.path());
            const Bytes now = disk.content();
            ASSERT_TRUE(now == before || now == after)
                << "killed at call " << call << (half ? ", by half" : "");
            (now == before ? was_old : was_new)++;
            was_told += notice.find("was interrupted, and is now complete") != std::string::npos;
            EXPECT_FALSE(std::filesystem::exists(journal_of(disk))) << call;
        }
        EXPECT_EQ(was_old, 4u) << "until the journal has its name";
        EXPECT_GT(was_new, TypeParam::Image::kChangeUnit == 512 ? kWritten.size() : 6u);
        EXPECT_GT(was_told, 6u);
        EXPECT_EQ(call - 1, was_old + was_new);
    }
}

TYPED_TEST(KilledCommit, CanBeFinishedAtAnyLaterTry) {
    const TemporaryDisk disk(TypeParam::kSectors);
    const Bytes before = disk.content(), after = committed(before);
    unsigned middle = 1;
    do { // until one of the units is in the image
        write_bytes(disk.path(), before);
        std::filesystem::remove(journal_of(disk));
        ASSERT_TRUE(killed_at<TypeParam>(disk, middle++, true));
    } while (disk.content() == before);
    const Bytes torn = disk.content(), journal = file_bytes(journal_of(disk));
    ASSERT_NE(torn, after);
    for (const bool half : {false, true}) {
        for (unsigned call = 1;; call++) {
            write_bytes(disk.path(), torn);
            write_bytes(journal_of(disk), journal);
            const bool was_killed = killed([&] {
                host::watch({.kill_at = call, .half = half});
                (void)TypeParam::open(disk.path());
            });
            (void)TypeParam::open(disk.path());
            ASSERT_EQ(disk.content(), after) << call;
            EXPECT_TRUE(beside(disk).empty());
            if (!was_killed) break;
        }
    }
}

TYPED_TEST(KilledCommit, OfOneSectorIsOneWrite) {
    for (unsigned call = 1;; call++) {
        const TemporaryDisk disk(TypeParam::kSectors);
        const Bytes before = disk.content(), after = committed(before, {5});
        const bool was_killed = killed_at<TypeParam>(disk, call, false, {5});
        (void)TypeParam::open(disk.path());
        const Bytes now = disk.content();
        ASSERT_TRUE(now == before || now == after) << call;
        if (was_killed) continue;
        EXPECT_EQ(now, after);
        // A floppy's unit is a sector, and needs no journal.
        if (TypeParam::Image::kChangeUnit == 512) {
            EXPECT_EQ(call, 1u + 2u) << "a write and a sync";
        }
        break;
    }
}

} // namespace
} // namespace btvm::test

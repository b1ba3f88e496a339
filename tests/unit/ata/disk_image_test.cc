// Images: what is refused and with which words, locks, growing, snapshots, and what a kill leaves behind.
#include <csignal>
#include <cstring>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/ata/temporary_disk.hh"
#include "userland/devices/disk_image.hh"
#include "userland/devices/state.hh"

namespace btvm::test {
namespace {

std::string refusal(const std::string& path, const DiskImage::Options& options = {}) {
    try {
        (void)DiskImage::open(path, options);
    } catch (const DiskError& error) {
        return error.what();
    }
    return "accepted";
}
bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

TEST(DiskImage, BadImagesAreRefusedWithAReason) {
    const TemporaryDisk missing, odd(3), empty(0);
    EXPECT_TRUE(contains(refusal(missing.path()), "No such file"));
    EXPECT_TRUE(contains(refusal("/"), "directory"));
    EXPECT_TRUE(contains(refusal("/dev/null"), "neither a regular file nor a block device"));
    EXPECT_TRUE(contains(refusal(empty.path()), "empty"));
    std::filesystem::resize_file(odd.path(), 1000);
    EXPECT_TRUE(contains(refusal(odd.path()), "1000 bytes are no whole number of sectors"));
    EXPECT_TRUE(contains(refusal(odd.path()), "truncate -s 1024"));
}

TEST(DiskImage, ReadOnlyFilesNeedASnapshot) {
    const TemporaryDisk file(4);
    ::chmod(file.path().c_str(), 0444);
    EXPECT_TRUE(contains(refusal(file.path()), "--snapshot"));
    EXPECT_EQ(refusal(file.path(), {.snapshot = true}), "accepted");
    EXPECT_EQ(refusal(file.path(), {.read_only = true}), "accepted");
}

TEST(DiskImage, OneWriterOrSeveralReaders) {
    const TemporaryDisk file(4);
    {
        const auto writer = DiskImage::open(file.path());
        EXPECT_TRUE(contains(refusal(file.path()), "in use by another program"));
        EXPECT_TRUE(contains(refusal(file.path(), {.snapshot = true}), "being written"));
    }
    const auto one = DiskImage::open(file.path(), {.snapshot = true});
    EXPECT_EQ(refusal(file.path(), {.snapshot = true}), "accepted");
    EXPECT_TRUE(contains(refusal(file.path()), "in use"));
}

TEST(DiskImage, MadeAndGrownSparse) {
    const TemporaryDisk file;
    constexpr std::uint64_t kSize = 64u << 20;
    {
        const auto image = DiskImage::open(file.path(), {.size = kSize});
        EXPECT_EQ(image->sectors(), kSize / 512);
        std::array<std::uint8_t, 512> sector{};
        sector[0] = 0x42;
        image->write(kSize / 512 - 1, sector);
    }
    struct stat info {};
    ASSERT_EQ(::stat(file.path().c_str(), &info), 0);
    EXPECT_EQ(info.st_size, static_cast<off_t>(kSize));
    EXPECT_LT(info.st_blocks * 512, 1 << 20);
    EXPECT_EQ(DiskImage::open(file.path(), {.size = 512})->sectors(), kSize / 512); // never shrinks
    EXPECT_EQ(DiskImage::open(file.path(), {.size = 2 * kSize})->sectors(), 2 * kSize / 512);
}

TEST(DiskImage, SnapshotLeavesTheFileAlone) {
    const TemporaryDisk file(100);
    const auto before = file.content();
    const auto image = DiskImage::open(file.path(), {.snapshot = true});
    std::vector<std::uint8_t> data(20 * 512, 0xab);
    image->write(5, data);
    image->write(99, std::span(data).first(512));
    std::vector<std::uint8_t> back(100 * 512);
    image->read(0, back);
    auto expected = before;
    std::copy(data.begin(), data.end(), expected.begin() + 5 * 512);
    std::copy_n(data.begin(), 512, expected.begin() + 99 * 512);
    EXPECT_EQ(back, expected);
    EXPECT_EQ(file.content(), before);
    EXPECT_EQ(image->overlay_bytes(), 5u * 4096); // blocks 0 to 3, and 12
}

TEST(DiskImage, SnapshotsMemoryIsBounded) {
    const TemporaryDisk file(100);
    const auto image = DiskImage::open(file.path(), {.snapshot = true, .overlay_limit = 8192});
    const std::vector<std::uint8_t> sector(512, 1);
    image->write(0, sector);
    image->write(8, sector);
    image->write(1, sector); // the same block once more
    EXPECT_THROW(image->write(16, sector), DiskError);
    EXPECT_EQ(image->overlay_bytes(), 8192u);
}

TEST(DiskImage, AccessBeyondTheEndThrows) {
    const TemporaryDisk file(10);
    const auto image = DiskImage::open(file.path());
    std::vector<std::uint8_t> data(1024);
    EXPECT_THROW(image->read(9, data), DiskError);
    EXPECT_THROW(image->write(9, data), DiskError);
    EXPECT_THROW(image->read(~0ull, data), DiskError);
    EXPECT_NO_THROW(image->read(8, data));
}

TEST(DiskImage, StateOfASnapshot) {
    const TemporaryDisk file(100);
    const auto image = DiskImage::open(file.path(), {.snapshot = true});
    const std::vector<std::uint8_t> sector(512, 7);
    image->write(50, sector);
    const StateSection saved = save_state("disk", *image);
    const auto other = DiskImage::open(file.path(), {.snapshot = true});
    load_state(*other, saved);
    std::vector<std::uint8_t> back(512);
    other->read(50, back);
    EXPECT_EQ(back, sector);
    EXPECT_EQ(save_state("disk", *other), saved);
}

/// A child writes sector after sector, flushes now and then, and says how far it has flushed; it is killed at
/// some point. What it had flushed is in the file.
TEST(DiskImage, FlushedDataSurvivesAKill) {
    for (int round = 0; round < 20; round++) {
        const TemporaryDisk file(4096);
        int pipe_ends[2];
        ASSERT_EQ(::pipe(pipe_ends), 0);
        const pid_t child = ::fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            const auto image = DiskImage::open(file.path());
            std::array<std::uint8_t, 512> sector{};
            for (std::uint32_t at = 0; at < 4096; at++) {
                std::memset(sector.data(), static_cast<int>(at % 251 + 1), sector.size());
                image->write(at, sector);
                if (at % 16 != 15) continue;
                image->flush();
                if (::write(pipe_ends[1], &at, sizeof at) != sizeof at) ::_exit(1);
            }
            ::pause();
            ::_exit(0);
        }
        ::close(pipe_ends[1]);
        std::uint32_t flushed = 0;
        for (int reports = 1 + round * 3; reports; reports--)
            ASSERT_EQ(::read(pipe_ends[0], &flushed, sizeof flushed), static_cast<ssize_t>(sizeof flushed));
        ::kill(child, SIGKILL);
        ASSERT_EQ(::waitpid(child, nullptr, 0), child);
        for (std::uint32_t more = 0; ::read(pipe_ends[0], &more, sizeof more) == sizeof more;)
            flushed = more;
        ::close(pipe_ends[0]);
        const auto content = file.content();
        for (std::uint32_t at = 0; at <= flushed; at++)
            ASSERT_EQ(content[std::size_t{at} * 512 + 300], at % 251 + 1) << at;
    }
}

} // namespace
} // namespace btvm::test

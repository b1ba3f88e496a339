// Opening images: every size that is right, every way to be wrong, locks, snapshots, write-through.
#include <sys/stat.h>
#include <sys/wait.h>

#include "fdc_driver.hh"

namespace btvm {
namespace {

std::string refusal(const std::string& path, FloppyImage::Options options = {}) {
    try {
        (void)FloppyImage::open(path, options);
    } catch (const FloppyError& e) {
        return e.what();
    }
    return "";
}

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

constexpr FloppyImage::Options kReadOnly{.read_only = true, .snapshot = false};
constexpr FloppyImage::Options kSnapshot{.read_only = false, .snapshot = true};

TEST(FloppyImage, GeometryBySize) {
    const std::pair<unsigned, std::array<unsigned, 3>> known[] = {
        {163840, {40, 1, 8}},   {184320, {40, 1, 9}},   {327680, {40, 2, 8}},   {368640, {40, 2, 9}},
        {737280, {80, 2, 9}},   {1228800, {80, 2, 15}}, {1474560, {80, 2, 18}}, {1720320, {80, 2, 21}},
        {2949120, {80, 2, 36}}, {419840, {41, 2, 10}},  {430080, {42, 2, 10}},  {819200, {80, 2, 10}},
        {839680, {82, 2, 10}},  {849920, {83, 2, 10}},  {901120, {80, 2, 11}},  {1064960, {80, 2, 13}},
        {1146880, {80, 2, 14}}, {1511424, {82, 2, 18}}, {1529856, {83, 2, 18}}, {1638400, {80, 2, 20}},
        {1763328, {82, 2, 21}}, {1784832, {83, 2, 21}}, {1802240, {80, 2, 22}}, {1884160, {80, 2, 23}},
        {1966080, {80, 2, 24}}, {3194880, {80, 2, 39}}, {3276800, {80, 2, 40}}, {3604480, {80, 2, 44}},
        {3932160, {80, 2, 48}},
    };
    EXPECT_EQ(floppy_formats().size(), std::size(known));
    for (const auto& [size, chs] : known) {
        TemporaryFile file(size);
        const auto image = FloppyImage::open(file.path());
        const FloppyGeometry& g = image->geometry();
        EXPECT_EQ((std::array<unsigned, 3>{g.cylinders, g.heads, g.sectors}), chs);
        EXPECT_FALSE(image->write_protected());
        EXPECT_EQ(image->locate(g.cylinders - 1u, g.heads - 1u, g.sectors), size / 512 - 1);
        EXPECT_FALSE(image->locate(g.cylinders, 0, 1));
        EXPECT_FALSE(image->locate(0, g.heads, 1));
        EXPECT_FALSE(image->locate(0, 0, g.sectors + 1u));
        EXPECT_FALSE(image->locate(0, 0, 0));
    }
}

TEST(FloppyImage, WrongSizesAreRefusedWithTheKnownOnes) {
    TemporaryFile nothing(0), odd(1474559), boot(512), large(3932161), huge(std::uint64_t{1} << 33);
    EXPECT_TRUE(
        contains(refusal(nothing.path()), "the file is empty (usual sizes in bytes: 160 KB = 163840, "));
    EXPECT_TRUE(contains(refusal(odd.path()), "1474559 bytes is not the size of any floppy"));
    // Which of two sizes it was is the user's to know.
    EXPECT_TRUE(
        contains(refusal(odd.path()), "; 1 too few for 1440 KB: truncate -s 1474560 '" + odd.path() +
                                          "' pads it; 245759 too many for 1200 KB: head -c 1228800 '" +
                                          odd.path() + "' >floppy.img copies it without them"));
    EXPECT_TRUE(contains(refusal(boot.path()), "; 163328 too few for 160 KB: truncate -s 163840 "));
    EXPECT_FALSE(contains(refusal(boot.path()), "too many"));
    EXPECT_TRUE(contains(refusal(large.path()), "; 983041 too many for 2880 KB: head -c 2949120 "));
    EXPECT_FALSE(contains(refusal(large.path()), "too few"));
    EXPECT_TRUE(contains(refusal(large.path()), "3932161 bytes is too large for a floppy"));
    EXPECT_TRUE(contains(refusal(huge.path()), "8589934592 bytes is too large"));
    EXPECT_TRUE(contains(refusal(large.path()), "2880 KB = 2949120)"));
}

TEST(FloppyImage, WhatIsNoFileIsRefused) {
    const std::string directory = std::filesystem::temp_directory_path().string();
    EXPECT_TRUE(contains(refusal(directory), "is a directory"));
    EXPECT_TRUE(contains(refusal(directory, kReadOnly), "is a directory"));
    EXPECT_TRUE(contains(refusal("/dev/null"), "is not a regular file"));
    EXPECT_TRUE(contains(refusal("/nowhere/floppy.img"), "No such file or directory"));
    EXPECT_TRUE(contains(refusal(""), "No such file"));
    TemporaryFile place(0);
    const std::string pipe = place.path() + ".fifo";
    ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
    EXPECT_TRUE(contains(refusal(pipe, kReadOnly), "is not a regular file"));
    std::remove(pipe.c_str());
}

TEST(FloppyImage, DirectoryForWritingSaysSo) {
    const std::string text = refusal(std::filesystem::temp_directory_path().string());
    EXPECT_TRUE(contains(text, "directory")) << text;
}

TEST(FloppyImage, UnreadableIsRefused) {
    TemporaryFile file(1474560);
    ASSERT_EQ(::chmod(file.path().c_str(), 0), 0);
    // The superuser reads everything: ask as somebody else.
    const pid_t child = ::fork();
    if (child == 0) {
        const bool other = ::geteuid() != 0 || ::seteuid(65534) == 0;
        ::_exit(other && contains(refusal(file.path()), "Permission denied") ? 0 : 1);
    }
    int status = 1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
}

TEST(FloppyImage, ReadOnlyFileIsAWriteProtectedMedium) {
    TemporaryFile file(1474560);
    ::chmod(file.path().c_str(), 0444);
    const auto image = FloppyImage::open(file.path());
    EXPECT_TRUE(image->write_protected());
    EXPECT_THROW(image->write(0, pattern_sector(1)), FloppyError);
    const auto shared = FloppyImage::open(file.path()); // two readers
    const auto snapshot = FloppyImage::open(file.path(), kSnapshot);
    EXPECT_FALSE(snapshot->write_protected());
    snapshot->write(0, pattern_sector(1));
}

TEST(FloppyImage, ReadOnlyOption) {
    PatternFile file(360);
    const auto image = FloppyImage::open(file.path(), kReadOnly);
    EXPECT_TRUE(image->write_protected());
    FloppyImage::Sector sector;
    image->read(100, sector);
    EXPECT_EQ(sector, pattern_sector(100));
}

TEST(FloppyImage, LocksKeepWritersApart) {
    PatternFile file(720);
    {
        const auto writer = FloppyImage::open(file.path());
        EXPECT_TRUE(contains(refusal(file.path()), "in use"));
        EXPECT_TRUE(contains(refusal(file.path(), kReadOnly), "is being written by another program"));
        EXPECT_TRUE(contains(refusal(file.path(), kSnapshot), "is being written by another program"));
        // Another process, too.
        const pid_t child = ::fork();
        if (child == 0) ::_exit(refusal(file.path()).empty() ? 1 : 0);
        int status = 1;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        EXPECT_EQ(status, 0);
    }
    const auto reader = FloppyImage::open(file.path(), kReadOnly);
    const auto snapshot = FloppyImage::open(file.path(), kSnapshot);
    EXPECT_TRUE(contains(refusal(file.path()), "in use"));
}

TEST(FloppyImage, WritesGoThrough) {
    PatternFile file(1440);
    const auto image = FloppyImage::open(file.path());
    image->write(2879, pattern_sector(1));
    auto contents = file.contents();
    EXPECT_EQ(contents.size(), 1474560u);
    EXPECT_EQ(contents[2879 * 512 + 7], pattern_sector(1)[7]);
    image->flush();
    EXPECT_THROW(image->write(2880, pattern_sector(1)), FloppyError);
    FloppyImage::Sector sector;
    EXPECT_THROW(image->read(2880, sector), FloppyError);
}

TEST(FloppyImage, SnapshotKeepsWritesToItself) {
    PatternFile file(1440);
    const auto before = file.contents();
    const auto image = FloppyImage::open(file.path(), kSnapshot);
    const auto other = FloppyImage::open(file.path(), kSnapshot);
    image->write(5, pattern_sector(4000));
    image->flush();
    FloppyImage::Sector sector;
    image->read(5, sector);
    EXPECT_EQ(sector, pattern_sector(4000));
    image->read(6, sector);
    EXPECT_EQ(sector, pattern_sector(6));
    other->read(5, sector);
    EXPECT_EQ(sector, pattern_sector(5));
    EXPECT_EQ(file.contents(), before);
}

} // namespace
} // namespace btvm

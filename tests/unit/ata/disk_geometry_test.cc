#include <array>
#include <gtest/gtest.h>

#include "userland/devices/disk_geometry.hh"

namespace btvm {
namespace {

using Sector = std::array<std::uint8_t, 512>;

DiskGeometry plain(std::uint64_t sectors) {
    const Sector none{};
    return disk_geometry(sectors, none);
}

/// A partition that ends at this head and sector.
Sector table(std::uint8_t head, std::uint8_t sector, unsigned entry = 0) {
    Sector out{};
    out[510] = 0x55;
    out[511] = 0xaa;
    out[446 + 16 * entry + 5] = head;
    out[446 + 16 * entry + 6] = sector;
    out[446 + 16 * entry + 12] = 1;
    return out;
}

TEST(DiskGeometry, WithoutPartitions) {
    EXPECT_EQ(plain(20160).cylinders, 20);
    EXPECT_EQ(plain(20160).heads, 16);
    EXPECT_EQ(plain(20160).sectors, 63);
    EXPECT_EQ(plain(20160).translation, 0);
    EXPECT_EQ(plain(1).cylinders, 2); // never less than two
    EXPECT_EQ(plain(1ull << 40).cylinders, 16383);
    EXPECT_EQ(plain(1024ull * 16 * 63).translation, 0);
    EXPECT_EQ(plain(1025ull * 16 * 63).translation, 1);
}

TEST(DiskGeometry, OfWhoMadeThePartitions) {
    const DiskGeometry g = disk_geometry(100 * 4 * 17, table(3, 17));
    EXPECT_EQ(g.cylinders, 100);
    EXPECT_EQ(g.heads, 4);
    EXPECT_EQ(g.sectors, 17);
    EXPECT_EQ(g.translation, 0);
    EXPECT_EQ(disk_geometry(100 * 4 * 17, table(3, 17, 2)).heads, 4); // the third entry does as well
    EXPECT_EQ(disk_geometry(20160, table(0, 17)).heads, 16);          // one head: no information
    EXPECT_EQ(disk_geometry(20160, table(3, 0)).heads, 16);
}

TEST(DiskGeometry, PartitionsOfATranslatedDisk) {
    const DiskGeometry large = disk_geometry(2000ull * 16 * 63, table(127, 63));
    EXPECT_EQ(large.heads, 16);
    EXPECT_EQ(large.translation, 2);
    EXPECT_EQ(disk_geometry(10000ull * 16 * 63, table(254, 63)).translation, 1);
}

} // namespace
} // namespace btvm

// The cylinders, heads and sectors of a disk that has none: what a drive reports in IDENTIFY DEVICE and a
// setup program writes to CMOS. Firmware and old systems still count by them.
#pragma once

#include <cstdint>
#include <span>

namespace btvm {

struct DiskGeometry {
    std::uint16_t cylinders{};
    std::uint8_t heads{};   ///< 1 to 16
    std::uint8_t sectors{}; ///< A track, 1 to 63.
    /// How the BIOS makes its own geometry of this one, as in CMOS byte 39h: 0 it takes it as it is, 1 by
    /// LBA, 2 by doubling heads ("large").
    std::uint8_t translation{};

    [[nodiscard]] constexpr std::uint32_t total() const { return std::uint32_t{cylinders} * heads * sectors; }
};

/// For a disk of so many sectors. The partition table in its first sector tells which geometry the disk was
/// partitioned with; without one it is 16 heads and 63 sectors. QEMU decides in the same way, so that an
/// image made there boots here.
[[nodiscard]] DiskGeometry disk_geometry(std::uint64_t total_sectors,
                                         std::span<const std::uint8_t, 512> first_sector);

} // namespace btvm

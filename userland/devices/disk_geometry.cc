#include "userland/devices/disk_geometry.hh"

#include <algorithm>
#include <optional>

namespace btvm {

namespace {

constexpr std::uint8_t kHeads = 16;
constexpr std::uint8_t kSectors = 63;
constexpr std::uint64_t kMinCylinders = 2;
constexpr std::uint64_t kMaxCylinders = 16383; // ATA/ATAPI-6, 6.2
constexpr std::uint64_t kBiosCylinders = 1024;

enum Translation : std::uint8_t { kNone = 0, kLba = 1, kLarge = 2 };

constexpr std::size_t kTable = 446; ///< Four entries of 16 bytes.
constexpr std::size_t kEntry = 16;
constexpr std::size_t kEndHead = 5;
constexpr std::size_t kEndSector = 6; ///< Bits 0 to 5.
constexpr std::size_t kCount = 12;

DiskGeometry standard(std::uint64_t total) {
    const std::uint64_t cylinders = total / (std::uint64_t{kHeads} * kSectors);
    return {static_cast<std::uint16_t>(std::clamp(cylinders, kMinCylinders, kMaxCylinders)), kHeads, kSectors,
            kNone};
}

struct Partitioned {
    unsigned heads;
    unsigned sectors;
    std::uint64_t cylinders;
};

/// The geometry of who made the partition table, on the assumption that a partition ends with a cylinder.
std::optional<Partitioned> from_partitions(std::uint64_t total, std::span<const std::uint8_t, 512> sector) {
    if (sector[510] != 0x55 || sector[511] != 0xaa) return std::nullopt;
    for (std::size_t at = kTable; at < kTable + 4 * kEntry; at += kEntry) {
        const bool used = std::any_of(sector.begin() + at + kCount, sector.begin() + at + kCount + 4,
                                      [](std::uint8_t byte) { return byte != 0; });
        const unsigned heads = sector[at + kEndHead] + 1u;
        const unsigned sectors = sector[at + kEndSector] & 0x3fu;
        if (!used || heads == 1 || sectors == 0) continue;
        const std::uint64_t cylinders = total / (std::uint64_t{heads} * sectors);
        if (cylinders >= 1 && cylinders <= kMaxCylinders) return Partitioned{heads, sectors, cylinders};
    }
    return std::nullopt;
}

} // namespace

DiskGeometry disk_geometry(std::uint64_t total_sectors, std::span<const std::uint8_t, 512> first_sector) {
    DiskGeometry geometry = standard(total_sectors);
    const auto table = from_partitions(total_sectors, first_sector);
    if (!table) {
        geometry.translation = geometry.cylinders <= kBiosCylinders ? kNone : kLba;
    } else if (table->heads > kHeads) {
        // More heads than a drive can have: somebody's translation. Doubling heads reaches 1024 cylinders of
        // 128 heads.
        const std::uint32_t tracks = std::uint32_t{geometry.cylinders} * geometry.heads;
        geometry.translation = tracks <= kBiosCylinders * 128 ? kLarge : kLba;
    } else {
        geometry = {static_cast<std::uint16_t>(table->cylinders), static_cast<std::uint8_t>(table->heads),
                    static_cast<std::uint8_t>(table->sectors), kNone};
    }
    return geometry;
}

} // namespace btvm

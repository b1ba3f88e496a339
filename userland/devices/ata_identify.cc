#include "userland/devices/ata_identify.hh"

#include <algorithm>
#include <string>

#include "userland/devices/ata_disk.hh"

namespace btvm {

namespace {

// The same words as QEMU's disks show, so that what a guest prints about its disks can be compared.
constexpr std::string_view kModel = "QEMU HARDDISK";
constexpr std::string_view kFirmware = "2.5+";
constexpr std::uint32_t kCacheSectors = 512;

constexpr std::uint32_t kMaxLba28 = 0x0fffffff;
/// The largest disk that CHS can address, and so what word 57 may say at most.
constexpr std::uint64_t kMaxChs = 16383ull * 16 * 63;

enum : std::uint32_t {
    kFlush = 1 << 12, // words 83, 86
    kFlushExt = 1 << 13,
    kLba48 = 1 << 10,
    kValid = 1 << 14,    // words 83, 84, 87
    kLookAhead = 1 << 6, // words 82, 85
    kWriteCache = 1 << 5,
    kPowerManagement = 1 << 3,
    kNopCommand = 1 << 14,
};

/// A bit for each mode up to `highest`, and the selected one in the high byte (words 63 and 88).
std::uint32_t dma_modes(unsigned highest, unsigned type, std::uint8_t selected) {
    const std::uint32_t modes = (2u << highest) - 1;
    return modes | (selected >> 3 == type ? 0x100u << (selected & 7) : 0);
}

} // namespace

void AtaDisk::fill_identity(std::span<std::uint8_t, kDiskSectorSize> out) const {
    std::fill(out.begin(), out.end(), std::uint8_t{0});
    const auto put = [&out](unsigned word, std::uint64_t value) {
        put_identify_word(out, word, static_cast<std::uint32_t>(value));
    };
    const auto put32 = [&put](unsigned word, std::uint64_t value) {
        put(word, value & 0xffff);
        put(word + 1, value >> 16 & 0xffff);
    };
    const std::uint64_t total = image_->sectors();

    put(0, 0x0040); // an ATA device, not removable
    put(1, geometry_.cylinders);
    put(3, geometry_.heads);
    put(4, std::uint32_t{geometry_.sectors} * kDiskSectorSize); // bytes a track and a sector, long obsolete
    put(5, kDiskSectorSize);
    put(6, geometry_.sectors);
    put_identify_text(out, 10, 10, "QM0000" + std::to_string(number_ + 1));
    put(20, 3); // a buffer with look-ahead
    put(21, kCacheSectors);
    put(22, 4);
    put_identify_text(out, 23, 4, kFirmware);
    put_identify_text(out, 27, 20, kModel);
    put(47, 0x8000 | kMaxMultiple);
    put(48, 1);                         // 32-bit data port
    put(49, 1 << 11 | 1 << 9 | 1 << 8); // IORDY, LBA, DMA
    put(51, 0x200);                     // PIO and DMA timing modes of old
    put(52, 0x200);
    put(53, 0x0007); // words 54-58, 64-70 and 88 are valid

    const std::uint32_t logical = std::uint32_t{heads_} * track_;
    const std::uint64_t cylinders = std::min<std::uint64_t>(std::min(total, kMaxChs) / logical, 65535);
    put(54, cylinders);
    put(55, heads_);
    put(56, track_);
    put32(57, cylinders * logical);
    put(59, multiple_ ? 0x100u | multiple_ : 0);
    put32(60, std::min<std::uint64_t>(total, kMaxLba28));
    put(62, 0x07);
    put(63, dma_modes(2, 4, transfer_mode_));
    put(64, 0x03); // PIO 3 and 4
    for (unsigned word = 65; word <= 68; word++)
        put(word, 120); // nanoseconds a cycle
    put(80, 0x00f0);    // ATA-4 to ATA-7
    put(81, 0x0016);
    put(82, kNopCommand | kLookAhead | kWriteCache | kPowerManagement);
    put(83, kValid | kFlushExt | kFlush | kLba48);
    put(84, kValid);
    put(85, kNopCommand | (look_ahead_ ? +kLookAhead : 0u) | (write_cache_ ? +kWriteCache : 0u) |
                kPowerManagement);
    put(86, kFlushExt | kFlush | kLba48);
    put(87, kValid);
    put(88, dma_modes(5, 8, transfer_mode_));
    put(93, 0x6001); // a hardware reset was seen, by device 0 or 1
    put32(100, total & 0xffffffff);
    put32(102, total >> 32);
}

} // namespace btvm

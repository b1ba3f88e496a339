// The PC's physical memory map: RAM, the video window and the firmware, in the host memory that backs them.
// Engines register the regions as they are; DMA and the tools reach memory through read() and write().
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace btvm {

/// A run of page-aligned guest-physical memory.
struct MemoryRegion {
    std::string name;
    std::uint64_t first{}; ///< Guest-physical.
    std::uint64_t size{};  ///< Bytes.
    std::uint8_t* memory{};
    bool read_only{};
};

/// What the memory is made of. Images are checked here: a bad one throws std::runtime_error.
struct MemoryConfig {
    unsigned ram_mib{16}; ///< kMinRamMib to kMaxRamMib.
    std::vector<std::uint8_t>
        system_bios; ///< See is_bios_size(); ends at 1 MiB (its last 128 KiB) and at 4 GiB.
    std::vector<std::uint8_t> video_bios; ///< Up to 64 KiB at C0000h; may be empty.
    bool firmware_writable{}; ///< C0000h-FFFFFh is RAM with the firmware copied in (see docs/devices.md).
};

class PhysicalMemory {
public:
    static constexpr unsigned kMinRamMib = 1;
    static constexpr unsigned kMaxRamMib = 2048;
    static constexpr std::uint64_t kVideoRomBase = 0xc0000;
    static constexpr std::uint64_t kVideoRomMax = 0x10000;
    static constexpr std::uint64_t kSystemBiosMax = 8u << 20; ///< QEMU's limit, too.
    static constexpr bool is_bios_size(std::uint64_t bytes) {
        return bytes != 0 && bytes % 0x10000 == 0 && bytes <= kSystemBiosMax;
    }

    explicit PhysicalMemory(const MemoryConfig& config);
    ~PhysicalMemory();
    PhysicalMemory(const PhysicalMemory&) = delete;
    PhysicalMemory& operator=(const PhysicalMemory&) = delete;

    [[nodiscard]] std::span<const MemoryRegion> regions() const { return regions_; }
    [[nodiscard]] unsigned ram_mib() const { return ram_mib_; }

    /// Where nothing is, reads give FFh and writes vanish; writes to read-only regions vanish too.
    void read(std::uint64_t at, std::span<std::uint8_t> out) const;
    void write(std::uint64_t at, std::span<const std::uint8_t> in);

    /// Copies the firmware in again, as a machine's ROM shows itself again after a reset. Returns whether
    /// anything in guest memory could have changed (only with firmware_writable).
    bool restore_firmware();

    /// The video BIOS as loaded; empty without one.
    [[nodiscard]] std::span<const std::uint8_t> video_bios() const { return video_bios_; }

private:
    [[nodiscard]] const MemoryRegion* find(std::uint64_t at) const;
    void lay_out(bool firmware_writable);
    void copy_firmware();

    unsigned ram_mib_;
    bool firmware_writable_;
    std::vector<std::uint8_t> system_bios_;
    std::vector<std::uint8_t> video_bios_;
    std::vector<MemoryRegion> regions_;
    std::uint8_t* ram_{};  ///< All RAM, the part below 640 KiB first.
    std::uint8_t* high_{}; ///< A0000h to FFFFFh.
    std::uint8_t* top_{};  ///< The system BIOS once more, for the reset vector below 4 GiB.
};

} // namespace btvm

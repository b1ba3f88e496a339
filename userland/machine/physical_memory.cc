#include "userland/machine/physical_memory.hh"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <sys/mman.h>

namespace btvm {

namespace {

constexpr std::uint64_t kKib = 1024;
constexpr std::uint64_t kMib = 1024 * kKib;
constexpr std::uint64_t kConventionalEnd = 640 * kKib;
constexpr std::uint64_t kVideoEnd = 0xc0000;
constexpr std::uint64_t kFourGib = 1ull << 32;
constexpr std::uint64_t kPage = 4096;
/// The part of a system BIOS that shows below 1 MiB.
constexpr std::uint64_t kMaxIsaBios = 128 * kKib;

constexpr std::uint64_t round_up(std::uint64_t bytes) { return (bytes + kPage - 1) & ~(kPage - 1); }

std::uint8_t* map_anonymous(std::uint64_t bytes) {
    void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        throw std::runtime_error("no memory for the guest (" + std::to_string(bytes / kKib) +
                                 " KiB): " + std::strerror(errno));
    return static_cast<std::uint8_t*>(memory);
}

void check(const MemoryConfig& config) {
    if (config.ram_mib < PhysicalMemory::kMinRamMib || config.ram_mib > PhysicalMemory::kMaxRamMib)
        throw std::runtime_error("guest memory must be " + std::to_string(PhysicalMemory::kMinRamMib) +
                                 " to " + std::to_string(PhysicalMemory::kMaxRamMib) + " MiB");
    const std::size_t bios = config.system_bios.size();
    if (!PhysicalMemory::is_bios_size(bios))
        throw std::runtime_error("a system BIOS must be a multiple of 64 KiB, up to 8 MiB; this one has " +
                                 std::to_string(bios) + " bytes");
    if (config.video_bios.size() > PhysicalMemory::kVideoRomMax)
        throw std::runtime_error("a video BIOS must be 64 KiB at most, this one has " +
                                 std::to_string(config.video_bios.size()) + " bytes");
}

} // namespace

PhysicalMemory::PhysicalMemory(const MemoryConfig& config)
    : ram_mib_(config.ram_mib), firmware_writable_(config.firmware_writable),
      system_bios_(config.system_bios), video_bios_(config.video_bios) {
    check(config);
    ram_ = map_anonymous(ram_mib_ * kMib);
    high_ = map_anonymous(kMib - kConventionalEnd);
    top_ = map_anonymous(system_bios_.size());
    copy_firmware();
    lay_out(config.firmware_writable);
}

PhysicalMemory::~PhysicalMemory() {
    ::munmap(ram_, ram_mib_ * kMib);
    ::munmap(high_, kMib - kConventionalEnd);
    ::munmap(top_, system_bios_.size());
}

void PhysicalMemory::copy_firmware() {
    std::uint8_t* video = high_ + (kVideoRomBase - kConventionalEnd);
    // Between and above the ROMs the bus floats high, also where a ROM ends inside a page.
    std::memset(video, 0xff, kMib - kVideoRomBase);
    std::copy(video_bios_.begin(), video_bios_.end(), video);
    const std::uint64_t low = std::min<std::uint64_t>(system_bios_.size(), kMaxIsaBios);
    std::copy(system_bios_.end() - static_cast<std::ptrdiff_t>(low), system_bios_.end(),
              high_ + (kMib - low - kConventionalEnd));
    std::copy(system_bios_.begin(), system_bios_.end(), top_);
}

void PhysicalMemory::lay_out(bool firmware_writable) {
    const std::uint64_t bios_low = std::min<std::uint64_t>(system_bios_.size(), kMaxIsaBios);
    regions_.push_back({"conventional RAM", 0, kConventionalEnd, ram_, false});
    regions_.push_back({"video memory", kConventionalEnd, kVideoEnd - kConventionalEnd, high_, false});
    std::uint8_t* const adapters = high_ + (kVideoRomBase - kConventionalEnd);
    if (firmware_writable) {
        regions_.push_back({"firmware in RAM", kVideoRomBase, kMib - kVideoRomBase, adapters, false});
    } else {
        if (!video_bios_.empty())
            regions_.push_back({"video BIOS", kVideoRomBase, round_up(video_bios_.size()), adapters, true});
        regions_.push_back(
            {"system BIOS", kMib - bios_low, bios_low, high_ + (kMib - bios_low - kConventionalEnd), true});
    }
    if (ram_mib_ > 1) regions_.push_back({"extended RAM", kMib, ram_mib_ * kMib - kMib, ram_ + kMib, false});
    regions_.push_back(
        {"system BIOS at 4 GiB", kFourGib - system_bios_.size(), system_bios_.size(), top_, true});
}

const MemoryRegion* PhysicalMemory::find(std::uint64_t at) const {
    for (const MemoryRegion& region : regions_)
        if (at - region.first < region.size) return &region;
    return nullptr;
}

void PhysicalMemory::read(std::uint64_t at, std::span<std::uint8_t> out) const {
    while (!out.empty()) {
        const MemoryRegion* region = find(at);
        // Where nothing is, go on to the next page: regions start and end on pages.
        const std::uint64_t room = region ? region->first + region->size - at : kPage - at % kPage;
        const std::size_t part = std::min<std::uint64_t>(room, out.size());
        if (region)
            std::memcpy(out.data(), region->memory + (at - region->first), part);
        else
            std::memset(out.data(), 0xff, part);
        at += part;
        out = out.subspan(part);
    }
}

void PhysicalMemory::write(std::uint64_t at, std::span<const std::uint8_t> in) {
    while (!in.empty()) {
        const MemoryRegion* region = find(at);
        const std::uint64_t room = region ? region->first + region->size - at : kPage - at % kPage;
        const std::size_t part = std::min<std::uint64_t>(room, in.size());
        if (region && !region->read_only) std::memcpy(region->memory + (at - region->first), in.data(), part);
        at += part;
        in = in.subspan(part);
    }
}

bool PhysicalMemory::restore_firmware() {
    if (!firmware_writable_) return false;
    copy_firmware();
    return true;
}

} // namespace btvm

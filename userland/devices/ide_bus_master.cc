#include "userland/devices/ide_bus_master.hh"

#include <algorithm>
#include <array>

#include "userland/devices/state.hh"

namespace btvm {

namespace {

constexpr unsigned kCommand = 0;
constexpr unsigned kStatus = 2;
constexpr unsigned kTable = 4;
constexpr std::uint8_t kStart = 0x01;
constexpr std::uint8_t kToMemory = 0x08;
constexpr std::uint32_t kRegionMax = 0x10000;

} // namespace

void IdeBusMaster::reset() {
    command_ = status_ = 0;
    table_ = next_ = address_ = left_ = 0;
    last_ = false;
}

std::uint32_t IdeBusMaster::read(unsigned reg, unsigned size) const {
    const std::array<std::uint8_t, 8> bytes{command_,
                                            0,
                                            status_,
                                            0,
                                            static_cast<std::uint8_t>(table_),
                                            static_cast<std::uint8_t>(table_ >> 8),
                                            static_cast<std::uint8_t>(table_ >> 16),
                                            static_cast<std::uint8_t>(table_ >> 24)};
    std::uint32_t value = 0;
    for (unsigned i = 0; i < size; i++)
        value |= std::uint32_t{bytes[(reg + i) % bytes.size()]} << 8 * i;
    return value;
}

void IdeBusMaster::write(unsigned reg, unsigned size, std::uint32_t value) {
    for (unsigned i = 0; i < size; i++) {
        const unsigned at = (reg + i) % 8;
        const auto byte = static_cast<std::uint8_t>(value >> 8 * i);
        if (at == kCommand) {
            write_command(byte);
        } else if (at == kStatus) {
            status_ = static_cast<std::uint8_t>((status_ & ~kCapable & ~(byte & (kError | kInterrupt))) |
                                                (byte & kCapable));
        } else if (at >= kTable) {
            const unsigned shift = 8 * (at - kTable);
            table_ = ((table_ & ~(0xffu << shift)) | std::uint32_t{byte} << shift) & ~3u;
        }
    }
}

void IdeBusMaster::write_command(std::uint8_t value) {
    const bool started = command_ & kStart;
    command_ = value & (kStart | kToMemory);
    if (!(value & kStart)) {
        status_ &= static_cast<std::uint8_t>(~kActive);
        return;
    }
    if (started) return;
    status_ |= kActive;
    next_ = table_;
    left_ = 0;
    last_ = false;
    if (ready() && ready_) ready_();
}

void IdeBusMaster::enable(bool enabled) {
    const bool was_ready = ready();
    enabled_ = enabled;
    if (!was_ready && ready() && ready_) ready_();
}

/// Takes the next descriptor: base address, byte count (0 is 64 KiB), end of table in bit 31 of the second
/// double word. Base and count are even.
bool IdeBusMaster::next_region() {
    if (last_) {
        status_ &= static_cast<std::uint8_t>(~kActive);
        return false;
    }
    std::array<std::uint8_t, 8> bytes{};
    platform_.dma_read(next_, bytes);
    const auto word = [&bytes](unsigned at) {
        return static_cast<std::uint32_t>(bytes[at] | bytes[at + 1] << 8);
    };
    address_ = (word(0) | word(2) << 16) & ~1u;
    left_ = word(4) & ~1u;
    if (left_ == 0) left_ = kRegionMax;
    last_ = word(6) & 0x8000;
    next_ += 8;
    return true;
}

template <class Move>
std::size_t IdeBusMaster::move(std::size_t bytes, Move&& part) {
    std::size_t moved = 0;
    while (moved < bytes && ready()) {
        if (left_ == 0 && !next_region()) break;
        const std::size_t now = std::min<std::size_t>(left_, bytes - moved);
        part(address_, moved, now);
        moved += now;
        address_ += static_cast<std::uint32_t>(now);
        left_ -= static_cast<std::uint32_t>(now);
        // The engine knows that it is through as soon as the last region is full.
        if (left_ == 0 && last_) (void)next_region();
    }
    return moved;
}

std::size_t IdeBusMaster::to_memory(std::span<const std::uint8_t> data) {
    return move(data.size(), [&](std::uint32_t address, std::size_t at, std::size_t count) {
        platform_.dma_write(address, data.subspan(at, count));
    });
}

std::size_t IdeBusMaster::from_memory(std::span<std::uint8_t> data) {
    return move(data.size(), [&](std::uint32_t address, std::size_t at, std::size_t count) {
        platform_.dma_read(address, data.subspan(at, count));
    });
}

void IdeBusMaster::describe(StateArchive& a) {
    a.field("enabled", enabled_);
    a.field("command", command_, {.below = 0x10});
    a.field("status", status_, {.below = 0x80});
    a.field("table", table_);
    a.field("next", next_);
    a.field("address", address_);
    a.field("left", left_, {.below = kRegionMax + 1});
    a.field("last", last_);
    // Version 1 told a second time what the status says.
    bool stopped_at_end = false;
    a.field("stopped_at_end", stopped_at_end, {.present = a.version() < 2});
}

} // namespace btvm

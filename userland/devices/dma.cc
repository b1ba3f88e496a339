#include "userland/devices/dma.hh"

#include <algorithm>

#include "userland/devices/state.hh"

namespace btvm {

namespace {

// Mode register.
constexpr unsigned kTypeToMemory = 1;
constexpr unsigned kTypeFromMemory = 2;
constexpr unsigned type(std::uint8_t mode) { return (mode >> 2) & 3; }
constexpr bool autoinitialise(std::uint8_t mode) { return mode & 0x10; }
constexpr bool downwards(std::uint8_t mode) { return mode & 0x20; }
constexpr bool cascade(std::uint8_t mode) { return (mode >> 6) == 3; }

constexpr std::uint8_t kControllerDisabled = 0x04; ///< Command register.

/// Where the page of each channel lies in 80h to 8Fh (IBM AT technical reference). 4 has the refresh page.
constexpr std::uint8_t kPageIndex[8] = {7, 3, 1, 2, 15, 11, 9, 10};

constexpr std::uint8_t bit(unsigned n) { return static_cast<std::uint8_t>(1u << n); }

} // namespace

std::vector<PortRange> Dma::ports() const { return {{0x00, 16}, {0x80, 16}, {0xc0, 32}}; }

void Dma::master_clear(Controller& c) {
    c.command = 0;
    c.mask = 0x0f;
    c.software_requests = 0;
    c.terminal_counts = 0;
    c.high_byte = false;
}

void Dma::reset() {
    for (Controller& c : controllers_)
        master_clear(c);
    pages_.fill(0);
}

std::uint32_t Dma::read(std::uint16_t port, unsigned) {
    if (port < 0x10) return read_register(controllers_[0], port);
    if ((port & ~15u) == 0x80) return pages_[port & 15];
    if ((port & ~31u) == 0xc0) return read_register(controllers_[1], (port >> 1) & 15u); // A0 is not wired
    return 0xff;
}

void Dma::write(std::uint16_t port, unsigned, std::uint32_t value) {
    const auto byte = static_cast<std::uint8_t>(value);
    if (port < 0x10)
        write_register(controllers_[0], port, byte);
    else if ((port & ~15u) == 0x80)
        pages_[port & 15] = byte;
    else if ((port & ~31u) == 0xc0)
        write_register(controllers_[1], (port >> 1) & 15u, byte);
}

std::uint8_t Dma::read_register(Controller& c, unsigned index) {
    if (index < 8) {
        const Channel& channel = c.channel[index >> 1];
        const std::uint16_t value = index & 1 ? channel.count : channel.address;
        c.high_byte = !c.high_byte;
        return static_cast<std::uint8_t>(c.high_byte ? value : value >> 8);
    }
    switch (index) {
    case 8: {
        const auto status =
            static_cast<std::uint8_t>(c.terminal_counts | (c.requests | c.software_requests) << 4);
        c.terminal_counts = 0; // reading clears them
        return status;
    }
    case 13: return 0; // the temporary register: no memory-to-memory transfer ever filled it
    case 15: return 0xf0 | c.mask;
    default: return 0xff;
    }
}

void Dma::write_register(Controller& c, unsigned index, std::uint8_t value) {
    if (index < 8) {
        Channel& channel = c.channel[index >> 1];
        std::uint16_t& base = index & 1 ? channel.base_count : channel.base_address;
        base = c.high_byte ? static_cast<std::uint16_t>((base & 0x00ff) | value << 8)
                           : static_cast<std::uint16_t>((base & 0xff00) | value);
        (index & 1 ? channel.count : channel.address) = base;
        c.high_byte = !c.high_byte;
        return;
    }
    const std::uint8_t selected = bit(value & 3);
    switch (index) {
    case 8: c.command = value; break;
    case 9: // a software request moves nothing without a device, but shows in the status
        c.software_requests = static_cast<std::uint8_t>(value & 4 ? c.software_requests | selected
                                                                  : c.software_requests & ~selected);
        break;
    case 10: c.mask = static_cast<std::uint8_t>(value & 4 ? c.mask | selected : c.mask & ~selected); break;
    case 11: c.channel[value & 3].mode = value & 0xfc; break;
    case 12: c.high_byte = false; break;
    case 13: master_clear(c); break;
    case 14: c.mask = 0; break;
    case 15: c.mask = value & 0x0f; break;
    default: break;
    }
}

bool Dma::ready(unsigned channel) const {
    if (channel > 7 || channel == 4) return false;
    const Controller& c = controllers_[channel >> 2];
    const unsigned n = channel & 3;
    if ((c.command & kControllerDisabled) || (c.mask & bit(n)) || cascade(c.channel[n].mode)) return false;
    if (channel > 3) return true;
    // The first controller's requests go through channel 4 of the second, which firmware sets to cascade
    // mode.
    const Controller& second = controllers_[1];
    return !(second.command & kControllerDisabled) && !(second.mask & bit(0)) &&
           cascade(second.channel[0].mode);
}

std::uint64_t Dma::physical(unsigned channel, std::uint16_t address) const {
    const std::uint64_t page = pages_[kPageIndex[channel]];
    if (channel < 4) return page << 16 | address;
    return (page & 0xfe) << 16 | std::uint64_t{address}
                                     << 1; // word addresses; the page's low bit is not wired
}

/// Runs the channel for up to `bytes` bytes; move(physical, offset, length) is called for runs of rising
/// addresses.
template <class Move>
Dma::Transfer Dma::run(unsigned channel, std::size_t bytes, Move&& move) {
    if (!ready(channel)) return {0, false};
    Controller& c = controllers_[channel >> 2];
    Channel& ch = c.channel[channel & 3];
    const std::size_t unit = channel < 4 ? 1 : 2;
    std::size_t done = 0;
    while (bytes - done >= unit) {
        // One run: until the count or the span ends, or the 16-bit address wraps within its page.
        std::size_t units = std::min<std::size_t>((bytes - done) / unit, std::size_t{ch.count} + 1);
        units = downwards(ch.mode) ? 1 : std::min<std::size_t>(units, 0x10000u - ch.address);
        move(physical(channel, ch.address), done, units * unit);
        done += units * unit;
        ch.address = static_cast<std::uint16_t>(downwards(ch.mode) ? ch.address - 1 : ch.address + units);
        const bool ends = units == std::size_t{ch.count} + 1;
        ch.count = static_cast<std::uint16_t>(ch.count - units); // FFFFh at the end
        if (!ends) continue;
        c.terminal_counts |= bit(channel & 3);
        c.software_requests = static_cast<std::uint8_t>(c.software_requests & ~bit(channel & 3));
        if (autoinitialise(ch.mode)) {
            ch.address = ch.base_address;
            ch.count = ch.base_count;
        } else {
            c.mask |= bit(channel & 3);
        }
        return {done, true};
    }
    return {done, false};
}

Dma::Transfer Dma::to_memory(unsigned channel, std::span<const std::uint8_t> data) {
    return run(channel, data.size(), [&](std::uint64_t at, std::size_t offset, std::size_t length) {
        if (type(controllers_[channel >> 2].channel[channel & 3].mode) == kTypeToMemory)
            platform_.dma_write(at, data.subspan(offset, length));
    });
}

Dma::Transfer Dma::from_memory(unsigned channel, std::span<std::uint8_t> data) {
    return run(channel, data.size(), [&](std::uint64_t at, std::size_t offset, std::size_t length) {
        const auto part = data.subspan(offset, length);
        if (type(controllers_[channel >> 2].channel[channel & 3].mode) == kTypeFromMemory)
            platform_.dma_read(at, part);
        else
            std::fill(part.begin(), part.end(), 0xff);
    });
}

void Dma::set_request(unsigned channel, bool level) {
    if (channel > 7) return;
    Controller& c = controllers_[channel >> 2];
    const std::uint8_t mask = bit(channel & 3);
    c.requests = static_cast<std::uint8_t>(level ? c.requests | mask : c.requests & ~mask);
}

void Dma::Channel::describe(StateArchive& a) {
    a.field("base_address", base_address);
    a.field("base_count", base_count);
    a.field("address", address);
    a.field("count", count);
    a.field("mode", mode);
}

void Dma::Controller::describe(StateArchive& a) {
    a.field("channels", channel);
    a.field("command", command);
    a.field("mask", mask, {.below = 16});
    a.field("requests", requests, {.below = 16});
    a.field("software_requests", software_requests, {.below = 16});
    a.field("terminal_counts", terminal_counts, {.below = 16});
    a.field("high_byte", high_byte);
}

void Dma::describe(StateArchive& a) {
    a.field("controllers", controllers_);
    a.field("pages", pages_);
}

} // namespace btvm

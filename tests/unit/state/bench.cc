#include "tests/unit/state/bench.hh"

#include <algorithm>
#include <cstring>

#include "userland/devices/state.hh"

namespace btvm::test {

namespace {

/// FNV-1a over 64-bit pieces, with the upper half brought down.
constexpr std::uint64_t mix(std::uint64_t digest, std::uint64_t value) {
    digest = (digest ^ value) * 0x100000001b3;
    return digest ^ digest >> 29;
}

std::uint64_t digest_of(std::span<const std::uint8_t> bytes) {
    // Eight at once, and plainly: tests are not optimised.
    const std::uint8_t* at = bytes.data();
    std::size_t left = bytes.size();
    std::uint64_t digest = left;
    for (; left >= 8; at += 8, left -= 8) {
        std::uint64_t word;
        std::memcpy(&word, at, 8);
        digest = mix(digest, word);
    }
    for (; left; left--)
        digest = mix(digest, *at++);
    return digest;
}

constexpr std::uint32_t all_ones(unsigned size) { return size == 4 ? 0xffffffffu : (1u << 8 * size) - 1; }

} // namespace

GuestTime Random::time(GuestTime most) {
    const std::uint32_t kind = below(8);
    if (kind == 0) return {};
    const std::int64_t limit = kind < 4 ? most.count() / 50 : most.count();
    return GuestTime(static_cast<std::int64_t>((std::uint64_t{bits()} << 32 | bits()) % (limit + 1)));
}

void Seen::add(std::span<const std::uint8_t> bytes) { add(digest_of(bytes)); }

void Seen::add(std::string_view text) {
    add(std::span(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
}

std::uint64_t Seen::digest() const {
    std::uint64_t digest = values_.size();
    for (const std::uint64_t value : values_)
        digest = mix(digest, value);
    return digest;
}

void BenchBoard::dma_write(std::uint64_t at, std::span<const std::uint8_t> in) {
    written = mix(mix(written, at), digest_of(in));
    TestBoard::dma_write(at, in);
}

void BenchBoard::ports_changed(Device& device) {
    // As a machine: a device that is being made is not on the bus yet.
    if (const auto found = ports_.find(&device); found != ports_.end()) found->second = device.ports();
}

Device* BenchBoard::at(std::uint16_t port) const {
    for (const auto& [device, ranges] : ports_)
        for (const PortRange& range : ranges)
            if (port >= range.first && port - range.first < range.count) return device;
    return nullptr;
}

void BenchBoard::take_back(const BenchBoard& earlier) {
    static_cast<TestBoard&>(*this) = earlier;
    written = earlier.written;
}

void BenchBoard::watch(Seen& seen) const {
    for (unsigned line = 0; line < lines.size(); line++)
        seen.add(std::uint64_t{rises[line]} << 1 | lines[line]);
    seen.add(std::uint64_t{pm_timer} << 16 | resets << 1 | a20_gate);
    seen.add(written);
    std::uint64_t map = 0; // of all devices, in whatever order
    for (const auto& [device, ranges] : ports_)
        for (const PortRange& range : ranges)
            map += mix(range.first, range.count);
    seen.add(map);
}

void Bench::start() {
    devices_ = build();
    for (Device* const device : devices_)
        board.map(*device);
    power_on();
}

Sections Bench::save(std::string_view only) {
    Sections sections;
    for (Device* const device : devices_)
        if (only.empty() || device->name() == only) sections.push_back(save_state(*device));
    return sections;
}

void Bench::load(const Sections& sections) {
    for (std::size_t i = 0; i < devices_.size(); i++)
        load_state(*devices_[i], sections.at(i));
}

void Bench::there_and_back(const std::function<void()>& what) {
    const Sections sections = save();
    const BenchBoard earlier = board;
    const auto put_back = remember();
    what();
    put_back();
    board.take_back(earlier);
    load(sections);
    board.take_back(earlier); // as in replace()
}

void Bench::replace(const Sections& sections) {
    // What new devices do to the lines is undone where a machine is restored: that is part of the state of
    // the interrupt controllers and the board.
    const auto lines = board.lines;
    const auto rises = board.rises;
    const unsigned resets = board.resets;
    const bool a20 = board.a20_gate;
    board.unmap_all();
    board.pm_timer = 0;
    devices_ = build();
    for (Device* const device : devices_)
        board.map(*device);
    load(sections);
    board.lines = lines;
    board.rises = rises;
    board.resets = resets;
    board.a20_gate = a20;
}

void Bench::watch(Seen& seen) {
    board.watch(seen);
    for (const Device* const device : devices_) {
        const auto due = device->deadline();
        seen.add(due ? static_cast<std::uint64_t>(due->count()) : ~std::uint64_t{0});
    }
}

std::uint32_t Bench::in(std::uint16_t port, unsigned size) {
    Device* const device = board.at(port);
    if (!device) return all_ones(size);
    if (size == 1 || device->takes_words(port)) return device->read(port, size);
    std::uint32_t value = 0;
    for (unsigned i = 0; i < size; i++)
        value |= in(static_cast<std::uint16_t>(port + i)) << 8 * i;
    return value;
}

void Bench::out(std::uint16_t port, std::uint32_t value, unsigned size) {
    Device* const device = board.at(port);
    if (!device) return;
    if (size == 1 || device->takes_words(port)) return device->write(port, size, value & all_ones(size));
    for (unsigned i = 0; i < size; i++)
        out(static_cast<std::uint16_t>(port + i), value >> 8 * i & 0xff);
}

void Bench::advance(GuestTime by) {
    const GuestTime end = board.time + by;
    for (unsigned stops = 0;; stops++) {
        Device* next = nullptr;
        GuestTime first = end;
        for (Device* const device : devices_)
            if (const auto due = device->deadline(); due && *due <= first) {
                first = *due;
                next = device;
            }
        if (!next) break;
        if (stops > 100'000) throw std::runtime_error("a deadline does not move on");
        board.time = std::max(board.time, first);
        next->run_until(board.time);
    }
    board.time = end;
    for (Device* const device : devices_)
        device->run_until(end);
}

} // namespace btvm::test

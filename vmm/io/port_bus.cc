#include "vmm/io/port_bus.hh"

#include "vmm/interrupts/pic.hh"
#include "vmm/interrupts/pit.hh"

namespace btvm {

namespace {

/// Writes to these do nothing but take a bus cycle: the POST code port and the delay port of later systems.
/// They are frequent (every I/O delay of a BIOS or of Linux) and not worth leaving the world for. Reads go
/// the ordinary way.
constexpr bool is_delay(u16 port) { return port == 0x80 || port == 0xed; }

constexpr u32 size_mask(u8 size) { return size >= 4 ? 0xffffffffu : (1u << 8 * size) - 1; }

} // namespace

bool PortBus::in_core(u16 port) const { return Pic::owns(port) || Pit::owns(port); }

u8 PortBus::core_read(u16 port) {
    if (Pic::owns(port)) return pic_.read(port);
    if (Pit::owns(port)) return pit_.read(port, now_ns);
    return 0xff; // the rest of an access that only begins at a core port
}

void PortBus::core_write(u16 port, u8 value) {
    if (Pic::owns(port))
        pic_.write(port, value);
    else if (Pit::owns(port))
        pit_.write(port, value, now_ns);
}

IoStatus PortBus::read(u16 port, u8 size, u32& value) {
    if (!in_core(port)) return ask(false, port, size, value);
    counters_.in_core++;
    // The chips are 8 bits wide: the ISA bus runs one cycle a byte, at rising ports.
    value = 0;
    for (u8 i = 0; i < size; i++)
        value |= static_cast<u32>(core_read(static_cast<u16>(port + i))) << 8 * i;
    return IoStatus::Done;
}

IoStatus PortBus::write(u16 port, u8 size, u32 value) {
    if (is_delay(port) && size == 1) {
        counters_.in_core++;
        return IoStatus::Done;
    }
    if (!in_core(port)) return ask(true, port, size, value);
    counters_.in_core++;
    for (u8 i = 0; i < size; i++)
        core_write(static_cast<u16>(port + i), static_cast<u8>(value >> 8 * i));
    return IoStatus::Done;
}

IoStatus PortBus::ask(bool write, u16 port, u8 size, u32& value) {
    const bool same = request_.port == port && request_.size == size && (request_.write != 0) == write &&
                      (!write || request_.value == (value & size_mask(size)));
    if (request_.phase == PortRequest::Phase::Answered && same) {
        request_.phase = PortRequest::Phase::Idle;
        if (!write) value = request_.value & size_mask(size);
        return IoStatus::Done;
    }
    // An answer to some other access is stale (the guest was interrupted or restored in between): it is
    // dropped.
    request_ = PortRequest{};
    request_.phase = PortRequest::Phase::Asked;
    request_.write = write;
    request_.size = size;
    request_.port = port;
    request_.value = write ? value & size_mask(size) : 0;
    counters_.userland++;
    return IoStatus::NeedsUserland;
}

} // namespace btvm

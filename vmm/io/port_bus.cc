#include "vmm/io/port_bus.hh"

#include "vmm/interrupts/pic.hh"
#include "vmm/interrupts/pit.hh"
#include "vmm/interrupts/pm_timer.hh"

namespace btvm {

namespace {

constexpr u16 kPostPort = 0x80;
constexpr u16 kDelayPort = 0xed; // of later systems

bool chip_owns(u16 port) { return Pic::owns(port) || Pit::owns(port); }

constexpr u32 size_mask(u8 size) { return size >= 4 ? 0xffffffffu : (1u << 8 * size) - 1; }

} // namespace

/// Writes to these do nothing but take a bus cycle. They are frequent (every I/O delay of a BIOS or of Linux)
/// and not worth leaving the world for. Reads go the ordinary way.
bool PortBus::is_delay(u16 port) const { return port == kDelayPort || (port == kPostPort && !post_port); }

bool PortBus::in_core(bool write, u16 port, u8 size) const {
    return chip_owns(port) || (write ? is_delay(port) && size == 1 : timer_owns(port, size));
}

bool PortBus::timer_owns(u16 port, u8 size) const { return pm_timer && pm_timer->owns(port, size); }

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

void PortBus::set_ferr(bool level) { pic_.set_ferr(level); }

bool PortBus::ignne() const { return pic_.fpu_error().ignne; }

IoStatus PortBus::read(u16 port, u8 size, u32& value) {
    if (!in_core(false, port, size)) return ask(false, port, size, value);
    counters_.in_core++;
    if (!chip_owns(port)) {
        value = pm_timer->read(port, size, now_ns);
        return IoStatus::Done;
    }
    // The chips are 8 bits wide: the ISA bus runs one cycle a byte, at rising ports.
    value = 0;
    for (u8 i = 0; i < size; i++)
        value |= static_cast<u32>(core_read(static_cast<u16>(port + i))) << 8 * i;
    return IoStatus::Done;
}

IoStatus PortBus::write(u16 port, u8 size, u32 value) {
    if (!in_core(true, port, size)) return ask(true, port, size, value);
    counters_.in_core++;
    for (u8 i = 0; i < size; i++)
        core_write(static_cast<u16>(port + i), static_cast<u8>(value >> 8 * i));
    return IoStatus::Done;
}

IoStatus PortBus::ask(bool write, u16 port, u8 size, u32& value) {
    if (answered(write, port, size) && request_.count == 1 &&
        (!write || request_.value() == (value & size_mask(size)))) {
        request_.forget();
        if (!write) value = request_.value();
        return IoStatus::Done;
    }
    ask_for(write, port, size, 1);
    request_.set_value(write ? value : 0);
    return IoStatus::NeedsUserland;
}

bool PortBus::answered(bool write, u16 port, u8 size) const {
    return request_.phase == PortRequest::Phase::Answered && request_.port == port && request_.size == size &&
           (request_.write != 0) == write;
}

/// An answer to some other access is stale (the guest was interrupted or restored in between): it is dropped.
void PortBus::ask_for(bool write, u16 port, u8 size, u32 count) {
    request_.phase = PortRequest::Phase::Asked;
    request_.write = write;
    request_.size = size;
    request_.port = port;
    request_.count = count;
    counters_.userland++;
}

IoStatus PortBus::block(bool write, u16 port, u8 size, u32& count) {
    // What was asked for is what has happened: no more, no less. What has been written is not looked at
    // again: the device may have changed the guest's memory meanwhile.
    if (answered(write, port, size) && request_.count <= count) {
        request_.forget();
        count = request_.count;
        return IoStatus::Done;
    }
    const u32 most = PortRequest::kMostBytes / size;
    if (count > most) count = most;
    ask_for(write, port, size, count);
    return IoStatus::NeedsUserland;
}

IoStatus PortBus::read_block(u16 port, u8 size, u32& count, const u8*& data) {
    const IoStatus status = block(false, port, size, count);
    if (status == IoStatus::NeedsUserland) __builtin_memset(request_.data, 0, request_.bytes());
    data = request_.data;
    return status;
}

IoStatus PortBus::write_block(u16 port, u8 size, u32& count, u8*& data) {
    data = request_.data;
    return block(true, port, size, count);
}

} // namespace btvm

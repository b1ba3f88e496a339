// IN, OUT, INS and OUTS. An access that needs userland leaves everything as it was: the instruction (or the
// one iteration of it) runs again once the answer is there.
#include "vmm/interpret/execution.hh"

namespace btvm {

/// The I/O permission check of SDM Vol. 1 18.5.
bool Execution::io_allowed(u16 port, unsigned size) {
    if (!cpu_.protected_mode() || (!cpu_.v86() && cpu_.cpl() <= iopl())) return true;
    constexpr u32 kMapBase = 0x66;
    const Segment& tss = cpu_.tr;
    // Only a 32-bit TSS has a map.
    if (!tss.access.present() || (tss.access.type() & 0xd) != 9 || tss.limit < kMapBase + 1)
        return general_protection();
    u16 map = 0;
    if (!read_system(static_cast<u32>(tss.base) + kMapBase, 2, &map)) return false;
    const u32 at = map + port / 8u;
    if (at + 1 > tss.limit) return general_protection(); // two bytes are always read
    u16 bits = 0;
    if (!read_system(static_cast<u32>(tss.base) + at, 2, &bits)) return false;
    if (bits >> (port & 7) & ((1u << size) - 1)) return general_protection();
    return true;
}

bool Execution::port_read(u16 port, unsigned size, u32& value) {
    value = 0;
    if (ports_.read(port, static_cast<u8>(size), value) == IoStatus::NeedsUserland) {
        io_ = true;
        return false;
    }
    value &= alu::mask(size);
    watch_port(port, size);
    return true;
}

bool Execution::port_write(u16 port, unsigned size, u32 value) {
    if (ports_.write(port, static_cast<u8>(size), value) == IoStatus::NeedsUserland) {
        io_ = true;
        return false;
    }
    watch_port(port, size);
    return true;
}

/// E4 to E7 (port in the instruction) and EC to EF (port in DX). Bit 1 of the opcode says OUT.
bool Execution::in_out() {
    const unsigned size = wide(in_.opcode);
    const u16 port = in_.opcode & 8 ? static_cast<u16>(reg(Rdx, 2)) : static_cast<u8>(in_.immediate);
    if (!io_allowed(port, size)) return false;
    if (in_.opcode & 2) return port_write(port, size, reg(Rax, size));
    u32 value;
    if (!port_read(port, size, value)) return false;
    set_reg(Rax, size, value);
    return true;
}

bool Execution::string_in(unsigned size) {
    const u16 port = static_cast<u16>(reg(Rdx, 2));
    MemoryRef to;
    if (!io_allowed(port, size) || !data_ref(Es, reg(Rdi, in_.address_size), size, Mode::Write, to))
        return false;
    u32 value;
    if (!port_read(port, size, value)) return false;
    store(to, value);
    advance(Rdi, size);
    return true;
}

bool Execution::string_out(unsigned size) {
    const u16 port = static_cast<u16>(reg(Rdx, 2));
    u32 value;
    if (!io_allowed(port, size) || !read_data(override_or(Ds), reg(Rsi, in_.address_size), size, value))
        return false;
    if (!port_write(port, size, value)) return false;
    advance(Rsi, size);
    return true;
}

} // namespace btvm

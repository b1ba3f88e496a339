// IN, OUT, INS and OUTS. An access that needs userland leaves everything as it was: the instruction (or the
// iterations of it that were asked for) runs again once the answer is there.
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

/// Whether the instruction is an INS or OUTS to a port that userland answers.
bool Execution::uses_userland_port(unsigned size) const {
    const bool write = in_.opcode & 2;
    return (in_.opcode & 0xfc) == 0x6c &&
           !ports_.in_core(write, static_cast<u16>(reg(Rdx, 2)), static_cast<u8>(size));
}

/// How many elements from segment:offset upwards are within the segment and one page, without a wrap of the
/// offset. May err towards fewer.
u32 Execution::block_room(unsigned size, u32 left, const Segment& segment, u32 offset) const {
    u32 count = left;
    const auto fit = [&](u32 bytes) {
        if (bytes / size < count) count = bytes / size;
    };
    fit(alu::mask(in_.address_size) - offset);
    if (!segment.access.expand_down()) fit(segment.limit > offset ? segment.limit - offset : 0);
    const u32 linear = static_cast<u32>(segment.base) + offset;
    fit(static_cast<u32>(kPageSize) - (linear & kPageMask));
    fit(owner_.port_block);
    return count;
}

/// Many iterations of an upward REP INS or OUTS in one exchange with userland. Everything is checked before
/// userland is asked, and again when the answer is there, so nothing can fail half-way. Returns how many are
/// done; 0 with io_: userland is asked; 0 without: one by one, and any fault is found there.
u32 Execution::port_block(unsigned size, u32 left) {
    if (cpu_.has_breakpoints() || flag(eflags::kTf) || flag(eflags::kDf) || alignment_checked()) return 0;
    const bool write = in_.opcode & 2;
    const u16 port = static_cast<u16>(reg(Rdx, 2));
    const Segment& segment = cpu_.seg[write ? override_or(Ds) : Es];
    const Gpr index = write ? Rsi : Rdi;
    const u32 offset = reg(index, in_.address_size);
    u32 count = block_room(size, left, segment, offset);
    if (count < 2) return 0;
    const Mode mode = write ? Mode::Read : Mode::Write;
    MemoryRef memory;
    if (!io_allowed(port, size) ||
        !check_segment(segment, offset, count * size, mode, Vector::GeneralProtection, 0) ||
        !resolve(static_cast<u32>(segment.base) + offset, count * size, mode, user_access(), memory))
        return 0;

    u8* to = nullptr;
    const u8* from = nullptr;
    const IoStatus status = write ? ports_.write_block(port, static_cast<u8>(size), count, to)
                                  : ports_.read_block(port, static_cast<u8>(size), count, from);
    memory.size = memory.first_bytes = count * size;
    if (status == IoStatus::NeedsUserland) {
        if (write) load_bytes(memory, to);
        io_ = true;
        return 0;
    }
    if (!write) store_bytes(memory, from);
    set_reg(index, in_.address_size, offset + count * size);
    return count;
}

} // namespace btvm

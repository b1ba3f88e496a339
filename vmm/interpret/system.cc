// Interrupt flag, HLT, descriptor-table and task registers, selector checks.
#include "vmm/interpret/execution.hh"

namespace btvm {

namespace {

constexpr u64 kBusyBit = u64{1} << 41;

} // namespace

/// CLI and STI. STI holds interrupts off for one more instruction if they were off (SDM Vol. 2B, STI).
bool Execution::set_interrupt_flag(bool on) {
    if (cpu_.protected_mode() && cpu_.cpl() > iopl()) return general_protection();
    if (on && !flag(eflags::kIf)) shadow_ = true;
    alu::set_flag(cpu_.rflags, eflags::kIf, on);
    return true;
}

bool Execution::halt() {
    if (!privileged()) return false;
    cpu_.activity = Activity::Halted;
    return true;
}

/// Stores a 16-bit system value: all of a register operand is written, zero-extended, but only 2 bytes of
/// memory.
bool Execution::store_word(u16 value) { return write_rm(in_.mod() == 3 ? in_.operand_size : 2, value); }

/// SLDT, STR, LLDT, LTR, VERR, VERW.
bool Execution::group_0f00() {
    if (cpu_.real_addressing()) return undefined();
    u32 selector;
    switch (in_.reg()) {
    case 0: return store_word(cpu_.ldtr.selector);
    case 1: return store_word(cpu_.tr.selector);
    case 2: return privileged() && read_rm(2, selector) && load_ldt(static_cast<u16>(selector));
    case 3: return privileged() && read_rm(2, selector) && load_task_register(static_cast<u16>(selector));
    case 4: return verify(false);
    case 5: return verify(true);
    default: return undefined();
    }
}

bool Execution::load_ldt(u16 selector) {
    const u32 error = selector & 0xfffcu;
    if (!error) {
        cpu_.ldtr = Segment{0, 0, selector, AccessRights{}};
        return true;
    }
    Descriptor d;
    u32 at;
    if (selector & 4) return general_protection(error);
    if (!read_descriptor(selector, d, at)) return false;
    if (d.access().is_code_or_data() || d.access().type() != 2) return general_protection(error);
    if (!d.access().present()) return fault(Vector::SegmentNotPresent, error);
    cpu_.ldtr = d.segment(selector);
    return true;
}

bool Execution::load_task_register(u16 selector) {
    const u32 error = selector & 0xfffcu;
    Descriptor d;
    u32 at;
    if (!error) return general_protection();
    if (selector & 4) return general_protection(error);
    if (!read_descriptor(selector, d, at)) return false;
    if (d.access().is_code_or_data() || (d.access().type() & 7) != 1) return general_protection(error);
    if (!d.access().present()) return fault(Vector::SegmentNotPresent, error);
    d.raw |= kBusyBit;
    const u8 type = static_cast<u8>(d.raw >> 40);
    if (!write_system(at + 5, 1, &type)) return false;
    cpu_.tr = d.segment(selector);
    return true;
}

/// VERR and VERW: ZF tells whether the segment is readable or writable from here. Only the access to the
/// table can fault.
bool Execution::verify(bool write) {
    u32 raw;
    if (!read_rm(2, raw)) return false;
    const u16 selector = static_cast<u16>(raw);
    bool good = false;
    Descriptor d;
    u32 at;
    if (!(selector & 0xfffc)) {
        good = false;
    } else if (read_descriptor(selector, d, at)) {
        const AccessRights a = d.access();
        const bool reachable = a.conforming() || (a.dpl() >= cpu_.cpl() && a.dpl() >= (selector & 3));
        good = a.is_code_or_data() && reachable && (write ? a.writable() : a.readable());
    } else if (fault_.vector == static_cast<u8>(Vector::PageFault)) {
        return false;
    }
    alu::set_flag(cpu_.rflags, eflags::kZf, good);
    return true;
}

/// LAR and LSL.
bool Execution::load_access_or_limit(bool limit) {
    if (cpu_.real_addressing()) return undefined();
    // System types each accepts (SDM Vol. 2A tables 3-53 and 3-54), one bit a type.
    constexpr u32 kLarTypes = 1u << 1 | 1u << 2 | 1u << 3 | 1u << 4 | 1u << 5 | 1u << 9 | 1u << 11 | 1u << 12;
    constexpr u32 kLslTypes = 1u << 1 | 1u << 2 | 1u << 3 | 1u << 9 | 1u << 11;
    u32 raw;
    if (!read_rm(2, raw)) return false;
    const u16 selector = static_cast<u16>(raw);
    bool good = false;
    Descriptor d;
    u32 at;
    if (!(selector & 0xfffc)) {
        good = false;
    } else if (read_descriptor(selector, d, at)) {
        const AccessRights a = d.access();
        const bool reachable = a.conforming() || (a.dpl() >= cpu_.cpl() && a.dpl() >= (selector & 3));
        good = reachable && (a.is_code_or_data() || ((limit ? kLslTypes : kLarTypes) >> a.type() & 1));
    } else if (fault_.vector == static_cast<u8>(Vector::PageFault)) {
        return false;
    }
    if (good) set_reg(in_.reg(), in_.operand_size, limit ? d.limit() : u32{d.access().value} << 8);
    alu::set_flag(cpu_.rflags, eflags::kZf, good);
    return true;
}

bool Execution::adjust_rpl() {
    if (cpu_.real_addressing()) return undefined();
    Operand o;
    if (!open_rm(2, Mode::Write, o)) return false;
    const u32 a = get(o, 2);
    const u32 rpl = reg(in_.reg(), 2) & 3;
    const bool raise = (a & 3) < rpl;
    put(o, 2, raise ? (a & ~3u) | rpl : a);
    alu::set_flag(cpu_.rflags, eflags::kZf, raise);
    return true;
}

/// SGDT and SIDT. The manual's "24 bits for 16-bit operands" is of the 80286; later processors store all 32.
bool Execution::store_table(const TableRegister& t) {
    MemoryRef limit, base;
    if (!memory_ref(2, Mode::Write, limit) || !memory_ref(4, Mode::Write, base, 2)) return false;
    store(limit, t.limit);
    store(base, static_cast<u32>(t.base));
    return true;
}

bool Execution::load_table(TableRegister& t) {
    MemoryRef limit, base;
    if (!memory_ref(2, Mode::Read, limit) || !memory_ref(4, Mode::Read, base, 2)) return false;
    t.limit = static_cast<u16>(load(limit));
    t.base = load(base) & (in_.operand_size == 2 ? 0xffffffu : 0xffffffffu);
    return true;
}

/// SGDT, SIDT, LGDT, LIDT, SMSW, LMSW, INVLPG.
bool Execution::group_0f01() {
    const unsigned r = in_.reg();
    if (in_.mod() == 3 && r != 4 && r != 6) return undefined();
    u32 value;
    switch (r) {
    case 0: return store_table(cpu_.gdtr);
    case 1: return store_table(cpu_.idtr);
    case 2: return privileged() && load_table(cpu_.gdtr);
    case 3: return privileged() && load_table(cpu_.idtr);
    case 4:
        // A 32-bit register operand gets all of CR0.
        return write_rm(in_.mod() == 3 ? in_.operand_size : 2, static_cast<u32>(cpu_.cr0));
    case 6:
        if (!privileged() || !read_rm(2, value)) return false;
        // LMSW reaches PE, MP, EM and TS, and cannot clear PE.
        return write_cr0((static_cast<u32>(cpu_.cr0) & ~0xeu) | (value & 0xf));
    case 7: return privileged() && invalidate_page();
    default: return undefined();
    }
}

/// INVLPG never faults on its operand: neither limits nor rights are looked at.
bool Execution::invalidate_page() {
    SegReg segment;
    const u32 offset = effective_offset(segment);
    owner_.page_invalidated = true;
    if (owner_.translations) owner_.translations->flush();
    owner_.invalidated_linear = static_cast<u32>(cpu_.seg[segment].base) + offset;
    return true;
}

} // namespace btvm

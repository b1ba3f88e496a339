// Loading segment registers: descriptors, their checks (SDM Vol. 3A chapter 5), and the instructions that do
// it.
#include "vmm/interpret/execution.hh"

namespace btvm {

namespace {

constexpr u16 kPresent = 0x80;
constexpr u16 kDataReadWrite = 0x93;
constexpr u16 kV86Rights = 0xf3;

} // namespace

/// Reads the descriptor `selector` names; outside its table: `v` with `error`.
bool Execution::read_descriptor(u16 selector, Descriptor& out, u32& linear, Vector v, u32 error) {
    const bool local = selector & 4;
    if (local && cpu_.ldtr.null()) return fault(v, error);
    const u32 index = selector & 0xfff8u;
    const u32 limit = local ? cpu_.ldtr.limit : cpu_.gdtr.limit;
    if (index + 7 > limit) return fault(v, error);
    linear = static_cast<u32>(local ? cpu_.ldtr.base : cpu_.gdtr.base) + index;
    return read_system(linear, 8, &out.raw);
}

/// Sets the accessed bit of a code or data descriptor in memory, if it is clear there.
bool Execution::set_accessed(Descriptor& d, u32 linear) {
    constexpr u64 kAccessedBit = u64{1} << 40;
    if (d.raw & kAccessedBit) return true;
    d.raw |= kAccessedBit;
    const u8 byte = static_cast<u8>(d.raw >> 40);
    return write_system(linear + 5, 1, &byte);
}

/// DS, ES, FS, GS in protected mode. A null selector makes the register unusable and leaves its base and
/// limit.
bool Execution::prepare_data_segment(u16 selector, Segment& out) {
    Descriptor d;
    u32 at;
    if (!read_descriptor(selector, d, at)) return false;
    const u32 error = selector & 0xfffcu;
    const AccessRights a = d.access();
    if (!a.is_code_or_data() || !a.readable()) return general_protection(error);
    const unsigned rpl = selector & 3;
    if (!a.conforming() && (a.dpl() < rpl || a.dpl() < cpu_.cpl())) return general_protection(error);
    if (!a.present()) return fault(Vector::SegmentNotPresent, error);
    if (!set_accessed(d, at)) return false;
    out = d.segment(selector);
    return true;
}

/// SS for a stack at level `cpl`. `v` is what bad selectors raise: #GP, or #TS when the selector comes from a
/// TSS. `ext` is 1 while an external event is delivered.
bool Execution::prepare_stack_segment(u16 selector, unsigned cpl, Vector v, u32 ext, Segment& out) {
    const u32 error = (selector & 0xfffcu) | ext;
    Descriptor d;
    u32 at;
    if (!(selector & 0xfffc)) return fault(v, ext);
    if (!read_descriptor(selector, d, at, v, error)) return false;
    const AccessRights a = d.access();
    if ((selector & 3u) != cpl || !a.writable() || a.dpl() != cpl) return fault(v, error);
    if (!a.present()) return fault(Vector::StackFault, error);
    if (!set_accessed(d, at)) return false;
    out = d.segment(selector);
    return true;
}

/// What loading `selector` in real mode or v86 gives. In real mode only the base changes, so limits loaded in
/// protected mode stay; a register that was unusable becomes an ordinary data segment.
Segment Execution::real_segment(SegReg s, u16 selector) const {
    Segment r = cpu_.seg[s];
    r.selector = selector;
    r.base = u32{selector} << 4;
    if (cpu_.v86()) {
        r.limit = 0xffff;
        r.access.value = kV86Rights;
    } else if (r.null() || s == Cs) {
        r.access.value = static_cast<u16>((r.access.value & 0xf000) | kDataReadWrite);
    }
    return r;
}

/// Any register but CS.
bool Execution::prepare_segment(SegReg s, u16 selector, Segment& out) {
    if (cpu_.real_addressing()) {
        out = real_segment(s, selector);
        return true;
    }
    if (s == Ss) return prepare_stack_segment(selector, cpu_.cpl(), Vector::GeneralProtection, 0, out);
    if (selector & 0xfffc) return prepare_data_segment(selector, out);
    out = cpu_.seg[s];
    out.selector = selector;
    out.access.value &= static_cast<u16>(~kPresent);
    return true;
}

bool Execution::load_segment(SegReg s, u16 selector) {
    Segment loaded;
    if (!prepare_segment(s, selector, loaded)) return false;
    cpu_.seg[s] = loaded;
    return true;
}

/// LES, LDS, LSS, LFS, LGS.
bool Execution::load_far(SegReg s) {
    if (!in_.memory_operand()) return undefined();
    FarPointer p;
    if (!read_far_pointer(p) || !load_segment(s, p.selector)) return false;
    set_reg(in_.reg(), in_.operand_size, p.offset);
    return true;
}

/// MOV Sreg, r/m16.
bool Execution::move_to_segment() {
    const unsigned s = in_.reg();
    if (s == Cs || s >= kSegRegCount) return undefined();
    u32 selector;
    if (!read_rm(2, selector) || !load_segment(SegReg(s), static_cast<u16>(selector))) return false;
    if (s == Ss) shadow_ = debug_shadow_ = true;
    return true;
}

/// On a return to an outer level, data segments the outer level may not use become null (SDM Vol. 3A 5.8.6).
void Execution::drop_outer_segments(unsigned cpl) {
    constexpr SegReg kData[] = {Es, Ds, Fs, Gs};
    for (SegReg s : kData) {
        Segment& r = cpu_.seg[s];
        if (!r.access.conforming() && r.access.dpl() < cpl) {
            r.selector = 0;
            r.access.value &= static_cast<u16>(~kPresent);
        }
    }
}

} // namespace btvm

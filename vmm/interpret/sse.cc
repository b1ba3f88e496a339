// SSE and SSE2: which instruction it is, whether it may run, and the ones that compute. Those run on the real
// processor; moves, inserts and shuffles are in sse_move.cc.
#include "vmm/interpret/execution.hh"
#include "vmm/interpret/x87_image.hh"

namespace btvm {

namespace {

constexpr u32 kXmmAt = 160;
constexpr u32 kMxcsrAt = 24;
constexpr u32 kFlags = 0x3f;
constexpr unsigned kMaskShift = 7;
/// Invalid, denormal and divide-by-zero are found before anything is computed (SDM Vol. 1 11.5.2).
constexpr u32 kBeforeComputing = 0x07;

} // namespace

VectorPrefix Execution::vector_prefix() const {
    switch (in_.rep) {
    case RepPrefix::Rep: return VectorPrefix::Pf3;
    case RepPrefix::Repne: return VectorPrefix::Pf2;
    default: return in_.operand_prefix ? VectorPrefix::P66 : VectorPrefix::None;
    }
}

/// XMM(n): 16 bytes.
u8* Execution::xmm(unsigned n) { return cpu_.fpu.bytes + kXmmAt + 16 * n; }

u32 Execution::mxcsr() const {
    u32 v;
    __builtin_memcpy(&v, cpu_.fpu.bytes + kMxcsrAt, 4);
    return v;
}

void Execution::set_mxcsr(u32 v) { __builtin_memcpy(cpu_.fpu.bytes + kMxcsrAt, &v, 4); }

/// What every instruction asks for that uses XMM registers (SDM Vol. 3A table 13-1).
bool Execution::sse_usable() {
    if (!cpu_.features.sse() || (cpu_.cr0 & cr0::kEm) || !(cpu_.cr4 & cr4::kOsfxsr)) return undefined();
    if (cpu_.cr0 & cr0::kTs) return fault(Vector::DeviceNotAvailable);
    return true;
}

/// A memory operand; `aligned`: at a multiple of its size, or #GP whatever EFLAGS.AC says.
bool Execution::vector_ref(u32 size, Mode mode, bool aligned, MemoryRef& out) {
    if (aligned) {
        SegReg s;
        const u32 offset = effective_offset(s);
        const Segment& segment = cpu_.seg[s];
        if ((static_cast<u32>(segment.base) + offset) & (size - 1))
            return check_segment(segment, offset, size, mode,
                                 s == Ss ? Vector::StackFault : Vector::GeneralProtection, 0) &&
                   general_protection();
    }
    return memory_ref(size, mode, out);
}

/// Reads the operand that ModRM.rm names: memory, or an XMM register, of which all 16 bytes are given.
bool Execution::read_xmm_operand(u32 size, bool aligned, u8 (&out)[16]) {
    if (!in_.memory_operand()) {
        __builtin_memcpy(out, xmm(in_.rm()), 16);
        return true;
    }
    MemoryRef ref;
    if (!vector_ref(size, Mode::Read, aligned, ref)) return false;
    load_bytes(ref, out);
    return true;
}

/// The exceptions that an instruction has met. False: one of them is not masked.
bool Execution::simd_exceptions(u32 raised) {
    const u32 control = mxcsr();
    const u32 unmasked = raised & ~(control >> kMaskShift) & kFlags;
    set_mxcsr(control | (unmasked & kBeforeComputing ? raised & kBeforeComputing : raised));
    if (!unmasked) return true;
    return cpu_.cr4 & cr4::kOsxmmexcpt ? fault(Vector::SimdError) : undefined();
}

/// "xmm, xmm/m" and the conversions from MMX and general registers.
bool Execution::sse_arithmetic(VectorPrefix prefix, u32 size) {
    if (!sse_usable()) return false;
    VectorOperands v;
    v.mxcsr = mxcsr();
    const bool other_source = in_.opcode == 0x2a;
    if (!other_source || in_.memory_operand()) {
        if (!read_xmm_operand(size, size == 16, v.b)) return false;
    } else if (prefix == VectorPrefix::Pf3 || prefix == VectorPrefix::Pf2) {
        const u32 value = reg(in_.rm(), 4);
        __builtin_memcpy(v.b, &value, 4);
    } else {
        if (x87_pending()) return stalled_;
        X87Image image(cpu_.fpu);
        image.enter_mmx();
        const u64 value = image.mm(in_.rm());
        __builtin_memcpy(v.b, &value, 8);
    }
    // CVTPI2PS is an MMX instruction even where it reads memory; CVTPI2PD is not (SDM Vol. 2A).
    if (other_source && prefix == VectorPrefix::None && in_.memory_operand()) {
        if (x87_pending()) return stalled_;
        X87Image(cpu_.fpu).enter_mmx();
    }
    u8* to = xmm(in_.reg());
    __builtin_memcpy(v.a, to, 16);
    sse_compute(prefix, in_.opcode, v);
    if (!simd_exceptions(v.raised)) return false;
    __builtin_memcpy(to, v.a, 16);
    return true;
}

/// CMPPS, CMPPD, CMPSS, CMPSD.
bool Execution::sse_compare_to_mask(VectorPrefix prefix) {
    if (!sse_usable()) return false;
    constexpr u8 kSizes[] = {16, 16, 4, 8};
    const u32 size = kSizes[static_cast<unsigned>(prefix)];
    VectorOperands v;
    v.mxcsr = mxcsr();
    v.predicate = static_cast<u8>(in_.immediate);
    if (!read_xmm_operand(size, size == 16, v.b)) return false;
    u8* to = xmm(in_.reg());
    __builtin_memcpy(v.a, to, 16);
    sse_compare(prefix, v);
    if (!simd_exceptions(v.raised)) return false;
    __builtin_memcpy(to, v.a, 16);
    return true;
}

/// UCOMISS, COMISS, UCOMISD, COMISD.
bool Execution::sse_compare_to_flags(VectorPrefix prefix) {
    if (prefix != VectorPrefix::None && prefix != VectorPrefix::P66) return undefined();
    if (!sse_usable()) return false;
    VectorOperands v;
    v.mxcsr = mxcsr();
    v.rflags = cpu_.rflags;
    if (!read_xmm_operand(prefix == VectorPrefix::None ? 4 : 8, false, v.b)) return false;
    __builtin_memcpy(v.a, xmm(in_.reg()), 16);
    sse_compare_flags(prefix, in_.opcode, v);
    if (!simd_exceptions(v.raised)) return false;
    cpu_.rflags = v.rflags;
    return true;
}

/// CVTPS2PI, CVTSS2SI and their like, truncating or not.
bool Execution::sse_convert_to_integer(VectorPrefix prefix) {
    if (!sse_usable()) return false;
    constexpr u8 kSizes[] = {8, 16, 4, 8};
    const u32 size = kSizes[static_cast<unsigned>(prefix)];
    const bool to_mmx = prefix == VectorPrefix::None || prefix == VectorPrefix::P66;
    if (to_mmx && x87_pending()) return stalled_;
    VectorOperands v;
    v.mxcsr = mxcsr();
    if (!read_xmm_operand(size, size == 16, v.b)) return false;
    sse_to_integer(prefix, in_.opcode, v);
    if (!simd_exceptions(v.raised)) return false;
    if (!to_mmx) {
        set_reg(in_.reg(), 4, v.result);
        return true;
    }
    X87Image image(cpu_.fpu);
    image.enter_mmx();
    u64 value;
    __builtin_memcpy(&value, v.a, 8);
    image.set_mm(in_.reg(), value);
    return true;
}

/// LDMXCSR and STMXCSR.
bool Execution::sse_control(bool store) {
    if (!sse_usable()) return false;
    if (store) return write_rm(4, mxcsr());
    u32 value;
    if (!read_rm(4, value)) return false;
    if (value & ~cpu_.features.mxcsr_mask) return general_protection();
    set_mxcsr(value);
    return true;
}

/// Every instruction of the 0F map that has an XMM register.
bool Execution::sse() {
    const VectorPrefix prefix = vector_prefix();
    if (const u32 size = sse_operand_size(prefix, in_.opcode)) return sse_arithmetic(prefix, size);
    switch (in_.opcode) {
    case 0x2c:
    case 0x2d: return sse_convert_to_integer(prefix);
    case 0x2e:
    case 0x2f: return sse_compare_to_flags(prefix);
    case 0xc2: return sse_compare_to_mask(prefix);
    case 0x50:
    case 0x70 ... 0x73:
    case 0xc4 ... 0xc6:
    case 0xd7: return sse_shuffle(prefix);
    default: return sse_move(prefix);
    }
}

} // namespace btvm

// SSE and SSE2 without arithmetic: moves between XMM registers, memory, MMX and general registers.
#include "vmm/interpret/execution.hh"
#include "vmm/interpret/x87_image.hh"

namespace btvm {

namespace {

/// One move between XMM register and memory: `size` bytes at byte `at` of the register.
struct MoveForm {
    u8 size{}; ///< 0: no such move.
    u8 at{};
    bool store{};
    bool aligned{};
    bool clears{}; ///< A load from memory clears the rest of the register.
};

constexpr MoveForm move_form(VectorPrefix prefix, u8 opcode) {
    const bool packed = prefix == VectorPrefix::None || prefix == VectorPrefix::P66;
    const bool p66 = prefix == VectorPrefix::P66;
    switch (opcode) {
    case 0x10:
    case 0x11: // MOVUPS, MOVUPD, MOVSS, MOVSD
        return {static_cast<u8>(packed                        ? 16
                                : prefix == VectorPrefix::Pf3 ? 4
                                                              : 8),
                0, opcode == 0x11, false, true};
    case 0x12:
    case 0x13: // MOVLPS, MOVLPD
        return {static_cast<u8>(packed ? 8 : 0), 0, opcode == 0x13, false, false};
    case 0x16:
    case 0x17: // MOVHPS, MOVHPD
        return {static_cast<u8>(packed ? 8 : 0), 8, opcode == 0x17, false, false};
    case 0x28:
    case 0x29: // MOVAPS, MOVAPD
        return {static_cast<u8>(packed ? 16 : 0), 0, opcode == 0x29, true, false};
    case 0x2b: // MOVNTPS, MOVNTPD
        return {static_cast<u8>(packed ? 16 : 0), 0, true, true, false};
    case 0x6f:
    case 0x7f: // MOVDQA, MOVDQU
        return {static_cast<u8>(p66 || prefix == VectorPrefix::Pf3 ? 16 : 0), 0, opcode == 0x7f, p66, false};
    case 0x7e: // MOVQ
        return {static_cast<u8>(prefix == VectorPrefix::Pf3 ? 8 : 0), 0, false, false, true};
    case 0xd6: return {static_cast<u8>(p66 ? 8 : 0), 0, true, false, true};
    case 0xe7: // MOVNTDQ
        return {static_cast<u8>(p66 ? 16 : 0), 0, true, true, false};
    default: return {};
    }
}

} // namespace

/// MOVD between an XMM register and a general one or memory.
bool Execution::sse_move_general() {
    if (!sse_usable()) return false;
    u32 value;
    if (in_.opcode == 0x7e) {
        __builtin_memcpy(&value, xmm(in_.reg()), 4);
        return write_rm(4, value);
    }
    if (!read_rm(4, value)) return false;
    u8* to = xmm(in_.reg());
    __builtin_memset(to, 0, 16);
    __builtin_memcpy(to, &value, 4);
    return true;
}

/// MOVQ2DQ and MOVDQ2Q.
bool Execution::sse_move_mmx(bool to_xmm) {
    if (in_.memory_operand()) return undefined();
    if (!sse_usable()) return false;
    if (x87_pending()) return stalled_;
    X87Image image(cpu_.fpu);
    image.enter_mmx();
    u64 value;
    if (to_xmm) {
        value = image.mm(in_.rm());
        __builtin_memset(xmm(in_.reg()), 0, 16);
        __builtin_memcpy(xmm(in_.reg()), &value, 8);
    } else {
        __builtin_memcpy(&value, xmm(in_.rm()), 8);
        image.set_mm(in_.reg(), value);
    }
    return true;
}

/// Stores those of `size` bytes whose mask byte has its highest bit set, to DS:[(E)DI] (or an override's
/// segment).
bool Execution::store_masked(const u8* data, const u8* mask, u32 size) {
    const SegReg segment = override_or(Ds);
    const u32 width = in_.address_size == 2 ? 0xffff : 0xffffffff;
    MemoryRef refs[16];
    for (u32 i = 0; i < size; i++) {
        const u32 offset = (static_cast<u32>(cpu_.gpr[Rdi]) + i) & width;
        if ((mask[i] & 0x80) && !data_ref(segment, offset, 1, Mode::Write, refs[i])) return false;
    }
    for (u32 i = 0; i < size; i++)
        if (mask[i] & 0x80) store_bytes(refs[i], data + i);
    return true;
}

/// Moves between two registers that are not simply the memory form's.
bool Execution::sse_move_registers(VectorPrefix prefix) {
    const bool store = in_.opcode & 1;
    u8* const reg_side = xmm(in_.reg());
    u8* const rm_side = xmm(in_.rm());
    switch (in_.opcode) {
    case 0x10:
    case 0x11: { // MOVSS and MOVSD leave the rest of the register alone
        const u32 size = prefix == VectorPrefix::Pf3 ? 4 : prefix == VectorPrefix::Pf2 ? 8 : 16;
        if (!sse_usable()) return false;
        __builtin_memmove(store ? rm_side : reg_side, store ? reg_side : rm_side, size);
        return true;
    }
    case 0x12: // MOVHLPS
    case 0x16: // MOVLHPS
        if (prefix != VectorPrefix::None) return undefined();
        if (!sse_usable()) return false;
        if (in_.opcode == 0x12)
            __builtin_memmove(reg_side, rm_side + 8, 8);
        else
            __builtin_memmove(reg_side + 8, rm_side, 8);
        return true;
    case 0x28:
    case 0x6f:
    case 0x29:
    case 0x7f: {
        const bool to_rm = in_.opcode == 0x29 || in_.opcode == 0x7f;
        if (!sse_usable()) return false;
        __builtin_memmove(to_rm ? rm_side : reg_side, to_rm ? reg_side : rm_side, 16);
        return true;
    }
    case 0x7e:
    case 0xd6: { // MOVQ clears the upper half
        u8* const to = in_.opcode == 0x7e ? reg_side : rm_side;
        if (!sse_usable()) return false;
        __builtin_memmove(to, in_.opcode == 0x7e ? rm_side : reg_side, 8);
        __builtin_memset(to + 8, 0, 8);
        return true;
    }
    default: return undefined();
    }
}

bool Execution::sse_move(VectorPrefix prefix) {
    const bool p66 = prefix == VectorPrefix::P66;
    if (p66 && (in_.opcode == 0x6e || in_.opcode == 0x7e)) return sse_move_general();
    if (in_.opcode == 0xd6 && (prefix == VectorPrefix::Pf3 || prefix == VectorPrefix::Pf2))
        return sse_move_mmx(prefix == VectorPrefix::Pf3);
    if (in_.opcode == 0xf7 && p66) { // MASKMOVDQU
        if (in_.memory_operand()) return undefined();
        return sse_usable() && store_masked(xmm(in_.reg()), xmm(in_.rm()), 16);
    }
    const MoveForm form = move_form(prefix, in_.opcode);
    if (!form.size) return undefined();
    if (!in_.memory_operand()) return sse_move_registers(prefix);
    if (!sse_usable()) return false;
    MemoryRef ref;
    if (!vector_ref(form.size, form.store ? Mode::Write : Mode::Read, form.aligned, ref)) return false;
    u8* const at = xmm(in_.reg()) + form.at;
    if (form.store) {
        store_bytes(ref, at);
        return true;
    }
    u8 value[16];
    load_bytes(ref, value);
    if (form.clears) __builtin_memset(xmm(in_.reg()), 0, 16);
    __builtin_memcpy(at, value, form.size);
    return true;
}

} // namespace btvm

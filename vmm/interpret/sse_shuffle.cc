// SSE and SSE2 with an immediate byte that says where elements go: shuffles, inserts and extracts, shifts;
// and the masks of signs.
#include "vmm/interpret/execution.hh"
#include "vmm/interpret/mmx_native.hh"

namespace btvm {

namespace {

template <class T>
T element(const u8* from, unsigned i) {
    T v;
    __builtin_memcpy(&v, from + i * sizeof v, sizeof v);
    return v;
}

template <class T>
void set_element(u8* to, unsigned i, T v) {
    __builtin_memcpy(to + i * sizeof v, &v, sizeof v);
}

/// Four elements of `from` chosen by two bits of `order` each.
template <class T>
void choose_four(u8* to, const u8* from, unsigned order) {
    T chosen[4];
    for (unsigned i = 0; i < 4; i++)
        chosen[i] = element<T>(from, order >> (2 * i) & 3);
    __builtin_memcpy(to, chosen, sizeof chosen);
}

/// PSRLDQ and PSLLDQ.
void shift_bytes(u8* value, unsigned count, bool left) {
    u8 moved[16]{};
    if (count > 16) count = 16;
    for (unsigned i = 0; i + count < 16; i++) {
        if (left)
            moved[i + count] = value[i];
        else
            moved[i] = value[i + count];
    }
    __builtin_memcpy(value, moved, 16);
}

} // namespace

/// PSRLW... PSLLDQ of an XMM register by an immediate count.
bool Execution::sse_shift() {
    const bool bytes = in_.opcode == 0x73 && (in_.reg() & 3) == 3;
    const u8 by_register = mmx_shift_by_register(in_.opcode, in_.reg());
    if (in_.memory_operand() || (!bytes && !by_register)) return undefined();
    if (!sse_usable()) return false;
    u8* const value = xmm(in_.rm());
    const auto count = static_cast<u8>(in_.immediate);
    if (bytes) {
        shift_bytes(value, count, in_.reg() == 7);
        return true;
    }
    VectorOperands v;
    v.mxcsr = mxcsr();
    __builtin_memcpy(v.a, value, 16);
    v.b[0] = count;
    sse_compute(VectorPrefix::P66, by_register, v);
    __builtin_memcpy(value, v.a, 16);
    return true;
}

/// PSHUFD, PSHUFHW, PSHUFLW.
bool Execution::sse_shuffle_integers(VectorPrefix prefix) {
    if (!sse_usable()) return false;
    u8 from[16];
    if (!read_xmm_operand(16, true, from)) return false;
    const auto order = static_cast<u8>(in_.immediate);
    u8 to[16];
    __builtin_memcpy(to, from, 16);
    if (prefix == VectorPrefix::P66)
        choose_four<u32>(to, from, order);
    else if (prefix == VectorPrefix::Pf3)
        choose_four<u16>(to + 8, from + 8, order);
    else
        choose_four<u16>(to, from, order);
    __builtin_memcpy(xmm(in_.reg()), to, 16);
    return true;
}

/// SHUFPS, SHUFPD: the lower half from the first operand, the upper from the second.
bool Execution::sse_shuffle_floats(bool doubles) {
    if (!sse_usable()) return false;
    u8 from[16];
    if (!read_xmm_operand(16, true, from)) return false;
    u8* const to = xmm(in_.reg());
    const auto order = static_cast<u8>(in_.immediate);
    u8 result[16];
    if (doubles) {
        set_element(result, 0, element<u64>(to, order & 1));
        set_element(result, 1, element<u64>(from, order >> 1 & 1));
    } else {
        for (unsigned i = 0; i < 4; i++)
            set_element(result, i, element<u32>(i < 2 ? to : from, order >> (2 * i) & 3));
    }
    __builtin_memcpy(to, result, 16);
    return true;
}

/// MOVMSKPS, MOVMSKPD, PMOVMSKB: the highest bit of each element.
bool Execution::sse_signs(u32 element_size) {
    if (in_.memory_operand()) return undefined();
    if (!sse_usable()) return false;
    const u8* const from = xmm(in_.rm());
    u32 mask = 0;
    for (u32 i = 0; i < 16 / element_size; i++)
        mask |= static_cast<u32>(from[(i + 1) * element_size - 1] >> 7) << i;
    set_reg(in_.reg(), 4, mask);
    return true;
}

bool Execution::sse_shuffle(VectorPrefix prefix) {
    const bool p66 = prefix == VectorPrefix::P66;
    const bool packed = p66 || prefix == VectorPrefix::None;
    const auto order = static_cast<u8>(in_.immediate);
    u32 value;
    switch (in_.opcode) {
    case 0x50: return packed ? sse_signs(p66 ? 8 : 4) : undefined();
    case 0xd7: return p66 ? sse_signs(1) : undefined();
    case 0x70: return sse_shuffle_integers(prefix);
    case 0xc6: return packed ? sse_shuffle_floats(p66) : undefined();
    case 0xc4: // PINSRW
        if (!p66) return undefined();
        if (!sse_usable() || !read_rm(2, value)) return false;
        set_element(xmm(in_.reg()), order & 7, static_cast<u16>(value));
        return true;
    case 0xc5: // PEXTRW
        if (!p66 || in_.memory_operand()) return undefined();
        if (!sse_usable()) return false;
        set_reg(in_.reg(), 4, element<u16>(xmm(in_.rm()), order & 7));
        return true;
    default: return p66 ? sse_shift() : undefined();
    }
}

} // namespace btvm

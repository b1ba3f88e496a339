// VEX, EVEX and XOP: the prefix fields, and which of their combinations exist (SDM Vol. 2A 2.3.12, 2.7.11).
#include "vmm/decode/vector_prefix.hh"

#include "vmm/decode/vector_table.hh"

namespace btvm::opcode {

namespace {

OpcodeMap vex_map(unsigned mmmmm) {
    switch (mmmmm) {
    case 1: return OpcodeMap::Vex1;
    case 2: return OpcodeMap::Vex2;
    case 3: return OpcodeMap::Vex3;
    default: return OpcodeMap::OneByte;
    }
}

OpcodeMap xop_map(unsigned mmmmm) {
    switch (mmmmm) {
    case 8: return OpcodeMap::Xop8;
    case 9: return OpcodeMap::Xop9;
    case 10: return OpcodeMap::XopA;
    default: return OpcodeMap::OneByte;
    }
}

OpcodeMap evex_map(unsigned mmm) {
    switch (mmm) {
    case 1: return OpcodeMap::Evex1;
    case 2: return OpcodeMap::Evex2;
    case 3: return OpcodeMap::Evex3;
    case 5: return OpcodeMap::Evex5;
    case 6: return OpcodeMap::Evex6;
    default: return OpcodeMap::OneByte;
    }
}

bool is_evex(OpcodeMap map) { return map >= OpcodeMap::Evex1 && map <= OpcodeMap::Evex6; }

/// The checks that EVEX adds: vector length 3, opmask, zeroing, and the bit of many meanings.
bool evex_fields_allowed(const VectorPrefix& p, VectorBits bits, bool memory) {
    if (p.broadcast && !(bits & (memory ? kBcast : kRound))) return false;
    if (p.mask != 0 && !(bits & kMask)) return false;
    if (p.mask == 0 && (bits & kMaskOnly)) return false;
    if (p.zeroing) return p.mask != 0 && ((bits & kZero) || ((bits & kZeroReg) && !memory));
    return true;
}

bool row_allows(const VectorRow& row, const VectorPrefix& p, const Instruction& i, CodeSize size) {
    const VectorBits bits = row.bits;
    const bool memory = i.memory_operand();
    if (!(bits & (p.w ? kW1 : kW0)) || !(bits & (memory ? kMem : kReg))) return false;
    // A vector index needs a SIB byte, which 16-bit addressing lacks (SDM Vol. 2A 2.3.12).
    if ((bits & kVsibOnly) && (i.address_size == 2 || i.rm() != 4)) return false;
    const bool rounding = p.broadcast && !memory;
    if (!rounding && (p.length > 2 || !(bits & (kX << p.length)))) return false;

    const bool vvvv_used = (bits & kVvvv) || ((bits & kVvvvReg) && !memory);
    if (!vvvv_used && (p.vvvv & 0xf) != 0xf) return false;
    // V' extends vvvv or the vector index in 64-bit mode; elsewhere it must be 1.
    const bool high_used = size == CodeSize::Bits64 && (vvvv_used || (bits & kVsibOnly));
    if (!high_used && !(p.vvvv & 0x10)) return false;
    return !is_evex(p.map) || evex_fields_allowed(p, bits, memory);
}

Attributes immediate_attributes(OpcodeMap map, u8 opcode) {
    switch (map) {
    case OpcodeMap::Vex1:
    case OpcodeMap::Evex1: { // As in map 0F: shuffles, shifts by a constant, compares, word insertion
        const bool has =
            (opcode >= 0x70 && opcode <= 0x73) || opcode == 0xc2 || (opcode >= 0xc4 && opcode <= 0xc6);
        return has ? kByte : 0;
    }
    case OpcodeMap::Vex3:
    case OpcodeMap::Evex3:
    case OpcodeMap::Xop8: return kByte;
    case OpcodeMap::XopA: return of(Immediate::Dword);
    default: return 0;
    }
}

} // namespace

VectorPrefix parse_vector_prefix(u8 escape, u32 payload) {
    const u32 first = payload & 0xff;
    if (escape == 0xc5) {
        VectorPrefix p{};
        p.map = OpcodeMap::Vex1;
        p.pp = static_cast<Mandatory>(first & 3);
        p.length = first >> 2 & 1;
        p.vvvv = static_cast<u8>(0x10 | (first >> 3 & 0xf));
        return p;
    }
    const u32 second = payload >> 8 & 0xff;
    VectorPrefix p{};
    p.pp = static_cast<Mandatory>(second & 3);
    p.w = second & 0x80;
    p.vvvv = static_cast<u8>(0x10 | (second >> 3 & 0xf));
    p.length = second >> 2 & 1;
    if (escape == 0xc4) {
        p.map = vex_map(first & 0x1f);
        return p;
    }
    if (escape == 0x8f) {
        p.map = xop_map(first & 0x1f);
        return p;
    }
    const u32 third = payload >> 16 & 0xff;
    p.zeroing = third & 0x80;
    p.length = third >> 5 & 3;
    p.broadcast = third & 0x10;
    p.vvvv = static_cast<u8>((third & 8) << 1 | (second >> 3 & 0xf));
    p.mask = third & 7;
    const bool fixed_bits = !(first & 8) && (second & 4); // SDM Vol. 2A table 2-41
    p.map = fixed_bits ? evex_map(first & 7) : OpcodeMap::OneByte;
    return p;
}

Attributes vector_attributes(const VectorPrefix& prefix, const Instruction& i, CodeSize size) {
    const auto rows = is_evex(prefix.map)             ? evex_rows(prefix.map)
                      : prefix.map >= OpcodeMap::Xop8 ? xop_rows(prefix.map)
                                                      : vex_rows(prefix.map);
    for (const VectorRow& row : rows) {
        if (row.prefix != prefix.pp || i.opcode < row.first || i.opcode > row.last) continue;
        if (!vector_has_modrm(prefix.map, i.opcode)) {
            // VZEROUPPER, VZEROALL
            return (prefix.vvvv & 0xf) == 0xf ? kPlain : kUndefined;
        }
        if (!(row.regs >> i.reg() & 1)) continue;
        if (row_allows(row, prefix, i, size))
            return kPlain | kModrm | immediate_attributes(prefix.map, i.opcode);
    }
    return kUndefined;
}

} // namespace btvm::opcode

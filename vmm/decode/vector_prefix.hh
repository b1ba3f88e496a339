// The fields of a VEX, EVEX or XOP prefix that decide whether an encoding is defined. Used only inside
// vmm/decode.
#pragma once

#include "vmm/decode/opcode_attributes.hh"

namespace btvm::opcode {

struct VectorPrefix {
    OpcodeMap map{
        OpcodeMap::OneByte}; ///< OneByte: a map that does not exist, or fixed bits of the prefix are wrong.
    Mandatory pp{};
    u8 length{}; ///< L, or EVEX L'L
    bool w{};
    u8 vvvv{0x1f};    ///< As encoded, that is inverted: all ones when unused. Bit 4 is EVEX.V', else 1.
    bool zeroing{};   ///< EVEX.z
    bool broadcast{}; ///< EVEX.b: broadcast, rounding, or suppression of exceptions
    u8 mask{};        ///< EVEX.aaa
};

/// How many payload bytes follow `escape` (C4, C5, 62 or 8F) before the opcode.
[[nodiscard]] constexpr unsigned vector_payload_size(u8 escape) {
    return escape == 0xc5 ? 1 : escape == 0x62 ? 3 : 2;
}

/// Parses the payload bytes behind `escape`, the first in the low 8 bits (SDM Vol. 2A figures 2-9 and 2-11;
/// AMD64 APM Vol. 3 1.9.1 for XOP).
[[nodiscard]] VectorPrefix parse_vector_prefix(u8 escape, u32 payload);

/// Whether an opcode of `map` has a ModRM byte: all but VZEROUPPER and VZEROALL have.
[[nodiscard]] constexpr bool vector_has_modrm(OpcodeMap map, u8 opcode) {
    return map != OpcodeMap::Vex1 || opcode != 0x77;
}

/// The attributes of the instruction whose opcode and ModRM byte are in `i`; kUndefined for #UD.
[[nodiscard]] Attributes vector_attributes(const VectorPrefix& prefix, const Instruction& i, CodeSize size);

} // namespace btvm::opcode

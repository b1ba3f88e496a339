// Which instructions touch the x87, MMX or vector registers: where those are not the guest's own, they must
// wait.
#pragma once

#include "vmm/decode/instruction.hh"

namespace btvm {

/// Whether an instruction touches the x87, MMX or vector registers. Errs towards yes.
[[nodiscard]] constexpr bool uses_fpu(const Instruction& i) {
    switch (i.map) {
    case OpcodeMap::OneByte: return (i.opcode & 0xf8) == 0xd8 || i.opcode == 0x9b;
    case OpcodeMap::Map0f:
        return (i.opcode >= 0x10 && i.opcode <= 0x17) || (i.opcode >= 0x28 && i.opcode <= 0x2f) ||
               (i.opcode >= 0x50 && i.opcode <= 0x7f) || i.opcode == 0xae || i.opcode == 0xc2 ||
               (i.opcode >= 0xc4 && i.opcode <= 0xc6) || i.opcode >= 0xd0;
    default: return true;
    }
}

} // namespace btvm

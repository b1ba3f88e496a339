// Instructions that unicorn_test.cc does not compare, each with the reason.
#pragma once

#include "tests/unit/interpret/machine.hh"
#include "vmm/interpret/mmx_native.hh"

namespace btvm::test {

/// Whether an instruction is left out in this mode and state.
inline bool excluded(const Instruction& i, bool bits32, const CpuState& state) {
    if (i.lock) return true; // legality is tested apart; Unicorn 2.0 accepts more than a processor does
    if (i.map == OpcodeMap::OneByte) {
        switch (i.opcode) {
        case 0x9b:          // WAIT
        case 0xd8 ... 0xdf: // x87: a test of its own
        case 0x6c ... 0x6f: // ports: Unicorn has hooks instead
        case 0xe4 ... 0xe7:
        case 0xec ... 0xef:
        case 0xf4:          // HLT
        case 0xcc ... 0xce: // software interrupts: hooks again
        case 0xf1: return true;
        case 0xcf: return true; // IRET: directed tests
        case 0x9d: return true; // POPF: may set TF
        case 0x06:
        case 0x0e:
        case 0x16:
        case 0x1e:
            return i.operand_size == 4; // Unicorn writes 4 bytes; recent processors 2 (SDM Vol. 2B, PUSH)
        case 0xc2: return bits32 && (i.immediate & 0x8000); // Unicorn sign-extends the count
        case 0xc8: // Unicorn copies outer frame pointers as zeros, and sets BP or EBP by the stack's size
            return (i.immediate2 & 31) > 1 || (i.operand_size == 4) != bits32;
        case 0xca:
        case 0xcb: // Unicorn does not wrap the second read at 64 KiB
            if (static_cast<u16>(state.gpr[Rsp]) > 0xfff0) return true;
            break;
        case 0xf6:
        case 0xf7: return i.reg() == 1; // Unicorn knows only /0 as TEST
        case 0x62: return true;         // BOUND: Unicorn's takes the limits unsigned in 16-bit mode
        case 0x63: return true;         // ARPL
        default: break;
        }
        if (bits32) {
            switch (i.opcode) { // segment loads need descriptor tables: directed tests
            case 0x07:
            case 0x17:
            case 0x1f:
            case 0x8e:
            case 0xc4:
            case 0xc5:
            case 0x9a:
            case 0xca:
            case 0xcb:
            case 0xea: return true;
            case 0xff:
                if (i.reg() == 3 || i.reg() == 5) return true;
                break;
            default: break;
            }
        }
        return false;
    }
    if (i.map != OpcodeMap::Map0f) return true;
    switch (i.opcode) {
    case 0x00 ... 0x03: // system instructions: directed tests
    case 0x05 ... 0x09:
    case 0x0b ... 0x17: // MMX and SSE
    case 0x18:          // Unicorn refuses the register forms
    case 0x20 ... 0x3f:
    case 0x50 ... 0x5f:
    case 0x70:
    case 0x78 ... 0x7d:
    case 0xa2: // CPUID differs by design
    case 0xaa:
    case 0xae:
    case 0xb8:
    case 0xb9:
    case 0xc2 ... 0xc6:
    case 0xd0: return true;
    case 0x60 ... 0x6f:
    case 0x74 ... 0x76:
    case 0x7e:
    case 0x7f:
    case 0xd1 ... 0xff: // MMX; SSE and SSE2 are not offered
        return i.operand_prefix || i.rep != RepPrefix::None ||
               !(mmx_known(i.opcode) || (i.opcode & 0xee) == 0x6e);
    case 0x71 ... 0x73: return i.operand_prefix || i.rep != RepPrefix::None || i.mod() != 3;
    case 0x77: return i.operand_prefix || i.rep != RepPrefix::None;
    case 0xbc: // with F3 Unicorn runs TZCNT and LZCNT
    case 0xbd: return i.rep == RepPrefix::Rep;
    case 0xc7: return !(i.reg() == 1 && i.memory_operand());
    case 0xc8 ... 0xcf: return i.operand_size == 2; // undefined
    case 0xa4:
    case 0xa5:
    case 0xac:
    case 0xad: { // a 16-bit shift by more than 16 is undefined
        const u32 count =
            (i.opcode & 1 ? static_cast<u32>(state.gpr[Rcx]) : static_cast<u32>(i.immediate)) & 31;
        return i.operand_size == 2 && count > 16;
    }
    case 0xa0:
    case 0xa8: return i.operand_size == 4; // as above
    case 0xa1:
    case 0xa9:
    case 0xb2:
    case 0xb4:
    case 0xb5: return bits32;
    default: return false;
    }
}

} // namespace btvm::test

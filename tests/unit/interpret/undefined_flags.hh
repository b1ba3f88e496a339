// Which flags the manual leaves undefined after an instruction; comparisons with another implementation leave
// them out.
#pragma once

#include "vmm/cpu/state.hh"
#include "vmm/decode/instruction.hh"

namespace btvm::test {

/// Flags an instruction leaves undefined (SDM Vol. 2), for the operands at hand.
inline u64 undefined_flags(const Instruction& i, const CpuState& before) {
    using namespace eflags;
    const unsigned bits = (i.opcode & 1 ? i.operand_size : 1) * 8u;
    if (i.map == OpcodeMap::OneByte) {
        switch (i.opcode) {
        case 0x08 ... 0x0d:
        case 0x20 ... 0x25:
        case 0x30 ... 0x35:
        case 0x84:
        case 0x85:
        case 0xa8:
        case 0xa9: return kAf;
        case 0x80 ... 0x83: return i.reg() == 1 || i.reg() == 4 || i.reg() == 6 ? kAf : 0;
        case 0x27:
        case 0x2f: return kOf;
        case 0x37:
        case 0x3f: return kOf | kSf | kZf | kPf;
        case 0xd4:
        case 0xd5: return kOf | kAf | kCf;
        case 0x69:
        case 0x6b: return kSf | kZf | kAf | kPf;
        case 0xc0:
        case 0xc1:
        case 0xd0 ... 0xd3: {
            const u32 count = (i.opcode < 0xd0   ? static_cast<u32>(i.immediate)
                               : i.opcode < 0xd2 ? 1
                                                 : static_cast<u32>(before.gpr[Rcx])) &
                              31;
            if (i.reg() < 4) return count == 1 ? 0 : kOf;
            if (!count) return 0;
            return kAf | (count == 1 ? 0 : kOf) | (count >= bits ? kCf : 0);
        }
        case 0xf6:
        case 0xf7:
            if (i.reg() < 2) return kAf;
            if (i.reg() == 4 || i.reg() == 5) return kSf | kZf | kAf | kPf;
            if (i.reg() >= 6) return kArithmetic;
            return 0;
        default: return 0;
        }
    }
    switch (i.opcode) {
    case 0xa3:
    case 0xab:
    case 0xb3:
    case 0xbb:
    case 0xba: return kOf | kSf | kAf | kPf;
    case 0xa4:
    case 0xa5:
    case 0xac:
    case 0xad: {
        const u32 count =
            (i.opcode & 1 ? static_cast<u32>(before.gpr[Rcx]) : static_cast<u32>(i.immediate)) & 31;
        if (!count) return 0;
        return kAf | (count == 1 ? 0 : kOf);
    }
    case 0xaf: return kSf | kZf | kAf | kPf;
    case 0xbc:
    case 0xbd: return kOf | kSf | kAf | kPf | kCf;
    default: return 0;
    }
}

} // namespace btvm::test

// The one-byte opcode map (SDM Vol. 2D table A-2).
#include "vmm/interpret/execution.hh"

namespace btvm {

bool Execution::execute_one_byte() {
    const u8 op = in_.opcode;
    const u32 size = in_.operand_size;
    u32 value;
    if (op < 0x40) {
        const unsigned operation = op >> 3;
        switch (op & 7) {
        case 0:
        case 1: return alu_rm_reg(operation);
        case 2:
        case 3: return alu_reg_rm(operation);
        case 4:
        case 5: return alu_accumulator(operation);
        default: break;
        }
        switch (op) {
        case 0x06:
        case 0x0e:
        case 0x16:
        case 0x1e: return push_segment(SegReg(op >> 3));
        case 0x07:
        case 0x17:
        case 0x1f: return pop_segment(SegReg(op >> 3));
        case 0x27: decimal_adjust(false); return true;
        case 0x2f: decimal_adjust(true); return true;
        case 0x37: ascii_adjust(false); return true;
        case 0x3f: ascii_adjust(true); return true;
        default: return undefined();
        }
    }
    switch (op) {
    case 0x40 ... 0x47: set_reg(op & 7, size, alu::inc(reg(op & 7, size), size, cpu_.rflags)); return true;
    case 0x48 ... 0x4f: set_reg(op & 7, size, alu::dec(reg(op & 7, size), size, cpu_.rflags)); return true;
    case 0x50 ... 0x57: return push(reg(op & 7, size), size);
    case 0x58 ... 0x5f:
        if (!pop(size, value)) return false;
        set_reg(op & 7, size, value);
        return true;
    case 0x60: return push_all();
    case 0x61: return pop_all();
    case 0x62: return bound();
    case 0x63: return adjust_rpl();
    case 0x68:
    case 0x6a: return push(static_cast<u32>(in_.immediate), size);
    case 0x69:
    case 0x6b: return imul_reg(true);
    case 0x6c ... 0x6f: return string_instruction();
    case 0x70 ... 0x7f: return !alu::condition(op & 15, cpu_.rflags) || jump_relative();
    case 0x80 ... 0x83: return group1();
    case 0x84:
    case 0x85: return test_rm_reg();
    case 0x86:
    case 0x87: return exchange();
    case 0x88:
    case 0x89: return write_rm(wide(op), reg(in_.reg(), wide(op)));
    case 0x8a:
    case 0x8b:
        if (!read_rm(wide(op), value)) return false;
        set_reg(in_.reg(), wide(op), value);
        return true;
    case 0x8c: return in_.reg() < kSegRegCount ? store_word(cpu_.seg[in_.reg()].selector) : undefined();
    case 0x8d: {
        if (!in_.memory_operand()) return undefined();
        SegReg segment;
        set_reg(in_.reg(), size, effective_offset(segment));
        return true;
    }
    case 0x8e: return move_to_segment();
    case 0x8f: return in_.reg() == 0 ? pop_rm() : undefined();
    case 0x90 ... 0x97:
        value = reg(op & 7, size);
        set_reg(op & 7, size, reg(Rax, size));
        set_reg(Rax, size, value);
        return true;
    case 0x98:
        set_reg(Rax, size, static_cast<u32>(alu::sign_extend(reg(Rax, size / 2), size / 2)));
        return true;
    case 0x99: set_reg(Rdx, size, reg(Rax, size) & alu::sign_bit(size) ? 0xffffffff : 0); return true;
    case 0x9a: return call_far({in_.immediate2, static_cast<u32>(in_.immediate) & alu::mask(size)});
    case 0x9b: return wait();
    case 0x9c: return push_flags();
    case 0x9d: return pop_flags();
    case 0x9e: {
        constexpr u64 kSahf = eflags::kSf | eflags::kZf | eflags::kAf | eflags::kPf | eflags::kCf;
        cpu_.rflags = (cpu_.rflags & ~kSahf) | (reg(Rsp /* AH */, 1) & kSahf);
        return true;
    }
    case 0x9f: set_reg(Rsp /* AH */, 1, cpu_.rflags & 0xff); return true;
    case 0xa0:
    case 0xa1:
        if (!read_data(override_or(Ds), static_cast<u32>(in_.immediate), wide(op), value)) return false;
        set_reg(Rax, wide(op), value);
        return true;
    case 0xa2:
    case 0xa3: {
        MemoryRef to;
        if (!data_ref(override_or(Ds), static_cast<u32>(in_.immediate), wide(op), Mode::Write, to))
            return false;
        store(to, reg(Rax, wide(op)));
        return true;
    }
    case 0xa4 ... 0xa7:
    case 0xaa ... 0xaf: return string_instruction();
    case 0xa8:
    case 0xa9:
        alu::logic(reg(Rax, wide(op)) & static_cast<u32>(in_.immediate), wide(op), cpu_.rflags);
        return true;
    case 0xb0 ... 0xb7: set_reg(op & 7, 1, static_cast<u32>(in_.immediate)); return true;
    case 0xb8 ... 0xbf: set_reg(op & 7, size, static_cast<u32>(in_.immediate)); return true;
    case 0xc0:
    case 0xc1: return group2(static_cast<u32>(in_.immediate));
    case 0xc2: return return_near(static_cast<u16>(in_.immediate));
    case 0xc3: return return_near(0);
    case 0xc4: return load_far(Es);
    case 0xc5: return load_far(Ds);
    case 0xc6:
    case 0xc7: return in_.reg() == 0 ? write_rm(wide(op), static_cast<u32>(in_.immediate)) : undefined();
    case 0xc8: return enter();
    case 0xc9: return leave();
    case 0xca: return return_far(static_cast<u16>(in_.immediate));
    case 0xcb: return return_far(0);
    case 0xcc: return software_interrupt(Event::Kind::SoftwareException, static_cast<u8>(Vector::Breakpoint));
    case 0xcd: return software_interrupt(Event::Kind::Software, static_cast<u8>(in_.immediate));
    case 0xce:
        return !flag(eflags::kOf) ||
               software_interrupt(Event::Kind::SoftwareException, static_cast<u8>(Vector::Overflow));
    case 0xcf: return interrupt_return();
    case 0xd0:
    case 0xd1: return group2(1);
    case 0xd2:
    case 0xd3: return group2(reg(Rcx, 1));
    case 0xd4: return ascii_adjust_multiply();
    case 0xd5: ascii_adjust_divide(); return true;
    case 0xd6: set_reg(Rax, 1, flag(eflags::kCf) ? 0xff : 0); return true; // SALC, undocumented and universal
    case 0xd7: {
        const u32 at = (reg(Rbx, in_.address_size) + reg(Rax, 1)) & alu::mask(in_.address_size);
        if (!read_data(override_or(Ds), at, 1, value)) return false;
        set_reg(Rax, 1, value);
        return true;
    }
    case 0xd8 ... 0xdf: return x87();
    case 0xe0 ... 0xe3: return loop();
    case 0xe4 ... 0xe7:
    case 0xec ... 0xef: return in_out();
    case 0xe8: return call_near(static_cast<u32>(branch_target(in_, cpu_.rip)));
    case 0xe9:
    case 0xeb: return jump_relative();
    case 0xea: return jump_far({in_.immediate2, static_cast<u32>(in_.immediate) & alu::mask(size)});
    case 0xf1: return software_interrupt(Event::Kind::Icebp, static_cast<u8>(Vector::Debug));
    case 0xf4: return halt();
    case 0xf5: cpu_.rflags ^= eflags::kCf; return true;
    case 0xf6:
    case 0xf7: return group3();
    case 0xf8: cpu_.rflags &= ~eflags::kCf; return true;
    case 0xf9: cpu_.rflags |= eflags::kCf; return true;
    case 0xfa: return set_interrupt_flag(false);
    case 0xfb: return set_interrupt_flag(true);
    case 0xfc: cpu_.rflags &= ~eflags::kDf; return true;
    case 0xfd: cpu_.rflags |= eflags::kDf; return true;
    case 0xfe:
    case 0xff: return group4_5();
    default: return undefined();
    }
}

} // namespace btvm

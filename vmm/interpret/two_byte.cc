// The two-byte opcode map, 0F xx (SDM Vol. 2D table A-3).
#include "vmm/interpret/execution.hh"

namespace btvm {

bool Execution::execute_two_byte() {
    const u8 op = in_.opcode;
    const u32 size = in_.operand_size;
    u32 value;
    switch (op) {
    case 0x00: return group_0f00();
    case 0x01: return group_0f01();
    case 0x02: return load_access_or_limit(false);
    case 0x03: return load_access_or_limit(true);
    case 0x06:
        if (!privileged()) return false;
        cpu_.cr0 &= ~cr0::kTs;
        return true;
    case 0x08:
    case 0x09: return privileged(); // INVD, WBINVD: there is no cache to be seen
    case 0x10 ... 0x17:
    case 0x28 ... 0x2f:
    case 0x50 ... 0x5f:
    case 0x7c:
    case 0x7d:
    case 0xc2:
    case 0xc6:
    case 0xd0: return sse();
    case 0x18 ... 0x1f: return true; // prefetches and hinting NOPs; their memory operand is not touched
    case 0x20:
    case 0x22: return move_control();
    case 0x21:
    case 0x23: return move_debug();
    case 0x30: return write_msr();
    case 0x31: return read_tsc();
    case 0x32: return read_msr();
    case 0x33: // RDPMC: two counters that stand still, as P6 numbers them
        if ((cpu_.protected_mode() && cpu_.cpl() != 0 && !(cpu_.cr4 & cr4::kPce)) || reg(Rcx, 4) > 1)
            return general_protection();
        set_reg(Rax, 4, 0);
        set_reg(Rdx, 4, 0);
        return true;
    case 0x34: return system_enter();
    case 0x35: return system_exit();
    case 0x40 ... 0x4f:
        if (!read_rm(size, value)) return false;
        // With a 16-bit operand nothing of the destination changes if the condition is false.
        if (alu::condition(op & 15, cpu_.rflags)) set_reg(in_.reg(), size, value);
        return true;
    case 0x60 ... 0x77:
    case 0x7e:
    case 0x7f:
    case 0xd1 ... 0xff: return mmx();
    case 0x80 ... 0x8f: return !alu::condition(op & 15, cpu_.rflags) || jump_relative();
    case 0x90 ... 0x9f: return write_rm(1, alu::condition(op & 15, cpu_.rflags));
    case 0xa0: return push_segment(Fs);
    case 0xa1: return pop_segment(Fs);
    case 0xa2: do_cpuid(); return true;
    case 0xa3: return bit_test(0, false);
    case 0xa4:
    case 0xa5:
    case 0xac:
    case 0xad: return double_shift();
    case 0xa8: return push_segment(Gs);
    case 0xa9: return pop_segment(Gs);
    case 0xab: return bit_test(1, false);
    case 0xae: return group_0fae();
    case 0xaf: return imul_reg(false);
    case 0xb0:
    case 0xb1: return compare_exchange();
    case 0xb2: return load_far(Ss);
    case 0xb3: return bit_test(2, false);
    case 0xb4: return load_far(Fs);
    case 0xb5: return load_far(Gs);
    case 0xb6:
    case 0xb7:
        if (!read_rm(op & 1 ? 2 : 1, value)) return false;
        set_reg(in_.reg(), size, value);
        return true;
    case 0xba: return in_.reg() >= 4 ? bit_test(in_.reg() - 4, true) : undefined();
    case 0xbb: return bit_test(3, false);
    case 0xbc: // F3 (TZCNT, LZCNT elsewhere) is ignored by processors that do not offer those
    case 0xbd: return bit_scan(op & 1);
    case 0xbe:
    case 0xbf: {
        const unsigned from = op & 1 ? 2 : 1;
        if (!read_rm(from, value)) return false;
        set_reg(in_.reg(), size, static_cast<u32>(alu::sign_extend(value, from)));
        return true;
    }
    case 0xc0:
    case 0xc1: return exchange_add();
    case 0xc3: // MOVNTI
        if (!cpu_.features.sse() || !in_.memory_operand() || vector_prefix() != VectorPrefix::None)
            return undefined();
        return write_rm(4, reg(in_.reg(), 4));
    case 0xc4:
    case 0xc5: return vector_prefix() == VectorPrefix::None ? mmx_extension() : sse();
    case 0xc7: return compare_exchange8b();
    case 0xc8 ... 0xcf:
        // With a 16-bit operand undefined; processors clear the low word.
        set_reg(op & 7, size, size == 4 ? __builtin_bswap32(reg(op & 7, 4)) : 0);
        return true;
    default: return undefined(); // UD2, RSM outside SMM, and what CPUID does not offer
    }
}

} // namespace btvm

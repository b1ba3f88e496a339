// Bit tests and scans, double shifts, and the 486/Pentium compare-and-exchange family.
#include "vmm/interpret/execution.hh"

namespace btvm {

/// BT, BTS, BTR, BTC (0 to 3). With a register bit offset, memory is a bit string that reaches beyond the
/// operand.
bool Execution::bit_test(unsigned operation, bool immediate) {
    const unsigned size = in_.operand_size;
    const unsigned bits = 8 * size;
    const u32 index = immediate ? static_cast<u32>(in_.immediate) : reg(in_.reg(), size);
    Operand o;
    o.memory = in_.mod() != 3;
    o.reg = in_.rm();
    if (o.memory) {
        const s32 word = immediate ? 0 : alu::sign_extend(index, size) >> (size == 4 ? 5 : 4);
        if (!memory_ref(size, operation == 0 ? Mode::Read : Mode::Write, o.ref,
                        static_cast<u32>(word) * size))
            return false;
    }
    const u32 a = get(o, size);
    const u32 bit = 1u << (index & (bits - 1));
    alu::set_flag(cpu_.rflags, eflags::kCf, a & bit);
    switch (operation) {
    case 0: break;
    case 1: put(o, size, a | bit); break;
    case 2: put(o, size, a & ~bit); break;
    default: put(o, size, a ^ bit); break;
    }
    return true;
}

/// BSF and BSR. A zero source leaves the destination alone, as all Intel processors do though the manual says
/// undefined.
bool Execution::bit_scan(bool reverse) {
    const unsigned size = in_.operand_size;
    u32 a;
    if (!read_rm(size, a)) return false;
    alu::set_flag(cpu_.rflags, eflags::kZf, a == 0);
    if (a) set_reg(in_.reg(), size, static_cast<u32>(reverse ? 31 - __builtin_clz(a) : __builtin_ctz(a)));
    return true;
}

bool Execution::double_shift() {
    const unsigned size = in_.operand_size;
    const u32 count = in_.opcode & 1 ? reg(Rcx, 1) : static_cast<u32>(in_.immediate);
    Operand o;
    if (!open_rm(size, Mode::Write, o)) return false;
    const u32 a = get(o, size);
    put(o, size, alu::double_shift(in_.opcode < 0xa8, a, reg(in_.reg(), size), count, size, cpu_.rflags));
    return true;
}

bool Execution::compare_exchange() {
    const unsigned size = wide(in_.opcode);
    Operand o;
    if (!open_rm(size, Mode::Write, o)) return false;
    const u32 a = get(o, size);
    alu::sub(reg(Rax, size), a, 0, size, cpu_.rflags);
    if (flag(eflags::kZf)) {
        put(o, size, reg(in_.reg(), size));
    } else {
        put(o, size, a); // the processor always writes the destination (SDM Vol. 2A, CMPXCHG)
        set_reg(Rax, size, a);
    }
    return true;
}

bool Execution::compare_exchange8b() {
    if (in_.reg() != 1 || !in_.memory_operand()) return undefined();
    MemoryRef ref;
    if (!memory_ref(8, Mode::Write, ref)) return false;
    u64 a;
    load_bytes(ref, &a);
    const u64 expected = cpu_.gpr[Rdx] << 32 | reg(Rax, 4);
    const bool equal = a == expected;
    const u64 value = equal ? cpu_.gpr[Rcx] << 32 | reg(Rbx, 4) : a;
    store_bytes(ref, &value);
    alu::set_flag(cpu_.rflags, eflags::kZf, equal);
    if (!equal) {
        set_reg(Rax, 4, static_cast<u32>(a));
        set_reg(Rdx, 4, static_cast<u32>(a >> 32));
    }
    return true;
}

bool Execution::exchange_add() {
    const unsigned size = wide(in_.opcode);
    Operand o;
    if (!open_rm(size, Mode::Write, o)) return false;
    const u32 a = get(o, size);
    const u32 sum = alu::add(a, reg(in_.reg(), size), 0, size, cpu_.rflags);
    set_reg(in_.reg(), size, a); // first, so that XADD r, r leaves the sum
    put(o, size, sum);
    return true;
}

bool Execution::bound() {
    const unsigned size = in_.operand_size;
    MemoryRef ref;
    if (!in_.memory_operand()) return undefined();
    if (!memory_ref(2 * size, Mode::Read, ref)) return false;
    u8 bytes[8]{};
    load_bytes(ref, bytes);
    u32 low = 0, high = 0;
    __builtin_memcpy(&low, bytes, size);
    __builtin_memcpy(&high, bytes + size, size);
    const s32 index = alu::sign_extend(reg(in_.reg(), size), size);
    if (index < alu::sign_extend(low, size) || index > alu::sign_extend(high, size))
        return fault(Vector::BoundRange);
    return true;
}

} // namespace btvm

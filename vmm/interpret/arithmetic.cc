// Two-operand arithmetic, the shift group, multiplication and division, INC/DEC and exchanges.
#include "vmm/interpret/execution.hh"

namespace btvm {

bool Execution::alu_rm_reg(unsigned operation) {
    const unsigned size = wide(in_.opcode);
    Operand o;
    if (!open_rm(size, operation == 7 ? Mode::Read : Mode::Write, o)) return false;
    const u32 r = alu::binary(operation, get(o, size), reg(in_.reg(), size), size, cpu_.rflags);
    if (operation != 7) put(o, size, r);
    return true;
}

bool Execution::alu_reg_rm(unsigned operation) {
    const unsigned size = wide(in_.opcode);
    u32 b;
    if (!read_rm(size, b)) return false;
    const u32 r = alu::binary(operation, reg(in_.reg(), size), b, size, cpu_.rflags);
    if (operation != 7) set_reg(in_.reg(), size, r);
    return true;
}

bool Execution::alu_accumulator(unsigned operation) {
    const unsigned size = wide(in_.opcode);
    const u32 b = static_cast<u32>(in_.immediate) & alu::mask(size);
    const u32 r = alu::binary(operation, reg(Rax, size), b, size, cpu_.rflags);
    if (operation != 7) set_reg(Rax, size, r);
    return true;
}

bool Execution::group1() {
    const unsigned size = wide(in_.opcode);
    const unsigned operation = in_.reg();
    Operand o;
    if (!open_rm(size, operation == 7 ? Mode::Read : Mode::Write, o)) return false;
    const u32 b = static_cast<u32>(in_.immediate) & alu::mask(size);
    const u32 r = alu::binary(operation, get(o, size), b, size, cpu_.rflags);
    if (operation != 7) put(o, size, r);
    return true;
}

bool Execution::group2(u32 count) {
    const unsigned size = wide(in_.opcode);
    Operand o;
    if (!open_rm(size, Mode::Write, o)) return false;
    put(o, size, alu::shift(in_.reg(), get(o, size), count, size, cpu_.rflags));
    return true;
}

bool Execution::group3() {
    const unsigned size = wide(in_.opcode);
    switch (in_.reg()) {
    case 0:
    case 1: { // TEST
        u32 a;
        if (!read_rm(size, a)) return false;
        alu::logic(a & static_cast<u32>(in_.immediate), size, cpu_.rflags);
        return true;
    }
    case 2:
    case 3: { // NOT, NEG
        Operand o;
        if (!open_rm(size, Mode::Write, o)) return false;
        const u32 a = get(o, size);
        put(o, size, in_.reg() == 2 ? ~a : alu::sub(0, a, 0, size, cpu_.rflags));
        return true;
    }
    case 4: return multiply(size, false);
    case 5: return multiply(size, true);
    case 6: return divide(size, false);
    default: return divide(size, true);
    }
}

bool Execution::multiply(unsigned size, bool is_signed) {
    u32 b;
    if (!read_rm(size, b)) return false;
    const u32 a = reg(Rax, size);
    const unsigned bits = 8 * size;
    u64 product;
    bool overflow;
    if (is_signed) {
        const s64 p = s64{alu::sign_extend(a, size)} * alu::sign_extend(b, size);
        product = static_cast<u64>(p);
        overflow = p != alu::sign_extend(static_cast<u32>(product) & alu::mask(size), size);
    } else {
        product = u64{a} * b;
        overflow = product >> bits;
    }
    const u32 low = static_cast<u32>(product);
    if (size == 1) {
        set_reg(Rax, 2, low);
    } else {
        set_reg(Rax, size, low);
        set_reg(Rdx, size, static_cast<u32>(product >> bits));
    }
    alu::set_arithmetic(cpu_.rflags, alu::szp(low, size) | (overflow ? eflags::kCf | eflags::kOf : 0));
    return true;
}

bool Execution::divide(unsigned size, bool is_signed) {
    u32 b;
    if (!read_rm(size, b)) return false;
    if (!b) return fault(Vector::DivideError);
    const unsigned bits = 8 * size;
    const u64 dividend = size == 1 ? reg(Rax, 2) : u64{reg(Rdx, size)} << bits | reg(Rax, size);
    u64 quotient, remainder;
    if (is_signed) {
        const s64 n =
            size == 4 ? static_cast<s64>(dividend) : alu::sign_extend(static_cast<u32>(dividend), size * 2);
        const s64 d = alu::sign_extend(b, size);
        // The most negative dividend by -1 does not fit even in 64 bits.
        if (n == INT64_MIN && d == -1) return fault(Vector::DivideError);
        const s64 q = n / d;
        if (q != alu::sign_extend(static_cast<u32>(q) & alu::mask(size), size))
            return fault(Vector::DivideError);
        quotient = static_cast<u64>(q);
        remainder = static_cast<u64>(n % d);
    } else {
        quotient = dividend / b;
        remainder = dividend % b;
        if (quotient >> bits) return fault(Vector::DivideError);
    }
    if (size == 1) {
        set_reg(Rax, 2, static_cast<u32>((quotient & 0xff) | (remainder & 0xff) << 8));
    } else {
        set_reg(Rax, size, static_cast<u32>(quotient));
        set_reg(Rdx, size, static_cast<u32>(remainder));
    }
    return true;
}

/// IMUL r, r/m and IMUL r, r/m, imm.
bool Execution::imul_reg(bool with_immediate) {
    const unsigned size = in_.operand_size;
    u32 b;
    if (!read_rm(size, b)) return false;
    const u32 a = with_immediate ? static_cast<u32>(in_.immediate) : reg(in_.reg(), size);
    const s64 p = s64{alu::sign_extend(a, size)} * alu::sign_extend(b, size);
    const u32 low = static_cast<u32>(p) & alu::mask(size);
    set_reg(in_.reg(), size, low);
    const bool overflow = p != alu::sign_extend(low, size);
    alu::set_arithmetic(cpu_.rflags, alu::szp(low, size) | (overflow ? eflags::kCf | eflags::kOf : 0));
    return true;
}

bool Execution::inc_dec_rm(unsigned size) {
    Operand o;
    if (!open_rm(size, Mode::Write, o)) return false;
    const u32 a = get(o, size);
    put(o, size, in_.reg() == 0 ? alu::inc(a, size, cpu_.rflags) : alu::dec(a, size, cpu_.rflags));
    return true;
}

bool Execution::group4_5() {
    if (in_.opcode == 0xfe) return in_.reg() < 2 ? inc_dec_rm(1) : undefined();
    const unsigned size = in_.operand_size;
    u32 value;
    FarPointer far;
    switch (in_.reg()) {
    case 0:
    case 1: return inc_dec_rm(size);
    case 2: return read_rm(size, value) && call_near(value);
    case 3: return in_.memory_operand() ? read_far_pointer(far) && call_far(far) : undefined();
    case 4: return read_rm(size, value) && jump_near(value);
    case 5: return in_.memory_operand() ? read_far_pointer(far) && jump_far(far) : undefined();
    case 6: return read_rm(size, value) && push(value, size);
    default: return undefined();
    }
}

bool Execution::exchange() {
    const unsigned size = wide(in_.opcode);
    Operand o;
    if (!open_rm(size, Mode::Write, o)) return false;
    const u32 a = get(o, size);
    put(o, size, reg(in_.reg(), size));
    set_reg(in_.reg(), size, a);
    return true;
}

bool Execution::test_rm_reg() {
    const unsigned size = wide(in_.opcode);
    u32 a;
    if (!read_rm(size, a)) return false;
    alu::logic(a & reg(in_.reg(), size), size, cpu_.rflags);
    return true;
}

} // namespace btvm

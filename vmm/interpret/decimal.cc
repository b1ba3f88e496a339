// Decimal and ASCII adjustment, as SDM Vol. 2A spells the algorithms out.
#include "vmm/interpret/execution.hh"

namespace btvm {

/// DAA and DAS. OF is undefined; it is cleared.
void Execution::decimal_adjust(bool subtract) {
    const u32 old_al = reg(Rax, 1);
    const bool old_carry = flag(eflags::kCf);
    u32 al = old_al;
    bool carry = false;
    const bool adjust = (old_al & 0xf) > 9 || flag(eflags::kAf);
    if (adjust) {
        carry = old_carry || (subtract ? al < 6 : al > 0xf9);
        al = (subtract ? al - 6 : al + 6) & 0xff;
    }
    if (old_al > 0x99 || old_carry) {
        al = (subtract ? al - 0x60 : al + 0x60) & 0xff;
        carry = true;
    }
    set_reg(Rax, 1, al);
    alu::set_arithmetic(cpu_.rflags,
                        alu::szp(al, 1) | (carry ? eflags::kCf : 0) | (adjust ? eflags::kAf : 0));
}

/// AAA and AAS. Only AF and CF are defined.
void Execution::ascii_adjust(bool subtract) {
    const bool adjust = (reg(Rax, 1) & 0xf) > 9 || flag(eflags::kAf);
    if (adjust) {
        const u32 ax = reg(Rax, 2);
        set_reg(Rax, 2, subtract ? ax - 0x106 : ax + 0x106);
    }
    const u32 al = reg(Rax, 1) & 0xf;
    set_reg(Rax, 1, al);
    alu::set_arithmetic(cpu_.rflags, alu::szp(al, 1) | (adjust ? eflags::kCf | eflags::kAf : 0));
}

bool Execution::ascii_adjust_multiply() {
    const u32 base = static_cast<u8>(in_.immediate);
    if (!base) return fault(Vector::DivideError);
    const u32 al = reg(Rax, 1);
    set_reg(Rax, 2, (al / base) << 8 | al % base);
    alu::set_arithmetic(cpu_.rflags, alu::szp(al % base, 1));
    return true;
}

void Execution::ascii_adjust_divide() {
    const u32 base = static_cast<u8>(in_.immediate);
    const u32 al = (reg(Rax, 1) + reg(Rsp /* AH */, 1) * base) & 0xff;
    set_reg(Rax, 2, al);
    alu::set_arithmetic(cpu_.rflags, alu::szp(al, 1));
}

} // namespace btvm

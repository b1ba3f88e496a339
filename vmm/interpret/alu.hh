// Integer arithmetic with its flags, as pure functions: operands and results are u32 holding the low `size`
// bytes. Flags that the manual leaves undefined follow what most processors do.
#pragma once

#include "vmm/cpu/registers.hh"

namespace btvm::alu {

[[nodiscard]] constexpr u32 mask(unsigned size) { return size == 4 ? 0xffffffffu : (1u << (8 * size)) - 1; }
[[nodiscard]] constexpr u32 sign_bit(unsigned size) { return 1u << (8 * size - 1); }
[[nodiscard]] constexpr s32 sign_extend(u32 v, unsigned size) {
    return size == 1 ? static_cast<s8>(v) : size == 2 ? static_cast<s16>(v) : static_cast<s32>(v);
}

/// SF, ZF and PF of a result.
[[nodiscard]] constexpr u64 szp(u32 result, unsigned size) {
    return (result & sign_bit(size) ? eflags::kSf : 0) | ((result & mask(size)) == 0 ? eflags::kZf : 0) |
           (__builtin_parity(result & 0xff) ? 0 : eflags::kPf);
}

constexpr void set_arithmetic(u64& flags, u64 value) { flags = (flags & ~eflags::kArithmetic) | value; }

constexpr u32 add(u32 a, u32 b, u32 carry, unsigned size, u64& flags) {
    const u64 wide = u64{a} + b + carry;
    const u32 r = static_cast<u32>(wide) & mask(size);
    set_arithmetic(flags, szp(r, size) | (wide >> (8 * size) & 1 ? eflags::kCf : 0) |
                              ((a ^ b ^ r) & 0x10 ? eflags::kAf : 0) |
                              ((a ^ r) & (b ^ r) & sign_bit(size) ? eflags::kOf : 0));
    return r;
}

constexpr u32 sub(u32 a, u32 b, u32 borrow, unsigned size, u64& flags) {
    const u32 r = (a - b - borrow) & mask(size);
    set_arithmetic(flags, szp(r, size) | (u64{a} < u64{b} + borrow ? eflags::kCf : 0) |
                              ((a ^ b ^ r) & 0x10 ? eflags::kAf : 0) |
                              ((a ^ b) & (a ^ r) & sign_bit(size) ? eflags::kOf : 0));
    return r;
}

constexpr u32 logic(u32 r, unsigned size, u64& flags) {
    r &= mask(size);
    set_arithmetic(flags, szp(r, size));
    return r;
}

/// INC and DEC leave CF alone.
constexpr u32 inc(u32 a, unsigned size, u64& flags) {
    const u64 carry = flags & eflags::kCf;
    const u32 r = add(a, 1, 0, size, flags);
    flags = (flags & ~eflags::kCf) | carry;
    return r;
}

constexpr u32 dec(u32 a, unsigned size, u64& flags) {
    const u64 carry = flags & eflags::kCf;
    const u32 r = sub(a, 1, 0, size, flags);
    flags = (flags & ~eflags::kCf) | carry;
    return r;
}

/// The eight operations of opcodes 00-3F and group 1, by their number. CMP (7) returns `a`.
constexpr u32 binary(unsigned operation, u32 a, u32 b, unsigned size, u64& flags) {
    const u32 carry = flags & eflags::kCf ? 1 : 0;
    switch (operation) {
    case 0: return add(a, b, 0, size, flags);
    case 1: return logic(a | b, size, flags);
    case 2: return add(a, b, carry, size, flags);
    case 3: return sub(a, b, carry, size, flags);
    case 4: return logic(a & b, size, flags);
    case 5: return sub(a, b, 0, size, flags);
    case 6: return logic(a ^ b, size, flags);
    default: sub(a, b, 0, size, flags); return a;
    }
}

constexpr void set_flag(u64& flags, u64 flag, bool on) { flags = on ? flags | flag : flags & ~flag; }

/// Group 2 by its number (ROL, ROR, RCL, RCR, SHL, SHR, SHL, SAR). `count` is masked to 5 bits here; a zero
/// count changes no flag. OF is computed for every count though it is defined for 1 only.
constexpr u32 shift(unsigned operation, u32 a, u32 count, unsigned size, u64& flags) {
    count &= 31;
    if (!count) return a;
    const unsigned bits = 8 * size;
    const u32 sign = sign_bit(size);
    const u32 all = mask(size);
    u32 r = a;
    bool carry = flags & eflags::kCf;
    bool overflow = false;
    switch (operation) {
    case 0: { // ROL
        const unsigned n = count % bits;
        if (n) r = (a << n | a >> (bits - n)) & all;
        carry = r & 1;
        overflow = carry != !!(r & sign);
        break;
    }
    case 1: { // ROR
        const unsigned n = count % bits;
        if (n) r = (a >> n | a << (bits - n)) & all;
        carry = r & sign;
        overflow = !!(r & sign) != !!(r & sign >> 1);
        break;
    }
    case 2:   // RCL
    case 3: { // RCR: through a ring of bits + 1
        const unsigned n = count % (bits + 1);
        if (!n) return a;
        const u64 ring = u64{carry} << bits | a;
        const unsigned left = operation == 2 ? n : bits + 1 - n;
        const u64 turned = ring << left | ring >> (bits + 1 - left);
        r = static_cast<u32>(turned) & all;
        carry = turned >> bits & 1;
        overflow = operation == 2 ? carry != !!(r & sign) : !!(r & sign) != !!(r & sign >> 1);
        break;
    }
    case 5: // SHR
        r = count < 32 ? a >> count : 0;
        carry = (count <= bits) && (a >> (count - 1) & 1);
        overflow = a & sign;
        break;
    case 7: { // SAR
        const s32 wide = sign_extend(a, size);
        r = static_cast<u32>(wide >> count) & all;
        carry = (wide >> (count - 1)) & 1;
        break;
    }
    default: { // SHL
        const u64 wide = u64{a} << count;
        r = static_cast<u32>(wide) & all;
        carry = wide >> bits & 1;
        overflow = carry != !!(r & sign);
        break;
    }
    }
    if (operation < 4) {
        set_flag(flags, eflags::kCf, carry);
        set_flag(flags, eflags::kOf, overflow);
    } else {
        set_arithmetic(flags, szp(r, size) | (carry ? eflags::kCf : 0) | (overflow ? eflags::kOf : 0));
    }
    return r;
}

/// SHLD and SHRD. With 16-bit operands and a count above 16 the result is undefined; here the operands are
/// taken as the ring a:b:a, which is what Intel processors shift.
constexpr u32 double_shift(bool left, u32 a, u32 b, u32 count, unsigned size, u64& flags) {
    count &= 31;
    if (!count) return a;
    const unsigned bits = 8 * size;
    u32 r = 0;
    bool carry = false;
    if (size == 2) {
        const u64 ring = u64{a} << 32 | u64{b} << 16 | a;
        if (left) {
            r = static_cast<u32>(ring << count >> 32) & 0xffff;
            carry = (ring << count) >> 48 & 1;
        } else {
            r = static_cast<u32>(ring >> count) & 0xffff;
            carry = ring >> (count - 1) & 1;
        }
    } else if (left) {
        r = a << count | b >> (bits - count);
        carry = a >> (bits - count) & 1;
    } else {
        r = a >> count | b << (bits - count);
        carry = a >> (count - 1) & 1;
    }
    set_arithmetic(flags,
                   szp(r, size) | (carry ? eflags::kCf : 0) | ((a ^ r) & sign_bit(size) ? eflags::kOf : 0));
    return r;
}

/// The condition of Jcc, SETcc and CMOVcc by its number (SDM Vol. 1 appendix B).
[[nodiscard]] constexpr bool condition(unsigned code, u64 flags) {
    bool v = false;
    switch (code >> 1 & 7) {
    case 0: v = flags & eflags::kOf; break;
    case 1: v = flags & eflags::kCf; break;
    case 2: v = flags & eflags::kZf; break;
    case 3: v = flags & (eflags::kCf | eflags::kZf); break;
    case 4: v = flags & eflags::kSf; break;
    case 5: v = flags & eflags::kPf; break;
    case 6: v = !(flags & eflags::kSf) != !(flags & eflags::kOf); break;
    case 7: v = (flags & eflags::kZf) || !(flags & eflags::kSf) != !(flags & eflags::kOf); break;
    }
    return v != !!(code & 1);
}

} // namespace btvm::alu

// As in x87_native.cc: no vector register may be used while the guest's values are in them.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC target("general-regs-only")
#endif
#include "vmm/interpret/sse_native.hh"

#include "vmm/base/platform.hh"
#include "vmm/cpu/state.hh"

namespace btvm {

namespace {

constexpr u32 kFlags = 0x3f;
constexpr u32 kMasks = 0x1f80;
constexpr u32 kUnderflowMask = 0x0800;
constexpr u32 kFlushToZero = 0x8000;

/// Our own FPU state, put back at the end of the scope; the guest's rounding is in force meanwhile.
class GuestRounding {
public:
    explicit GuestRounding(VectorOperands& v) : v_(v) {
        platform::fpu_begin();
        asm volatile("fxsave64 %0" : "=m"(own_));
        u32 wanted = (v.mxcsr | kMasks) & ~kFlags;
        // Underflow that is not masked knows no flushing to zero (SDM Vol. 1 10.2.3.3).
        if (!(v.mxcsr & kUnderflowMask)) wanted &= ~kFlushToZero;
        asm volatile("ldmxcsr %0" ::"m"(wanted));
    }
    ~GuestRounding() {
        u32 after;
        asm volatile("stmxcsr %0" : "=m"(after));
        asm volatile("fxrstor64 %0" ::"m"(own_));
        platform::fpu_end();
        v_.raised = after & kFlags;
    }
    GuestRounding(const GuestRounding&) = delete;
    GuestRounding& operator=(const GuestRounding&) = delete;

private:
    VectorOperands& v_;
    FxsaveArea own_;
};

constexpr unsigned code_of(VectorPrefix prefix, u8 opcode) {
    return static_cast<unsigned>(prefix) << 8 | opcode;
}

// The instruction's bytes: prefix, 0F, opcode, and a ModRM byte for register 0 and (%rdi).
template <VectorPrefix kPrefix, u8 kOpcode>
[[gnu::always_inline]] inline void compute(VectorOperands& v) {
    constexpr u8 kByte = kPrefix == VectorPrefix::P66 ? 0x66 : kPrefix == VectorPrefix::Pf3 ? 0xf3 : 0xf2;
    if constexpr (kPrefix == VectorPrefix::None)
        asm volatile("movdqa %[a], %%xmm0\n\t"
                     ".byte 0x0f, %c[op], 0x07\n\t"
                     "movdqa %%xmm0, %[a]"
                     : [a] "+m"(v.a)
                     : [op] "i"(kOpcode), "D"(v.b), "m"(v.b));
    else
        asm volatile("movdqa %[a], %%xmm0\n\t"
                     ".byte %c[prefix], 0x0f, %c[op], 0x07\n\t"
                     "movdqa %%xmm0, %[a]"
                     : [a] "+m"(v.a)
                     : [prefix] "i"(kByte), [op] "i"(kOpcode), "D"(v.b), "m"(v.b));
}

// Every instruction once: prefix, opcode, bytes of a memory operand. One a line of the manual's map, SDM Vol.
// 2D table A-3.
// clang-format off
#define BTVM_SCALAR_AND_PACKED(X, op) X(None, op, 16) X(P66, op, 16) X(Pf3, op, 4) X(Pf2, op, 8)
#define BTVM_FLOATING(X) \
    X(None, 0x14, 16) X(P66, 0x14, 16) X(None, 0x15, 16) X(P66, 0x15, 16) \
    BTVM_SCALAR_AND_PACKED(X, 0x51) \
    X(None, 0x52, 16) X(Pf3, 0x52, 4) X(None, 0x53, 16) X(Pf3, 0x53, 4) \
    X(None, 0x54, 16) X(P66, 0x54, 16) X(None, 0x55, 16) X(P66, 0x55, 16) \
    X(None, 0x56, 16) X(P66, 0x56, 16) X(None, 0x57, 16) X(P66, 0x57, 16) \
    BTVM_SCALAR_AND_PACKED(X, 0x58) BTVM_SCALAR_AND_PACKED(X, 0x59) \
    BTVM_SCALAR_AND_PACKED(X, 0x5c) BTVM_SCALAR_AND_PACKED(X, 0x5d) \
    BTVM_SCALAR_AND_PACKED(X, 0x5e) BTVM_SCALAR_AND_PACKED(X, 0x5f)
#define BTVM_CONVERSIONS(X) \
    X(None, 0x2a, 8) X(P66, 0x2a, 8) X(Pf3, 0x2a, 4) X(Pf2, 0x2a, 4) \
    X(None, 0x5a, 8) X(P66, 0x5a, 16) X(Pf3, 0x5a, 4) X(Pf2, 0x5a, 8) \
    X(None, 0x5b, 16) X(P66, 0x5b, 16) X(Pf3, 0x5b, 16) \
    X(P66, 0xe6, 16) X(Pf3, 0xe6, 8) X(Pf2, 0xe6, 16)
#define BTVM_INTEGER_OPCODES(Y) \
    Y(0x60) Y(0x61) Y(0x62) Y(0x63) Y(0x64) Y(0x65) Y(0x66) Y(0x67) Y(0x68) Y(0x69) Y(0x6a) \
    Y(0x6b) Y(0x6c) Y(0x6d) Y(0x74) Y(0x75) Y(0x76) Y(0xd1) Y(0xd2) Y(0xd3) Y(0xd4) Y(0xd5) \
    Y(0xd8) Y(0xd9) Y(0xda) Y(0xdb) Y(0xdc) Y(0xdd) Y(0xde) Y(0xdf) Y(0xe0) Y(0xe1) Y(0xe2) \
    Y(0xe3) Y(0xe4) Y(0xe5) Y(0xe8) Y(0xe9) Y(0xea) Y(0xeb) Y(0xec) Y(0xed) Y(0xee) Y(0xef) \
    Y(0xf1) Y(0xf2) Y(0xf3) Y(0xf4) Y(0xf5) Y(0xf6) Y(0xf8) Y(0xf9) Y(0xfa) Y(0xfb) Y(0xfc) \
    Y(0xfd) Y(0xfe)
// clang-format on
#define BTVM_SIZE(prefix, op, size)                                                                          \
    case code_of(VectorPrefix::prefix, op):                                                                  \
        return size;
#define BTVM_SIZE_INTEGER(op) BTVM_SIZE(P66, op, 16)
#define BTVM_RUN(prefix, op, size)                                                                           \
    case code_of(VectorPrefix::prefix, op):                                                                  \
        return compute<VectorPrefix::prefix, op>(v);
#define BTVM_RUN_INTEGER(op) BTVM_RUN(P66, op, 16)

void compute(VectorPrefix prefix, u8 opcode, VectorOperands& v) {
    switch (code_of(prefix, opcode)) {
        BTVM_FLOATING(BTVM_RUN)
        BTVM_CONVERSIONS(BTVM_RUN)
        BTVM_INTEGER_OPCODES(BTVM_RUN_INTEGER)
    default: return;
    }
}

template <VectorPrefix kPrefix, u8 kPredicate>
[[gnu::always_inline]] inline void compare(VectorOperands& v) {
#define BTVM_COMPARE(name)                                                                                   \
    asm volatile("movdqa %0, %%xmm0\n\t" name " %1, %2, %%xmm0\n\t"                                          \
                 "movdqa %%xmm0, %0"                                                                         \
                 : "+m"(v.a)                                                                                 \
                 : "i"(kPredicate), "m"(v.b))
    if constexpr (kPrefix == VectorPrefix::None) BTVM_COMPARE("cmpps");
    if constexpr (kPrefix == VectorPrefix::P66) BTVM_COMPARE("cmppd");
    if constexpr (kPrefix == VectorPrefix::Pf3) BTVM_COMPARE("cmpss");
    if constexpr (kPrefix == VectorPrefix::Pf2) BTVM_COMPARE("cmpsd");
#undef BTVM_COMPARE
}

template <VectorPrefix kPrefix>
void compare(VectorOperands& v) {
    switch (v.predicate & 7) {
    case 0: return compare<kPrefix, 0>(v);
    case 1: return compare<kPrefix, 1>(v);
    case 2: return compare<kPrefix, 2>(v);
    case 3: return compare<kPrefix, 3>(v);
    case 4: return compare<kPrefix, 4>(v);
    case 5: return compare<kPrefix, 5>(v);
    case 6: return compare<kPrefix, 6>(v);
    default: return compare<kPrefix, 7>(v);
    }
}

} // namespace

u8 sse_operand_size(VectorPrefix prefix, u8 opcode) {
    switch (code_of(prefix, opcode)) {
        BTVM_FLOATING(BTVM_SIZE)
        BTVM_CONVERSIONS(BTVM_SIZE)
        BTVM_INTEGER_OPCODES(BTVM_SIZE_INTEGER)
    default: return 0;
    }
}

void sse_compute(VectorPrefix prefix, u8 opcode, VectorOperands& v) {
    const GuestRounding rounding(v);
    compute(prefix, opcode, v);
}

void sse_compare(VectorPrefix prefix, VectorOperands& v) {
    const GuestRounding rounding(v);
    switch (prefix) {
    case VectorPrefix::None: return compare<VectorPrefix::None>(v);
    case VectorPrefix::P66: return compare<VectorPrefix::P66>(v);
    case VectorPrefix::Pf3: return compare<VectorPrefix::Pf3>(v);
    case VectorPrefix::Pf2: return compare<VectorPrefix::Pf2>(v);
    }
}

void sse_compare_flags(VectorPrefix prefix, u8 opcode, VectorOperands& v) {
    const GuestRounding rounding(v);
    bool carry, zero, parity;
#define BTVM_COMPARE_FLAGS(name)                                                                             \
    asm volatile("movdqa %3, %%xmm0\n\t" name " %4, %%xmm0"                                                  \
                 : "=@ccc"(carry), "=@ccz"(zero), "=@ccp"(parity)                                            \
                 : "m"(v.a), "m"(v.b))
    if (prefix == VectorPrefix::None) {
        if (opcode == 0x2e)
            BTVM_COMPARE_FLAGS("ucomiss");
        else
            BTVM_COMPARE_FLAGS("comiss");
    } else {
        if (opcode == 0x2e)
            BTVM_COMPARE_FLAGS("ucomisd");
        else
            BTVM_COMPARE_FLAGS("comisd");
    }
#undef BTVM_COMPARE_FLAGS
    v.rflags = (v.rflags & ~eflags::kArithmetic) | (carry ? eflags::kCf : 0) | (zero ? eflags::kZf : 0) |
               (parity ? eflags::kPf : 0);
}

void sse_to_integer(VectorPrefix prefix, u8 opcode, VectorOperands& v) {
    const GuestRounding rounding(v);
    const bool truncate = opcode == 0x2c;
#define BTVM_TO_MMX(name) asm volatile(name " %1, %%mm0\n\tmovq %%mm0, %0" : "=m"(v.a) : "m"(v.b))
#define BTVM_TO_GENERAL(name) asm volatile(name " %1, %0" : "=r"(v.result) : "m"(v.b))
    switch (prefix) {
    case VectorPrefix::None:
        if (truncate)
            BTVM_TO_MMX("cvttps2pi");
        else
            BTVM_TO_MMX("cvtps2pi");
        break;
    case VectorPrefix::P66:
        if (truncate)
            BTVM_TO_MMX("cvttpd2pi");
        else
            BTVM_TO_MMX("cvtpd2pi");
        break;
    case VectorPrefix::Pf3:
        if (truncate)
            BTVM_TO_GENERAL("cvttss2si");
        else
            BTVM_TO_GENERAL("cvtss2si");
        break;
    case VectorPrefix::Pf2:
        if (truncate)
            BTVM_TO_GENERAL("cvttsd2si");
        else
            BTVM_TO_GENERAL("cvtsd2si");
        break;
    }
#undef BTVM_TO_MMX
#undef BTVM_TO_GENERAL
}

} // namespace btvm

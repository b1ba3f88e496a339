// As in x87_native.cc: no vector register may be used while the guest's values are in them.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC target("general-regs-only")
#endif
#include "vmm/interpret/mmx_native.hh"

#include "vmm/base/platform.hh"
#include "vmm/cpu/state.hh"

namespace btvm {

namespace {

/// MM0 op (RDI).
template <u8 kOpcode>
[[gnu::always_inline]] inline void run(u64& a, const u64& b) {
    FxsaveArea own;
    platform::fpu_begin();
    asm volatile("fxsave64 %0" : "=m"(own));
    asm volatile("movq %0, %%mm0\n\t"
                 ".byte 0x0f, %c1, 0x07\n\t"
                 "movq %%mm0, %0"
                 : "+m"(a)
                 : "i"(kOpcode), "D"(&b), "m"(b));
    asm volatile("fxrstor64 %0" ::"m"(own));
    platform::fpu_end();
}

// Each opcode once, for the table of what is known and for the switch.
// clang-format off
#define BTVM_MMX_OPCODES(X) \
    X(0x60) X(0x61) X(0x62) X(0x63) X(0x64) X(0x65) X(0x66) X(0x67) X(0x68) X(0x69) X(0x6a) \
    X(0x6b) X(0x74) X(0x75) X(0x76) X(0xd1) X(0xd2) X(0xd3) X(0xd5) X(0xd8) X(0xd9) X(0xdb) \
    X(0xdc) X(0xdd) X(0xdf) X(0xe1) X(0xe2) X(0xe5) X(0xe8) X(0xe9) X(0xeb) X(0xec) X(0xed) \
    X(0xef) X(0xf1) X(0xf2) X(0xf3) X(0xf5) X(0xf8) X(0xf9) X(0xfa) X(0xfc) X(0xfd) X(0xfe)
#define BTVM_MMX_OF_SSE(X) \
    X(0xd4) X(0xda) X(0xde) X(0xe0) X(0xe3) X(0xe4) X(0xea) X(0xee) X(0xf4) X(0xf6) X(0xfb)
// clang-format on
#define BTVM_KNOWN(opcode) case opcode:
#define BTVM_RUN(opcode)                                                                                     \
    case opcode: run<opcode>(a, b); break;

} // namespace

bool mmx_needs_sse(u8 opcode) {
    switch (opcode) {
        BTVM_MMX_OF_SSE(BTVM_KNOWN)
        return true;
    default: return false;
    }
}

bool mmx_known(u8 opcode) {
    switch (opcode) {
        BTVM_MMX_OPCODES(BTVM_KNOWN)
        return true;
    default: return mmx_needs_sse(opcode);
    }
}

void mmx_run(u8 opcode, u64& a, u64 b) {
    switch (opcode) {
        BTVM_MMX_OPCODES(BTVM_RUN)
        BTVM_MMX_OF_SSE(BTVM_RUN)
    default: break;
    }
}

#undef BTVM_MMX_OPCODES
#undef BTVM_MMX_OF_SSE
#undef BTVM_KNOWN
#undef BTVM_RUN

} // namespace btvm

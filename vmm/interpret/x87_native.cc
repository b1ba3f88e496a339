// Between loading the guest's FPU state and restoring our own the compiler must not touch a vector register.
// The kernel builds guarantee it for all code; the hosted one for this file.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC target("general-regs-only")
#endif
#include "vmm/interpret/x87_native.hh"

#include "vmm/base/platform.hh"
#include "vmm/cpu/registers.hh"
#include "vmm/interpret/x87_image.hh"

namespace btvm {

namespace {

/// The x87 part of the image: FCW, FSW and FTW, and the registers. Pointers and MXCSR are kept by software:
/// the processor's are those of our code.
constexpr unsigned kStatusBytes = 6;
constexpr unsigned kRegisters = 32;
constexpr unsigned kRegisterBytes = 128;
constexpr unsigned kMxcsr = 24;

/// Our own FPU state, put back at the end of the scope; the guest's x87 state is in the processor meanwhile.
class GuestX87 {
public:
    explicit GuestX87(FxsaveArea& image) : image_(image) {
        __builtin_memcpy(guest_.bytes, image.bytes, kStatusBytes);
        __builtin_memcpy(guest_.bytes + kRegisters, image.bytes + kRegisters, kRegisterBytes);
        X87Image(guest_).update_summary(); // a state that was set can say ES for no reason
        // Reserved bits in MXCSR would fault; the guest's is of no use here.
        guest_.bytes[kMxcsr] = 0x80;
        guest_.bytes[kMxcsr + 1] = 0x1f;
        platform::fpu_begin();
        asm volatile("fxsave64 %0" : "=m"(own_));
        asm volatile("fxrstor %0" ::"m"(guest_));
    }
    ~GuestX87() {
        asm volatile("fxsave %0" : "=m"(guest_));
        asm volatile("fxrstor64 %0" ::"m"(own_));
        platform::fpu_end();
        __builtin_memcpy(image_.bytes, guest_.bytes, kStatusBytes);
        __builtin_memcpy(image_.bytes + kRegisters, guest_.bytes + kRegisters, kRegisterBytes);
    }
    GuestX87(const GuestX87&) = delete;
    GuestX87& operator=(const GuestX87&) = delete;

private:
    FxsaveArea& image_;
    FxsaveArea own_;
    FxsaveArea guest_;
};

template <u8 kOpcode, u8 kModrm>
[[gnu::always_inline]] inline void run() {
    asm volatile(".byte %c0, %c1" ::"i"(kOpcode), "i"(kModrm));
}

/// FCOMI and its relatives leave their answer in ZF, PF and CF, and clear the other arithmetic flags.
template <u8 kOpcode, u8 kModrm>
[[gnu::always_inline]] inline void run_compare(u64& rflags) {
    bool carry, zero, parity;
    asm volatile(".byte %c3, %c4"
                 : "=@ccc"(carry), "=@ccz"(zero), "=@ccp"(parity)
                 : "i"(kOpcode), "i"(kModrm));
    rflags = (rflags & ~eflags::kArithmetic) | (carry ? eflags::kCf : 0) | (zero ? eflags::kZf : 0) |
             (parity ? eflags::kPf : 0);
}

/// FCMOVB (DA C0+i) under a carry flag of our making stands for every FCMOVcc.
template <u8 kModrm>
[[gnu::always_inline]] inline void run_move(bool taken) {
    if (taken)
        asm volatile("stc\n\t.byte 0xda, %c0" ::"i"(kModrm) : "cc");
    else
        asm volatile("clc\n\t.byte 0xda, %c0" ::"i"(kModrm) : "cc");
}

template <u8 kOpcode, u8 kReg>
[[gnu::always_inline]] inline void run_memory(u8 (&operand)[16]) {
    // ModRM: mod 0, rm 7, that is (%rdi).
    asm volatile(".byte %c1, %c2" : "+m"(operand) : "i"(kOpcode), "i"(kReg << 3 | 7), "D"(operand));
}

/// Undocumented encodings that every processor takes as a documented one, renamed to it.
constexpr u16 canonical(u16 code) {
    switch (code & 0xfff8) {
    case 0xd9d8: return static_cast<u16>(0xddd8 | (code & 7));
    case 0xdcd0: return static_cast<u16>(0xd8d0 | (code & 7));
    case 0xdcd8:
    case 0xded0: return static_cast<u16>(0xd8d8 | (code & 7));
    case 0xddc8:
    case 0xdfc8: return static_cast<u16>(0xd9c8 | (code & 7));
    case 0xdfd0:
    case 0xdfd8: return static_cast<u16>(0xddd8 | (code & 7));
    default: return code;
    }
}

constexpr bool known(u16 code) {
    const u8 modrm = code & 0xff;
    switch (code >> 8) {
    case 0xd8:
    case 0xdc: return true;
    case 0xd9: {
        // D0, E0, E1, E4, E5, E8-EE and all of F0-FF.
        constexpr u64 kSingles =
            1ull << 0x10 | 3ull << 0x20 | 3ull << 0x24 | 0x7full << 0x28 | 0xffffull << 0x30;
        return modrm < 0xd0 || (kSingles >> (modrm & 0x3f) & 1);
    }
    case 0xda: return modrm < 0xe0 || modrm == 0xe9;
    case 0xdb: return modrm < 0xe0 || (modrm >= 0xe8 && modrm < 0xf8);
    case 0xdd: return modrm < 0xc8 || (modrm >= 0xd0 && modrm < 0xf0);
    case 0xde: return modrm < 0xd0 || modrm == 0xd9 || modrm >= 0xe0;
    default: return modrm < 0xc8 || (modrm >= 0xe8 && modrm < 0xf8);
    }
}

constexpr bool move_taken(u16 code, u64 rflags) {
    bool v = false;
    switch (code >> 3 & 3) {
    case 0: v = rflags & eflags::kCf; break;
    case 1: v = rflags & eflags::kZf; break;
    case 2: v = rflags & (eflags::kCf | eflags::kZf); break;
    case 3: v = rflags & eflags::kPf; break;
    }
    return v != (code >> 8 == 0xdb);
}

// Eight cases for ST(0) to ST(7).
#define BTVM_EACH_ST(what, opcode, modrm)                                                                    \
    what(opcode, modrm) what(opcode, modrm + 1) what(opcode, modrm + 2) what(opcode, modrm + 3)              \
        what(opcode, modrm + 4) what(opcode, modrm + 5) what(opcode, modrm + 6) what(opcode, modrm + 7)
#define BTVM_RUN(opcode, modrm)                                                                              \
    case ((opcode) << 8 | (modrm)):                                                                          \
        run<opcode, modrm>();                                                                                \
        break;
#define BTVM_COMPARE(opcode, modrm)                                                                          \
    case ((opcode) << 8 | (modrm)):                                                                          \
        run_compare<opcode, modrm>(rflags);                                                                  \
        break;
#define BTVM_MOVE(opcode, modrm)                                                                             \
    case (modrm):                                                                                            \
        run_move<modrm>(taken);                                                                              \
        break;
#define BTVM_MEMORY(opcode, reg)                                                                             \
    case ((opcode) << 8 | (reg)): run_memory<opcode, reg>(operand); break;

} // namespace

bool x87_run_register(FxsaveArea& image, u8 opcode, u8 modrm, u64& rflags) {
    const u16 code = canonical(static_cast<u16>(opcode << 8 | modrm));
    if (!known(code)) return false;
    const GuestX87 loaded(image);
    if ((code >> 8 == 0xda || code >> 8 == 0xdb) && (code & 0xff) < 0xe0) {
        const bool taken = move_taken(code, rflags);
        switch (0xc0 | (code & 7)) { BTVM_EACH_ST(BTVM_MOVE, 0, 0xc0) }
        return true;
    }
    switch (code) {
        BTVM_EACH_ST(BTVM_RUN, 0xd8, 0xc0)
        BTVM_EACH_ST(BTVM_RUN, 0xd8, 0xc8)
        BTVM_EACH_ST(BTVM_RUN, 0xd8, 0xd0)
        BTVM_EACH_ST(BTVM_RUN, 0xd8, 0xd8)
        BTVM_EACH_ST(BTVM_RUN, 0xd8, 0xe0)
        BTVM_EACH_ST(BTVM_RUN, 0xd8, 0xe8)
        BTVM_EACH_ST(BTVM_RUN, 0xd8, 0xf0)
        BTVM_EACH_ST(BTVM_RUN, 0xd8, 0xf8)
        BTVM_EACH_ST(BTVM_RUN, 0xd9, 0xc0)
        BTVM_EACH_ST(BTVM_RUN, 0xd9, 0xc8)
        BTVM_RUN(0xd9, 0xd0)
        BTVM_RUN(0xd9, 0xe0)
        BTVM_RUN(0xd9, 0xe1)
        BTVM_RUN(0xd9, 0xe4)
        BTVM_RUN(0xd9, 0xe5)
        BTVM_RUN(0xd9, 0xe8)
        BTVM_RUN(0xd9, 0xe9)
        BTVM_RUN(0xd9, 0xea)
        BTVM_RUN(0xd9, 0xeb)
        BTVM_RUN(0xd9, 0xec)
        BTVM_RUN(0xd9, 0xed)
        BTVM_RUN(0xd9, 0xee)
        BTVM_EACH_ST(BTVM_RUN, 0xd9, 0xf0)
        BTVM_EACH_ST(BTVM_RUN, 0xd9, 0xf8)
        BTVM_RUN(0xda, 0xe9)
        BTVM_EACH_ST(BTVM_COMPARE, 0xdb, 0xe8)
        BTVM_EACH_ST(BTVM_COMPARE, 0xdb, 0xf0)
        BTVM_EACH_ST(BTVM_RUN, 0xdc, 0xc0)
        BTVM_EACH_ST(BTVM_RUN, 0xdc, 0xc8)
        BTVM_EACH_ST(BTVM_RUN, 0xdc, 0xe0)
        BTVM_EACH_ST(BTVM_RUN, 0xdc, 0xe8)
        BTVM_EACH_ST(BTVM_RUN, 0xdc, 0xf0)
        BTVM_EACH_ST(BTVM_RUN, 0xdc, 0xf8)
        BTVM_EACH_ST(BTVM_RUN, 0xdd, 0xc0)
        BTVM_EACH_ST(BTVM_RUN, 0xdd, 0xd0)
        BTVM_EACH_ST(BTVM_RUN, 0xdd, 0xd8)
        BTVM_EACH_ST(BTVM_RUN, 0xdd, 0xe0)
        BTVM_EACH_ST(BTVM_RUN, 0xdd, 0xe8)
        BTVM_EACH_ST(BTVM_RUN, 0xde, 0xc0)
        BTVM_EACH_ST(BTVM_RUN, 0xde, 0xc8)
        BTVM_RUN(0xde, 0xd9)
        BTVM_EACH_ST(BTVM_RUN, 0xde, 0xe0)
        BTVM_EACH_ST(BTVM_RUN, 0xde, 0xe8)
        BTVM_EACH_ST(BTVM_RUN, 0xde, 0xf0)
        BTVM_EACH_ST(BTVM_RUN, 0xde, 0xf8)
        BTVM_EACH_ST(BTVM_RUN, 0xdf, 0xc0)
        BTVM_EACH_ST(BTVM_COMPARE, 0xdf, 0xe8)
        BTVM_EACH_ST(BTVM_COMPARE, 0xdf, 0xf0)
    default: break;
    }
    return true;
}

X87MemoryForm x87_memory_form(u8 opcode, u8 reg) {
    const bool store = reg == 2 || reg == 3;
    const bool load_or_store = reg == 0 || store;
    switch (opcode) {
    case 0xd8:
    case 0xda: return {4, false};
    case 0xdc: return {8, false};
    case 0xde: return {2, false};
    case 0xd9: return {static_cast<u8>(load_or_store ? 4 : 0), store};
    case 0xdb:
        if (reg == 5 || reg == 7) return {10, reg == 7};
        return {static_cast<u8>(load_or_store ? 4 : 0), store};
    case 0xdd: return {static_cast<u8>(load_or_store ? 8 : 0), store};
    default:
        if (reg == 4 || reg == 6) return {10, reg == 6};
        if (reg == 5 || reg == 7) return {8, reg == 7};
        return {static_cast<u8>(load_or_store ? 2 : 0), store};
    }
}

void x87_run_memory(FxsaveArea& image, u8 opcode, u8 reg, u8 (&operand)[16]) {
    const GuestX87 loaded(image);
    switch (opcode << 8 | reg) {
        BTVM_EACH_ST(BTVM_MEMORY, 0xd8, 0)
        BTVM_EACH_ST(BTVM_MEMORY, 0xda, 0)
        BTVM_EACH_ST(BTVM_MEMORY, 0xdc, 0)
        BTVM_EACH_ST(BTVM_MEMORY, 0xde, 0)
        BTVM_MEMORY(0xd9, 0)
        BTVM_MEMORY(0xd9, 2)
        BTVM_MEMORY(0xd9, 3)
        BTVM_MEMORY(0xdb, 0)
        BTVM_MEMORY(0xdb, 2)
        BTVM_MEMORY(0xdb, 3)
        BTVM_MEMORY(0xdb, 5)
        BTVM_MEMORY(0xdb, 7)
        BTVM_MEMORY(0xdd, 0)
        BTVM_MEMORY(0xdd, 2)
        BTVM_MEMORY(0xdd, 3)
        BTVM_MEMORY(0xdf, 0)
        BTVM_MEMORY(0xdf, 2)
        BTVM_MEMORY(0xdf, 3)
        BTVM_MEMORY(0xdf, 4)
        BTVM_MEMORY(0xdf, 5)
        BTVM_MEMORY(0xdf, 6)
        BTVM_MEMORY(0xdf, 7)
    default: break;
    }
}

#undef BTVM_EACH_ST
#undef BTVM_RUN
#undef BTVM_COMPARE
#undef BTVM_MOVE
#undef BTVM_MEMORY

} // namespace btvm

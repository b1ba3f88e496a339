// The legacy opcode maps (SDM Vol. 2D appendix A.3), written row by row. What one opcode byte cannot tell
// (groups, forms that a mandatory prefix changes) is marked kGroup and left to refine().
#include <array>

#include "vmm/decode/opcode_attributes.hh"

namespace btvm::opcode {

namespace {

using Table = std::array<Attributes, 256>;

constexpr void fill(Table& t, unsigned first, unsigned last, Attributes a) {
    for (unsigned opcode = first; opcode <= last; ++opcode)
        t[opcode] = a;
}

constexpr Table one_byte_map() {
    Table t{};
    // The eight arithmetic operations: Eb,Gb Ev,Gv Gb,Eb Gv,Ev AL,Ib eAX,Iz. CMP (38, 39) writes nothing: no
    // LOCK.
    for (unsigned row = 0; row < 8; ++row) {
        const unsigned base = row * 8;
        const Attributes lock = row == 7 ? 0 : kLockable;
        fill(t, base, base + 1, kPlain | kModrm | lock);
        fill(t, base + 2, base + 3, kPlain | kModrm);
        t[base + 4] = kPlain | kByte;
        t[base + 5] = kPlain | kFull;
    }
    // PUSH shows the true selector, POP loads it: both differ at ring 3.
    for (const unsigned opcode : {0x06, 0x07, 0x0e, 0x16, 0x17, 0x1e, 0x1f})
        t[opcode] = kSensitive | kNot64;
    for (const unsigned opcode : {0x27, 0x2f, 0x37, 0x3f})
        t[opcode] = kPlain | kNot64;                  // DAA DAS AAA AAS
    fill(t, 0x40, 0x4f, kPlain);                      // INC, DEC (REX in 64-bit mode)
    fill(t, 0x50, 0x5f, kPlain | kDefault64);         // PUSH, POP
    fill(t, 0x60, 0x61, kPlain | kNot64);             // PUSHA, POPA
    t[0x62] = kPlain | kModrm | kMemoryOnly | kNot64; // BOUND
    t[0x63] = kPlain | kModrm | kGroup;               // ARPL, MOVSXD
    t[0x68] = kPlain | kFull | kDefault64;
    t[0x69] = kPlain | kModrm | kFull;
    t[0x6a] = kPlain | kByte | kDefault64;
    t[0x6b] = kPlain | kModrm | kByte;
    fill(t, 0x6c, 0x6f, kPrivileged); // INS, OUTS
    fill(t, 0x70, 0x7f, kConditional | kByte | kForce64);
    t[0x80] = kPlain | kModrm | kByte | kGroup;
    t[0x81] = kPlain | kModrm | kFull | kGroup;
    t[0x82] = kPlain | kModrm | kByte | kGroup | kNot64;
    t[0x83] = kPlain | kModrm | kByte | kGroup;
    fill(t, 0x84, 0x85, kPlain | kModrm);             // TEST
    fill(t, 0x86, 0x87, kPlain | kModrm | kLockable); // XCHG
    fill(t, 0x88, 0x8b, kPlain | kModrm);             // MOV
    t[0x8c] = kSensitive | kModrm | kGroup;           // MOV Ev, Sw
    t[0x8d] = kPlain | kModrm | kMemoryOnly;          // LEA
    t[0x8e] = kSensitive | kModrm | kGroup;           // MOV Sw, Ew
    t[0x8f] = kPlain | kModrm | kGroup | kDefault64;  // POP Ev (XOP is taken before)
    fill(t, 0x90, 0x99, kPlain);                      // NOP, XCHG, CBW, CWD
    t[0x9a] = kSensitive | of(Immediate::FarPointer) | kNot64;
    t[0x9b] = kPlain;                             // FWAIT
    fill(t, 0x9c, 0x9d, kSensitive | kDefault64); // PUSHF, POPF: IF and IOPL
    fill(t, 0x9e, 0x9f, kPlain);                  // SAHF, LAHF
    fill(t, 0xa0, 0xa3, kPlain | of(Immediate::Offset));
    fill(t, 0xa4, 0xa7, kPlain); // MOVS, CMPS
    t[0xa8] = kPlain | kByte;
    t[0xa9] = kPlain | kFull;
    fill(t, 0xaa, 0xaf, kPlain); // STOS, LODS, SCAS
    fill(t, 0xb0, 0xb7, kPlain | kByte);
    fill(t, 0xb8, 0xbf, kPlain | of(Immediate::Wide));
    fill(t, 0xc0, 0xc1, kPlain | kModrm | kByte); // Shifts; /6 is SHL again
    t[0xc2] = kPointer | of(Immediate::Word) | kForce64;
    t[0xc3] = kPointer | kForce64;
    fill(t, 0xc4, 0xc5, kSensitive | kModrm | kMemoryOnly | kNot64); // LES, LDS (VEX is taken before)
    t[0xc6] = kPlain | kModrm | kByte | kGroup;
    t[0xc7] = kPlain | kModrm | kFull | kGroup;
    t[0xc8] = kPlain | of(Immediate::WordByte) | kDefault64;
    t[0xc9] = kPlain | kDefault64;
    t[0xca] = kSensitive | of(Immediate::Word);
    t[0xcb] = kSensitive;
    t[0xcc] = kPrivileged;         // INT3: #GP by the gate's DPL
    t[0xcd] = kPrivileged | kByte; // INT n
    t[0xce] = kSensitive | kNot64; // INTO: traps only if OF is set
    t[0xcf] = kSensitive;          // IRET
    fill(t, 0xd0, 0xd3, kPlain | kModrm);
    fill(t, 0xd4, 0xd5, kPlain | kByte | kNot64); // AAM, AAD
    t[0xd6] = kPlain | kNot64; // SALC (AMD64 APM Vol. 3 table A-1 leaves it out; all processors have it)
    t[0xd7] = kPlain;          // XLAT
    fill(t, 0xd8, 0xdf, kPlain | kModrm | kGroup);
    fill(t, 0xe0, 0xe3, kConditional | kByte | kForce64); // LOOPcc, JCXZ
    fill(t, 0xe4, 0xe7, kPrivileged | kByte);             // IN, OUT
    t[0xe8] = kUnconditional | kFull | kForce64;
    t[0xe9] = kUnconditional | kFull | kForce64;
    t[0xea] = kSensitive | of(Immediate::FarPointer) | kNot64;
    t[0xeb] = kUnconditional | kByte | kForce64;
    fill(t, 0xec, 0xef, kPrivileged);
    t[0xf1] = kSensitive; // INT1 checks no DPL: it would reach our own #DB handler
    t[0xf4] = kPrivileged;
    t[0xf5] = kPlain;
    t[0xf6] = kPlain | kModrm | kGroup;
    t[0xf7] = kPlain | kModrm | kGroup;
    fill(t, 0xf8, 0xf9, kPlain);      // CLC, STC
    fill(t, 0xfa, 0xfb, kPrivileged); // CLI, STI
    fill(t, 0xfc, 0xfd, kPlain);      // CLD, STD
    t[0xfe] = kPlain | kModrm | kGroup;
    t[0xff] = kPlain | kModrm | kGroup;
    return t;
}

constexpr Table map_0f() {
    constexpr Attributes kMmx = kPlain | kModrm | kNp | k66; // MMX registers, or XMM under 66
    constexpr Attributes kPacked = kMmx;                     // ...ps, ...pd
    constexpr Attributes kSse = kPlain | kModrm | kAnyMandatory;
    Table t{};
    t[0x00] = t[0x01] = kSensitive | kModrm | kGroup;
    fill(t, 0x02, 0x03, kSensitive | kModrm); // LAR, LSL
    t[0x05] = kPrivileged;                    // SYSCALL: #UD while EFER.SCE is clear
    t[0x06] = kPrivileged;                    // CLTS
    t[0x07] = kPrivileged;                    // SYSRET
    fill(t, 0x08, 0x09, kPrivileged);         // INVD, WBINVD
    t[0x0b] = kPrivileged;                    // UD2
    t[0x0d] = kPlain | kModrm | kMemoryOnly;  // PREFETCH, PREFETCHW
    t[0x0e] = kPlain;                         // FEMMS
    t[0x0f] = kPlain | kModrm;                // 3DNow!: the operation is the trailing byte
    fill(t, 0x10, 0x11, kSse);
    t[0x12] = t[0x16] = kPlain | kModrm | kGroup;
    t[0x13] = t[0x17] = kPlain | kModrm | kMemoryOnly | kNp | k66;
    fill(t, 0x14, 0x15, kPacked);
    fill(t, 0x18, 0x1f, kPlain | kModrm); // Prefetch hints and hint NOPs (ENDBR32 is F3 0F 1E FB)
    fill(t, 0x20, 0x23, kPrivileged | kModrm | kIgnoreMod | kGroup);
    fill(t, 0x28, 0x29, kPacked);
    t[0x2a] = t[0x2c] = t[0x2d] = kSse;
    t[0x2b] = kPlain | kModrm | kMemoryOnly | kAnyMandatory; // F3, F2: SSE4a MOVNTSS, MOVNTSD
    fill(t, 0x2e, 0x2f, kPacked);
    t[0x30] = kPrivileged; // WRMSR
    t[0x31] = kPrivileged; // RDTSC: CR4.TSD is set in the guest world
    t[0x32] = kPrivileged; // RDMSR
    t[0x33] = kPrivileged; // RDPMC: and PCE is clear
    t[0x34] = t[0x35] = kPrivileged;
    t[0x37] = kPrivileged; // GETSEC: #UD while CR4.SMXE is clear
    fill(t, 0x40, 0x4f, kPlain | kModrm);
    t[0x50] = kPacked | kRegisterOnly;
    t[0x51] = kSse;
    fill(t, 0x52, 0x53, kPlain | kModrm | kNp | kF3);
    fill(t, 0x54, 0x57, kPacked);
    fill(t, 0x58, 0x5a, kSse);
    t[0x5b] = kPlain | kModrm | kNp | k66 | kF3;
    fill(t, 0x5c, 0x5f, kSse);
    fill(t, 0x60, 0x6b, kMmx);
    fill(t, 0x6c, 0x6d, kPlain | kModrm | k66);
    t[0x6e] = kMmx;
    t[0x6f] = kPlain | kModrm | kNp | k66 | kF3;
    t[0x70] = kSse | kByte;
    fill(t, 0x71, 0x73, kPlain | kModrm | kByte | kRegisterOnly | kGroup);
    fill(t, 0x74, 0x76, kMmx);
    t[0x77] = kPlain | kNp; // EMMS
    fill(t, 0x78, 0x79, kPrivileged | kModrm | kGroup);
    fill(t, 0x7c, 0x7d, kPlain | kModrm | k66 | kF2);
    fill(t, 0x7e, 0x7f, kPlain | kModrm | kNp | k66 | kF3);
    fill(t, 0x80, 0x8f, kConditional | kFull | kForce64);
    fill(t, 0x90, 0x9f, kPlain | kModrm);
    t[0xa0] = t[0xa1] = t[0xa8] = t[0xa9] = kSensitive | kDefault64;
    t[0xa2] = kSensitive; // CPUID
    t[0xa3] = kPlain | kModrm;
    t[0xa4] = t[0xac] = kPlain | kModrm | kByte;
    t[0xa5] = t[0xad] = kPlain | kModrm;
    t[0xaa] = kPrivileged; // RSM: #UD outside SMM
    t[0xab] = kPlain | kModrm | kLockable;
    t[0xae] = kPlain | kModrm | kGroup;
    t[0xaf] = kPlain | kModrm;
    fill(t, 0xb0, 0xb1, kPlain | kModrm | kLockable);
    t[0xb2] = t[0xb4] = t[0xb5] = kSensitive | kModrm | kMemoryOnly;
    t[0xb3] = kPlain | kModrm | kLockable;
    fill(t, 0xb6, 0xb7, kPlain | kModrm);
    t[0xb8] = kPlain | kModrm | kF3; // POPCNT
    t[0xb9] = kPrivileged | kModrm;  // UD1
    t[0xba] = kPlain | kModrm | kByte | kGroup;
    t[0xbb] = kPlain | kModrm | kLockable;
    fill(t, 0xbc, 0xbf, kPlain | kModrm); // F3 0F BC, BD: TZCNT, LZCNT, or BSF, BSR on an older processor
    fill(t, 0xc0, 0xc1, kPlain | kModrm | kLockable);
    t[0xc2] = kSse | kByte;
    t[0xc3] = kPlain | kModrm | kMemoryOnly | kNp; // MOVNTI
    t[0xc4] = kMmx | kByte;
    t[0xc5] = kMmx | kByte | kRegisterOnly;
    t[0xc6] = kPacked | kByte;
    t[0xc7] = kPlain | kModrm | kGroup;
    fill(t, 0xc8, 0xcf, kPlain); // BSWAP
    fill(t, 0xd0, 0xff, kMmx);
    t[0xd0] = kPlain | kModrm | k66 | kF2;
    t[0xd6] = kPlain | kModrm | kGroup;
    t[0xd7] = kMmx | kRegisterOnly;
    t[0xe6] = kPlain | kModrm | k66 | kF3 | kF2;
    t[0xe7] = kMmx | kMemoryOnly;
    t[0xf0] = kPlain | kModrm | kMemoryOnly | kF2; // LDDQU
    t[0xf7] = kMmx | kRegisterOnly;
    t[0xff] = kPrivileged | kModrm; // UD0
    return t;
}

constexpr Table map_0f38() {
    constexpr Attributes kXmm = kPlain | kModrm | k66;
    Table t{};
    fill(t, 0x00, 0x0b, kPlain | kModrm | kNp | k66); // SSSE3
    fill(t, 0x1c, 0x1e, kPlain | kModrm | kNp | k66);
    t[0x10] = t[0x14] = t[0x15] = t[0x17] = kXmm; // SSE4.1
    fill(t, 0x20, 0x25, kXmm);
    fill(t, 0x28, 0x2b, kXmm);
    t[0x2a] = kXmm | kMemoryOnly; // MOVNTDQA
    fill(t, 0x30, 0x35, kXmm);
    fill(t, 0x37, 0x41, kXmm);
    fill(t, 0x80, 0x82, kPrivileged | kModrm | kMemoryOnly | k66); // INVEPT, INVVPID, INVPCID
    fill(t, 0xc8, 0xcd, kPlain | kModrm | kNp);                    // SHA
    t[0xcf] = kXmm;                                                // GF2P8MULB
    fill(t, 0xdb, 0xdf, kXmm);                                     // AES
    fill(t, 0xf0, 0xf1, kPlain | kModrm | kGroup);                 // MOVBE, CRC32
    t[0xf6] = kPlain | kModrm | k66 | kF3;                         // ADCX, ADOX
    return t;
}

constexpr Table map_0f3a() {
    constexpr Attributes kXmm = kPlain | kModrm | kByte | k66;
    Table t{};
    fill(t, 0x08, 0x0f, kXmm);
    t[0x0f] = kXmm | kNp; // PALIGNR
    fill(t, 0x14, 0x17, kXmm);
    fill(t, 0x20, 0x22, kXmm);
    fill(t, 0x40, 0x42, kXmm);
    t[0x44] = kXmm;
    fill(t, 0x60, 0x63, kXmm);
    t[0xcc] = kPlain | kModrm | kByte | kNp; // SHA1RNDS4
    fill(t, 0xce, 0xcf, kXmm);
    t[0xdf] = kXmm;
    return t;
}

constexpr Table kOneByte = one_byte_map();
constexpr Table kMap0f = map_0f();
constexpr Table kMap0f38 = map_0f38();
constexpr Table kMap0f3a = map_0f3a();

} // namespace

Attributes lookup(OpcodeMap map, u8 opcode) {
    switch (map) {
    case OpcodeMap::OneByte: return kOneByte[opcode];
    case OpcodeMap::Map0f: return kMap0f[opcode];
    case OpcodeMap::Map0f38: return kMap0f38[opcode];
    case OpcodeMap::Map0f3a: return kMap0f3a[opcode];
    default: return kUndefined;
    }
}

} // namespace btvm::opcode

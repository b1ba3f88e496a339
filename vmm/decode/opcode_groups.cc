// Opcodes that the ModRM byte or a mandatory prefix completes (SDM Vol. 2D appendix A.4, table A-6).
#include "vmm/decode/opcode_attributes.hh"

namespace btvm::opcode {

namespace {

Attributes one_byte_group(const Instruction& i, CodeSize size, Attributes a) {
    const u8 reg = i.reg();
    switch (i.opcode) {
    case 0x63: // ARPL sees true privilege levels; MOVSXD took its place
        return size == CodeSize::Bits64 ? kPlain | kModrm : kSensitive | kModrm;
    case 0x80:
    case 0x81:
    case 0x82:
    case 0x83: return reg == 7 ? a : a | kLockable;
    case 0x8c: return reg <= Gs ? a : kUndefined;
    case 0x8e: return reg <= Gs && reg != Cs ? a : kUndefined;
    case 0x8f: return reg == 0 ? a : kUndefined;
    case 0xc6: // /7 with mod 3 is XABORT, XBEGIN: RTM is hidden from the guest
    case 0xc7: return reg == 0 ? a : kUndefined;
    case 0xd8:
    case 0xd9:
    case 0xda:
    case 0xdb:
    case 0xdc:
    case 0xdd:
    case 0xde:
    case 0xdf: return x87(i.opcode, i.modrm);
    case 0xf6:
    case 0xf7:
        if (reg <= 1) return a | (i.opcode == 0xf6 ? kByte : kFull); // TEST; /1 is TEST again
        return reg <= 3 ? a | kLockable : a;                         // NOT, NEG; MUL to IDIV
    case 0xfe: return reg <= 1 ? a | kLockable : kUndefined;
    case 0xff:
        switch (reg) {
        case 0:
        case 1: return a | kLockable;
        case 2:
        case 4: return kPointer | kModrm | kForce64;
        case 3:
        case 5: return kSensitive | kModrm | kMemoryOnly;
        case 6: return a | kDefault64;
        default: return kUndefined;
        }
    default: return kUndefined;
    }
}

/// 0F 01: system tables in memory; with mod 3 each byte is an instruction of its own.
Attributes group7(const Instruction& i, CodeSize size) {
    const Mandatory prefix = mandatory_of(i);
    if (i.mod() != 3) {
        switch (i.reg()) {
        case 0: // SGDT
        case 1: // SIDT
        case 4: // SMSW
            return kSensitive | kModrm;
        case 2: // LGDT
        case 3: // LIDT
        case 6: // LMSW
        case 7: // INVLPG
            return kPrivileged | kModrm;
        default: return kUndefined; // RSTORSSP
        }
    }
    switch (i.reg()) {
    case 4: return kSensitive | kModrm;  // SMSW
    case 6: return kPrivileged | kModrm; // LMSW
    default: break;
    }
    switch (i.modrm) {
    case 0xc1: // VMCALL. A hypervisor under the host answers it at any CPL, so it may fall through silently.
    case 0xd9: // VMMCALL, likewise
        return kSensitive | kModrm | kNp;
    case 0xc2: // VMLAUNCH
    case 0xc3: // VMRESUME
    case 0xc4: // VMXOFF
    case 0xc8: // MONITOR
    case 0xc9: // MWAIT
    case 0xca: // CLAC
    case 0xcb: // STAC
    case 0xd1: // XSETBV
        return kPrivileged | kModrm | kNp;
    case 0xd0: // XGETBV
    case 0xee: // RDPKRU
    case 0xef: // WRPKRU
        return kSensitive | kModrm | kNp;
    case 0xd8: // VMRUN
    case 0xda: // VMLOAD
    case 0xdb: // VMSAVE
    case 0xdc: // STGI
    case 0xdd: // CLGI
    case 0xde: // SKINIT
    case 0xdf: // INVLPGA
        return kPrivileged | kModrm;
    case 0xe8: return prefix == Mandatory::None ? kPlain | kModrm : kUndefined;     // SERIALIZE
    case 0xf8: return size == CodeSize::Bits64 ? kPrivileged | kModrm : kUndefined; // SWAPGS
    case 0xf9: return kPrivileged | kModrm;                                         // RDTSCP: CR4.TSD
    default: return kUndefined;
    }
}

/// 0F AE: FXSAVE to CLFLUSH in memory, fences and FS/GS bases with mod 3.
Attributes group15(const Instruction& i) {
    const u8 reg = i.reg();
    if (i.mod() != 3) {
        // XSAVE, XRSTOR, XSAVEOPT read and load PKRU (SDM Vol. 1 13.7-13.9), which is the host's and on which
        // execute-only breakpoints rest: as sensitive as RDPKRU and WRPKRU. /6 with 66 is CLWB.
        const bool xsave = reg == 4 || reg == 5 || (reg == 6 && mandatory_of(i) == Mandatory::None);
        if (xsave) return kSensitive | kModrm | kNp;
        // 66: CLWB, CLFLUSHOPT. F3 /4 PTWRITE and /6 CLRSSBSY are hidden from the guest.
        return kPlain | kModrm | kNp | (reg >= 6 ? k66 : 0);
    }
    if (reg <= 3) return kSensitive | kModrm | kOnly64 | kF3; // RDFSBASE family
    if (reg == 4) return kUndefined;
    return kPlain | kModrm | kNp; // LFENCE, MFENCE, SFENCE; rm is not looked at
}

/// 0F C7
Attributes group9(const Instruction& i) {
    const u8 reg = i.reg();
    const Mandatory prefix = mandatory_of(i);
    if (i.mod() != 3) {
        switch (reg) {
        case 1: return kPlain | kModrm | kLockable;            // CMPXCHG8B
        case 3: return kPrivileged | kModrm | kNp;             // XRSTORS
        case 4: return kSensitive | kModrm | kNp;              // XSAVEC
        case 5: return kPrivileged | kModrm | kNp;             // XSAVES
        case 6: return kPrivileged | kModrm | kNp | k66 | kF3; // VMPTRLD, VMCLEAR, VMXON
        case 7: return kPrivileged | kModrm | kNp;             // VMPTRST
        default: return kUndefined;
        }
    }
    if (reg == 7 && prefix == Mandatory::F3) return kSensitive | kModrm; // RDPID
    return reg >= 6 ? kPlain | kModrm | kNp | k66 : kUndefined;          // RDRAND, RDSEED
}

Attributes map_0f_group(const Instruction& i, CodeSize size, Attributes a) {
    const u8 reg = i.reg();
    const Mandatory prefix = mandatory_of(i);
    switch (i.opcode) {
    case 0x00: // SLDT STR LLDT LTR VERR VERW
        if (reg >= 6) return kUndefined;
        return reg == 2 || reg == 3 ? kPrivileged | kModrm : a;
    case 0x01: return group7(i, size);
    case 0x12: // MOVLPS, MOVHLPS, MOVLPD, MOVSLDUP, MOVDDUP
        return prefix == Mandatory::P66 ? a | kMemoryOnly : a;
    case 0x16: // MOVHPS, MOVLHPS, MOVHPD, MOVSHDUP
        if (prefix == Mandatory::F2) return kUndefined;
        return prefix == Mandatory::P66 ? a | kMemoryOnly : a;
    case 0x20:
    case 0x22: // There is no CR1, 5, 6, 7; CR8 and the rest of 9 to 15 need REX.R
        if (i.rex & 4) return reg == 0 ? a : kUndefined;
        return reg == 0 || (reg >= 2 && reg <= 4) ? a : kUndefined;
    case 0x21:
    case 0x23: // DR4 and DR5 are DR6 and DR7 while CR4.DE is clear
        return i.rex & 4 ? kUndefined : a;
    case 0x71:
    case 0x72: return reg == 2 || reg == 4 || reg == 6 ? a | kNp | k66 : kUndefined;
    case 0x73:
        if (reg == 2 || reg == 6) return a | kNp | k66;
        return reg == 3 || reg == 7 ? a | k66 : kUndefined;
    case 0x78: // VMREAD; SSE4a: EXTRQ, INSERTQ with two bytes
        if (prefix == Mandatory::None) return a;
        if (prefix == Mandatory::F3 || (prefix == Mandatory::P66 && reg != 0)) return kUndefined;
        return kPlain | kModrm | kRegisterOnly | of(Immediate::ByteByte);
    case 0x79: // VMWRITE; SSE4a: EXTRQ, INSERTQ
        if (prefix == Mandatory::None) return a;
        return prefix == Mandatory::F3 ? kUndefined : kPlain | kModrm | kRegisterOnly;
    case 0xae: return group15(i);
    case 0xba: // BT BTS BTR BTC
        if (reg < 4) return kUndefined;
        return reg == 4 ? a : a | kLockable;
    case 0xc7: return group9(i);
    case 0xd6: // MOVQ, MOVQ2DQ, MOVDQ2Q
        if (prefix == Mandatory::None) return kUndefined;
        return prefix == Mandatory::P66 ? a : a | kRegisterOnly;
    default: return kUndefined;
    }
}

} // namespace

Attributes refine(const Instruction& i, CodeSize size, Attributes a) {
    switch (i.map) {
    case OpcodeMap::OneByte: return one_byte_group(i, size, a);
    case OpcodeMap::Map0f: return map_0f_group(i, size, a);
    case OpcodeMap::Map0f38: // F0, F1: MOVBE in memory only; CRC32 under F2; F3 is undefined
        switch (mandatory_of(i)) {
        case Mandatory::F2: return a;
        case Mandatory::F3: return kUndefined;
        default: return a | kMemoryOnly;
        }
    default: return kUndefined;
    }
}

/// SDM Vol. 2D appendix A.5. The aliases that the maps leave out (FSTP at D9 D8, FCOM at DC D0, FXCH at DD C8
/// ...) are executed by every processor since the 8087; FFREEP (DF C0) is even used by compilers.
Attributes x87(u8 opcode, u8 modrm) {
    constexpr Attributes kX87 = kPlain | kModrm;
    const u8 reg = (modrm >> 3) & 7;
    if (modrm < 0xc0) {
        const bool hole = (opcode == 0xd9 && reg == 1) || (opcode == 0xdb && (reg == 4 || reg == 6)) ||
                          (opcode == 0xdd && reg == 5);
        return hole ? kUndefined : kX87;
    }
    bool defined = true;
    switch (opcode) {
    case 0xd9: // FNOP; FCHS FABS .. FTST FXAM; constants E8 to EE; F0 to FF
        if (reg == 2) defined = modrm == 0xd0;
        if (reg == 4) defined = (modrm & 2) == 0;
        if (reg == 5) defined = modrm != 0xef;
        break;
    case 0xda: defined = reg <= 3 || modrm == 0xe9; break;
    case 0xdb: // FENI, FDISI, FCLEX, FINIT, FSETPM, then FUCOMI and FCOMI
        if (reg == 4) defined = modrm <= 0xe4;
        if (reg == 7) defined = false;
        break;
    case 0xdd: defined = reg <= 5; break;
    case 0xde:
        if (reg == 3) defined = modrm == 0xd9;
        break;
    case 0xdf:
        if (reg == 4) defined = modrm == 0xe0;
        if (reg == 7) defined = false;
        break;
    default: break;
    }
    return defined ? kX87 : kUndefined;
}

bool amd_3dnow(u8 suffix) {
    switch (suffix) {
    case 0x0c: // PI2FW
    case 0x0d: // PI2FD
    case 0x1c: // PF2IW
    case 0x1d: // PF2ID
    case 0x8a: // PFNACC
    case 0x8e: // PFPNACC
    case 0x90: // PFCMPGE
    case 0x94: // PFMIN
    case 0x96: // PFRCP
    case 0x97: // PFRSQRT
    case 0x9a: // PFSUB
    case 0x9e: // PFADD
    case 0xa0: // PFCMPGT
    case 0xa4: // PFMAX
    case 0xa6: // PFRCPIT1
    case 0xa7: // PFRSQIT1
    case 0xaa: // PFSUBR
    case 0xae: // PFACC
    case 0xb0: // PFCMPEQ
    case 0xb4: // PFMUL
    case 0xb6: // PFRCPIT2
    case 0xb7: // PMULHRW
    case 0xbb: // PSWAPD
    case 0xbf: // PAVGUSB
        return true;
    default: return false;
    }
}

} // namespace btvm::opcode

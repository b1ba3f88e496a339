#include "tests/unit/decode/capstone_differences.hh"

#include <initializer_list>

namespace btvm::test {

namespace {

/// Capstone has an instruction where the decoder has none, or the other way round.
bool only_theirs(const Comparison& c) { return !c.ok() && c.theirs.length != 0; }
bool only_ours(const Comparison& c) { return c.ok() && c.theirs.length == 0; }
bool both(const Comparison& c) { return c.ok() && c.theirs.length != 0; }

/// Both have an instruction of the same class; only its length differs, by an immediate of another size.
/// Behind many prefixes the longer of the two may pass the 15th byte, and then it is no instruction.
bool other_length(const Comparison& c) {
    if (both(c)) return c.ours.cls == c.theirs.cls && c.ours.length != c.theirs.length;
    return c.ok() ? c.ours.length + 2u > kMaxInstructionLength
                  : c.theirs.length != 0 && c.status == DecodeStatus::TooLong;
}

bool one_of(unsigned value, std::initializer_list<unsigned> list) {
    for (const unsigned v : list)
        if (v == value) return true;
    return false;
}

bool is_legacy(const Comparison& c, OpcodeMap map, std::initializer_list<unsigned> opcodes) {
    return c.ours.map == map && one_of(c.ours.opcode, opcodes);
}

bool is_vex(const Comparison& c) { return c.ours.map >= OpcodeMap::Vex1 && c.ours.map <= OpcodeMap::Vex3; }
bool is_evex(const Comparison& c) { return c.ours.map >= OpcodeMap::Evex1 && c.ours.map <= OpcodeMap::Evex6; }
bool is_xop(const Comparison& c) { return c.ours.map >= OpcodeMap::Xop8 && c.ours.map <= OpcodeMap::XopA; }
bool is_escape_map(const Comparison& c) {
    return c.ours.map >= OpcodeMap::Map0f && c.ours.map <= OpcodeMap::Map0f3a;
}

/// Whether the encoding becomes an instruction when the prefixes in `removed` are taken out.
bool defined_without(const Comparison& c, std::initializer_list<unsigned> removed) {
    Encoding stripped{};
    unsigned in = 0;
    unsigned out = 0;
    bool prefixes = true;
    while (in < c.encoding.size()) {
        const u8 byte = c.encoding[in++];
        const bool rex = c.size == CodeSize::Bits64 && (byte & 0xf0) == 0x40;
        const bool prefix =
            one_of(byte, {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3}) || rex;
        prefixes = prefixes && prefix;
        if (prefixes && one_of(byte, removed)) continue;
        stripped[out++] = byte;
    }
    Instruction i;
    if (out == in || decode(stripped.data(), out, c.size, i) != DecodeStatus::Ok) return false;
    return i.map == OpcodeMap::Amd3dNow || (i.map == c.ours.map && i.opcode == c.ours.opcode);
}

/// Whether 66, F2 or F3 stands right before the opcode (REX aside), and no other prefix follows the one that
/// selects.
bool mandatory_prefix_is_last(const Comparison& c) {
    unsigned n = 0;
    while (n < c.encoding.size() && c.encoding[n] != 0x0f)
        ++n;
    if (n > 0 && c.size == CodeSize::Bits64 && (c.encoding[n - 1] & 0xf0) == 0x40) --n;
    if (n == 0) return false;
    const u8 selecting = c.ours.rep == RepPrefix::Rep ? 0xf3 : c.ours.rep == RepPrefix::Repne ? 0xf2 : 0x66;
    return c.encoding[n - 1] == selecting;
}

/// Where the VEX, XOP or EVEX escape byte stands.
unsigned escape_position(const Comparison& c) {
    unsigned n = 0;
    while (n < c.encoding.size() && !one_of(c.encoding[n], {0xc4, 0xc5, 0x62, 0x8f}))
        ++n;
    return n;
}

/// Whether `changed` is defined; one that passes the 15th byte is, since Capstone may see it shorter.
bool decodes(const Comparison& c, const Encoding& changed) {
    Instruction i;
    const DecodeStatus status = decode(changed.data(), changed.size(), c.size, i);
    return status == DecodeStatus::Ok || (c.ours.map == OpcodeMap::XopA && status == DecodeStatus::TooLong);
}

/// Whether a VEX or XOP encoding becomes defined with W cleared or vvvv all ones.
bool defined_with_other_vex_fields(const Comparison& c) {
    const unsigned at = escape_position(c);
    const unsigned last = at + (c.encoding[at] == 0xc5 ? 1 : 2);
    if (last >= c.encoding.size()) return false;
    for (unsigned n = 1; n < 4; ++n) {
        Encoding e = c.encoding;
        if ((n & 1) && e[at] != 0xc5) e[last] &= 0x7f;
        if (n & 2) e[last] |= 0x78;
        if (decodes(c, e)) return true;
    }
    return false;
}

/// Whether an EVEX encoding becomes defined with another W, L'L, vvvv, V', z, b or aaa.
bool defined_with_other_evex_fields(const Comparison& c) {
    const unsigned at = escape_position(c);
    if (at + 3 >= c.encoding.size()) return false;
    for (unsigned n = 0; n < 256; ++n) {
        Encoding e = c.encoding;
        if (n & 1) e[at + 2] ^= 0x80;                                                      // W
        if (n & 2) e[at + 2] |= 0x78;                                                      // vvvv
        if (n & 4) e[at + 3] |= 0x08;                                                      // V'
        if (n & 8) e[at + 3] &= 0x7f;                                                      // z
        if (n & 16) e[at + 3] &= 0xef;                                                     // b
        if (n & 32) e[at + 3] ^= (e[at + 3] & 7) ? (e[at + 3] & 7) : 1;                    // aaa
        if (n >> 6) e[at + 3] = static_cast<u8>((e[at + 3] & 0x9f) | ((n >> 6) - 1) << 5); // L'L
        if (decodes(c, e)) return true;
    }
    return false;
}

constexpr Difference kDifferences[] = {
    // What Capstone takes for an instruction and the processor does not.
    {"EXTRQ", "EXTRQ with two immediates is 66 0F 78 /0 (AMD64 APM Vol. 4, EXTRQ); Capstone takes every /r",
     [](const Comparison& c) {
         return only_theirs(c) && is_legacy(c, OpcodeMap::Map0f, {0x78}) && c.ours.reg() != 0;
     }},
    {"CLWB", "66 0F AE /6 in memory is CLWB (SDM Vol. 2A, CLWB); with a 67 prefix too Capstone has XSAVEOPT",
     [](const Comparison& c) {
         return both(c) && is_legacy(c, OpcodeMap::Map0f, {0xae}) && c.ours.memory_operand() &&
                c.ours.reg() == 6 && c.ours.operand_prefix && c.ours.cls == InstructionClass::Plain &&
                c.ours.length == c.theirs.length;
     }},
    {"mandatory prefix",
     "Capstone falls back to the row without the prefix where the opcode map has a blank cell for 66, "
     "F2 or F3, and ignores what instruction pages mark NP (SDM Vol. 2A 3.1.1.1, Vol. 2D A.3)",
     [](const Comparison& c) {
         return only_theirs(c) && is_escape_map(c) &&
                (defined_without(c, {0x66, 0xf2, 0xf3}) || defined_without(c, {0xf2, 0xf3}));
     }},
    {"lock", "LOCK on an instruction that does not write its memory operand is #UD (SDM Vol. 2A, LOCK)",
     [](const Comparison& c) {
         if (!only_theirs(c) || !c.ours.lock) return false;
         return defined_without(c, {0xf0}) ||
                (is_escape_map(c) &&
                 (defined_without(c, {0xf0, 0xf2, 0xf3}) || defined_without(c, {0xf0, 0x66, 0xf2, 0xf3})));
     }},
    {"hidden",
     "extensions that the guest's CPUID does not report, so that it must see #UD: RTM, SGX, VMFUNC, PadLock",
     [](const Comparison& c) {
         return only_theirs(c) &&
                one_of(c.theirs.id,
                       {X86_INS_XABORT, X86_INS_XBEGIN, X86_INS_XEND, X86_INS_XTEST, X86_INS_ENCLS,
                        X86_INS_ENCLU, X86_INS_VMFUNC, X86_INS_MONTMUL, X86_INS_XSHA1, X86_INS_XSHA256,
                        X86_INS_XCRYPTECB, X86_INS_XCRYPTCBC, X86_INS_XCRYPTCTR, X86_INS_XCRYPTCFB,
                        X86_INS_XCRYPTOFB, X86_INS_XSTORE});
     }},
    {"swapgs", "exists in 64-bit mode only (SDM Vol. 2B, SWAPGS)",
     [](const Comparison& c) {
         return only_theirs(c) && c.theirs.id == X86_INS_SWAPGS && c.size != CodeSize::Bits64;
     }},
    {"control registers",
     "CR1, CR5 to CR7, CR9 to CR15 and DR8 to DR15 are #UD (SDM Vol. 2B, MOV to control and debug "
     "registers)",
     [](const Comparison& c) {
         return only_theirs(c) && is_legacy(c, OpcodeMap::Map0f, {0x20, 0x21, 0x22, 0x23}) &&
                (c.ours.rex & 4 || one_of(c.ours.reg(), {1, 5, 6, 7}));
     }},
    {"mov cs", "CS cannot be loaded by MOV: #UD (SDM Vol. 2B, MOV)",
     [](const Comparison& c) {
         return only_theirs(c) && is_legacy(c, OpcodeMap::OneByte, {0x8e}) && c.ours.reg() == Cs;
     }},
    {"3DNow!", "Capstone reads 0F 0F with an unassigned trailing byte as FEMMS (AMD64 APM Vol. 3 A.1.2)",
     [](const Comparison& c) {
         return only_theirs(c) &&
                (c.ours.map == OpcodeMap::Amd3dNow || is_legacy(c, OpcodeMap::Map0f, {0x0f}));
     }},
    {"VEX fields",
     "Capstone does not check VEX.W, XOP.W and vvvv where they are fixed (SDM Vol. 2A 2.3.5.6, 2.3.12, the "
     "W0 and vvvv = 1111b of the instruction pages)",
     [](const Comparison& c) {
         return only_theirs(c) && (is_vex(c) || is_xop(c)) && defined_with_other_vex_fields(c);
     }},
    {"EVEX fields",
     "Capstone does not check fixed EVEX fields: L'L = 3, V' outside 64-bit mode, z without a mask, W, b, "
     "aaa (SDM Vol. 2A 2.7.11)",
     [](const Comparison& c) { return only_theirs(c) && is_evex(c) && defined_with_other_evex_fields(c); }},
    {"vector index",
     "gathers and scatters need a SIB byte, so they do not exist with 16-bit addressing (SDM Vol. 2A 2.3.12)",
     [](const Comparison& c) {
         const bool gather = c.ours.opcode >= 0x90 && c.ours.opcode <= 0x93;
         const bool evex_only = c.ours.opcode >= 0xa0 && c.ours.opcode <= 0xc7;
         const bool vsib = (c.ours.map == OpcodeMap::Vex2 && gather) ||
                           (c.ours.map == OpcodeMap::Evex2 && (gather || evex_only));
         return only_theirs(c) && vsib && (c.ours.address_size == 2 || c.ours.rm() != 4);
     }},
    {"EVEX VMOVDDUP", "VMOVDDUP is F2 0F 12 (SDM Vol. 2B, MOVDDUP); Capstone has it under 66",
     [](const Comparison& c) {
         return only_theirs(c) && c.ours.map == OpcodeMap::Evex1 && c.ours.opcode == 0x12;
     }},
    {"prefix before VEX",
     "LOCK, 66, F2, F3 and REX before VEX, XOP or EVEX are #UD (SDM Vol. 2A 2.3.2, 2.3.3)",
     [](const Comparison& c) {
         if (c.ok() || c.theirs.length == 0 || !one_of(c.ours.opcode, {0xc4, 0xc5, 0x62, 0x8f})) return false;
         return c.ours.lock || c.ours.operand_prefix || c.ours.rep != RepPrefix::None || c.ours.rex != 0;
     }},
    // What Capstone 4.0.2 does not know.
    {"hint NOPs",
     "0F 0D and 0F 18 to 1F are prefetches, ENDBR, RDSSP or NOPs for every ModRM byte (SDM Vol. 2B, NOP; "
     "Vol. "
     "2D table A-3; AMD64 APM Vol. 3, PREFETCH)",
     [](const Comparison& c) {
         return only_ours(c) &&
                is_legacy(c, OpcodeMap::Map0f, {0x0d, 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f});
     }},
    {"fences", "the rm field of LFENCE, MFENCE and SFENCE is ignored (SDM Vol. 2A, LFENCE)",
     [](const Comparison& c) {
         return only_ours(c) && is_legacy(c, OpcodeMap::Map0f, {0xae}) && c.ours.modrm >= 0xe8;
     }},
    {"newer than Capstone", "RDPKRU, WRPKRU, SERIALIZE (0F 01), RDPID (0F C7), UD0 (0F FF), GFNI",
     [](const Comparison& c) {
         if (!only_ours(c)) return false;
         return (is_legacy(c, OpcodeMap::Map0f, {0x01}) && one_of(c.ours.modrm, {0xe8, 0xee, 0xef})) ||
                (is_legacy(c, OpcodeMap::Map0f, {0xc7}) && c.ours.modrm >= 0xf8) ||
                is_legacy(c, OpcodeMap::Map0f, {0xff}) || is_legacy(c, OpcodeMap::Map0f38, {0xcf}) ||
                is_legacy(c, OpcodeMap::Map0f3a, {0xce, 0xcf});
     }},
    {"newer VEX",
     "AVX-VNNI, AVX-VNNI-INT8, AVX-NE-CONVERT, AVX-IFMA, VEX GFNI, VAES and VPCLMULQDQ of 256 bits; compared "
     "with objdump instead",
     [](const Comparison& c) {
         if (!only_ours(c)) return false;
         return (c.ours.map == OpcodeMap::Vex2 &&
                 one_of(c.ours.opcode, {0x50, 0x51, 0x52, 0x53, 0x72, 0xb0, 0xb1, 0xb4, 0xb5, 0xcf, 0xdc,
                                        0xdd, 0xde, 0xdf})) ||
                (c.ours.map == OpcodeMap::Vex3 && one_of(c.ours.opcode, {0x44, 0xce, 0xcf}));
     }},
    {"VBROADCASTI128", "VEX.256.66.0F38.W0 5A is defined (SDM Vol. 2C, VPBROADCAST)",
     [](const Comparison& c) {
         return only_ours(c) && c.ours.map == OpcodeMap::Vex2 && c.ours.opcode == 0x5a;
     }},
    {"opmask instructions",
     "Capstone knows the word-sized ones of AVX-512F only, not those of BW and DQ; compared with "
     "objdump instead",
     [](const Comparison& c) {
         const bool opmask = (c.ours.opcode >= 0x41 && c.ours.opcode <= 0x4b) ||
                             (c.ours.opcode >= 0x90 && c.ours.opcode <= 0x99);
         return only_ours(c) &&
                ((c.ours.map == OpcodeMap::Vex1 && opmask) ||
                 (c.ours.map == OpcodeMap::Vex3 && one_of(c.ours.opcode, {0x30, 0x31, 0x32, 0x33})));
     }},
    {"newer EVEX",
     "Capstone knows AVX-512F and CD, much of it at 512 bits only: the rest is compared with objdump instead",
     [](const Comparison& c) { return only_ours(c) && is_evex(c); }},
    {"66 with F2 or F3",
     "with both 66 and F2 or F3, Capstone fails on several opcodes; F2 and F3 select and 66 stays an "
     "operand-size prefix (SDM Vol. 2A 2.1.1)",
     [](const Comparison& c) {
         return only_ours(c) && c.ours.operand_prefix && c.ours.rep != RepPrefix::None;
     }},
    {"16-bit SSE",
     "in 16-bit mode Capstone confuses 66 as a mandatory prefix with 66 as the operand size and does not "
     "find "
     "many of the SSE opcodes; the maps are the same in all modes (SDM Vol. 2D A.2.4.3)",
     [](const Comparison& c) {
         const bool prefixed = c.ours.operand_prefix || c.ours.rep != RepPrefix::None;
         return only_ours(c) && c.size == CodeSize::Bits16 && is_escape_map(c) && prefixed;
     }},
    {"order of prefixes",
     "prefixes may stand in any order (SDM Vol. 2A 2.1.1); Capstone finds a mandatory prefix only right "
     "before the opcode, and mostly overlooks it (so that SSE4a becomes VMREAD) when another follows",
     [](const Comparison& c) {
         return c.ok() && is_escape_map(c) && (c.ours.operand_prefix || c.ours.rep != RepPrefix::None) &&
                !mandatory_prefix_is_last(c) &&
                (only_ours(c) || is_legacy(c, OpcodeMap::Map0f, {0x78, 0x79}));
     }},
    {"67 with REX.W",
     "67 changes neither the operand size nor the opcode map; in 64-bit mode Capstone takes it for 66 if "
     "REX.W is there too",
     [](const Comparison& c) {
         return c.size == CodeSize::Bits64 && c.ours.address_prefix && (c.ours.rex & 8) &&
                (only_theirs(c) ? is_escape_map(c) || one_of(c.ours.opcode, {0xc2, 0xe8, 0xe9})
                                : (c.ours.immediate_size != 0 && (only_ours(c) || other_length(c))) ||
                                      is_legacy(c, OpcodeMap::Map0f, {0x78, 0x79}));
     }},
    {"REX.R and segments", "REX.R is ignored where ModRM.reg is a segment register (SDM Vol. 2A 2.2.1.2)",
     [](const Comparison& c) {
         return only_ours(c) && is_legacy(c, OpcodeMap::OneByte, {0x8c, 0x8e}) && (c.ours.rex & 4);
     }},
    {"RDPID", "F3 0F C7 /7 is RDPID (SDM Vol. 2B, RDPID), which Capstone takes for RDSEED",
     [](const Comparison& c) {
         return both(c) && is_legacy(c, OpcodeMap::Map0f, {0xc7}) && c.ours.rep == RepPrefix::Rep;
     }},
    {"16-bit EXTRQ",
     "the same confusion: 66 and F2 0F 78 are EXTRQ and INSERTQ with two immediates, not VMREAD (AMD64 APM "
     "Vol. 4, EXTRQ)",
     [](const Comparison& c) {
         return both(c) && c.size == CodeSize::Bits16 && is_legacy(c, OpcodeMap::Map0f, {0x78, 0x79}) &&
                c.ours.cls == InstructionClass::Plain;
     }},
    // Other lengths.
    {"UD0, UD1", "UD1 and, on processors of today, UD0 have a ModRM byte (SDM Vol. 2B, UD)",
     [](const Comparison& c) {
         return c.theirs.length != 0 && is_legacy(c, OpcodeMap::Map0f, {0xb9, 0xff});
     }},
    {"XOP immediate", "map A has a 4-byte immediate in every mode (AMD64 APM Vol. 3, BEXTR)",
     [](const Comparison& c) { return other_length(c) && c.ours.map == OpcodeMap::XopA; }},
    {"66 F2 immediate",
     "Capstone forgets 66 when F2 or F3 is there too, and takes a 4-byte immediate (SDM Vol. 2A 2.1.1)",
     [](const Comparison& c) {
         return other_length(c) && c.ours.operand_prefix && c.ours.rep != RepPrefix::None &&
                c.ours.immediate_size != 0;
     }},
    {"static rounding",
     "Capstone takes an immediate behind some EVEX instructions with static rounding; they have none "
     "(SDM Vol. 2A 2.7.8)",
     [](const Comparison& c) {
         return other_length(c) && is_evex(c) && !c.ours.memory_operand() &&
                (c.encoding[escape_position(c) + 3] & 0x10);
     }},
    {"66 branch in 64-bit mode",
     "Intel ignores 66 on near branches in 64-bit mode, AMD does not: neither is assumed, the "
     "class is Unrecognised (SDM Vol. 2A, CALL; AMD64 APM Vol. 3 table B-5)",
     [](const Comparison& c) {
         if (c.size != CodeSize::Bits64 || !c.ours.operand_prefix) return false;
         if (both(c)) return c.ours.cls == InstructionClass::Unrecognised;
         // The longer immediate may need a 16th byte.
         return c.ours.map == OpcodeMap::OneByte
                    ? one_of(c.ours.opcode, {0xe8, 0xe9})
                    : c.ours.map == OpcodeMap::Map0f && (c.ours.opcode & 0xf0) == 0x80;
     }},
    {"rexed 66 immediate",
     "REX.W wins over 66, so immediates keep their size; Capstone mixes them up,past the 15th byte even",
     [](const Comparison& c) {
         return (other_length(c) || only_ours(c)) && c.size == CodeSize::Bits64 && c.ours.operand_prefix &&
                (c.ours.rex & 8) && c.ours.immediate_size != 0;
     }},
};

} // namespace

std::span<const Difference> capstone_differences() { return kDifferences; }

} // namespace btvm::test

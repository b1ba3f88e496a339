// What the decoder tells of one instruction: enough to find its end, to class it for the planner, and to
// interpret it.
#pragma once

#include "vmm/base/types.hh"
#include "vmm/cpu/registers.hh"

namespace btvm {

/// The default operand and address size that CS gives (SDM Vol. 1 3.6).
enum class CodeSize : u8 { Bits16, Bits32, Bits64 };

/// How an instruction behaves in guest kernel code that runs natively at ring 3: what the planner must know.
enum class InstructionClass : u8 {
    Plain,               ///< Same effect at ring 3 as at ring 0; falls through.
    ConditionalBranch,   ///< Jcc, LOOPcc, JCXZ: to the target or through.
    UnconditionalBranch, ///< JMP rel, CALL rel: to the target only.
    /// Near JMP and CALL through a register or memory, near RET: the target is in an operand.
    PointerBranch,
    /// Silently differs at ring 3: PUSHF, POPF, IRET, segment moves, far transfers, LAR, CPUID...
    Sensitive,
    /// Traps by itself at ring 3: CLI, IN, HLT, MOV CR, INT n through a DPL 0 gate, UD2...
    Privileged,
    /// Not an instruction that this decoder knows, or one that processors disagree about (66 on a near branch
    /// in 64-bit mode): stop before it.
    Unrecognised
};

enum class OpcodeMap : u8 {
    OneByte, ///< No escape
    Map0f,   ///< 0F
    Map0f38, ///< 0F 38
    Map0f3a, ///< 0F 3A
    Vex1,    ///< VEX/EVEX maps by mmmmm: 1 = 0F, 2 = 0F38, 3 = 0F3A
    Vex2,
    Vex3,
    Evex1,
    Evex2,
    Evex3,
    Evex5,
    Evex6,
    Xop8, ///< AMD XOP maps
    Xop9,
    XopA,
    Amd3dNow ///< 0F 0F /r ib: `opcode` is the trailing byte
};

enum class RepPrefix : u8 { None, Repne /* F2 */, Rep /* F3 */ };

inline constexpr u32 kMaxInstructionLength = 15;
inline constexpr u8 kNoSegment = 0xff;

struct Instruction {
    u8 length{}; ///< 1 to 15 bytes.
    InstructionClass cls{InstructionClass::Unrecognised};
    OpcodeMap map{OpcodeMap::OneByte};
    u8 opcode{};
    u8 operand_size{};              ///< 2, 4 or 8 bytes: the effective operand size.
    u8 address_size{};              ///< 2, 4 or 8 bytes: the effective address size.
    u8 segment{kNoSegment};         ///< The override (a SegReg), or kNoSegment.
    RepPrefix rep{RepPrefix::None}; ///< The last of F2/F3.
    bool lock{};
    bool operand_prefix{}; ///< 66 seen
    bool address_prefix{}; ///< 67 seen
    u8 rex{};              ///< The REX byte (0x40-0x4f), or 0.
    bool has_modrm{};
    u8 modrm{}; ///< MOV CR and DR ignore mod: it is 3 here, as the processor takes it.
    bool has_sib{};
    u8 sib{};
    u8 displacement_size{}; ///< 0, 1, 2 or 4 bytes: of the memory operand.
    s32 displacement{};     ///< Sign-extended. EVEX disp8 is not yet scaled (SDM Vol. 2A 2.7.5).
    /// 0, 1, 2, 4 or 8 bytes. Relative branches have their offset here, far pointers the offset.
    u8 immediate_size{};
    u8 immediate2_size{}; ///< ENTER's level (1) or a far pointer's selector (2).
    u16 immediate2{};
    u64 immediate{}; ///< Sign-extended to 64 bits; for moffs the absolute address, zero-extended.

    [[nodiscard]] constexpr u8 mod() const { return modrm >> 6; }
    [[nodiscard]] constexpr u8 reg() const { return (modrm >> 3) & 7; }
    [[nodiscard]] constexpr u8 rm() const { return modrm & 7; }
    [[nodiscard]] constexpr bool memory_operand() const { return has_modrm && mod() != 3; }
};

enum class DecodeStatus : u8 {
    Ok,
    Truncated, ///< More bytes are needed than were given: fetch more, or the fetch itself faults.
    TooLong,   ///< Over 15 bytes: #GP on the processor.
    Invalid    ///< No such encoding: #UD on the processor.
};

/// Decodes the instruction at `bytes` (`count` of them are readable, 15 are always enough).
/// On Ok, `out` is complete. Else `out.length` is how far the decoder got and `out.cls` is Unrecognised.
/// Encodings that the guest's CPUID hides (RTM, CET, SGX, VMFUNC, ...) are Invalid, since a guest must see
/// #UD. What depends on the processor's mode and not on the bytes (VEX or LLDT in real mode, CR4 bits) is
/// left to the caller.
[[nodiscard]] DecodeStatus decode(const u8* bytes, u32 count, CodeSize size, Instruction& out);

/// The target of a relative branch at `pc`, wrapped to the operand size as the processor does.
[[nodiscard]] constexpr u64 branch_target(const Instruction& i, u64 pc) {
    const u64 target = pc + i.length + i.immediate;
    return i.operand_size == 2 ? target & 0xffff : i.operand_size == 4 ? target & 0xffffffff : target;
}

} // namespace btvm

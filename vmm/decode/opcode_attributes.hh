// What the opcode tables say of one opcode: whether there is a ModRM byte, which immediate follows, how the
// instruction behaves at ring 3, and which prefixes and operand forms make the encoding undefined. Used only
// inside vmm/decode.
#pragma once

#include "vmm/decode/instruction.hh"

namespace btvm::opcode {

/// The attributes of one opcode, packed in 32 bits. 0 is an undefined opcode.
using Attributes = u32;

inline constexpr Attributes kUndefined = 0;
inline constexpr Attributes kDefined = 1u << 0;
inline constexpr Attributes kModrm = 1u << 1;
inline constexpr Attributes kMemoryOnly = 1u << 2;   ///< mod == 3 is #UD.
inline constexpr Attributes kRegisterOnly = 1u << 3; ///< mod != 3 is #UD.
inline constexpr Attributes kGroup = 1u << 4;        ///< The ModRM byte or the prefixes decide: see refine().
inline constexpr Attributes kLockable = 1u << 5;     ///< LOCK is allowed if the operand is in memory.
inline constexpr Attributes kNot64 = 1u << 6;        ///< #UD in 64-bit mode.
inline constexpr Attributes kOnly64 = 1u << 7;       ///< #UD outside 64-bit mode.
inline constexpr Attributes kDefault64 =
    1u << 8; ///< 64-bit mode: the operand is 64 bits wide unless 66 is given.
inline constexpr Attributes kForce64 = 1u << 9; ///< 64-bit mode: the operand is always 64 bits wide (Intel).
inline constexpr Attributes kIgnoreMod =
    1u << 10; ///< ModRM names registers whatever its mod field (MOV CR and DR).

inline constexpr unsigned kClassShift = 12;
inline constexpr unsigned kImmediateShift = 16;
inline constexpr unsigned kPrefixShift = 20;

/// What follows the operand bytes. SDM Vol. 2D appendix A.2.2 has the letters.
enum class Immediate : u8 {
    None,
    Byte,       ///< Ib, Jb
    Word,       ///< Iw
    Full,       ///< Iz, Jz: 2 bytes with a 16-bit operand, else 4
    Wide,       ///< Iv: as Full, but 8 bytes with a 64-bit operand
    Dword,      ///< 4 bytes whatever the operand size (XOP map A)
    Offset,     ///< Ob, Ov: a bare address of the address size
    FarPointer, ///< Ap: an offset of the operand size, then a selector
    WordByte,   ///< ENTER: Iw, Ib
    ByteByte    ///< EXTRQ, INSERTQ: Ib, Ib
};

constexpr Attributes of(Immediate kind) { return static_cast<Attributes>(kind) << kImmediateShift; }
constexpr Attributes of(InstructionClass cls) { return static_cast<Attributes>(cls) << kClassShift; }
constexpr Immediate immediate_of(Attributes a) { return static_cast<Immediate>(a >> kImmediateShift & 0xf); }
constexpr InstructionClass class_of(Attributes a) {
    return static_cast<InstructionClass>(a >> kClassShift & 0x7);
}

/// Mandatory prefixes (SDM Vol. 2A 2.1.2): an encoding with any of these bits is defined only under the
/// prefixes they name. With none, 66, F2 and F3 do not select an instruction.
enum class Mandatory : u8 { None, P66, F3, F2 };
inline constexpr Attributes kNp = 1u << kPrefixShift;
inline constexpr Attributes k66 = 2u << kPrefixShift;
inline constexpr Attributes kF3 = 4u << kPrefixShift;
inline constexpr Attributes kF2 = 8u << kPrefixShift;
inline constexpr Attributes kAnyMandatory = kNp | k66 | kF3 | kF2;

/// The prefix that selects among instructions which share an opcode: F2 and F3 win over 66.
constexpr Mandatory mandatory_of(const Instruction& i) {
    if (i.rep == RepPrefix::Rep) return Mandatory::F3;
    if (i.rep == RepPrefix::Repne) return Mandatory::F2;
    return i.operand_prefix ? Mandatory::P66 : Mandatory::None;
}
constexpr bool allows(Attributes a, Mandatory prefix) {
    return (a & kAnyMandatory) == 0 || (a & (kNp << static_cast<unsigned>(prefix))) != 0;
}

// The usual combinations.
inline constexpr Attributes kPlain = kDefined | of(InstructionClass::Plain);
inline constexpr Attributes kSensitive = kDefined | of(InstructionClass::Sensitive);
inline constexpr Attributes kPrivileged = kDefined | of(InstructionClass::Privileged);
inline constexpr Attributes kConditional = kDefined | of(InstructionClass::ConditionalBranch);
inline constexpr Attributes kUnconditional = kDefined | of(InstructionClass::UnconditionalBranch);
inline constexpr Attributes kPointer = kDefined | of(InstructionClass::PointerBranch);
inline constexpr Attributes kByte = of(Immediate::Byte);
inline constexpr Attributes kFull = of(Immediate::Full);

/// The table entry of an opcode of the four legacy maps (OneByte, Map0f, Map0f38, Map0f3a). Prefix bytes and
/// escapes are undefined there: the decoder takes them before it asks.
[[nodiscard]] Attributes lookup(OpcodeMap map, u8 opcode);

/// The attributes of a kGroup entry `a` once the prefixes and the ModRM byte of `i` are known; kUndefined for
/// #UD.
[[nodiscard]] Attributes refine(const Instruction& i, CodeSize size, Attributes a);

/// x87: D8 to DF by ModRM.
[[nodiscard]] Attributes x87(u8 opcode, u8 modrm);

/// Whether `suffix` names a 3DNow! operation (the trailing byte of 0F 0F; AMD64 APM Vol. 3
/// appendix A.1.2).
[[nodiscard]] bool amd_3dnow(u8 suffix);

} // namespace btvm::opcode

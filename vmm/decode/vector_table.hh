// The row format of the VEX, EVEX and XOP tables. A row tells for a run of opcodes under one mandatory prefix
// which values of the prefix fields and which operand forms exist; whatever no row allows is #UD. Used only
// inside vmm/decode.
//
// Rows instead of one entry an opcode: some 580 rows of 6 bytes stand for 3584 opcodes, of which most do not
// exist, and they read like the opcode maps of the manuals.
#pragma once

#include <span>

#include "vmm/decode/opcode_attributes.hh"

namespace btvm::opcode {

using VectorBits = u16;

inline constexpr VectorBits kW0 = 1u << 0;        ///< W may be 0
inline constexpr VectorBits kW1 = 1u << 1;        ///< W may be 1
inline constexpr VectorBits kX = 1u << 2;         ///< 128 bits: L or L'L = 0 (also what must not set L)
inline constexpr VectorBits kY = 1u << 3;         ///< 256 bits: 1
inline constexpr VectorBits kZmm = 1u << 4;       ///< 512 bits: 2
inline constexpr VectorBits kReg = 1u << 5;       ///< mod == 3
inline constexpr VectorBits kMem = 1u << 6;       ///< mod != 3
inline constexpr VectorBits kVsibOnly = 1u << 7;  ///< The memory operand has a SIB byte with a vector index
inline constexpr VectorBits kVvvv = 1u << 8;      ///< vvvv names a register; without this it must be all ones
inline constexpr VectorBits kVvvvReg = 1u << 9;   ///< ... with mod == 3 only
inline constexpr VectorBits kMask = 1u << 10;     ///< aaa may be other than 0
inline constexpr VectorBits kMaskOnly = 1u << 11; ///< aaa must be other than 0
inline constexpr VectorBits kZero = 1u << 12;     ///< z may be set, along with a mask
inline constexpr VectorBits kZeroReg = 1u << 13;  ///< ... with mod == 3 only
inline constexpr VectorBits kBcast = 1u << 14;    ///< b may be set with a memory operand
inline constexpr VectorBits kRound = 1u << 15; ///< b may be set with mod == 3; L'L is then the rounding mode

inline constexpr VectorBits kW = kW0 | kW1;
inline constexpr VectorBits kXY = kX | kY;
inline constexpr VectorBits kYZ = kY | kZmm;
inline constexpr VectorBits kXYZ = kX | kY | kZmm;
inline constexpr VectorBits kRegMem = kReg | kMem;
inline constexpr VectorBits kVsib = kMem | kVsibOnly;
inline constexpr VectorBits kMaskNeeded = kMask | kMaskOnly;

inline constexpr u8 kAny = 0xff;

struct VectorRow {
    Mandatory prefix;
    u8 first; ///< The opcodes first to last
    u8 last;
    u8 regs; ///< Bit n: defined with ModRM.reg == n (0xff except in groups)
    VectorBits bits;
};
static_assert(sizeof(VectorRow) == 6);

/// The rows of a VEX or XOP map, of an EVEX map; empty for another.
[[nodiscard]] std::span<const VectorRow> vex_rows(OpcodeMap map);
[[nodiscard]] std::span<const VectorRow> xop_rows(OpcodeMap map);
[[nodiscard]] std::span<const VectorRow> evex_rows(OpcodeMap map);

} // namespace btvm::opcode

// The computing instructions of SSE and SSE2, run on the processor we run on.
#pragma once

#include "vmm/base/types.hh"

namespace btvm {

/// The prefix that is part of a vector instruction's opcode; F3 and F2 go before 66.
enum class VectorPrefix : u8 { None, P66, Pf3, Pf2 };

/// What an instruction reads and writes.
struct alignas(16) VectorOperands {
    u8 a[16]{};      ///< The first operand, and where a vector result goes.
    u8 b[16]{};      ///< The second.
    u32 mxcsr{};     ///< The guest's: its rounding counts; all exceptions are answered as if masked.
    u32 raised{};    ///< Out: MXCSR's exception flags of this instruction alone.
    u32 result{};    ///< Out, sse_to_integer(): the general register.
    u32 predicate{}; ///< sse_compare(): the immediate byte.
    u64 rflags{};    ///< In and out, sse_compare_flags().
};

/// How many bytes of memory an instruction of the form "xmm, xmm/m" or "xmm, r/m32" takes; 0: sse_compute()
/// does not know it.
[[nodiscard]] u8 sse_operand_size(VectorPrefix prefix, u8 opcode);
/// a = a op b.
void sse_compute(VectorPrefix prefix, u8 opcode, VectorOperands& v);

/// 0F C2, CMPPS and its like: a = a compared with b.
void sse_compare(VectorPrefix prefix, VectorOperands& v);
/// 0F 2E and 2F, UCOMISS and its like.
void sse_compare_flags(VectorPrefix prefix, u8 opcode, VectorOperands& v);
/// 0F 2C and 2D: to an MMX register (its 8 bytes go to `a`), or with F3 or F2 to a general one.
void sse_to_integer(VectorPrefix prefix, u8 opcode, VectorOperands& v);

} // namespace btvm

// The packed arithmetic of MMX, run on the processor we run on.
#pragma once

#include "vmm/base/types.hh"

namespace btvm {

/// Whether 0F `opcode` is an MMX instruction of the form "mm, mm/m64" that mmx_run() knows.
[[nodiscard]] bool mmx_known(u8 opcode);
/// Whether it came with SSE or SSE2.
[[nodiscard]] bool mmx_needs_sse(u8 opcode);

/// a = a op b. Our own FPU state is unchanged after.
void mmx_run(u8 opcode, u64& a, u64 b);

/// The shift by a register's count (0F D1...) that a shift by immediate (0F 71 to 73) with this ModRM.reg is,
/// or 0.
[[nodiscard]] constexpr u8 mmx_shift_by_register(u8 opcode, unsigned reg) {
    const u8 column = opcode - 0x70; // 1: words, 2: dwords, 3: qwords
    switch (reg) {
    case 2: return static_cast<u8>(0xd0 + column);
    case 4: return column == 3 ? u8{0} : static_cast<u8>(0xe0 + column);
    case 6: return static_cast<u8>(0xf0 + column);
    default: return 0;
    }
}

} // namespace btvm

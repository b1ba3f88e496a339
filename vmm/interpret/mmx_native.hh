// The packed arithmetic of MMX, run on the processor we run on.
#pragma once

#include "vmm/base/types.hh"

namespace btvm {

/// Whether 0F `opcode` is an MMX instruction of the form "mm, mm/m64" that mmx_run() knows.
[[nodiscard]] bool mmx_known(u8 opcode);

/// a = a op b. Our own FPU state is unchanged after.
void mmx_run(u8 opcode, u64& a, u64 b);

} // namespace btvm

// Runs one x87 instruction on the processor we run on, in the guest's FPU state, and puts our own state back.
#pragma once

#include "vmm/cpu/state.hh"

namespace btvm {

/// Runs the register form `opcode modrm` (D8-DF, C0-FF) on `image`. FCMOVcc reads and FCOMI writes `rflags`.
/// Pending unmasked exceptions must have been checked: there must be none. False: no such instruction;
/// nothing was run.
[[nodiscard]] bool x87_run_register(FxsaveArea& image, u8 opcode, u8 modrm, u64& rflags);

/// What the memory form `opcode /reg` does with its operand.
struct X87MemoryForm {
    u8 size{}; ///< In bytes; 0: none of the forms that x87_run_memory() runs.
    bool store{};
};
[[nodiscard]] X87MemoryForm x87_memory_form(u8 opcode, u8 reg);

/// Runs such a form. A store that an unmasked exception suppresses leaves `operand` as it was.
void x87_run_memory(FxsaveArea& image, u8 opcode, u8 reg, u8 (&operand)[16]);

} // namespace btvm

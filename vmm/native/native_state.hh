// Between the guest's processor as it believes it is (CpuState) and as it really runs at ring 3: registers in
// the trap frame, flat segments in our GDT, a plan in the debug registers.
#pragma once

#include "vmm/world.hh"

namespace btvm::native {

/// Whether the tracer may run the next instruction natively: kernel mode, flat 32-bit code and stack, and
/// nothing of the guest's own debugging that would meet ours. Everything else is the interpreter's.
[[nodiscard]] bool eligible(const CpuState& cpu);

/// Takes the guest's registers out of the trap frame.
void load_registers(CpuState& cpu, const btvm_trap_frame& frame);
/// Puts them there for ring 3. `extra_flags`: RF or TF.
void store_registers(const CpuState& cpu, btvm_trap_frame& frame, u64 extra_flags);

/// Makes our GDT's guest segments those of the guest, and in the guest world loads the data segments that
/// changed.
void store_segments(const CpuState& cpu, btvm_switch_context& context);

/// Makes the debug registers hold `plan`, writing only those that change.
void store_breakpoints(const Plan& plan, btvm_switch_context& context);

} // namespace btvm::native

// The processor's debug registers while guest code runs: the guest's own breakpoints, and a plan's in those
// that are left. And EFLAGS.RF, by which an instruction passes its own breakpoint.
#pragma once

#include "vmm/cpu/debug_registers.hh"
#include "vmm/world.hh"

namespace btvm::native {

/// The guest's breakpoints that take a debug register while its code runs natively, a bit each: all that are
/// enabled but those on ports, for the interpreter executes what accesses ports.
[[nodiscard]] inline u32 guest_breakpoints(const CpuState& cpu) {
    return cpu.has_breakpoints() ? dr7::enabled_of(cpu.dr[7], dr7::kOnMemory) : 0;
}
/// How many registers they leave.
[[nodiscard]] inline u32 free_registers(const CpuState& cpu) {
    u32 free = dr7::kBreakpoints;
    for (u32 taken = guest_breakpoints(cpu); taken; taken &= taken - 1)
        free--;
    return free;
}

/// Makes the debug registers hold the guest's breakpoints, each in its own, and `plan`, if there is one, in
/// others: it has no more than free_registers(). Only registers that change are written.
void store_breakpoints(const CpuState& cpu, const Plan* plan, btvm_switch_context& context);

/// Takes all breakpoints out, until the next entry: an emulated processor goes on to report one that was met
/// until it is disabled.
void remove_breakpoints(btvm_switch_context& context);

/// Which of the guest's breakpoints `dr6` reports: bits B0 to B3. Where a data breakpoint has trapped or an
/// instruction was stepped, those on the next instruction are left out: they come by themselves, as faults.
[[nodiscard]] u64 breakpoint_hits(const CpuState& cpu, u64 dr6);

/// Notes that native code begins with the guest's EFLAGS.RF. Returns the flag for the frame: only where
/// breakpoints of the guest are in force does the processor have to know. `extra_flags`: what else the frame
/// will have.
[[nodiscard]] u64 enter_resume_flag(World& world, const btvm_switch_context& context, u64 extra_flags = 0);
/// Makes the guest's EFLAGS.RF what it is where the frame says that native code has stopped. Once for each
/// entry.
void leave_resume_flag(World& world, const btvm_switch_context& context);

/// A breakpoint that user code's load of SS held back can trap at ring 0, in the first instruction of our
/// handler for the instruction that followed (SDM Vol. 3A 6.8.3). The entry code has noted it; the guest is
/// now again where that instruction is to be executed and the trap is to come after it. What came in by #DB
/// itself is reported with that.
void take_late_breakpoints(World& world, btvm_switch_context& context);

} // namespace btvm::native

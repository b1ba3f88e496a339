// The processor's debug registers while guest code runs: a plan's breakpoints, or the guest's own. And
// EFLAGS.RF, by which an instruction passes its own breakpoint.
#pragma once

#include "vmm/world.hh"

namespace btvm::native {

/// Makes the debug registers hold `plan`, writing only those that change.
void store_breakpoints(const Plan& plan, btvm_switch_context& context);

/// Makes them hold the breakpoints that the guest has enabled. Those on ports are left out: the interpreter
/// executes what accesses ports.
void store_guest_breakpoints(const CpuState& cpu, btvm_switch_context& context);

/// Takes all breakpoints out, until the next entry: an emulated processor goes on to report one that was met
/// until it is disabled.
void remove_breakpoints(btvm_switch_context& context);

/// Which of the guest's breakpoints, as they are in the debug registers now, `dr6` reports: bits B0 to B3.
/// Where a data breakpoint has trapped or an instruction was stepped, those on the next instruction are left
/// out: they come by themselves, as faults.
[[nodiscard]] u64 breakpoint_hits(const btvm_switch_context& context, u64 dr6);

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

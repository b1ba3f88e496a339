// What a machine's core is, as the ABI has it: out of the core's own objects and back. Both engines use it,
// the module and the interpreter in btvm-run, so a state made by one goes on in the other.
#pragma once

#include <btvm/btvm.h>

#include "vmm/cpu/state.hh"
#include "vmm/interrupts/interrupt_controllers.hh"
#include "vmm/interrupts/pic.hh"
#include "vmm/interrupts/pit.hh"
#include "vmm/interrupts/pm_timer.hh"
#include "vmm/io/port_bus.hh"

namespace btvm {

/// The parts of a core that make up its state. Guest time is not among them: it is its owner's.
struct CoreParts {
    CpuState& cpu;
    Pic& pic;
    Apics& apics;
    Pit& pit;
    PmTimer& pm_timer;
    PortRequest& port_request;
    u32& owed_ticks;
};
struct ConstCoreParts {
    const CpuState& cpu;
    const Pic& pic;
    const Apics& apics;
    const Pit& pit;
    const PmTimer& pm_timer;
    const PortRequest& port_request;
    const u32& owed_ticks;
};

void get_regs(const CpuState& cpu, btvm_regs& out);
/// Keeps what a 32-bit processor has.
void put_regs(CpuState& cpu, const btvm_regs& in);

void get_sregs(const CpuState& cpu, btvm_sregs& out);
/// Whether they describe a processor outside long mode: one that the core can run without harm to itself.
[[nodiscard]] bool possible(const btvm_sregs& in);
/// They must be possible.
void put_sregs(CpuState& cpu, const btvm_sregs& in);

/// `host_tsc` is the host's time-stamp counter now.
void get_state(const ConstCoreParts& parts, u64 host_tsc, btvm_state& out);
/// Whether the state is one that a machine can be in which has these features at most. Whatever may come from
/// outside is looked at: after this nothing in it can harm.
[[nodiscard]] bool possible(const btvm_state& in, const CpuFeatures& features);
/// Whether it is the state of a machine with APICs. An engine takes it only if it has them, or neither has.
[[nodiscard]] bool has_apics(const btvm_state& state);
/// It must be possible.
void put_state(const CoreParts& parts, u64 host_tsc, const btvm_state& in);

} // namespace btvm

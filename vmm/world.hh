// Everything there is to know of one guest, in one block of plain data that the host world and the guest
// world map at different addresses. Nothing in it points into itself: what needs addresses is in the two
// Views, one for each world.
#pragma once

#include <btvm/btvm.h>

#include "monitor/switch_context.h"
#include "vmm/cfg/code_cache.hh"
#include "vmm/cpu/guest_clock.hh"
#include "vmm/cpu/state.hh"
#include "vmm/interpret/instruction_cache.hh"
#include "vmm/interpret/interpreter.hh"
#include "vmm/interrupts/interrupt_controllers.hh"
#include "vmm/interrupts/pic.hh"
#include "vmm/interrupts/pit.hh"
#include "vmm/interrupts/pm_timer.hh"
#include "vmm/io/port_bus.hh"
#include "vmm/memory/guest_memory.hh"
#include "vmm/mmu/shadow_mmu.hh"
#include "vmm/native/user_tables.hh"
#include "vmm/native/way.hh"
#include "vmm/plan/plan.hh"
#include "vmm/plan/plan_cache.hh"
#include "vmm/provider/code_copies.hh"
#include "vmm/trace/trace_ring.hh"

namespace btvm {

/// The addresses one world uses. The host's is filled in by the module; the monitor's too, before the first
/// entry.
struct View {
    GuestMemory memory{};
    ShadowView shadow{};
    CopyView copies{};
    btvm_switch_context* context{};
    btvm_user_tables* user_tables{};
};

/// What the guest world was left for, when it was the monitor's wish.
enum class HostRequest : u8 {
    None,
    Io,         ///< PortRequest is asked.
    Halt,       ///< The guest waits for an interrupt.
    Shutdown,   ///< Triple fault.
    ModeSwitch, ///< The next instruction is not the tracer's.
    Interpret,  ///< One step is due that only the host world can do (it needs the FPU).
    Fpu,        ///< The guest's FPU registers are needed natively.
    Budget,     ///< The monitor has run long enough with interrupts off.
    Error       ///< See World::error.
};

/// Why a VM cannot go on.
struct FatalError {
    u32 suberror{}; ///< BTVM_ERROR_*
    u32 vector{};
    u64 code{};
    u64 rip{};
    u64 cr2{};
};

/// Native execution of guest code.
struct NativeState {
    native::Way way{}; ///< How the guest runs natively, or ran last.
    /// What DS, ES, FS and GS hold at ring 3 while the user tables are in force.
    Segment loaded[4]{};
    /// What the guest's segments in our own descriptor table stand for (way Trace).
    Segment stored[kSegRegCount]{};
    u32 guard_steps{}; ///< Instructions interpreted since the last guard() that a guard would have traced.
    u32 unneeded_guards{}; ///< Turns of traced code since one needed the guard there is.
    u64 plan_offset{}; ///< Of the plan in use, from the World's first byte: in the plan cache, or `fresh`.
    Plan fresh{};      ///< The last plan made.
    bool plan_valid{}; ///< The plan covers cpu.rip and the debug registers hold it.
    bool fpu_wanted{}; ///< The host loads the guest's FPU registers at each entry.
    bool verify_stepped{}; ///< Verify mode: the instruction at verify_from has just been single-stepped.
    u64 verify_from{};
    u64 resume_rip{};          ///< Where native code began with...
    bool resume_flag{};        ///< ... the guest's EFLAGS.RF,
    bool resume_flag_native{}; ///< which the processor was told too;
    bool resume_flag_ours{};   ///< or it was told to pass a breakpoint of ours.
};

struct World {
    CpuState cpu{};
    Pic pic{};
    Apics apics{};
    Pit pit{};
    PmTimer pm_timer{};
    PortRequest port_request{};
    PortCounters port_counters{};
    InterpreterCounters interpreter_counters{};
    GuestClock clock{};
    u64 next_timer_ns{}; ///< Guest time of the timers' next interrupt, ~0: none.
    u64 armed_ns{};      ///< The same as the host world was told it.
    u32 owed_ticks{};    ///< Timer interrupts due that the guest has not been able to take yet.

    /// Whether a timer interrupt is owed and its line can take it: the last one has been acknowledged.
    [[nodiscard]] bool owes_tick_now() { return owed_ticks && controllers().takes_tick(); }
    [[nodiscard]] InterruptControllers controllers() { return {cpu, pic, apics}; }

    btvm_config config{};
    btvm_stats stats{};
    HostRequest request{};
    FatalError error{};
    NativeState native{};
    native::UserTables user_tables{};
    /// The processor does not check segments in full (limits, rights, null selectors): QEMU's emulator.
    bool lax_segments{};
    /// What its processor may have at most; a saved state can have left it less.
    CpuFeatures most_features{};
    ShadowMmu shadow{};

    View host{};
    View monitor{};

    TraceRing trace{};
    InstructionCache instructions{};
    TranslationCache translations{};
    CodeCache code{};
    CodeCopies copies{};
    PlanCache plans{};
};

} // namespace btvm

// The interpreter: the single place where instruction semantics live. Real mode, v86, 16-bit protected mode
// and every sensitive instruction of traced code go through step(). Each step either completes or leaves the
// guest's state as it was (REP string instructions complete one or more iterations and leave RIP on the
// instruction, as the processor does).
#pragma once

#include "vmm/cpu/state.hh"
#include "vmm/decode/instruction.hh"
#include "vmm/interpret/instruction_cache.hh"
#include "vmm/interrupts/interrupt_controllers.hh"
#include "vmm/io/port_bus.hh"
#include "vmm/memory/guest_memory.hh"
#include "vmm/mmu/translation_cache.hh"

namespace btvm {

enum class StepStatus : u8 {
    Completed, ///< One instruction (or a slice of a REP) is done; faults it raised have been delivered to the
               ///< guest.
    Halted,    ///< HLT is done; cpu.activity is Halted.
    Io, ///< A port access needs userland (see PortBus); state unchanged, step again when it is answered.
    Shutdown, ///< Triple fault; cpu.activity is Shutdown.
    NeedsFpu ///< The instruction uses registers that are out of reach (Interpreter::no_fpu); state unchanged.
};

/// An interrupt or exception to deliver (SDM Vol. 3A chapter 6).
struct Event {
    enum class Kind : u8 {
        External, ///< Interrupt from the PIC: EXT = 1 in error codes of nested faults.
        Nmi,
        Exception,         ///< A fault or trap raised by the processor.
        Software,          ///< INT n: gate DPL is checked.
        SoftwareException, ///< INT3, INTO: gate DPL is checked.
        Icebp              ///< INT1: no DPL check, pushes the next RIP.
    };
    Kind kind{Kind::Exception};
    u8 vector{};
    bool has_error{};
    u32 error{};
};

/// CPUID answers are the owner's choice; hosted and in-kernel builds share one table (see vmm/cpu/cpuid.hh).
struct InterpreterCounters {
    u64 instructions{}; ///< Steps begun, a REP counted once per slice.
    u64 exceptions{};   ///< Faults delivered to the guest.
};

class Interpreter {
public:
    Interpreter(CpuState& cpu, GuestMemory& memory, PortBus& ports, InterpreterCounters& counters)
        : cpu_(cpu), memory_(memory), ports_(ports), counters_(counters) {}

    /// The guest's time-stamp counter as RDTSC shall give it; the owner keeps it fresh (or leaves it to count
    /// up).
    u64 tsc{};
    /// How many iterations of one REP instruction a step may do before it returns (at least 1).
    u32 rep_slice{256};
    /// How many bytes one REP INS or REP OUTS may exchange with userland at once, whatever rep_slice says; 0:
    /// element by element.
    u32 port_block{PortRequest::kMostBytes};
    /// Where decoded instructions are kept, or null. Its content means nothing to anyone else and is never
    /// saved.
    InstructionCache* cache{};
    /// Where translations are kept, or null. The interpreter flushes it as the guest flushes its TLB; whoever
    /// else changes how linear addresses translate does so too.
    TranslationCache* translations{};
    /// What has registers in memory, or null: the machine has no APICs.
    InterruptControllers* controllers{};
    /// The x87, MMX and SSE registers are not the guest's: an instruction that uses them is not begun.
    bool no_fpu{};
    /// Set when the guest has flushed its TLB, or changed how it translates (MOV CR0/CR3/CR4, a task switch).
    /// Whoever keeps shadow tables looks here and clears it.
    bool translations_changed{};
    /// Set when INVLPG has flushed the page of `invalidated_linear`; the same holds.
    bool page_invalidated{};
    u32 invalidated_linear{};

    /// Executes the instruction at CS:RIP. A pending fault of the instruction is delivered through the
    /// guest's IDT (or IVT) before this returns, double and triple faults included. Single-step traps
    /// (EFLAGS.TF) and data breakpoints are the guest's own and are delivered too.
    [[nodiscard]] StepStatus step();
    /// A stretch: step(), and another one as long as the one before was plain, `most` in all; at least one.
    /// Within a stretch nothing changes that an owner looks at between two steps: modes, segments, privilege,
    /// flags but the arithmetic ones, interrupts, how addresses translate; no fault is raised, no page
    /// written that somebody watches, no device's register used. `steps` is how many were begun, the status
    /// the last one's.
    [[nodiscard]] StepStatus run(u32 most, u32& steps);

    /// The short way for a near branch through an operand on a processor that runs without TF, enabled
    /// breakpoints or an interrupt shadow. False: it is something else, or would fault; nothing is done,
    /// step() will tell.
    [[nodiscard]] bool pointer_branch();

    /// Delivers an event at the current instruction boundary: wakes a halted processor, clears the interrupt
    /// shadow.
    [[nodiscard]] StepStatus deliver(const Event& event);

private:
    friend class Execution;

    CpuState& cpu_;
    GuestMemory& memory_;
    PortBus& ports_;
    InterpreterCounters& counters_;
};

} // namespace btvm

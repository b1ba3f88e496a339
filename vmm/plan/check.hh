// The invariants of tracing, checked from outside the planner (verify mode and tests).
//
//   I1  No instruction whose ring-3 effect differs from its ring-0 effect runs natively in guest kernel mode.
//   I2  Control never leaves decoded code without a trap.
#pragma once

#include "vmm/base/types.hh"
#include "vmm/cfg/control_flow.hh"
#include "vmm/plan/plan.hh"

namespace btvm {

enum class Violation : u8 {
    None,
    Sensitive,     ///< I1: a sensitive or unrecognised instruction is about to run natively.
    PointerBranch, ///< I2: a pointer branch is about to run natively: nobody knows where it goes.
    NotPlanned,    ///< I2: control is in a page that the plan was not made from.
    NotDecoded,    ///< I2: control is at a byte that was never decoded as the beginning of an instruction.
    NotWatched,    ///< I2: a page of the plan can be written unseen, or was dropped while the plan runs.
    StaleDecode,   ///< I2: memory holds another instruction than the cache has.
    NotASuccessor, ///< I2: control came from the last instruction to where that does not lead.
    TooMany        ///< The region of a plan is larger than any planner makes it.
};

/// Says that there was no previous native instruction: control came from a trap.
inline constexpr u64 kNoPreviousPc = ~u64{0};

/// Checks one step of guest kernel code that runs natively under `plan`: the instruction at `previous` is
/// done (or kNoPreviousPc) and the one at `pc` is next. An instruction with a planned breakpoint on it is
/// about to trap, and one that traps by itself will: both are in order. Changes neither the cache's contents
/// nor its counters.
[[nodiscard]] Violation check_step(const CodeView& code, u64 previous, u64 pc, const Plan& plan);

/// Checks a whole plan before it runs, by following every path from its start (not by the planner's means).
/// False alarms do not exist; 512 bytes of stack; bounded by the pages of the plan.
[[nodiscard]] Violation check_plan(const CodeView& code, const Plan& plan);

} // namespace btvm

// A breakpoint plan: where the breakpoints stand while guest code runs natively from one address on.
#pragma once

#include "vmm/base/types.hh"
#include "vmm/cfg/control_flow.hh"

namespace btvm {

inline constexpr u32 kMaxBreakpoints = 4;

/// Plain data without pointers: plans are cached in memory shared between worlds.
struct Plan {
    u64 pc{};                       ///< Linear: where it starts.
    u64 address[kMaxBreakpoints]{}; ///< Linear, ascending, no two alike.
    CodePages pages{};              ///< What it was made from. It holds while all of them are current.
    /// What stands at each breakpoint; Plain where the plan ends for other reasons.
    InstructionClass cls[kMaxBreakpoints]{};
    u8 count{}; ///< Breakpoints. 0 is legal: all paths trap by themselves or never end.
    /// The instruction at `pc` must not run natively, or is a branch whose outcomes have no room: emulate it
    /// by one step of the interpreter (the plan is otherwise empty).
    bool stop_at_pc{};
    InstructionClass stop_class{InstructionClass::Unrecognised}; ///< With stop_at_pc: what stands there.
    /// A breakpoint stands on `pc` itself, for when control comes back to it: resume with RF set (SDM Vol.
    /// 3B 17.3.1.1).
    bool needs_rf{};
    /// Cut short by the bounds on decoding: correct, but the next plan for the same address will be better.
    /// Not cached.
    bool provisional{};
    CodeSize size{CodeSize::Bits32};

    [[nodiscard]] constexpr bool has(u64 at) const {
        for (u32 i = 0; i < count; i++)
            if (address[i] == at) return true;
        return false;
    }
};

/// Whether everything `plan` was made from is still decoded and watched. A running plan must be asked again
/// after anything that may have dropped or evicted code pages.
[[nodiscard]] inline bool current(const Plan& plan, CodeCache& cache) {
    for (u32 i = 0; i < plan.pages.count; i++)
        if (!cache.current(plan.pages.id[i])) return false;
    return true;
}

} // namespace btvm

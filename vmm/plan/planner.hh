// The planner answers: with N breakpoints and the control-flow graph at a program counter, where must they
// stand so that no sensitive or unrecognised instruction runs untrapped, and control never leaves decoded
// code unseen?
//
// What all planners keep: the branches they let run unseen ("expanded") form a region of the graph; every way
// out of the region meets a breakpoint (the "frontier") or an instruction that traps by itself. They differ
// in which branches they expand. The source's pseudo code (3.4.3) spends its counter depth first and can
// return with one side of a branch uncovered when the counter runs out below the other side; here a branch is
// expanded only when both sides fit.
#pragma once

#include "vmm/base/types.hh"
#include "vmm/cfg/control_flow.hh"
#include "vmm/plan/plan.hh"

namespace btvm {

enum class PlannerKind : u8 {
    BreadthFirst, ///< The source's: nearest branches first, each only if both sides fit.
    Lookahead ///< Cheapest branches first (loops close for free), and looks past a branch that does not fit
              ///< for a join behind it that makes it fit.
};

struct PlannerOptions {
    u8 breakpoints{kMaxBreakpoints}; ///< 1 to kMaxBreakpoints; others are clamped.
    PlannerKind kind{PlannerKind::BreadthFirst};
    bool leave_one_out{}; ///< A planted bug for tests of the checks (BTVM_CONFIG_TEST_PLANNER_BUG).
    WalkBudget budget{};
};

/// Makes the plan for running on from `pc` (linear). Uses about 3 KiB of stack. May enter pages into the code
/// cache (see CodeCache::newly_watched) and evict others, the running plan's included.
void make_plan(CodeView& code, u64 pc, const PlannerOptions& options, Plan& plan);

} // namespace btvm

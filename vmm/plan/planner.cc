#include "vmm/plan/planner.hh"

#include "vmm/plan/search.hh"

namespace btvm {

namespace {

/// Whether `breakpoints` are enough after an expansion that changes the frontier by `growth`.
bool fits(const PlanSearch& search, int growth, u32 breakpoints) {
    return growth != PlanSearch::kCannot &&
           static_cast<int>(search.frontier_count()) + growth <= static_cast<int>(breakpoints);
}

/// Expands the branch that was reached first among those that fit, until none fits.
void expand_breadth_first(PlanSearch& search, u32 breakpoints) {
    for (u32 i = 0; i < search.frontier_count();) {
        if (fits(search, search.growth(i), breakpoints)) {
            search.expand(i);
            i = 0; // What did not fit before may fit now.
        } else {
            i++;
        }
    }
}

/// The frontier node whose expansion costs least, the first of equals; kCannot in `least` when there is none.
u32 cheapest(PlanSearch& search, int& least) {
    u32 best = 0;
    least = PlanSearch::kCannot;
    for (u32 i = 0; i < search.frontier_count(); i++) {
        const int growth = search.growth(i);
        if (growth < least) {
            least = growth;
            best = i;
        }
    }
    return best;
}

void expand_cheapest_first(PlanSearch& search, u32 breakpoints) {
    for (;;) {
        int growth;
        const u32 i = cheapest(search, growth);
        if (!fits(search, growth, breakpoints)) return;
        search.expand(i);
    }
}

/// Tries whether frontier node `i`, too many by itself, fits together with a few of those behind it: the
/// sides of most branches join again soon.
bool expand_past(PlanSearch& search, u32 i, u32 breakpoints) {
    constexpr u32 kTries = 6;
    if (search.growth(i) == PlanSearch::kCannot) return false;
    search.expand(i);
    for (u32 n = 0; n < kTries; n++) {
        if (search.frontier_count() <= breakpoints) return true;
        int growth;
        const u32 next = cheapest(search, growth);
        if (growth == PlanSearch::kCannot) return false;
        search.expand(next);
    }
    return search.frontier_count() <= breakpoints;
}

void expand_with_lookahead(PlanSearch& search, u32 breakpoints) {
    expand_cheapest_first(search, breakpoints);
    for (u32 i = 0; i < search.frontier_count();) {
        const PlanSearch::Position before = search.position();
        if (expand_past(search, i, breakpoints)) {
            expand_cheapest_first(search, breakpoints);
            i = 0;
        } else {
            search.go_back(before);
            i++;
        }
    }
}

void add_sorted(Plan& plan, const PointOfInterest& point) {
    u32 at = plan.count++;
    for (; at > 0 && plan.address[at - 1] > point.pc; at--) {
        plan.address[at] = plan.address[at - 1];
        plan.cls[at] = plan.cls[at - 1];
    }
    plan.address[at] = point.pc;
    plan.cls[at] = point.kind == StopKind::Instruction ? point.cls : InstructionClass::Plain;
}

} // namespace

void make_plan(CodeView& code, u64 pc, const PlannerOptions& options, Plan& plan) {
    const u32 asked = options.breakpoints;
    const u32 breakpoints = asked < 1 ? 1 : asked > kMaxBreakpoints ? kMaxBreakpoints : asked;

    PlanSearch search(code, pc, options.budget);
    switch (options.kind) {
    case PlannerKind::BreadthFirst: expand_breadth_first(search, breakpoints); break;
    case PlannerKind::Lookahead: expand_with_lookahead(search, breakpoints); break;
    }

    plan = Plan{};
    plan.pc = pc;
    plan.size = code.size;
    plan.provisional = search.starved();
    search.used_pages(plan.pages);
    for (u32 i = 0; i < search.frontier_count(); i++) {
        const PointOfInterest& point = search.frontier(i);
        if (point.pc == pc && point.kind != StopKind::Limit) {
            plan.stop_at_pc = true;
            plan.stop_class = point.cls;
            plan.needs_rf = false;
            plan.count = 0;
            return;
        }
        plan.needs_rf |= point.pc == pc;
        if (!options.leave_one_out || i + 1 < search.frontier_count()) add_sorted(plan, point);
    }
}

} // namespace btvm

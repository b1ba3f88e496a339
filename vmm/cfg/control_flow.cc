#include "vmm/cfg/control_flow.hh"

namespace btvm {

PointOfInterest ControlFlow::walk(u64 pc, bool free_first) {
    PointOfInterest point;
    CodeCursor cursor;
    for (u32 steps = 0;; steps++) {
        point.pc = pc;
        const bool free = free_first && steps == 0;
        if (!free && (steps >= budget_.straight || budget_.instructions == 0)) return point;
        if (!free && budget_.decodes == 0) {
            starved_ = true;
            return point;
        }
        const u64 page = pc >> kPageShift;
        // Asked before the page is looked at: looking makes it watched, and evicts another.
        if (!pages_.room_for(page)) return point;

        const CodeAt at = code_.cache.classify(code_.memory, code_.translation, pc, code_.size, cursor);
        if (budget_.instructions) budget_.instructions--;
        if (at.fresh && budget_.decodes) budget_.decodes--;
        if (at.status != CodeStatus::Ok) {
            point.kind = StopKind::Unreadable;
            return point;
        }
        if (at.crosses) {
            const u64 next = code_.wrap(pc + at.length - 1) >> kPageShift;
            const bool both_fit = pages_.find(page) >= 0 || pages_.count + 1u < CodePages::kMax;
            if (!pages_.room_for(next) || (pages_.find(next) < 0 && !both_fit)) return point;
            point.pages |= pages_.add(page, at.page);
            point.pages |= pages_.add(next, at.next_page);
        } else {
            point.pages |= pages_.add(page, at.page);
        }
        if (at.cls != InstructionClass::Plain) {
            point.kind = StopKind::Instruction;
            point.cls = at.cls;
            point.length = at.length;
            return point;
        }
        pc = code_.wrap(pc + at.length);
    }
}

bool ControlFlow::target(const PointOfInterest& branch, u64& to) {
    // The cache keeps no targets, so each is a decoding. It is charged to what is the same every time, not to
    // WalkBudget::decodes: a plan that runs out of those is made again and again until it does not.
    constexpr u32 kCost = 8;
    budget_.instructions -= budget_.instructions < kCost ? budget_.instructions : kCost;
    Instruction instruction;
    if (code_.cache.fetch(code_.memory, code_.translation, branch.pc, code_.size, instruction) !=
        CodeStatus::Ok)
        return false;
    // Memory that changed since (DMA not reported yet) must not yield a target that no branch has.
    if (instruction.cls != branch.cls || instruction.length != branch.length) return false;
    to = code_.wrap(branch_target(instruction, branch.pc));
    return true;
}

} // namespace btvm

#include "vmm/plan/check.hh"

namespace btvm {

namespace {

/// The state byte of the page says that writes to it are noticed, or nothing can write to it.
bool watched(const GuestMemory& memory, u64 frame) {
    const GuestPhysical at(frame << kPageShift);
    const MemorySlot* slot = memory.find(at);
    if (!slot) return false;
    if (!slot->state) return slot->read_only;
    return slot->state[(at.value - slot->first) >> kPageShift] & page_state::kCode;
}

/// What must hold of an instruction at `pc` before anything else is asked of it; decodes it afresh.
Violation check_known(const CodeView& code, u64 pc, const Plan& plan, Instruction& instruction) {
    u64 frame;
    const u64 page = pc >> kPageShift;
    const int index = plan.pages.find(page);
    if (index < 0) return Violation::NotPlanned;
    if (!code.translation.translate(page, frame)) return Violation::NotDecoded;
    if (!watched(code.memory, frame) || !code.cache.holds(plan.pages.id[index], frame))
        return Violation::NotWatched;
    if (code.cache.fetch(code.memory, code.translation, pc, code.size, instruction) != CodeStatus::Ok)
        return Violation::NotDecoded;

    const u64 last_page = code.wrap(pc + instruction.length - 1) >> kPageShift;
    if (last_page != page) {
        // Never cached, so there is no decoded state to compare with, but both of its pages must be watched.
        const int last = plan.pages.find(last_page);
        if (last < 0) return Violation::NotPlanned;
        if (!code.translation.translate(last_page, frame)) return Violation::NotDecoded;
        if (!watched(code.memory, frame) || !code.cache.holds(plan.pages.id[last], frame))
            return Violation::NotWatched;
        return Violation::None;
    }
    CodeCache::Known known;
    if (!code.cache.peek(plan.pages.id[index], pc, known)) return Violation::NotDecoded;
    if (known.length != instruction.length || known.cls != instruction.cls) return Violation::StaleDecode;
    return Violation::None;
}

/// Whether an instruction that does not trap may run natively.
Violation check_class(InstructionClass cls) {
    switch (cls) {
    case InstructionClass::Plain:
    case InstructionClass::ConditionalBranch:
    case InstructionClass::UnconditionalBranch:
    case InstructionClass::Privileged: return Violation::None;
    case InstructionClass::PointerBranch: return Violation::PointerBranch;
    case InstructionClass::Sensitive:
    case InstructionClass::Unrecognised: break;
    }
    return Violation::Sensitive;
}

bool leads_to(const CodeView& code, const Instruction& from, u64 at, u64 to) {
    const u64 next = code.wrap(at + from.length);
    switch (from.cls) {
    case InstructionClass::Plain:
        // A string instruction with a repeat prefix stops after each iteration under single stepping.
        return to == next || (from.rep != RepPrefix::None && to == at);
    case InstructionClass::ConditionalBranch: return to == next || to == code.wrap(branch_target(from, at));
    case InstructionClass::UnconditionalBranch: return to == code.wrap(branch_target(from, at));
    default: return false;
    }
}

} // namespace

Violation check_step(const CodeView& code, u64 previous, u64 pc, const Plan& plan) {
    Instruction instruction;
    if (previous != kNoPreviousPc) {
        // The previous instruction may have overwritten itself, and is then gone with its page.
        u64 frame;
        const int index = plan.pages.find(previous >> kPageShift);
        if (index >= 0 && code.translation.translate(previous >> kPageShift, frame) &&
            code.cache.holds(plan.pages.id[index], frame) &&
            code.cache.fetch(code.memory, code.translation, previous, code.size, instruction) ==
                CodeStatus::Ok) {
            if (const Violation v = check_class(instruction.cls); v != Violation::None) return v;
            if (!leads_to(code, instruction, previous, pc)) return Violation::NotASuccessor;
        }
    }
    if (plan.has(pc)) return Violation::None;
    if (const Violation v = check_known(code, pc, plan, instruction); v != Violation::None) return v;
    return check_class(instruction.cls);
}

Violation check_plan(const CodeView& code, const Plan& plan) {
    if (plan.stop_at_pc) return Violation::None;
    // Above what PlanSearch can expand, so that a plan with more branches is wrong by that alone.
    constexpr u32 kMaxBranches = 48;
    u64 branches[kMaxBranches];
    u32 seen = 0; // Branches known; those from `done` on have sides to follow still.
    u32 done = 0;
    u64 starts[2] = {plan.pc, plan.pc};
    u32 start_count = 1;
    for (;;) {
        for (u32 s = 0; s < start_count; s++) {
            u64 pc = starts[s];
            // Brent's cycle detection, for loops of unconditional branches only: the mark moves at powers of
            // two.
            u64 mark = ~u64{0};
            u32 jumps = 0;
            for (u32 steps = 0;; steps++) {
                // A breakpoint on the first instruction is passed over by RF.
                const bool resumed = plan.needs_rf && seen == 0 && steps == 0;
                if (plan.has(pc) && !resumed) break;
                Instruction i;
                if (const Violation v = check_known(code, pc, plan, i); v != Violation::None) return v;
                if (const Violation v = check_class(i.cls); v != Violation::None) return v;
                if (i.cls == InstructionClass::Privileged) break;
                if (i.cls == InstructionClass::ConditionalBranch) {
                    u32 b = 0;
                    while (b < seen && branches[b] != pc)
                        b++;
                    if (b < seen) break;
                    if (seen == kMaxBranches) return Violation::TooMany;
                    branches[seen++] = pc;
                    break;
                }
                if (i.cls == InstructionClass::UnconditionalBranch) {
                    pc = code.wrap(branch_target(i, pc));
                    if (pc == mark) break;
                    if ((jumps & (jumps - 1)) == 0) mark = pc;
                    jumps++;
                } else {
                    pc = code.wrap(pc + i.length);
                }
            }
        }
        if (done == seen) return Violation::None;
        const u64 at = branches[done++];
        Instruction branch;
        if (code.cache.fetch(code.memory, code.translation, at, code.size, branch) != CodeStatus::Ok)
            return Violation::NotDecoded;
        starts[0] = code.wrap(at + branch.length);
        starts[1] = code.wrap(branch_target(branch, at));
        start_count = 2;
    }
}

} // namespace btvm

// Kernel code with a small FS or GS on a processor that checks no segment limits (World::lax_segments): it is
// traced all the same, with each access through that segment emulated (CodeCache::guard()).
//
// What is guarded changes seldom, since all decoded code goes then: loaders run for a moment with what the
// BIOS left in FS and GS, and a kernel may use FS all the time after a loader had it small.
#include "vmm/hypervisor/tracer.hh"
#include "vmm/native/native_state.hh"

namespace btvm {

/// Which segments would have to be guarded besides for the next instruction to be traced.
SegmentSet Tracer::to_guard() const {
    return world_.lax_segments ? native::to_guard(cpu_, world_.code.guarded()) : 0;
}

void Tracer::guard(SegmentSet segments) {
    world_.trace.add(BTVM_TRACE_CODE_DROP, cpu_.rip, world_.code.live());
    world_.code.guard(view_.memory, segments);
    NativeState& native = world_.native;
    native.plan_valid = false;
    native.guard_steps = native.unneeded_guards = 0;
    // What was traced last must not pass for what may be traced now.
    native.stored[Fs] = native.stored[Gs] = {};
}

/// After `steps` instructions were interpreted that `segments`, guarded, would have let be traced.
void Tracer::note_guardable(SegmentSet segments, u32 steps) {
    if (!segments) return;
    world_.native.guard_steps += steps;
    if (world_.native.guard_steps >= kStepsBeforeGuarding) guard(world_.code.guarded() | segments);
}

/// Before code is traced: ends a guard that has long not been needed.
void Tracer::review_guards() {
    const SegmentSet guarded = world_.code.guarded();
    if (!guarded) return;
    NativeState& native = world_.native;
    const SegmentSet needed = native::to_guard(cpu_, 0);
    if (needed & guarded)
        native.unneeded_guards = 0;
    else if (++native.unneeded_guards >= kTurnsBeforeUnguarding)
        guard(0);
}

} // namespace btvm

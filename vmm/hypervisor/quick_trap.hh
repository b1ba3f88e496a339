// The commonest traps, answered without a Tracer: a few short instructions in execute-only copies that touch
// no more than the flags, the top of the stack and the target of a branch (QuickStop in
// vmm/provider/copy_view.hh).
#pragma once

#include "vmm/world.hh"

namespace btvm {

/// Answers the trap in the trap frame if it is such an instruction and nothing else is due: no interrupt for
/// the guest, no timer tick, no page to protect or drop; and the same with what comes next, until there is
/// covered code. True: go on at ring 3 with the frame. False: the trap in the frame is to be answered, the
/// one that was there or the one that what comes next would make.
[[nodiscard]] bool quick_trap(World& world, View& view);

} // namespace btvm

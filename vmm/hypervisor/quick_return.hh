// The commonest trap of all, answered without a Tracer: a near RET in an execute-only copy whose target is
// covered.
#pragma once

#include "vmm/world.hh"

namespace btvm {

/// Answers the trap in the trap frame if it is such a RET and nothing else is due: no interrupt for the
/// guest, no timer tick, no page to protect or drop. True: go on at ring 3 with the frame. False: nothing has
/// changed.
[[nodiscard]] bool quick_return(World& world, const View& view);

} // namespace btvm

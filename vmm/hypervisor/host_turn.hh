// The host world's part: between two stays in the guest world, or instead of them.
#pragma once

#include "vmm/hypervisor/core_api.h"
#include "vmm/world.hh"

namespace btvm {

/// See btvm_core_take_turn.
[[nodiscard]] int host_turn(World& world, btvm_core_turn& turn, btvm_run& run);

/// See btvm_core_left.
void after_guest_world(World& world);

} // namespace btvm

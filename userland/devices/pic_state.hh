// The interrupt controllers and the timer live in the core, which knows no archives: their state is declared
// here.
#pragma once

#include "userland/devices/state.hh"
#include "vmm/interrupts/pic.hh"
#include "vmm/interrupts/pit.hh"

namespace btvm {

void describe(StateArchive& archive, PicChip& chip);
void describe(StateArchive& archive, Pic& pic);
void describe(StateArchive& archive, PitChannel& channel);
void describe(StateArchive& archive, Pit& pit);

} // namespace btvm

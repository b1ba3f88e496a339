// The APICs live in the core, as the 8259 pair does (pic_state.hh): their state is declared here.
#pragma once

#include "userland/devices/state.hh"
#include "vmm/interrupts/io_apic.hh"
#include "vmm/interrupts/local_apic.hh"

namespace btvm {

void describe(StateArchive& archive, LocalApic& local);
void describe(StateArchive& archive, IoApic& io);

} // namespace btvm

// The part of saved_state.hh that is the APICs'.
#pragma once

#include <btvm/btvm.h>

#include "vmm/interrupts/interrupt_controllers.hh"

namespace btvm {

void get_apics(const Apics& apics, btvm_state& out);
/// Whether local APIC, I/O APIC and IA32_APIC_BASE are ones that a machine can have; without
/// cpuid_feature::kApic there are none.
[[nodiscard]] bool possible_apics(const btvm_state& in);
/// They must be possible.
void put_apics(Apics& apics, const btvm_state& in);

} // namespace btvm

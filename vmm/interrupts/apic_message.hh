// What travels between I/O APIC and local APIC, and between local APICs (SDM Vol. 3A 10.6.1, 10.11.1; 82093AA
// datasheet, 3.2.4): one message that asks for one interrupt.
#pragma once

#include "vmm/base/types.hh"

namespace btvm {

enum class ApicDelivery : u8 { Fixed, LowestPriority, Smi, Reserved, Nmi, Init, StartUp, ExtInt };

struct ApicMessage {
    u8 vector{};
    ApicDelivery delivery{};
    bool logical{};   ///< `destination` is a set of local APICs, not the ID of one.
    u8 destination{}; ///< FFh: all.
    bool level{};     ///< Level triggered: its end of interrupt goes to the I/O APIC.
};

/// Vectors below are the processor's own: an APIC neither sends nor takes them (SDM Vol. 3A 10.5.2).
inline constexpr u8 kFirstApicVector = 16;

} // namespace btvm

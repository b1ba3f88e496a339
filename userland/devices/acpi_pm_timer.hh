// Parts of the ACPI fixed hardware (ACPI 2.0, 4.7): the power management timer, a counter of 24 bits at
// 3.579545 MHz. Computed from guest time when somebody looks: nothing ticks.
#pragma once

#include "userland/devices/device.hh"

namespace btvm {

class AcpiPmTimer {
public:
    static constexpr std::uint64_t kHz = 3'579'545;
    static constexpr unsigned kBits = 24;

    /// The counter at a guest time.
    [[nodiscard]] static std::uint32_t count(GuestTime now) {
        return static_cast<std::uint32_t>(ticks(now)) & ((1u << kBits) - 1);
    }
    /// How often bit 23 has changed since power-on.
    [[nodiscard]] static std::uint64_t changes(GuestTime now) { return ticks(now) >> (kBits - 1); }
    /// When it has changed that often.
    [[nodiscard]] static GuestTime time_of_change(std::uint64_t number);

private:
    [[nodiscard]] static std::uint64_t ticks(GuestTime now);
};

} // namespace btvm

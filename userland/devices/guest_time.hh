// Limits on guest times that come from outside.
#pragma once

#include "userland/devices/device.hh"

namespace btvm {

/// Whether a time read from a saved state can be reckoned with: within a century of power-on, so that sums
/// and differences of such times never leave 64 bits.
[[nodiscard]] constexpr bool plausible_time(GuestTime time) {
    constexpr GuestTime limit = std::chrono::hours(24) * 36525;
    return time > -limit && time < limit;
}

} // namespace btvm

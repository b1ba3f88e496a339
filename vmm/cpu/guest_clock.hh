// Guest time in nanoseconds, read from the TSC alike in both worlds. The host anchors it at each of its
// turns, so an error of the TSC's rate never accumulates.
#pragma once

#include "vmm/base/types.hh"

namespace btvm {

struct GuestClock {
    u64 anchor_tsc{};
    u64 anchor_ns{};
    u64 ns_per_tsc_32{}; ///< Nanoseconds of one TSC tick, times 2^32.

    [[nodiscard]] constexpr u64 at(u64 tsc) const {
        // The anchor may be of another processor whose TSC lags a little: time never runs backwards past it.
        const s64 ticks = static_cast<s64>(tsc - anchor_tsc);
        if (ticks <= 0) return anchor_ns;
        return anchor_ns + static_cast<u64>(static_cast<unsigned __int128>(ticks) * ns_per_tsc_32 >> 32);
    }
};

} // namespace btvm

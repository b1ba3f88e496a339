// The local APIC's timer (SDM Vol. 3A 10.5.4). As with the 8254 nothing ticks: count and expiries are
// computed from guest time when somebody looks. Its bus clock is 1 GHz, as QEMU's is, so that an undivided
// tick is a nanosecond.
#pragma once

#include "vmm/base/types.hh"

namespace btvm {

struct ApicTimer {
    static constexpr u64 kNever = ~u64{0};
    /// What waits for expiries is woken so often at most: those of a shorter period come in bunches. The
    /// shortest period a guest can ask for is a nanosecond.
    static constexpr u64 kShortestWaitNs = 20'000;

    u64 start_ns{}; ///< Guest time at which the count was `initial`; nothing is counted before.
    u32 initial{};  ///< The initial-count register.
    u8 divide{};    ///< The divide-configuration register: bits 0, 1 and 3.
    u8 running{};   ///< Not stopped, and in one-shot mode not yet expired.

    [[nodiscard]] bool possible() const;
    /// The current-count register.
    [[nodiscard]] u32 count(u64 now_ns, bool periodic) const;
    /// Puts the expiries up to now behind it and says how many there were.
    [[nodiscard]] u64 collect(u64 now_ns, bool periodic);
    /// When the next one is due, or kNever. After collect().
    [[nodiscard]] u64 next_ns(u64 now_ns, bool periodic) const;
    /// A write of the initial count: it begins anew, or with 0 stops.
    void load(u32 value, u64 now_ns);
    /// A write of the divide configuration: the count goes on from where it is. After collect().
    void set_divide(u32 value, u64 now_ns, bool periodic);

private:
    /// Ticks are powers of two of a nanosecond: 0 to 7.
    [[nodiscard]] unsigned shift() const;
    [[nodiscard]] u64 period_ns() const { return u64{initial} << shift(); }
    [[nodiscard]] u64 elapsed_ns(u64 now_ns) const { return now_ns > start_ns ? now_ns - start_ns : 0; }
};

} // namespace btvm

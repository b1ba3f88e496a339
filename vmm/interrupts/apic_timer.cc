#include "vmm/interrupts/apic_timer.hh"

namespace btvm {

namespace {

constexpr u32 kDivideBits = 0xb;

} // namespace

/// Whether all that is computed from it stays in range.
bool ApicTimer::possible() const { return !(divide & ~kDivideBits) && running <= 1 && (initial || !running); }

/// Divide by 2, 4 and so on to 128, then by 1 (SDM Vol. 3A figure 10-10).
unsigned ApicTimer::shift() const {
    const unsigned code = (divide & 3u) | (divide >> 1 & 4u);
    return (code + 1) & 7;
}

u32 ApicTimer::count(u64 now_ns, bool periodic) const {
    if (!running) return 0;
    const u64 ticks = elapsed_ns(now_ns) >> shift();
    if (periodic) return initial - static_cast<u32>(ticks % initial);
    return ticks < initial ? initial - static_cast<u32>(ticks) : 0;
}

u64 ApicTimer::collect(u64 now_ns, bool periodic) {
    if (!running) return 0;
    const u64 periods = elapsed_ns(now_ns) / period_ns();
    if (!periods) return 0;
    if (periodic) {
        start_ns += periods * period_ns();
        return periods;
    }
    running = 0;
    return 1;
}

u64 ApicTimer::next_ns(u64 now_ns, bool periodic) const {
    if (!running) return kNever;
    const u64 period = period_ns();
    // A start beyond any guest's life comes out of a bent state file.
    if (start_ns > kNever - period) return kNever;
    const u64 next = start_ns + period;
    if (!periodic || period >= kShortestWaitNs || next >= now_ns + kShortestWaitNs) return next;
    return now_ns + kShortestWaitNs;
}

void ApicTimer::load(u32 value, u64 now_ns) {
    initial = value;
    start_ns = now_ns;
    running = value != 0;
}

void ApicTimer::set_divide(u32 value, u64 now_ns, bool periodic) {
    const u32 left = count(now_ns, periodic);
    divide = static_cast<u8>(value & kDivideBits);
    if (!running) return;
    const u64 done = u64{initial - left} << shift();
    // Earlier than guest time 0 there is no time: a divider that was made larger then begins anew.
    start_ns = now_ns > done ? now_ns - done : 0;
}

} // namespace btvm

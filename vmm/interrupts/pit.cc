#include "vmm/interrupts/pit.hh"

namespace btvm {

namespace {

constexpr u64 kNsPerSecond = 1000000000;

/// The refresh request toggles bit 4 of port 61h with channel 1's usual 18 ticks; it is derived from time,
/// for nothing observes more of channel 1.
constexpr u64 kRefreshNs = 15085;

constexpr u8 kPort61Written = 0x0f; ///< gate 2, speaker data, and two check enables that read back
constexpr u8 kPort61Gate2 = 0x01;
constexpr u8 kPort61Speaker = 0x02;

} // namespace

u64 Pit::ticks_at(u64 ns) { return ns / kNsPerSecond * kHertz + ns % kNsPerSecond * kHertz / kNsPerSecond; }

u64 Pit::ns_at(u64 ticks) {
    constexpr u64 kLast = kNever / kNsPerSecond * kHertz; // beyond this, nanoseconds do not fit
    if (ticks >= kLast) return kNever;
    return ticks / kHertz * kNsPerSecond + (ticks % kHertz * kNsPerSecond + kHertz - 1) / kHertz;
}

u64 Pit::tick(u64 now_ns) const {
    const u64 now = ticks_at(now_ns);
    return now > s_.last_tick ? now : s_.last_tick;
}

/// Channel 0's count is about to change at `tick`: puts the edges of the old one on record. An edge at `tick`
/// itself belongs to the new count if `before`.
void Pit::settle_edges(u64 tick, bool before) {
    const u64 edges = s_.channel[0].rising_edges(before ? tick - 1 : tick);
    if (edges > s_.edges_told) {
        const u64 owed = s_.edges_owed + (edges - s_.edges_told);
        s_.edges_owed = owed > 0xffffffff ? 0xffffffff : static_cast<u32>(owed);
    }
    s_.edges_told = 0;
}

void Pit::advance(u64 tick) {
    s_.last_tick = tick;
    PitChannel& timer = s_.channel[0];
    const PitChannel before = timer;
    if (timer.advance(tick)) {
        const PitChannel after = timer;
        timer = before;
        settle_edges(before.next_load, true);
        timer = after;
    }
    s_.channel[1].advance(tick);
    s_.channel[2].advance(tick);
}

u8 Pit::read(u16 port, u64 now_ns) {
    const u64 now = tick(now_ns);
    advance(now);
    if (port == 0x61) return read_port61(now_ns, now);
    const unsigned n = port - 0x40u;
    return n < 3 ? s_.channel[n].read(now) : 0xff;
}

void Pit::write(u16 port, u8 value, u64 now_ns) {
    const u64 now = tick(now_ns);
    advance(now);
    if (port == 0x61) return write_port61(value, now);
    if (port == 0x43 && value >> 6 == 3) return read_back(value, now);
    const bool is_control = port == 0x43;
    const unsigned n = is_control ? value >> 6 : port - 0x40u;
    if (n > 2) return;
    PitChannel& channel = s_.channel[n];
    if (is_control && !(value & 0x30)) return channel.latch_count(now);
    const PitChannel old = channel;
    if (is_control)
        channel.control(value, now);
    else
        channel.write_count(value, now);
    if (n != 0) return;
    if (channel.run != old.run || channel.load_tick != old.load_tick) { // the edges so far are the old load's
        const PitChannel fresh = channel;
        channel = old;
        settle_edges(now, false);
        channel = fresh;
    }
    // A control word, and a count in mode 4, raise the output at once.
    if (!old.out(now) && channel.out(now) && s_.edges_owed != 0xffffffff) s_.edges_owed++;
}

void Pit::read_back(u8 command, u64 tick) {
    for (unsigned n = 0; n < 3; n++) {
        if (!(command & (2u << n))) continue;
        if (!(command & 0x20)) s_.channel[n].latch_count(tick);
        if (!(command & 0x10)) s_.channel[n].latch_status(tick);
    }
}

u8 Pit::read_port61(u64 now_ns, u64 tick) const {
    const bool refresh = now_ns / kRefreshNs & 1;
    return static_cast<u8>(s_.port61 | refresh << 4 | s_.channel[2].out(tick) << 5);
}

void Pit::write_port61(u8 value, u64 tick) {
    s_.port61 = value & kPort61Written;
    s_.channel[2].set_gate(value & kPort61Gate2, tick);
}

void Pit::reset(u64 now_ns) {
    s_ = State{};
    s_.last_tick = ticks_at(now_ns);
}

u64 Pit::next_irq_ns(u64 now_ns) const {
    const u64 now = tick(now_ns);
    const PitChannel& timer = s_.channel[0];
    PitChannel present = timer;
    const bool joined = present.advance(now);
    const u64 told = joined ? 0 : s_.edges_told;
    const bool missed = joined && timer.rising_edges(timer.next_load - 1) > s_.edges_told;
    if (s_.edges_owed || missed || present.rising_edges(now) > told) return now_ns;
    const u64 edge = present.next_rising_edge(now);
    return edge == kNever ? kNever : ns_at(edge);
}

u32 Pit::collect_ticks(u64 now_ns) {
    const u64 now = tick(now_ns);
    advance(now);
    const u64 edges = s_.channel[0].rising_edges(now);
    settle_edges(now, false);
    s_.edges_told = edges;
    const u32 owed = s_.edges_owed;
    s_.edges_owed = 0;
    return owed;
}

bool Pit::level(u64 now_ns) const {
    const u64 now = tick(now_ns);
    PitChannel timer = s_.channel[0];
    timer.advance(now);
    return timer.out(now);
}

bool Pit::speaker(u64 now_ns) const {
    const u64 now = tick(now_ns);
    PitChannel tone = s_.channel[2];
    tone.advance(now);
    return (s_.port61 & kPort61Speaker) && tone.out(now);
}

} // namespace btvm

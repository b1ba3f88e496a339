// The 8254 interval timer at ports 40h to 43h (Intel 8254 datasheet, order number 231164) and the part of
// port 61h that belongs to it: the gate and output of channel 2, the speaker bit and the refresh toggle.
//
// Nothing here ticks. A channel remembers the clock tick its count was loaded at, and count and output are
// computed from the present time whenever somebody looks; so there is no drift, and an idle timer costs
// nothing.
#pragma once

#include "vmm/base/types.hh"

namespace btvm {

/// One counter of the 8254. Times are in ticks of the 1.193182 MHz clock since guest time 0.
struct PitChannel {
    enum class Run : u8 {
        Stopped, ///< No count since the control word.
        Armed,   ///< Modes 1 and 5: waiting for the gate to rise.
        Held,    ///< The gate is low: counting stands still (modes 0, 4) or is off (modes 2, 3).
        Running
    };

    u64 load_tick{};    ///< When the counting element held `count`; may lie one tick ahead of now.
    u64 held_elapsed{}; ///< While Held in modes 0 and 4: ticks counted since the load.
    u64 next_load{};    ///< Modes 2, 3 with next_waits: when next_count takes over.
    u32 count{0x10000}; ///< The count in use, 1 to 65536.
    u32 next_count{};   ///< Written and not yet in use: loaded at next_load, or by the next trigger in modes
                        ///< 1, 5.
    Run run{Run::Stopped};
    u8 next_waits{}; ///< next_count is valid.
    u8 mode{};       ///< 0 to 5.
    u8 bcd{};
    u8 access{3}; ///< 1 low byte, 2 high byte, 3 low then high.
    u8 gate{1};
    u8 out_before{};    ///< The output until load_tick, and while Stopped or Armed.
    u8 rises_at_load{}; ///< The output rises at load_tick itself: one period joined another.
    u8 write_high{};    ///< Access 3: the next write is the high byte.
    u8 read_high{};     ///< Access 3: the next read is the high byte.
    u8 low_byte{};      ///< The low byte, waiting for the high one.
    u8 count_latched{}; ///< Bytes of latched_count still to read.
    u8 status_latched{};
    u8 latched_status{};
    u16 latched_count{};
    u16 count_before{}; ///< The counting element while it is not counting.

    [[nodiscard]] bool out(u64 tick) const;
    [[nodiscard]] u16 counting_element(u64 tick) const;
    [[nodiscard]] u8 status(u64 tick) const;
    /// Output edges from low to high since the current load, up to and including `tick`.
    [[nodiscard]] u64 rising_edges(u64 tick) const;
    /// The tick of the first rising edge after `tick`, or ~0.
    [[nodiscard]] u64 next_rising_edge(u64 tick) const;

    void control(u8 word, u64 tick);
    void write_count(u8 value, u64 tick);
    [[nodiscard]] u8 read(u64 tick);
    void latch_count(u64 tick);
    void latch_status(u64 tick);
    void set_gate(bool level, u64 tick);
    /// Lets a waiting count take over. True if a new load began.
    bool advance(u64 tick);

private:
    [[nodiscard]] bool periodic() const { return mode == 2 || mode == 3; }
    [[nodiscard]] bool triggered() const { return mode == 1 || mode == 5; }
    [[nodiscard]] u32 modulus() const { return bcd ? 10000 : 0x10000; }
    void begin(u32 new_count, u64 tick);
    void new_count_written(u32 value, u64 tick);
};

class Pit {
public:
    static constexpr u64 kHertz = 1193182;
    static constexpr u64 kNever = ~u64{0};

    /// Ports 40h to 43h and 61h.
    [[nodiscard]] static bool owns(u16 port) { return (port & ~3u) == 0x40 || port == 0x61; }

    /// `now_ns` is guest time everywhere here. It must not run backwards; if it does, the timer stands still
    /// meanwhile.
    u8 read(u16 port, u64 now_ns);
    void write(u16 port, u8 value, u64 now_ns);
    /// Power-on state. Channel 0 stays silent until it is programmed.
    void reset(u64 now_ns);

    /// When OUT0, which is interrupt line 0, next rises: guest time in nanoseconds, kNever if it will not.
    /// `now_ns` itself if edges have passed that nobody collected.
    [[nodiscard]] u64 next_irq_ns(u64 now_ns) const;
    /// How many times OUT0 rose since this was last asked. Each is one interrupt on hardware that is never
    /// late (Pic::pulse_irq); what to do with more than one is the owner's choice.
    [[nodiscard]] u32 collect_ticks(u64 now_ns);
    /// The level of OUT0.
    [[nodiscard]] bool level(u64 now_ns) const;
    /// The level of OUT2, and whether it reaches the speaker.
    [[nodiscard]] bool speaker(u64 now_ns) const;

    /// Ticks of the timer's clock in `ns`, rounded down; and the first nanosecond at which `ticks` have
    /// passed.
    [[nodiscard]] static u64 ticks_at(u64 ns);
    [[nodiscard]] static u64 ns_at(u64 ticks);

    /// The plain state, for saving and restoring.
    struct State {
        PitChannel channel[3]{{}, {}, {.gate = 0}}; ///< Port 61h holds channel 2's gate, low at power-on.
        u64 last_tick{};                            ///< The latest time seen.
        u64 edges_told{}; ///< Of channel 0's current load, edges that collect_ticks() has told.
        u32 edges_owed{}; ///< Edges of earlier loads not yet told.
        u8 port61{};      ///< Bits 0 to 3 as written.
    };
    [[nodiscard]] const State& state() const { return s_; }
    [[nodiscard]] State& state() { return s_; }

private:
    [[nodiscard]] u64 tick(u64 now_ns) const;
    void advance(u64 tick);
    void settle_edges(u64 tick, bool before);
    void read_back(u8 command, u64 tick);
    [[nodiscard]] u8 read_port61(u64 now_ns, u64 tick) const;
    void write_port61(u8 value, u64 tick);

    State s_{};
};

} // namespace btvm

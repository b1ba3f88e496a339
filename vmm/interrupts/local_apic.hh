// The local APIC of the guest's one processor (SDM Vol. 3A chapter 10, xAPIC mode): what accepts interrupts
// from the I/O APIC, from itself (IPIs), from its timer and from its two pins, orders them by priority and
// gives them to the processor. Pin LINT0 is the 8259 pair's INTR, pin LINT1 the NMI.
//
// There are no other processors: INIT and start-up IPIs reach nobody, and the delivery status is always idle.
#pragma once

#include "vmm/interrupts/apic_message.hh"
#include "vmm/interrupts/apic_timer.hh"

namespace btvm {

class LocalApic {
public:
    /// Entries of the local vector table, in the order of their registers from 320h on.
    enum Lvt : u8 { kTimer, kThermal, kPerformance, kLint0, kLint1, kError, kLvtCount };

    /// A timer that the guest is too slow to serve owes it this many ticks at most.
    static constexpr u32 kMostOwedTicks = 128;
    static constexpr u64 kNever = ApicTimer::kNever;

    /// The plain state, for saving and restoring.
    struct State {
        u32 isr[8]{}; ///< In service. Bit n of word m is vector 32m + n, as in the two below.
        u32 tmr[8]{}; ///< Accepted as level triggered.
        u32 irr[8]{}; ///< Requested.
        u32 lvt[kLvtCount]{};
        u32 spurious{}; ///< SVR.
        u32 icr_low{};
        u32 owed_ticks{}; ///< Of the periodic timer, that found the one before not yet taken.
        u8 icr_destination{};
        u8 id{};
        u8 task_priority{};
        u8 logical_id{};         ///< LDR, its bits 31-24.
        u8 destination_format{}; ///< DFR, its bits 31-28.
        u8 errors{};             ///< ESR as it reads...
        u8 new_errors{};         ///< ... and what has happened since it was last written.
        u8 pins{};               ///< The levels of LINT0 and LINT1.
        u8 external{};           ///< Somebody has asked for an interrupt of the 8259 pair (ExtINT).
        ApicTimer timer{};
    };

    /// What has to go elsewhere after any call below; the caller takes it and sets it to nothing.
    struct Outputs {
        bool nmi{};
        bool level_ended{}; ///< End of a level-triggered interrupt, for the I/O APIC:
        u8 ended_vector{};
    };
    [[nodiscard]] Outputs take_outputs() {
        const Outputs out = out_;
        out_ = {};
        return out;
    }

    /// Power-on. LINT0 already lets the 8259 pair's interrupts through ("virtual wire mode"), as with QEMU,
    /// and as firmware leaves it; by the manual it would be masked.
    void reset();

    /// The 32-bit register at a byte offset (a multiple of 4) in the register page.
    [[nodiscard]] u32 read(u32 offset, u64 now_ns);
    void write(u32 offset, u32 value, u64 now_ns);

    /// A message on the bus. False: it is not for us, or cannot be taken now.
    bool accept(const ApicMessage& message);
    /// Drives pin 0 or 1.
    void set_pin(unsigned pin, bool level);

    /// Whether there is an interrupt whose priority is high enough.
    [[nodiscard]] bool pending() const { return deliverable_ != 0; }
    /// Puts it into service: its vector. Something must be pending.
    u8 acknowledge();
    /// Whether what the 8259 pair asks for reaches the processor through LINT0.
    [[nodiscard]] bool passes_pic() const;
    /// An interrupt of the 8259 pair was asked for by message: the processor takes it now.
    [[nodiscard]] bool external() const { return state_.external; }
    void take_external() { state_.external = 0; }

    /// Brings the timer up to now. How many of its ticks are lost for good: the guest is too slow for them.
    [[nodiscard]] u64 follow_time(u64 now_ns);
    /// The guest time at which follow_time() has something to do next, or kNever; after it. While a tick
    /// waits to be taken there is nothing: the owner asks again after acknowledge().
    [[nodiscard]] u64 next_event_ns(u64 now_ns) const;

    /// Whether a vector is requested and not yet in service.
    [[nodiscard]] bool requested(u8 vector) const { return state_.irr[vector / 32] >> vector % 32 & 1; }

    [[nodiscard]] const State& state() const { return state_; }
    [[nodiscard]] State& state() { return state_; }
    /// Whether a local APIC can be in that state: whatever comes from outside is looked at, so that nothing
    /// in it can harm.
    [[nodiscard]] static bool possible(const State& state);
    /// After the state was changed from outside.
    void refresh();

private:
    [[nodiscard]] bool enabled() const;
    [[nodiscard]] bool masked(Lvt entry) const;
    [[nodiscard]] bool periodic() const;
    [[nodiscard]] u8 timer_vector() const { return static_cast<u8>(state_.lvt[kTimer]); }
    [[nodiscard]] u8 processor_priority() const;
    [[nodiscard]] bool is_destination(const ApicMessage& message) const;
    [[nodiscard]] u32 read_lvt(u32 number) const { return state_.lvt[number]; }
    void write_lvt(Lvt entry, u32 value, u64 now_ns);
    void write_spurious(u32 value);
    void write_error_status();
    void send();
    void end_of_interrupt();
    void request(u8 vector, bool level);
    void interrupt(Lvt entry);
    void drive_level_pins();
    void note_error(u8 bit);
    void count_expiries(u64 expiries);

    State state_{};
    Outputs out_{};
    u64 lost_ticks_{}; ///< Since follow_time() last told.
    u8 deliverable_{}; ///< The vector acknowledge() would give, 0: none. Follows from the state.
};

} // namespace btvm

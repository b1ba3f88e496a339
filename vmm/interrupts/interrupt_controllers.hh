// All that stands between the devices' interrupt lines and the processor, as one: the 8259 pair and, in
// machines that have them, the I/O APIC and the local APIC with its registers in memory. ISA line 0 is pin 2
// of the I/O APIC, as MP tables and ACPI say of such boards, the other lines are the pins of their numbers.
// The pair's INTR is the local APIC's pin LINT0, or the processor's own pin where that APIC is turned off.
#pragma once

#include "vmm/cpu/state.hh"
#include "vmm/interrupts/io_apic.hh"
#include "vmm/interrupts/local_apic.hh"
#include "vmm/interrupts/pic.hh"

namespace btvm {

/// What a machine has with CpuFeatures::apic(), and does not use without.
struct Apics {
    LocalApic local{};
    IoApic io{};

    void reset() {
        local.reset();
        io.reset();
    }
};

/// Made where it is needed: it has no state but the three objects'.
class InterruptControllers {
public:
    /// Where the I/O APIC is.
    static constexpr u64 kIoApicPage = 0xfec00000;

    InterruptControllers(CpuState& cpu, Pic& pic, Apics& apics) : cpu_(cpu), pic_(pic), apics_(apics) {}

    /// Guest time in nanoseconds. The owner keeps it fresh.
    u64 now_ns{};
    /// Set when next_timer_ns() may have changed: a register was written, an interrupt acknowledged. The
    /// owner clears it.
    bool timer_moved{};

    [[nodiscard]] bool have_apics() const { return cpu_.features.apic(); }

    /// Drives line 0 to 15.
    void set_irq(unsigned line, bool level);
    /// As Pic::pulse_irq().
    void pulse_irq(unsigned line) {
        set_irq(line, false);
        set_irq(line, true);
    }
    /// The NMI pin.
    void pulse_nmi();
    /// After ports of the 8259 pair were used, or FERR# driven: its outputs may have changed.
    void follow_pic();

    /// Whether anything waits at all: false is certain, true may be masked by priority.
    [[nodiscard]] bool requested() const {
        if (!local_is_on()) [[likely]]
            return pic_.requested();
        return apics_.local.pending() || apics_.local.external() ||
               (apics_.local.passes_pic() && pic_.requested());
    }
    /// Whether the processor is asked to take an interrupt.
    [[nodiscard]] bool pending() const {
        if (!local_is_on()) [[likely]]
            return pic_.pending();
        return apics_.local.pending() || apics_.local.external() ||
               (apics_.local.passes_pic() && pic_.pending());
    }
    /// The processor takes it: the vector. Something must be pending.
    [[nodiscard]] u8 acknowledge();

    /// Whether the 8254's line is an interrupt of the I/O APIC's.
    [[nodiscard]] bool ticks_reach_io_apic() const { return have_apics() && apics_.io.unmasked(kTimerPin); }
    /// Whether the 8254's line can take another tick: the last one is in service or past.
    [[nodiscard]] bool takes_tick() const;
    /// Ticks of the 8254 that are due and that its line has not taken yet.
    struct OwedTicks {
        u32 owed;
        u64 lost; ///< More than are kept for a guest that is too slow.
    };
    /// `owed` and as many of `fresh` ones as are kept. While the line is masked the 8259 keeps one request;
    /// a few more are kept, for guests that mask it while they handle a tick, and are slow at that.
    [[nodiscard]] OwedTicks owe(u32 owed, u64 fresh) const;
    /// Brings the local APIC's timer up to now_ns, and may raise its interrupt. How many ticks are lost.
    u64 follow_time();
    /// The guest time at which it has to be called next, ~0: never.
    [[nodiscard]] u64 next_timer_ns() const {
        return local_is_on() ? apics_.local.next_event_ns(now_ns) : LocalApic::kNever;
    }

    /// Whether there are registers at a guest-physical address.
    [[nodiscard]] bool owns(GuestPhysical at) const {
        const u64 page = at.value & ~kPageMask;
        return (local_is_on() && page == local_page()) || (have_apics() && page == kIoApicPage);
    }
    /// An access within one page that is owned. Registers are written as the 32-bit words they are, and the
    /// I/O APIC's selector as any part of it that begins at its first byte; other writes do nothing.
    void read(GuestPhysical at, void* out, u32 bytes);
    void write(GuestPhysical at, const void* in, u32 bytes);

    /// Writes IA32_APIC_BASE (SDM Vol. 3A 10.4.4). False: it cannot have this value.
    [[nodiscard]] bool write_base(u64 value);

private:
    /// The pin of the I/O APIC that an ISA line is wired to.
    static constexpr unsigned kTimerPin = 2;
    static constexpr unsigned pin(unsigned line) { return line == 0 ? kTimerPin : line; }

    [[nodiscard]] bool local_is_on() const { return have_apics() && (cpu_.apic_base & apic_base::kEnable); }
    [[nodiscard]] u64 local_page() const { return cpu_.apic_base & apic_base::kAddress; }
    [[nodiscard]] u32 read_word(u64 page, u32 offset);
    void settle();

    CpuState& cpu_;
    Pic& pic_;
    Apics& apics_;
};

} // namespace btvm

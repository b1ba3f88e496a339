// The I/O APIC (Intel 82093AA datasheet, order number 290566): 24 pins, each with an entry of a table that
// says which interrupt it is, and two windows of memory to reach the table by.
//
// A line's level is whether its device asks for an interrupt, whatever the voltage would be: the polarity bit
// of an entry is kept, and changes nothing. The boards that guests know wire everything "active high"
// whatever their tables say; QEMU and KVM do the same.
#pragma once

#include "vmm/interrupts/local_apic.hh"

namespace btvm {

class IoApic {
public:
    static constexpr unsigned kPins = 24;

    /// The plain state, for saving and restoring.
    struct State {
        u64 entry[kPins]{};
        u32 lines{}; ///< The pins' levels.
        u8 id{};     ///< 4 bits.
        u8 select{}; ///< Which register the window shows.
    };

    /// Power-on: everything masked; the lines are not ours.
    void reset();

    /// The 32-bit word at a byte offset (a multiple of 4) in the page.
    [[nodiscard]] u32 read(u32 offset) const;
    void write(u32 offset, u32 value, LocalApic& local);

    void set_line(unsigned pin, bool level, LocalApic& local);
    /// The processor has ended a level-triggered interrupt.
    void end_of_interrupt(u8 vector, LocalApic& local);
    /// Sends what level-triggered pins ask for and could not be sent before. To be called when the local APIC
    /// may have become able to take it.
    void send_levels(LocalApic& local);

    /// Whether a pin is not masked, and what it then asks for.
    [[nodiscard]] bool unmasked(unsigned pin) const;
    [[nodiscard]] u8 vector(unsigned pin) const { return static_cast<u8>(state_.entry[pin]); }

    /// As LocalApic::possible().
    [[nodiscard]] static bool possible(const State& state);

    [[nodiscard]] const State& state() const { return state_; }
    [[nodiscard]] State& state() { return state_; }

private:
    [[nodiscard]] u32 read_register() const;
    void write_register(u32 value, LocalApic& local);
    void send(unsigned pin, LocalApic& local);

    State state_{};
};

} // namespace btvm

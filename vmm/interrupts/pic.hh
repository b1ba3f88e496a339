// The pair of 8259A interrupt controllers of an AT (Intel 8259A datasheet, order number 231468), with the
// edge/level control registers of later chipsets (82371SB datasheet, ELCR1 and ELCR2) and their coprocessor
// error logic: FERR# makes IRQ 13, and a write to port F0h withdraws it and gives the processor IGNNE# until
// FERR# falls (82371SB datasheet, "Coprocessor Error Support"; SDM Vol. 1 appendix D.2).
//
// Two choices where documents leave room. A request in edge mode is withdrawn when its line falls before the
// acknowledge, as the datasheet says of the IR inputs; so a device holds its line until it was served, and a
// timer uses pulse_irq(). The master in contrast keeps the edge that the slave's INT output gave it: a slave
// line that falls too early is then answered by the slave's IR7, which is the spurious interrupt 15 systems
// know.
#pragma once

#include "vmm/base/types.hh"

namespace btvm {

/// One 8259A. Public data, so that the machine's state can be declared field by field.
struct PicChip {
    u8 irr{};         ///< Interrupt requests. Bit n is input IRn, as in every field below.
    u8 isr{};         ///< In service.
    u8 imr{};         ///< Masked.
    u8 lines{};       ///< The inputs' levels as last driven.
    u8 elcr{};        ///< Set: level triggered.
    u8 vector_base{}; ///< ICW2, low three bits 0.
    u8 icw1{};        ///< For LTIM, SNGL and IC4.
    u8 icw3{};     ///< Master: inputs with slaves. Slave: its identity. Kept, not acted on: the AT wires IR2.
    u8 icw4{};     ///< For SFNM and AEOI.
    u8 next_icw{}; ///< 2, 3 or 4 while initialisation waits for that word, else 0.
    u8 lowest{7};  ///< The input with the lowest priority; rotation moves it.
    u8 special_mask{}; ///< OCW3 special mask mode.
    u8 read_isr{};     ///< OCW3: reads of the even port give the ISR instead of the IRR.
    u8 poll{};         ///< OCW3: the next read is a poll.
    u8 rotate_aeoi{};  ///< OCW2: rotate in automatic EOI mode.

    static constexpr u8 kNone = 0xff;

    /// The input the chip would signal now, or kNone. `slaves` are the inputs special fully nested mode is
    /// about.
    [[nodiscard]] u8 highest_request(u8 slaves) const;
    /// The INTA sequence: the input now in service, or kNone for a spurious one.
    u8 acknowledge(u8 slaves);
    void set_line(unsigned input, bool level);
    void write_command(u8 value);
    void write_data(u8 value);
    void set_elcr(u8 value);

private:
    [[nodiscard]] u8 level_inputs() const;
    void begin_initialisation(u8 value);
    void operate(u8 ocw2);
    [[nodiscard]] u8 highest_in_service() const;
};

class Pic {
public:
    static constexpr u16 kMaster = 0x20;
    static constexpr u16 kSlave = 0xa0;
    static constexpr u16 kElcr = 0x4d0;
    static constexpr u16 kFpuError = 0xf0;
    static constexpr unsigned kFpuErrorLine = 13;

    /// Drives interrupt line 0 to 15. Line 2 is the cascade: driving it does nothing.
    void set_irq(unsigned line, bool level);
    /// A low-to-high edge that leaves the line high: for sources whose low phase is too short to matter (the
    /// timer).
    void pulse_irq(unsigned line) {
        set_irq(line, false);
        set_irq(line, true);
    }
    /// Whether there is a request that is not masked. Without one INTR is low.
    [[nodiscard]] bool requested() const { return master_.irr & ~master_.imr; }
    /// The INTR line to the processor.
    [[nodiscard]] bool pending() const {
        return requested() && master_.highest_request(1u << kCascade) != PicChip::kNone;
    }
    /// The processor's interrupt acknowledge: the vector. With nothing pending a spurious IRQ 7 (or 15): its
    /// vector is given and nothing is in service (for 15, the master's IR2 is).
    u8 acknowledge();

    /// The coprocessor error logic: two pins of the processor and what they have done.
    struct FpuError {
        u8 ferr{};  ///< FERR#, from the processor: an x87 exception is pending and CR0.NE is clear.
        u8 ignne{}; ///< IGNNE#, to the processor: go on as if it were not.
    };
    /// The processor drives FERR#. Its rise latches IRQ 13, which stays until port F0h is written.
    void set_ferr(bool level);
    [[nodiscard]] const FpuError& fpu_error() const { return fpu_error_; }
    [[nodiscard]] FpuError& fpu_error() { return fpu_error_; }

    /// Whether this port is one of the pair's: 20h, 21h, A0h, A1h, 4D0h, 4D1h; or F0h.
    [[nodiscard]] static bool owns(u16 port);
    /// A byte read. Reads have effects: a poll is an acknowledge. FFh for ports that are not owned.
    u8 read(u16 port);
    void write(u16 port, u8 value);
    /// Power-on: everything masked until the firmware programs the chips; line levels are kept, they are not
    /// ours, but for line 13.
    void reset();

    [[nodiscard]] const PicChip& master() const { return master_; }
    [[nodiscard]] const PicChip& slave() const { return slave_; }
    /// For restoring saved state and for its declaration.
    [[nodiscard]] PicChip& master() { return master_; }
    [[nodiscard]] PicChip& slave() { return slave_; }

private:
    static constexpr unsigned kCascade = 2;

    void follow_slave();
    u8 poll(PicChip& chip);

    PicChip master_{};
    PicChip slave_{};
    FpuError fpu_error_{};
};

} // namespace btvm

#include "vmm/interrupts/pic.hh"

namespace btvm {

namespace {

// ICW1 and the bits that tell the words written to the even port apart.
constexpr u8 kIcw1 = 0x10;
constexpr u8 kIcw1NeedsIcw4 = 0x01;
constexpr u8 kIcw1Single = 0x02;
constexpr u8 kIcw1Level = 0x08;
constexpr u8 kOcw3 = 0x08;

constexpr u8 kIcw4AutoEoi = 0x02;
constexpr u8 kIcw4SpecialFullyNested = 0x10;

// Which lines a chipset lets be level triggered: not the timer, keyboard, cascade, clock and coprocessor
// (82371SB).
constexpr u8 kElcrMaster = 0xf8;
constexpr u8 kElcrSlave = 0xde;

constexpr u8 bit(unsigned n) { return static_cast<u8>(1u << n); }

} // namespace

u8 PicChip::level_inputs() const { return (icw1 & kIcw1Level) ? 0xff : elcr; }

void PicChip::set_line(unsigned input, bool level) {
    const u8 mask = bit(input);
    const bool rises = level && !(lines & mask);
    if (level) {
        lines |= mask;
        if (rises || (level_inputs() & mask)) irr |= mask;
    } else {
        lines = static_cast<u8>(lines & ~mask);
        irr = static_cast<u8>(irr & ~mask);
    }
}

void PicChip::set_elcr(u8 value) {
    elcr = value;
    // A level input shows its line at once.
    irr = static_cast<u8>((irr & ~level_inputs()) | (lines & level_inputs()));
}

u8 PicChip::highest_request(u8 slaves) const {
    if (next_icw) return kNone; // being programmed
    const u8 requests = static_cast<u8>(irr & ~imr);
    // In special mask mode a masked level in service holds nothing back (datasheet: Special Mask Mode).
    const u8 blocking = special_mask ? static_cast<u8>(isr & ~imr) : isr;
    for (unsigned i = 1; i <= 8; i++) {
        const u8 mask = bit((lowest + i) & 7u);
        if (blocking & mask) {
            // Special fully nested: a slave in service may interrupt again with a higher one of its own
            // levels.
            const bool again = (icw4 & kIcw4SpecialFullyNested) && (slaves & mask) && (requests & mask);
            return again ? static_cast<u8>((lowest + i) & 7u) : kNone;
        }
        if (requests & mask) return static_cast<u8>((lowest + i) & 7u);
    }
    return kNone;
}

u8 PicChip::highest_in_service() const {
    const u8 candidates = special_mask ? static_cast<u8>(isr & ~imr) : isr;
    for (unsigned i = 1; i <= 8; i++) {
        const unsigned input = (lowest + i) & 7u;
        if (candidates & bit(input)) return static_cast<u8>(input);
    }
    return kNone;
}

u8 PicChip::acknowledge(u8 slaves) {
    const u8 input = highest_request(slaves);
    if (input == kNone) return kNone;
    const u8 mask = bit(input);
    if (!(level_inputs() & mask)) irr = static_cast<u8>(irr & ~mask);
    if (!(icw4 & kIcw4AutoEoi))
        isr |= mask;
    else if (rotate_aeoi)
        lowest = input;
    return input;
}

void PicChip::begin_initialisation(u8 value) {
    icw1 = value;
    next_icw = 2;
    imr = 0;
    isr = 0;
    lowest = 7;
    special_mask = 0;
    read_isr = 0;
    poll = 0;
    rotate_aeoi = 0;
    if (!(value & kIcw1NeedsIcw4)) icw4 = 0;
    // The edge sense is reset: an input that is high must fall and rise again; level inputs show their lines.
    irr = static_cast<u8>(lines & level_inputs());
}

void PicChip::operate(u8 ocw2) {
    const bool rotate = ocw2 & 0x80;
    const bool specific = ocw2 & 0x40;
    const bool eoi = ocw2 & 0x20;
    const u8 level = ocw2 & 7;
    if (eoi) {
        const u8 ended = specific ? level : highest_in_service();
        if (ended == kNone) return;
        isr = static_cast<u8>(isr & ~bit(ended));
        if (rotate) lowest = ended;
    } else if (specific) {
        if (rotate) lowest = level; // set priority; without rotate the word is a no-operation
    } else {
        rotate_aeoi = rotate;
    }
}

void PicChip::write_command(u8 value) {
    if (value & kIcw1) {
        begin_initialisation(value);
    } else if (value & kOcw3) {
        if (value & 0x40) special_mask = (value >> 5) & 1;
        poll = (value >> 2) & 1;
        if (value & 0x02) read_isr = value & 1;
    } else {
        operate(value);
    }
}

void PicChip::write_data(u8 value) {
    switch (next_icw) {
    case 2:
        vector_base = value & 0xf8;
        next_icw = !(icw1 & kIcw1Single) ? 3 : (icw1 & kIcw1NeedsIcw4) ? 4 : 0;
        break;
    case 3:
        icw3 = value;
        next_icw = (icw1 & kIcw1NeedsIcw4) ? 4 : 0;
        break;
    case 4:
        icw4 = value;
        next_icw = 0;
        break;
    default: imr = value; break;
    }
}

void Pic::set_irq(unsigned line, bool level) {
    if (line > 15 || line == kCascade) return;
    if (line < 8) {
        master_.set_line(line, level);
    } else {
        slave_.set_line(line - 8, level);
        follow_slave();
    }
}

/// Brings the cascade input in step with the slave's INT output.
void Pic::follow_slave() {
    const bool level = slave_.highest_request(0) != PicChip::kNone;
    const u8 seen_edge = master_.irr & bit(kCascade);
    master_.set_line(kCascade, level);
    // The master keeps an edge it has seen (see the top of pic.hh); level inputs follow their line.
    if (!level && !(master_.icw1 & kIcw1Level)) master_.irr |= seen_edge;
}

u8 Pic::acknowledge() {
    const u8 input = master_.acknowledge(bit(kCascade));
    if (input == PicChip::kNone) return master_.vector_base | 7;
    if (input != kCascade) return master_.vector_base | input;
    const u8 level = slave_.acknowledge(0);
    // INT falls with INTA and rises again if a higher level is waiting.
    master_.set_line(kCascade, false);
    follow_slave();
    return slave_.vector_base | (level == PicChip::kNone ? 7 : level);
}

u8 Pic::poll(PicChip& chip) {
    chip.poll = 0;
    const bool is_master = &chip == &master_;
    const u8 input = chip.acknowledge(is_master ? bit(kCascade) : 0);
    if (!is_master) {
        // As in acknowledge(), but the master has not been asked and keeps its request.
        master_.lines = static_cast<u8>(master_.lines & ~bit(kCascade));
        follow_slave();
    }
    return input == PicChip::kNone ? 0 : 0x80 | input;
}

bool Pic::owns(u16 port) {
    return (port & ~1u) == kMaster || (port & ~1u) == kSlave || (port & ~1u) == kElcr || port == kFpuError;
}

u8 Pic::read(u16 port) {
    if (port == kElcr) return master_.elcr;
    if (port == kElcr + 1) return slave_.elcr;
    if (!owns(port) || port == kFpuError) return 0xff;
    PicChip& chip = (port & ~1u) == kMaster ? master_ : slave_;
    if (chip.poll) return poll(chip);
    if (port & 1) return chip.imr;
    return chip.read_isr ? chip.isr : chip.irr;
}

void Pic::write(u16 port, u8 value) {
    switch (port) {
    case kMaster: master_.write_command(value); break;
    case kMaster + 1: master_.write_data(value); break;
    case kSlave: slave_.write_command(value); break;
    case kSlave + 1: slave_.write_data(value); break;
    case kElcr: master_.set_elcr(value & kElcrMaster); break;
    case kElcr + 1: slave_.set_elcr(value & kElcrSlave); break;
    case kFpuError:
        set_irq(kFpuErrorLine, false);
        fpu_error_.ignne = fpu_error_.ferr;
        break;
    default: return;
    }
    follow_slave();
}

void Pic::set_ferr(bool level) {
    if (level && !fpu_error_.ferr) set_irq(kFpuErrorLine, true);
    if (!level) fpu_error_.ignne = 0;
    fpu_error_.ferr = level;
}

void Pic::reset() {
    const u8 master_lines = master_.lines;
    const u8 slave_lines = slave_.lines;
    master_ = PicChip{};
    slave_ = PicChip{};
    master_.lines = static_cast<u8>(master_lines & ~bit(kCascade));
    slave_.lines = static_cast<u8>(slave_lines & ~bit(kFpuErrorLine - 8));
    fpu_error_ = {};
    master_.imr = 0xff;
    slave_.imr = 0xff;
}

} // namespace btvm

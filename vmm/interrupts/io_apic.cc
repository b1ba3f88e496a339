#include "vmm/interrupts/io_apic.hh"

namespace btvm {

namespace {

constexpr u32 kSelectOffset = 0x00;
constexpr u32 kWindowOffset = 0x10;

enum Register : u8 { kId = 0, kVersion = 1, kArbitration = 2, kTable = 0x10 };
constexpr unsigned kIdShift = 24;
constexpr u8 kIdMask = 0xf;
constexpr u32 kVersionValue = 0x11 | (IoApic::kPins - 1) << 16;

// Bits of an entry (datasheet, 3.2.4).
constexpr u64 kLogical = 1 << 11;
constexpr u64 kDeliveryStatus = 1 << 12;
constexpr u64 kRemoteIrr = 1 << 14;
constexpr u64 kLevel = 1 << 15;
constexpr u64 kMasked = 1 << 16;
constexpr u64 kReadOnly = kDeliveryStatus | kRemoteIrr;
constexpr u64 kWritable = 0xff0000000001ffff & ~kReadOnly;

constexpr ApicDelivery delivery(u64 entry) { return static_cast<ApicDelivery>(entry >> 8 & 7); }

/// Only interrupts with a vector can be level triggered: the others are edges whatever the entry says.
constexpr bool is_level(u64 entry) {
    return (entry & kLevel) &&
           (delivery(entry) == ApicDelivery::Fixed || delivery(entry) == ApicDelivery::LowestPriority);
}

} // namespace

bool IoApic::possible(const State& s) {
    for (const u64 entry : s.entry)
        if ((entry & ~(kWritable | kRemoteIrr)) || ((entry & kRemoteIrr) && !is_level(entry))) return false;
    return !(s.lines >> kPins) && s.id <= kIdMask;
}

void IoApic::reset() {
    const u32 lines = state_.lines;
    state_ = State{};
    state_.lines = lines;
    for (u64& entry : state_.entry)
        entry = kMasked;
}

bool IoApic::unmasked(unsigned pin) const { return !(state_.entry[pin] & kMasked); }

u32 IoApic::read(u32 offset) const {
    if (offset == kSelectOffset) return state_.select;
    return offset == kWindowOffset ? read_register() : 0;
}

void IoApic::write(u32 offset, u32 value, LocalApic& local) {
    if (offset == kSelectOffset)
        state_.select = static_cast<u8>(value);
    else if (offset == kWindowOffset)
        write_register(value, local);
}

u32 IoApic::read_register() const {
    switch (state_.select) {
    case kId:
    case kArbitration: return static_cast<u32>(state_.id) << kIdShift; // alone on the bus: never rotated
    case kVersion: return kVersionValue;
    default: break;
    }
    const unsigned half = state_.select - kTable;
    if (state_.select < kTable || half >= 2 * kPins) return 0;
    return static_cast<u32>(state_.entry[half / 2] >> 32 * (half % 2));
}

void IoApic::write_register(u32 value, LocalApic& local) {
    if (state_.select == kId) {
        state_.id = value >> kIdShift & kIdMask;
        return;
    }
    const unsigned half = state_.select - kTable;
    if (state_.select < kTable || half >= 2 * kPins) return;
    u64& entry = state_.entry[half / 2];
    const unsigned shift = 32 * (half % 2);
    const u64 written = (entry & ~(u64{0xffffffff} << shift)) | u64{value} << shift;
    entry = (written & kWritable) | (entry & kReadOnly);
    // An entry made edge triggered forgets that it waits for an end: systems use this to make one up.
    if (!is_level(entry)) entry &= ~kRemoteIrr;
    send_levels(local);
}

void IoApic::send(unsigned pin, LocalApic& local) {
    u64& entry = state_.entry[pin];
    const bool level = is_level(entry);
    const ApicMessage message{.vector = static_cast<u8>(entry),
                              .delivery = delivery(entry),
                              .logical = (entry & kLogical) != 0,
                              .destination = static_cast<u8>(entry >> 56),
                              .level = level};
    if (local.accept(message) && level) entry |= kRemoteIrr;
}

/// An edge that comes while its pin is masked is lost (datasheet, 3.2.4: interrupt mask).
void IoApic::set_line(unsigned pin, bool level, LocalApic& local) {
    const u32 bit = 1u << pin;
    const bool rises = level && !(state_.lines & bit);
    state_.lines = level ? state_.lines | bit : state_.lines & ~bit;
    const u64 entry = state_.entry[pin];
    if (!level || (entry & (kMasked | kRemoteIrr))) return;
    if (rises || is_level(entry)) send(pin, local);
}

void IoApic::send_levels(LocalApic& local) {
    for (unsigned pin = 0; pin < kPins; pin++) {
        const u64 entry = state_.entry[pin];
        if ((state_.lines >> pin & 1) && is_level(entry) && !(entry & (kMasked | kRemoteIrr)))
            send(pin, local);
    }
}

void IoApic::end_of_interrupt(u8 vector, LocalApic& local) {
    for (u64& entry : state_.entry)
        if (is_level(entry) && static_cast<u8>(entry) == vector) entry &= ~kRemoteIrr;
    send_levels(local);
}

} // namespace btvm

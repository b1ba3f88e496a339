#include "vmm/interrupts/local_apic.hh"

namespace btvm {

namespace {

// Registers, by their offset (SDM Vol. 3A table 10-1).
enum Register : u32 {
    kId = 0x020,
    kVersion = 0x030,
    kTaskPriority = 0x080,
    kArbitrationPriority = 0x090,
    kProcessorPriority = 0x0a0,
    kEoi = 0x0b0,
    kRemoteRead = 0x0c0,
    kLogicalDestination = 0x0d0,
    kDestinationFormat = 0x0e0,
    kSpurious = 0x0f0,
    kInService = 0x100,
    kTriggerMode = 0x180,
    kRequest = 0x200,
    kErrorStatus = 0x280,
    kIcrLow = 0x300,
    kIcrHigh = 0x310,
    kLvtFirst = 0x320,
    kInitialCount = 0x380,
    kCurrentCount = 0x390,
    kDivide = 0x3e0,
};
constexpr u32 kRegisterStep = 0x10;
constexpr u32 kLvtEnd = kLvtFirst + LocalApic::kLvtCount * kRegisterStep;

/// Integrated APIC, with as many LVT entries as there are (SDM Vol. 3A figure 10-7).
constexpr u32 kVersionValue = 0x14 | (LocalApic::kLvtCount - 1) << 16;

constexpr u32 kSoftwareEnable = 1 << 8; ///< SVR.
constexpr u32 kSpuriousReset = 0xff;
constexpr u32 kSpuriousWritable = 0x3ff;

constexpr u32 kLvtMasked = 1 << 16;
constexpr u32 kLvtLevel = 1 << 15;
constexpr u32 kLvtRemoteIrr = 1 << 14;
constexpr u32 kLvtPeriodic = 1 << 17;
constexpr u32 kLvtExtInt = 7 << 8;
/// What can be written of each entry (SDM Vol. 3A figure 10-8).
constexpr u32 kLvtWritable[LocalApic::kLvtCount] = {0x300ff, 0x107ff, 0x107ff, 0x1a7ff, 0x1a7ff, 0x100ff};

constexpr LocalApic::Lvt kPinEntries[] = {LocalApic::kLint0, LocalApic::kLint1};

constexpr u32 kIcrWritable = 0xccfff & ~(1u << 12); ///< The delivery status is read-only, and idle.
constexpr u32 kIcrLogical = 1 << 11;

constexpr u8 kFlatModel = 0xf;
constexpr u8 kAll = 0xff;

// ESR (SDM Vol. 3A figure 10-9).
constexpr u8 kSendIllegalVector = 1 << 5;
constexpr u8 kReceiveIllegalVector = 1 << 6;
constexpr u8 kIllegalRegister = 1 << 7;

constexpr ApicDelivery delivery(u32 word) { return static_cast<ApicDelivery>(word >> 8 & 7); }
constexpr u8 priority_class(u8 v) { return v & 0xf0; }

void set_bit(u32 (&set)[8], u8 vector) { set[vector / 32] |= 1u << vector % 32; }
void clear_bit(u32 (&set)[8], u8 vector) { set[vector / 32] &= ~(1u << vector % 32); }
bool has_bit(const u32 (&set)[8], u8 vector) { return set[vector / 32] >> vector % 32 & 1; }

/// The highest vector of a set, 0: none (vector 0 cannot be in one).
u8 highest(const u32 (&set)[8]) {
    for (unsigned word = 8; word-- > 0;)
        if (set[word])
            return static_cast<u8>(word * 32 + 31 - static_cast<unsigned>(__builtin_clz(set[word])));
    return 0;
}

/// The processor's own vectors cannot be in one.
constexpr bool possible_set(const u32 (&set)[8]) { return !(set[0] & ((1u << kFirstApicVector) - 1)); }

} // namespace

bool LocalApic::possible(const State& s) {
    constexpr u8 kErrors = kSendIllegalVector | kReceiveIllegalVector | kIllegalRegister;
    if (!possible_set(s.isr) || !possible_set(s.tmr) || !possible_set(s.irr)) return false;
    for (unsigned n = 0; n < kLvtCount; n++) {
        const u32 remote_irr = n == kLint0 || n == kLint1 ? kLvtRemoteIrr : 0;
        if (s.lvt[n] & ~(kLvtWritable[n] | remote_irr)) return false;
    }
    const ApicTimer& t = s.timer;
    return !(s.spurious & ~kSpuriousWritable) && !(s.icr_low & ~kIcrWritable) && s.destination_format <= 15 &&
           !((s.errors | s.new_errors) & ~kErrors) && s.pins <= 3 && s.external <= 1 &&
           s.owed_ticks <= kMostOwedTicks && t.possible();
}

void LocalApic::reset() {
    const u8 pins = state_.pins; // whoever drives them goes on
    state_ = State{};
    state_.pins = pins;
    state_.destination_format = kFlatModel;
    state_.spurious = kSpuriousReset;
    for (u32& entry : state_.lvt)
        entry = kLvtMasked;
    state_.lvt[kLint0] = kLvtExtInt;
    out_ = {};
    refresh();
}

bool LocalApic::enabled() const { return state_.spurious & kSoftwareEnable; }
bool LocalApic::masked(Lvt entry) const { return state_.lvt[entry] & kLvtMasked; }
bool LocalApic::periodic() const { return state_.lvt[kTimer] & kLvtPeriodic; }

bool LocalApic::passes_pic() const {
    return !masked(kLint0) && delivery(state_.lvt[kLint0]) == ApicDelivery::ExtInt;
}

/// SDM Vol. 3A 10.8.3.1.
u8 LocalApic::processor_priority() const {
    const u8 serviced = highest(state_.isr);
    return priority_class(state_.task_priority) >= priority_class(serviced) ? state_.task_priority
                                                                            : priority_class(serviced);
}

void LocalApic::refresh() {
    const u8 next = highest(state_.irr);
    deliverable_ = priority_class(next) > priority_class(processor_priority()) ? next : 0;
}

u8 LocalApic::acknowledge() {
    const u8 vector = deliverable_;
    clear_bit(state_.irr, vector);
    set_bit(state_.isr, vector);
    refresh();
    return vector;
}

void LocalApic::request(u8 vector, bool level) {
    set_bit(state_.irr, vector);
    if (level)
        set_bit(state_.tmr, vector);
    else
        clear_bit(state_.tmr, vector);
    refresh();
}

/// An error of its own making is not an error again: there is one register for all, and one interrupt.
void LocalApic::note_error(u8 bit) {
    state_.new_errors |= bit;
    const u8 vector = static_cast<u8>(state_.lvt[kError]);
    if (!masked(kError) && vector >= kFirstApicVector) request(vector, false);
}

/// What an entry of the local vector table asks for has happened.
void LocalApic::interrupt(Lvt entry) {
    const u32 lvt = state_.lvt[entry];
    if (lvt & kLvtMasked) return;
    // Timer and error have no delivery mode: those bits are 0 there.
    switch (delivery(lvt)) {
    case ApicDelivery::Fixed: {
        const u8 vector = static_cast<u8>(lvt);
        const bool pin = entry == kLint0 || entry == kLint1;
        if (vector < kFirstApicVector)
            note_error(kReceiveIllegalVector);
        else
            request(vector, pin && (lvt & kLvtLevel));
        return;
    }
    case ApicDelivery::Nmi: out_.nmi = true; return;
    case ApicDelivery::ExtInt: state_.external = 1; return;
    default: return; // SMI and INIT: there is neither system management mode nor an INIT pin
    }
}

/// LINT0 in ExtINT mode is no latch: it passes the line through (passes_pic()). The two level-triggered pins
/// ask again as long as they are high and the last request has ended.
void LocalApic::set_pin(unsigned pin, bool level) {
    const u8 bit = static_cast<u8>(1u << pin);
    const bool rises = level && !(state_.pins & bit);
    state_.pins = static_cast<u8>(level ? state_.pins | bit : state_.pins & ~bit);
    const Lvt entry = pin ? kLint1 : kLint0;
    const u32 lvt = state_.lvt[entry];
    if (delivery(lvt) == ApicDelivery::Fixed && (lvt & kLvtLevel)) return drive_level_pins();
    if (rises && !(entry == kLint0 && delivery(lvt) == ApicDelivery::ExtInt)) interrupt(entry);
}

void LocalApic::drive_level_pins() {
    for (const Lvt entry : kPinEntries) {
        u32& lvt = state_.lvt[entry];
        const bool high = state_.pins >> (entry - kLint0) & 1;
        if (!high || (lvt & (kLvtMasked | kLvtRemoteIrr)) || !(lvt & kLvtLevel) ||
            delivery(lvt) != ApicDelivery::Fixed)
            continue;
        lvt |= kLvtRemoteIrr;
        interrupt(entry);
    }
}

/// SDM Vol. 3A 10.6.2.
bool LocalApic::is_destination(const ApicMessage& message) const {
    const u8 to = message.destination;
    if (to == kAll) return true;
    if (!message.logical) return to == state_.id;
    if (state_.destination_format == kFlatModel) return to & state_.logical_id;
    return to >> 4 == state_.logical_id >> 4 && (to & state_.logical_id & 0xf);
}

bool LocalApic::accept(const ApicMessage& message) {
    if (!is_destination(message)) return false;
    switch (message.delivery) {
    case ApicDelivery::Fixed:
    case ApicDelivery::LowestPriority:
        if (!enabled()) return false; // SDM Vol. 3A 10.4.7.2
        if (message.vector < kFirstApicVector)
            note_error(kReceiveIllegalVector);
        else
            request(message.vector, message.level);
        return true;
    case ApicDelivery::Nmi: out_.nmi = true; return true;
    case ApicDelivery::ExtInt: state_.external = 1; return true;
    default: return true; // SMI, INIT and start-up end here
    }
}

/// A write to the low half of the ICR sends (SDM Vol. 3A 10.6.1). Of all processors there is this one.
void LocalApic::send() {
    enum Shorthand : u8 { None, Self, AllIncludingSelf, AllExcludingSelf };
    const u32 icr = state_.icr_low;
    ApicMessage message{.vector = static_cast<u8>(icr),
                        .delivery = delivery(icr),
                        .logical = (icr & kIcrLogical) != 0,
                        .destination = state_.icr_destination,
                        .level = false};
    const bool has_vector =
        message.delivery == ApicDelivery::Fixed || message.delivery == ApicDelivery::LowestPriority;
    if (!has_vector && message.delivery != ApicDelivery::Nmi) return;
    if (has_vector && message.vector < kFirstApicVector) return note_error(kSendIllegalVector);
    switch (static_cast<Shorthand>(icr >> 18 & 3)) {
    case None: break;
    case Self:
    case AllIncludingSelf: message.destination = kAll; break;
    case AllExcludingSelf: return;
    }
    (void)accept(message);
}

void LocalApic::end_of_interrupt() {
    const u8 vector = highest(state_.isr);
    if (!vector) return;
    clear_bit(state_.isr, vector);
    if (has_bit(state_.tmr, vector)) {
        out_.level_ended = true;
        out_.ended_vector = vector;
        for (const Lvt entry : kPinEntries)
            if (static_cast<u8>(state_.lvt[entry]) == vector) state_.lvt[entry] &= ~kLvtRemoteIrr;
        drive_level_pins();
    }
    refresh();
}

void LocalApic::write_lvt(Lvt entry, u32 value, u64 now_ns) {
    if (entry == kTimer) count_expiries(state_.timer.collect(now_ns, periodic()));
    u32 lvt = value & kLvtWritable[entry];
    if (!enabled()) lvt |= kLvtMasked; // SDM Vol. 3A 10.4.7.2
    if (lvt & kLvtLevel) lvt |= state_.lvt[entry] & kLvtRemoteIrr;
    state_.lvt[entry] = lvt;
    if (entry == kTimer && (lvt & kLvtMasked)) state_.owed_ticks = 0;
    drive_level_pins();
}

void LocalApic::write_spurious(u32 value) {
    state_.spurious = value & kSpuriousWritable;
    if (enabled()) return;
    for (u32& entry : state_.lvt)
        entry |= kLvtMasked;
    state_.owed_ticks = 0;
}

/// The register shows what has happened between two writes to it (SDM Vol. 3A 10.5.3).
void LocalApic::write_error_status() {
    state_.errors = state_.new_errors;
    state_.new_errors = 0;
}

u32 LocalApic::read(u32 offset, u64 now_ns) {
    switch (offset) {
    case kId: return static_cast<u32>(state_.id) << 24;
    case kVersion: return kVersionValue;
    case kTaskPriority: return state_.task_priority;
    case kArbitrationPriority: // there is nobody to arbitrate with
    case kEoi:
    case kRemoteRead: return 0;
    case kProcessorPriority: return processor_priority();
    case kLogicalDestination: return static_cast<u32>(state_.logical_id) << 24;
    case kDestinationFormat: return static_cast<u32>(state_.destination_format) << 28 | 0x0fffffff;
    case kSpurious: return state_.spurious;
    case kErrorStatus: return state_.errors;
    case kIcrLow: return state_.icr_low;
    case kIcrHigh: return static_cast<u32>(state_.icr_destination) << 24;
    case kInitialCount: return state_.timer.initial;
    case kCurrentCount: return state_.timer.count(now_ns, periodic());
    case kDivide: return state_.timer.divide;
    default: break;
    }
    const u32 number = offset / kRegisterStep % 8;
    if (offset % kRegisterStep) return 0; // registers are 16 bytes apart, with nothing between
    if (offset >= kInService && offset < kTriggerMode) return state_.isr[number];
    if (offset >= kTriggerMode && offset < kRequest) return state_.tmr[number];
    if (offset >= kRequest && offset < kErrorStatus) return state_.irr[number];
    if (offset >= kLvtFirst && offset < kLvtEnd) return read_lvt((offset - kLvtFirst) / kRegisterStep);
    note_error(kIllegalRegister);
    return 0;
}

void LocalApic::write(u32 offset, u32 value, u64 now_ns) {
    switch (offset) {
    case kId: state_.id = static_cast<u8>(value >> 24); return;
    case kTaskPriority:
        state_.task_priority = static_cast<u8>(value);
        refresh();
        return;
    case kEoi: return end_of_interrupt();
    case kLogicalDestination: state_.logical_id = static_cast<u8>(value >> 24); return;
    case kDestinationFormat: state_.destination_format = static_cast<u8>(value >> 28); return;
    case kSpurious: return write_spurious(value);
    case kErrorStatus: return write_error_status();
    case kIcrLow: state_.icr_low = value & kIcrWritable; return send();
    case kIcrHigh: state_.icr_destination = static_cast<u8>(value >> 24); return;
    case kInitialCount:
        state_.owed_ticks = 0;
        state_.timer.load(value, now_ns);
        return;
    case kDivide:
        count_expiries(state_.timer.collect(now_ns, periodic()));
        state_.timer.set_divide(value, now_ns, periodic());
        return;
    case kVersion:
    case kArbitrationPriority:
    case kProcessorPriority:
    case kRemoteRead:
    case kCurrentCount: return; // read-only
    default: break;
    }
    if (offset % kRegisterStep) return;
    if (offset >= kLvtFirst && offset < kLvtEnd)
        return write_lvt(static_cast<Lvt>((offset - kLvtFirst) / kRegisterStep), value, now_ns);
    if (offset < kInService || offset >= kErrorStatus) note_error(kIllegalRegister);
}

/// Ticks that nobody can take now are owed: a guest that keeps time by counting them would lose it. In
/// one-shot mode there is one at most.
void LocalApic::count_expiries(u64 expiries) {
    if (!expiries || masked(kTimer)) return;
    const u64 owed = state_.owed_ticks + expiries;
    state_.owed_ticks = owed > kMostOwedTicks ? kMostOwedTicks : static_cast<u32>(owed);
    lost_ticks_ += owed - state_.owed_ticks;
}

u64 LocalApic::follow_time(u64 now_ns) {
    count_expiries(state_.timer.collect(now_ns, periodic()));
    if (state_.owed_ticks && !requested(timer_vector())) {
        state_.owed_ticks--;
        interrupt(kTimer);
    }
    const u64 lost = lost_ticks_;
    lost_ticks_ = 0;
    return lost;
}

u64 LocalApic::next_event_ns(u64 now_ns) const {
    if (masked(kTimer) || requested(timer_vector())) return kNever;
    return state_.owed_ticks ? now_ns : state_.timer.next_ns(now_ns, periodic());
}

} // namespace btvm

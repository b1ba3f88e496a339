#include "vmm/interrupts/interrupt_controllers.hh"

namespace btvm {

namespace {

constexpr unsigned kIntrPin = 0; // LINT0
constexpr unsigned kNmiPin = 1;  // LINT1
constexpr u32 kWord = 4;
constexpr u8 kTimerLine = 1u << 0; // of the 8259

} // namespace

/// Takes what the local APIC has for others.
void InterruptControllers::settle() {
    const LocalApic::Outputs out = apics_.local.take_outputs();
    if (out.nmi) cpu_.nmi_pending = 1;
    if (out.level_ended) apics_.io.end_of_interrupt(out.ended_vector, apics_.local);
}

void InterruptControllers::set_irq(unsigned line, bool level) {
    pic_.set_irq(line, level);
    if (!have_apics()) return;
    constexpr unsigned kCascade = 2; // no device's
    if (line != kCascade) apics_.io.set_line(pin(line), level, apics_.local);
    follow_pic();
}

void InterruptControllers::pulse_nmi() {
    if (!local_is_on()) {
        cpu_.nmi_pending = 1;
        return;
    }
    apics_.local.set_pin(kNmiPin, true);
    apics_.local.set_pin(kNmiPin, false);
    settle();
}

void InterruptControllers::follow_pic() {
    if (!have_apics()) return;
    // The coprocessor error logic drives its line by itself.
    constexpr unsigned kOnSlave = Pic::kFpuErrorLine - 8;
    apics_.io.set_line(Pic::kFpuErrorLine, pic_.slave().lines >> kOnSlave & 1, apics_.local);
    apics_.local.set_pin(kIntrPin, pic_.pending());
    settle();
}

u8 InterruptControllers::acknowledge() {
    if (!local_is_on()) return pic_.acknowledge();
    timer_moved = true;
    if (apics_.local.pending()) return apics_.local.acknowledge();
    apics_.local.take_external();
    const u8 vector = pic_.acknowledge();
    follow_pic();
    return vector;
}

bool InterruptControllers::takes_tick() const {
    if (ticks_reach_io_apic()) return !apics_.local.requested(apics_.io.vector(kTimerPin));
    return !(pic_.master().irr & kTimerLine);
}

InterruptControllers::OwedTicks InterruptControllers::owe(u32 owed, u64 fresh) const {
    constexpr u32 kMost = 128, kMostMasked = 4;
    const bool masked = !ticks_reach_io_apic() && (pic_.master().imr & kTimerLine);
    const u32 most = !masked ? kMost : owed > kMostMasked ? owed : kMostMasked;
    const u64 all = owed + fresh;
    if (all <= most) return {static_cast<u32>(all), 0};
    return {most, masked ? 0 : all - most};
}

u64 InterruptControllers::follow_time() {
    if (!local_is_on()) return 0;
    const u64 lost = apics_.local.follow_time(now_ns);
    settle();
    return lost;
}

u32 InterruptControllers::read_word(u64 page, u32 offset) {
    return page == kIoApicPage ? apics_.io.read(offset) : apics_.local.read(offset, now_ns);
}

void InterruptControllers::read(GuestPhysical at, void* out, u32 bytes) {
    auto* to = static_cast<u8*>(out);
    while (bytes) {
        const u32 skip = at.value % kWord;
        const u32 part = bytes < kWord - skip ? bytes : kWord - skip;
        const u32 word = read_word(at.value & ~kPageMask, at.page_offset() - skip) >> 8 * skip;
        __builtin_memcpy(to, &word, part);
        to += part;
        at = at + part;
        bytes -= part;
    }
}

void InterruptControllers::write(GuestPhysical at, const void* in, u32 bytes) {
    const bool in_io_apic = (at.value & ~kPageMask) == kIoApicPage;
    const bool selector = in_io_apic && at.page_offset() == 0 && bytes <= kWord;
    if ((bytes != kWord || at.value % kWord) && !selector) return;
    u32 value = 0;
    __builtin_memcpy(&value, in, bytes);
    if (in_io_apic)
        apics_.io.write(at.page_offset(), value, apics_.local);
    else
        apics_.local.write(at.page_offset(), value, now_ns);
    timer_moved = true;
    settle();
    // It may have become able to take what it refused: enabled, or another destination.
    apics_.io.send_levels(apics_.local);
    settle();
}

bool InterruptControllers::write_base(u64 value) {
    using namespace apic_base;
    if (!have_apics() || (value & ~(kAddress | kBootstrap | kEnable))) return false;
    // Turned off it forgets everything (SDM Vol. 3A 10.4.3).
    if ((value ^ cpu_.apic_base) & kEnable) apics_.local.reset();
    cpu_.apic_base = (value & ~kBootstrap) | kBootstrap;
    timer_moved = true;
    follow_pic();
    return true;
}

} // namespace btvm

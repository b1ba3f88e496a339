#include "vmm/hypervisor/saved_apics.hh"

namespace btvm {

namespace {

static_assert(sizeof(btvm_state::local_apic.lvt) == sizeof(LocalApic::State::lvt));
static_assert(sizeof(btvm_state::io_apic.entry) == sizeof(IoApic::State::entry));

template <class T>
bool is_zero(const T& part) {
    const auto* const bytes = reinterpret_cast<const u8*>(&part);
    for (u32 i = 0; i < sizeof part; i++)
        if (bytes[i]) return false;
    return true;
}

template <class T, unsigned N>
void copy(T (&to)[N], const T (&from)[N]) {
    for (unsigned i = 0; i < N; i++)
        to[i] = from[i];
}

void copy(u64 (&to)[IoApic::kPins], const __u64 (&from)[IoApic::kPins]) {
    for (unsigned i = 0; i < IoApic::kPins; i++)
        to[i] = from[i];
}

LocalApic::State from_abi(const btvm_local_apic& a) {
    LocalApic::State s;
    copy(s.isr, a.isr);
    copy(s.tmr, a.tmr);
    copy(s.irr, a.irr);
    copy(s.lvt, a.lvt);
    s.spurious = a.spurious;
    s.icr_low = a.icr_low;
    s.owed_ticks = a.owed_ticks;
    s.icr_destination = a.icr_destination;
    s.id = a.id;
    s.task_priority = a.task_priority;
    s.logical_id = a.logical_id;
    s.destination_format = a.destination_format;
    s.errors = a.errors;
    s.new_errors = a.new_errors;
    s.pins = a.pins;
    s.external = a.external;
    s.timer = {a.timer_start_ns, a.timer_initial, a.timer_divide, a.timer_running};
    return s;
}

IoApic::State from_abi(const btvm_io_apic& a) {
    IoApic::State s;
    copy(s.entry, a.entry);
    s.lines = a.lines;
    s.id = a.id;
    s.select = a.select;
    return s;
}

} // namespace

void get_apics(const Apics& apics, btvm_state& out) {
    const LocalApic::State& s = apics.local.state();
    btvm_local_apic& a = out.local_apic;
    a.timer_start_ns = s.timer.start_ns;
    a.timer_initial = s.timer.initial;
    a.owed_ticks = s.owed_ticks;
    copy(a.isr, s.isr);
    copy(a.tmr, s.tmr);
    copy(a.irr, s.irr);
    copy(a.lvt, s.lvt);
    a.spurious = s.spurious;
    a.icr_low = s.icr_low;
    a.icr_destination = s.icr_destination;
    a.id = s.id;
    a.task_priority = s.task_priority;
    a.logical_id = s.logical_id;
    a.destination_format = s.destination_format;
    a.errors = s.errors;
    a.new_errors = s.new_errors;
    a.pins = s.pins;
    a.external = s.external;
    a.timer_divide = s.timer.divide;
    a.timer_running = s.timer.running;
    const IoApic::State& io = apics.io.state();
    for (unsigned i = 0; i < IoApic::kPins; i++)
        out.io_apic.entry[i] = io.entry[i];
    out.io_apic.lines = io.lines;
    out.io_apic.id = io.id;
    out.io_apic.select = io.select;
}

bool possible_apics(const btvm_state& in) {
    const btvm_local_apic& a = in.local_apic;
    const btvm_io_apic& io = in.io_apic;
    if (!(in.features_basic & cpuid_feature::kApic)) return is_zero(a) && is_zero(io);
    constexpr u64 kBase = apic_base::kAddress | apic_base::kBootstrap | apic_base::kEnable;
    if ((in.apic_base & ~kBase) || !(in.apic_base & apic_base::kBootstrap)) return false;
    return is_zero(a.padding) && is_zero(io.padding) && LocalApic::possible(from_abi(a)) &&
           IoApic::possible(from_abi(io));
}

void put_apics(Apics& apics, const btvm_state& in) {
    apics.local.state() = from_abi(in.local_apic);
    apics.local.refresh();
    apics.io.state() = from_abi(in.io_apic);
}

} // namespace btvm

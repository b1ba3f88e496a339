#include "userland/devices/apic_state.hh"

namespace btvm {

void describe(StateArchive& a, LocalApic& local) {
    LocalApic::State& s = local.state();
    a.field("id", s.id);
    a.field("task_priority", s.task_priority);
    a.field("logical_id", s.logical_id);
    a.field("destination_format", s.destination_format, {.below = 16});
    a.field("spurious", s.spurious);
    a.field("in_service", s.isr);
    a.field("trigger_mode", s.tmr);
    a.field("requests", s.irr);
    a.field("lvt", s.lvt);
    a.field("icr_low", s.icr_low);
    a.field("icr_destination", s.icr_destination);
    a.field("errors", s.errors);
    a.field("new_errors", s.new_errors);
    a.field("pins", s.pins, {.below = 4});
    a.field("external", s.external, {.below = 2});
    a.group("timer", [&](StateArchive& timer) {
        timer.field("initial", s.timer.initial);
        timer.field("divide", s.timer.divide, {.below = 16});
        timer.field("running", s.timer.running, {.below = 2});
        timer.field("start_ns", s.timer.start_ns);
        timer.field("owed_ticks", s.owed_ticks, {.below = LocalApic::kMostOwedTicks + 1});
    });
    a.check(LocalApic::possible(s), "no local APIC can be in this state");
    if (a.loading()) local.refresh();
}

void describe(StateArchive& a, IoApic& io) {
    IoApic::State& s = io.state();
    a.field("id", s.id, {.below = 16});
    a.field("select", s.select);
    a.field("entries", s.entry);
    a.field("lines", s.lines);
    a.check(IoApic::possible(s), "no I/O APIC can be in this state");
}

} // namespace btvm

#include "userland/devices/pic_state.hh"

namespace btvm {

void describe(StateArchive& a, PicChip& chip) {
    a.field("irr", chip.irr);
    a.field("isr", chip.isr);
    a.field("imr", chip.imr);
    a.field("lines", chip.lines);
    a.field("elcr", chip.elcr);
    a.field("vector_base", chip.vector_base);
    a.field("icw1", chip.icw1);
    a.field("icw3", chip.icw3);
    a.field("icw4", chip.icw4);
    a.field("next_icw", chip.next_icw, {.below = 5});
    a.field("lowest", chip.lowest, {.below = 8});
    a.field("special_mask", chip.special_mask, {.below = 2});
    a.field("read_isr", chip.read_isr, {.below = 2});
    a.field("poll", chip.poll, {.below = 2});
    a.field("rotate_aeoi", chip.rotate_aeoi, {.below = 2});
    a.check(chip.next_icw != 1, "next_icw: there is no ICW1 to wait for");
    a.check((chip.vector_base & 7) == 0, "vector_base: low bits are the input's");
}

void describe(StateArchive& a, Pic& pic) {
    a.field("master", pic.master());
    a.field("slave", pic.slave());
    a.field("ferr", pic.fpu_error().ferr, {.below = 2});
    a.field("ignne", pic.fpu_error().ignne, {.below = 2});
}

void describe(StateArchive& a, PitChannel& c) {
    a.field("mode", c.mode, {.below = 6});
    a.field("bcd", c.bcd, {.below = 2});
    a.field("access", c.access, {.below = 4});
    a.field("gate", c.gate, {.below = 2});
    a.field("run", c.run, {.below = 4});
    a.field("load_tick", c.load_tick);
    a.field("held_elapsed", c.held_elapsed);
    a.field("count", c.count, {.below = 0x10001});
    a.field("next_waits", c.next_waits, {.below = 2});
    a.field("next_count", c.next_count, {.below = 0x10001});
    a.field("next_load", c.next_load);
    a.field("out_before", c.out_before, {.below = 2});
    a.field("rises_at_load", c.rises_at_load, {.below = 2});
    a.field("count_before", c.count_before);
    a.field("write_high", c.write_high, {.below = 2});
    a.field("low_byte", c.low_byte);
    a.field("read_high", c.read_high, {.below = 2});
    a.field("count_latched", c.count_latched, {.below = 3});
    a.field("latched_count", c.latched_count);
    a.field("status_latched", c.status_latched, {.below = 2});
    a.field("latched_status", c.latched_status);
    a.check(c.access != 0, "access: 0 is the latch command");
    a.check(c.count != 0 && (!c.next_waits || c.next_count != 0), "a count of 0 is stored as the full range");
}

void describe(StateArchive& a, Pit& pit) {
    Pit::State& s = pit.state();
    a.field("last_tick", s.last_tick);
    a.field("channels", s.channel);
    a.field("edges_told", s.edges_told);
    a.field("edges_owed", s.edges_owed);
    a.field("port61", s.port61, {.below = 16});
}

} // namespace btvm

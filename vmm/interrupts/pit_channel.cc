// One counter of the 8254: the six modes of the datasheet's "Mode Definitions", each as a function of elapsed
// ticks.
#include "vmm/interrupts/pit.hh"

namespace btvm {

namespace {

constexpr u64 kNever = ~u64{0};

/// Has `tick` reached `mark`? Marks may lie a little before time 0 (they then wrap), so compare the distance.
constexpr bool reached(u64 tick, u64 mark) { return static_cast<s64>(tick - mark) >= 0; }

/// The period of modes 2 and 3. A count of 1 is illegal there (datasheet, Mode 2); it is taken as the
/// smallest legal.
constexpr u32 period(u32 count) { return count < 2 ? 2 : count; }

/// Mode 3: ticks of the high half; an odd count gives it the tick more.
constexpr u32 high_half(u32 count) { return (period(count) + 1) / 2; }

constexpr u16 to_bcd(u32 v) {
    return static_cast<u16>(v % 10 | (v / 10 % 10) << 4 | (v / 100 % 10) << 8 | (v / 1000 % 10) << 12);
}

/// Four decimal digits; what is no digit counts for its binary value, and the sum stays within the counter.
constexpr u32 from_bcd(u32 v) {
    return ((v & 15) + (v >> 4 & 15) * 10 + (v >> 8 & 15) * 100 + (v >> 12 & 15) * 1000) % 10000;
}

} // namespace

bool PitChannel::out(u64 tick) const {
    switch (run) {
    case Run::Stopped:
    case Run::Armed: return out_before;
    case Run::Held:
        if (mode == 0) return held_elapsed >= count;
        if (mode == 4) return held_elapsed != count;
        return true;
    case Run::Running: break;
    }
    if (!reached(tick, load_tick)) return out_before;
    const u64 elapsed = tick - load_tick;
    switch (mode) {
    case 0:
    case 1: return elapsed >= count;
    case 2: return elapsed % period(count) != period(count) - 1;
    case 3: return elapsed % period(count) < high_half(count);
    default: return elapsed != count;
    }
}

u16 PitChannel::counting_element(u64 tick) const {
    u64 elapsed = held_elapsed;
    if (run == Run::Running) {
        if (!reached(tick, load_tick)) return count_before;
        elapsed = tick - load_tick;
    } else if (run != Run::Held || periodic()) {
        return count_before;
    }
    u64 value;
    if (mode == 2) {
        value = count - elapsed % period(count);
    } else if (mode == 3) {
        // Counts down by two, twice a period; an odd count starts from the even number below.
        const u64 phase = elapsed % period(count);
        const u64 in_half = phase < high_half(count) ? phase : phase - high_half(count);
        value = (count & ~1u) - 2 * in_half;
    } else {
        value = count + modulus() - elapsed % modulus(); // wraps and goes on
    }
    value %= modulus();
    return bcd ? to_bcd(static_cast<u32>(value)) : static_cast<u16>(value);
}

u8 PitChannel::status(u64 tick) const {
    const bool null_count = run == Run::Stopped || run == Run::Armed || next_waits ||
                            (run == Run::Running && !reached(tick, load_tick));
    return static_cast<u8>(out(tick) << 7 | null_count << 6 | access << 4 | mode << 1 | bcd);
}

u64 PitChannel::rising_edges(u64 tick) const {
    if (run != Run::Running || !reached(tick, load_tick)) return 0;
    const u64 elapsed = tick - load_tick;
    switch (mode) {
    case 0:
    case 1: return elapsed >= count;
    case 2:
    case 3: return elapsed / period(count) + rises_at_load;
    default: return elapsed > count;
    }
}

u64 PitChannel::next_rising_edge(u64 tick) const {
    if (run != Run::Running) return kNever;
    if (!periodic()) {
        const u64 edge = load_tick + count + (mode >= 4 ? 1 : 0);
        return reached(tick, edge) ? kNever : edge;
    }
    if (!reached(tick, load_tick)) return load_tick + period(count);
    const u64 edge = load_tick + ((tick - load_tick) / period(count) + 1) * period(count);
    if (!next_waits || !reached(edge, next_load)) return edge;
    PitChannel after = *this;
    after.advance(next_load);
    return after.rises_at_load ? next_load : after.load_tick + period(after.count);
}

void PitChannel::begin(u32 new_count, u64 tick) {
    count = new_count;
    load_tick = tick;
    rises_at_load = 0;
    next_waits = 0;
    run = Run::Running;
}

bool PitChannel::advance(u64 tick) {
    if (run != Run::Running || !periodic() || !next_waits || !reached(tick, next_load)) return false;
    const bool was_high_half = mode == 3 && out(next_load - 1);
    // A new period, or the low half of one whose high half is thought to lie just before.
    begin(next_count, was_high_half ? next_load - high_half(next_count) : next_load);
    rises_at_load = !was_high_half;
    return true;
}

void PitChannel::control(u8 word, u64 tick) {
    count_before = counting_element(tick);
    const u8 raw_mode = (word >> 1) & 7;
    mode = raw_mode > 5 ? raw_mode & 3 : raw_mode; // 6 and 7 are 2 and 3: the top bit is "don't care"
    bcd = word & 1;
    access = (word >> 4) & 3;
    run = Run::Stopped;
    next_waits = 0;
    out_before = mode != 0;
    write_high = read_high = 0;
    count_latched = status_latched = 0;
}

void PitChannel::write_count(u8 value, u64 tick) {
    if (access == 3 && !write_high) {
        low_byte = value;
        write_high = 1;
        if (mode == 0) { // the first byte stops the count and lowers the output at once (datasheet, Mode 0)
            count_before = counting_element(tick);
            run = Run::Stopped;
            out_before = 0;
        }
        return;
    }
    u32 written = value;
    if (access == 3)
        written = low_byte | static_cast<u32>(value) << 8;
    else if (access == 2)
        written = static_cast<u32>(value) << 8;
    write_high = 0;
    if (bcd) written = from_bcd(written);
    new_count_written(written ? written : modulus(), tick);
}

void PitChannel::new_count_written(u32 value, u64 tick) {
    if (triggered()) { // waits for the gate, and an interval in progress is not touched
        if (run == Run::Running) {
            next_count = value;
            next_waits = 1;
        } else {
            count = value;
            run = Run::Armed;
        }
        return;
    }
    const bool counting = run == Run::Running && reached(tick, load_tick);
    if (periodic() && counting) { // the period (mode 3: half period) in progress ends first
        next_count = value;
        if (next_waits) return;
        next_waits = 1;
        const u64 phase = (tick - load_tick) % period(count);
        u32 end = period(count);
        if (mode == 3 && phase < high_half(count)) end = high_half(count);
        next_load = tick - phase + end;
        return;
    }
    count_before = counting_element(tick);
    if (mode == 0) out_before = 0;
    if (mode == 4) out_before = 1;
    begin(value, tick + 1);
    if (!gate) {
        run = Run::Held;
        held_elapsed = 0;
    }
}

void PitChannel::set_gate(bool level, u64 tick) {
    if (level == (gate != 0)) return;
    gate = level;
    if (triggered()) {
        if (!level || run == Run::Stopped) return;
        count_before = counting_element(tick);
        out_before = out(tick);
        begin(next_waits ? next_count : count, tick + 1);
    } else if (periodic()) {
        if (level && run == Run::Held) {
            out_before = 1;
            begin(count, tick + 1);
        } else if (!level && run == Run::Running) {
            count_before = counting_element(tick);
            if (next_waits) count = next_count;
            next_waits = 0;
            run = Run::Held;
        }
    } else if (level && run == Run::Held) {
        load_tick = tick - held_elapsed;
        run = Run::Running;
    } else if (!level && run == Run::Running) {
        held_elapsed = reached(tick, load_tick) ? tick - load_tick : 0;
        run = Run::Held;
    }
}

void PitChannel::latch_count(u64 tick) {
    if (count_latched) return; // the first one holds until it is read
    latched_count = counting_element(tick);
    count_latched = access == 3 ? 2 : 1;
}

void PitChannel::latch_status(u64 tick) {
    if (status_latched) return;
    latched_status = status(tick);
    status_latched = 1;
}

u8 PitChannel::read(u64 tick) {
    if (status_latched) {
        status_latched = 0;
        return latched_status;
    }
    u16 value = latched_count;
    if (count_latched)
        count_latched--;
    else
        value = counting_element(tick);
    bool high = access == 2;
    if (access == 3) {
        high = read_high;
        read_high = !read_high;
    }
    return static_cast<u8>(high ? value >> 8 : value);
}

} // namespace btvm

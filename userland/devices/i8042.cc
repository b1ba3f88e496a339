#include "userland/devices/i8042.hh"

#include <algorithm>

#include "userland/devices/guest_time.hh"
#include "userland/devices/state.hh"

namespace btvm {

namespace {

using namespace std::chrono_literals;

constexpr std::uint16_t kDataPort = 0x60;
constexpr std::uint16_t kCommandPort = 0x64;

// Command byte (byte 0 of the controller's RAM).
constexpr std::uint8_t kKeyboardIrq = 0x01;
constexpr std::uint8_t kAuxIrq = 0x02;
constexpr std::uint8_t kSystemFlag = 0x04;
constexpr std::uint8_t kKeyboardOff = 0x10;
constexpr std::uint8_t kAuxOff = 0x20;
constexpr std::uint8_t kTranslate = 0x40;

// Output port.
constexpr std::uint8_t kNoReset = 0x01;
constexpr std::uint8_t kA20 = 0x02;

// 11 bits at 12.5 kHz on the keyboard's cable. Old programs read port 60h twice and need the byte to stay
// that long.
constexpr GuestTime kByteTime = 880us;
// A true controller gives a silent device 15 ms to start clocking.
constexpr GuestTime kAuxTimeout = 2ms;

// BIOSes turn the interrupt on shortly before their last command to the keyboard.
constexpr GuestTime kSetUpTime = 200ms;
// A press that waits for the BIOS's buffer.
constexpr GuestTime kLongestHold = 1s;
constexpr GuestTime kLookAgain = 20ms;

constexpr unsigned kKeyboardLine = 1;
constexpr unsigned kAuxLine = 12;

static_assert(kKeyCount <= 0x80, "a queued movement keeps its key in seven bits");

} // namespace

I8042::I8042(Platform& platform) : Device(platform), queue_interval_(5ms) { reset(); }

std::vector<PortRange> I8042::ports() const { return {{kDataPort, 1}, {kCommandPort, 1}}; }

void I8042::reset() {
    ram_ = {};
    ram_[0] = kKeyboardOff | kAuxOff | kTranslate;
    output_ = 0;
    output_full_ = output_from_aux_ = timed_out_ = false;
    system_flag_ = false;
    last_was_command_ = false;
    set_up_ = false;
    pending_command_ = 0;
    break_pending_ = false;
    aux_waiting_ = false;
    line_free_at_ = platform_.now();
    keyboard_.power_on();
    hold_ends_at_ = {};
    stale_buffer_ = 0;
    clear_queue();
    update_irqs();
}

bool I8042::keyboard_enabled() const { return (ram_[0] & kKeyboardOff) == 0; }

std::uint32_t I8042::read(std::uint16_t port, unsigned /*size*/) {
    const GuestTime now = platform_.now();
    run_until(now);
    if (port == kCommandPort) return status();
    if (output_full_) {
        output_full_ = output_from_aux_ = timed_out_ = false;
        line_free_at_ = now + kByteTime;
        next_stroke_at_ = now + queue_interval_;
        update_irqs();
    }
    return output_;
}

void I8042::write(std::uint16_t port, unsigned /*size*/, std::uint32_t wide) {
    const auto byte = static_cast<std::uint8_t>(wide);
    const GuestTime now = platform_.now();
    run_until(now);
    last_was_command_ = port == kCommandPort;
    if (port == kCommandPort)
        command(byte, now);
    else
        data(byte, now);
}

std::uint8_t I8042::status() const {
    // Bit 1 (input buffer full) stays 0: bytes are dealt with at once. Bit 4: the keyboard lock is open.
    return static_cast<std::uint8_t>((output_full_ ? 0x01 : 0) | (system_flag_ ? 0x04 : 0) |
                                     (last_was_command_ ? 0x08 : 0) | 0x10 | (output_from_aux_ ? 0x20 : 0) |
                                     (timed_out_ ? 0x40 : 0));
}

void I8042::update_irqs(bool always) {
    const auto drive = [&](unsigned line, bool& level, bool wanted) {
        if (level == wanted && !always) return;
        level = wanted;
        platform_.set_irq(line, level);
    };
    drive(kKeyboardLine, keyboard_irq_, output_full_ && !output_from_aux_ && (ram_[0] & kKeyboardIrq) != 0);
    drive(kAuxLine, aux_irq_, output_full_ && output_from_aux_ && (ram_[0] & kAuxIrq) != 0);
}

void I8042::put_output(std::uint8_t byte, Source source) {
    output_ = byte;
    output_full_ = true;
    output_from_aux_ = source == Source::Aux;
    timed_out_ = false;
    update_irqs();
}

std::uint8_t I8042::output_port() const {
    const bool keyboard_byte = output_full_ && !output_from_aux_;
    const bool aux_byte = output_full_ && output_from_aux_;
    return static_cast<std::uint8_t>(kNoReset | (platform_.a20() ? kA20 : 0) | (keyboard_byte ? 0x10 : 0) |
                                     (aux_byte ? 0x20 : 0) | 0xC0);
}

void I8042::write_output_port(std::uint8_t value) {
    platform_.set_a20((value & kA20) != 0);
    if ((value & kNoReset) == 0) platform_.request_reset();
}

void I8042::command(std::uint8_t byte, GuestTime now) {
    pending_command_ = 0;
    if (byte >= 0x20 && byte <= 0x3F) {
        put_output(ram_[byte & 0x1F], Source::Controller);
        return;
    }
    if ((byte >= 0x60 && byte <= 0x7F) || (byte >= 0xD1 && byte <= 0xD4) || byte == 0xA5) {
        pending_command_ = byte;
        return;
    }
    if (byte >= 0xF0) {
        // Pulses the output port bits whose command bits are 0; only the reset line notices so short a pulse.
        if ((byte & kNoReset) == 0) platform_.request_reset();
        return;
    }
    switch (byte) {
    case 0xA4: put_output(0xF1, Source::Controller); break; // no password is set
    case 0xA7: ram_[0] |= kAuxOff; break;
    case 0xA8: ram_[0] &= static_cast<std::uint8_t>(~kAuxOff); break;
    case 0xA9: put_output(0x01, Source::Controller); break; // aux clock line stuck low: no connector
    case 0xAA:
        system_flag_ = true;
        ram_[0] |= kSystemFlag;
        put_output(0x55, Source::Controller);
        break;
    case 0xAB: put_output(0x00, Source::Controller); break;
    case 0xAD: ram_[0] |= kKeyboardOff; break;
    case 0xAE: ram_[0] &= static_cast<std::uint8_t>(~kKeyboardOff); break;
    case 0xC0: put_output(0xB0, Source::Controller); break; // lock open, colour display, no jumper, RAM
    case 0xD0: put_output(output_port(), Source::Controller); break;
    case 0xDD: platform_.set_a20(false); break; // as HP's controllers; memory managers try it
    case 0xDF: platform_.set_a20(true); break;
    case 0xE0: // test inputs: bit 0 keyboard clock, held low while the keyboard is off; bit 1 keyboard data
        put_output(static_cast<std::uint8_t>((keyboard_enabled() ? 0x01 : 0x00) | 0x02), Source::Controller);
        break;
    default: break;
    }
    move_bytes(now);
}

void I8042::data(std::uint8_t byte, GuestTime now) {
    const std::uint8_t pending = pending_command_;
    if (pending == 0xA5) { // load password: takes bytes up to a zero
        if (byte == 0) pending_command_ = 0;
        return;
    }
    pending_command_ = 0;
    if (pending >= 0x60 && pending <= 0x7F) {
        ram_[pending & 0x1F] = byte;
        if (pending == 0x60) {
            system_flag_ = (byte & kSystemFlag) != 0;
            if (!set_up_ && (byte & kKeyboardIrq) != 0) {
                set_up_ = true;
                next_stroke_at_ = now + kSetUpTime;
            }
            if ((byte & kTranslate) == 0) break_pending_ = false;
            update_irqs();
        }
        move_bytes(now);
        return;
    }
    switch (pending) {
    case 0xD1: write_output_port(byte); break;
    case 0xD2: put_output(byte, Source::Keyboard); break;
    case 0xD3: put_output(byte, Source::Aux); break;
    case 0xD4:
        ram_[0] &= static_cast<std::uint8_t>(~kAuxOff);
        aux_waiting_ = true;
        aux_fails_at_ = now + kAuxTimeout;
        break;
    default:
        // Sending to the keyboard turns its line on.
        ram_[0] &= static_cast<std::uint8_t>(~kKeyboardOff);
        keyboard_.receive(byte, now);
        break;
    }
}

std::optional<GuestTime> I8042::next_byte_at() const {
    if (!keyboard_enabled() || output_full_) return std::nullopt;
    const auto ready = keyboard_.ready_at();
    if (!ready) return std::nullopt;
    return std::max(*ready, line_free_at_);
}

void I8042::move_bytes(GuestTime now) {
    if (aux_waiting_ && now >= aux_fails_at_ && !output_full_) {
        aux_waiting_ = false;
        put_output(0xFE, Source::Aux);
        timed_out_ = true;
    }
    for (auto at = next_byte_at(); at && now >= *at; at = next_byte_at()) {
        std::uint8_t byte = keyboard_.take();
        if ((ram_[0] & kTranslate) != 0) {
            if (byte == 0xF0) {
                break_pending_ = true;
                line_free_at_ = now + kByteTime;
                continue;
            }
            byte = translate_set2_to_set1(byte);
            if (break_pending_) byte |= 0x80;
            break_pending_ = false;
        }
        put_output(byte, Source::Keyboard);
    }
}

bool I8042::enqueue(std::span<const KeyEvent> events) {
    if (events.size() > kQueueLimit - queue_.size()) return false;
    for (const KeyEvent& event : events)
        queue_.push_back(
            static_cast<std::uint8_t>(static_cast<unsigned>(event.key) | (event.down ? 0x80u : 0u)));
    return true;
}

void I8042::clear_queue() {
    queue_.clear();
    next_stroke_at_ = platform_.now();
}

bool I8042::ready_for_stroke() const {
    return !queue_.empty() && set_up_ && keyboard_enabled() && !output_full_ && keyboard_.ready_for_keys();
}

/// Whether the BIOS has so many keys that nobody has asked it for that more would be lost: its buffer holds
/// 15 (BIOS data area, 40:1Ah head, 40:1Ch tail, 40:80h its first and 40:82h its last offset). Operating
/// systems leave the buffer as it was; when it has not moved for a second it is taken for such a one.
bool I8042::bios_is_behind(GuestTime now) {
    constexpr std::uint64_t kBufferPointers = 0x41A, kBufferBounds = 0x480;
    constexpr unsigned kEntryBytes = 2, kEnough = 4;
    std::array<std::uint8_t, 4> pointers, bounds;
    platform_.dma_read(kBufferPointers, pointers);
    platform_.dma_read(kBufferBounds, bounds);
    const auto word = [](const std::array<std::uint8_t, 4>& b, unsigned at) {
        return b[at] | unsigned{b[at + 1]} << 8;
    };
    const unsigned head = word(pointers, 0), tail = word(pointers, 2), first = word(bounds, 0),
                   last = word(bounds, 2);
    const std::uint32_t both = head | tail << 16;
    const bool sound =
        first < last && last <= 0x400 && head >= first && head < last && tail >= first && tail < last;
    if (!sound || both == stale_buffer_) return false;
    const unsigned waiting = (tail >= head ? tail - head : tail - head + (last - first)) / kEntryBytes;
    if (waiting < kEnough) return false;
    if (now < hold_ends_at_) return true;
    stale_buffer_ = both;
    return false;
}

void I8042::feed_keyboard(GuestTime now) {
    // A movement may make no code (the release of Pause), so the next one may follow at once.
    while (ready_for_stroke() && now >= next_stroke_at_) {
        const std::uint8_t entry = queue_.front();
        const bool down = (entry & 0x80) != 0;
        if (down && bios_is_behind(now)) {
            next_stroke_at_ = now + kLookAgain;
            return;
        }
        if (down) hold_ends_at_ = now + kLongestHold;
        queue_.erase(queue_.begin());
        // A stroke that is queued to its end is meant as one stroke, however slowly the guest reads it.
        const bool stroke = std::find(queue_.begin(), queue_.end(), entry & 0x7F) != queue_.end();
        keyboard_.move({static_cast<Key>(entry & 0x7F), down}, now, !stroke);
        next_stroke_at_ = now + queue_interval_;
    }
}

std::optional<GuestTime> I8042::deadline() const {
    std::optional<GuestTime> at = keyboard_.deadline();
    const auto earlier = [&at](std::optional<GuestTime> other) {
        if (other && (!at || *other < *at)) at = other;
    };
    earlier(next_byte_at());
    if (ready_for_stroke()) earlier(next_stroke_at_);
    if (aux_waiting_ && !output_full_) earlier(aux_fails_at_);
    return at;
}

void I8042::run_until(GuestTime now) {
    keyboard_.run_until(now);
    feed_keyboard(now);
    move_bytes(now);
}

void I8042::describe(StateArchive& a) {
    a.version(2);
    a.field("ram", ram_);
    a.field("output", output_);
    a.field("output_full", output_full_);
    a.field("output_from_aux", output_from_aux_);
    a.field("timed_out", timed_out_);
    a.field("system_flag", system_flag_);
    a.field("last_was_command", last_was_command_);
    a.field("pending_command", pending_command_);
    a.field("break_pending", break_pending_);
    a.field("aux_waiting", aux_waiting_);
    a.field("aux_fails_at", aux_fails_at_);
    a.field("line_free_at", line_free_at_);
    a.field("set_up", set_up_);
    a.field("queue", queue_, {.max_count = kQueueLimit});
    a.field("next_stroke_at", next_stroke_at_);
    a.field("queue_interval", queue_interval_);
    a.field("hold_ends_at", hold_ends_at_);
    a.field("stale_buffer", stale_buffer_);
    a.field("keyboard", keyboard_);
    a.check(plausible_time(aux_fails_at_) && plausible_time(line_free_at_) &&
                plausible_time(next_stroke_at_) && plausible_time(queue_interval_) &&
                plausible_time(hold_ends_at_),
            "a time is out of range");
    const auto is_key = [](std::uint8_t entry) { return (entry & 0x7F) < kKeyCount; };
    a.check(std::all_of(queue_.begin(), queue_.end(), is_key), "queue: no such key");
    if (a.loading()) update_irqs(true);
}

} // namespace btvm

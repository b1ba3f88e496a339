#include "userland/devices/keyboard.hh"

#include <algorithm>

#include "userland/devices/guest_time.hh"
#include "userland/devices/state.hh"

namespace btvm {

namespace {

using namespace std::chrono_literals;

constexpr std::uint8_t kAck = 0xFA;
constexpr std::uint8_t kResend = 0xFE;
constexpr std::uint8_t kTestPassed = 0xAA;
constexpr std::uint8_t kEcho = 0xEE;
constexpr std::uint8_t kBreak = 0xF0;
constexpr std::uint8_t kExtended = 0xE0;
constexpr std::uint8_t kFirstCommand = 0xED;     // below lie scan codes and parameters
constexpr std::uint8_t kDefaultTypematic = 0x2B; // 500 ms, then 10.9 a second

constexpr GuestTime kReplyDelay = 1ms;
constexpr GuestTime kTestTime = 5ms;

// The grey cursor keys, which a keyboard wraps in shift codes so that the 84-key boards' software takes them.
bool is_cursor_key(Key key) { return key >= Key::Insert && key <= Key::Right; }

} // namespace

Keyboard::Keyboard() { power_on(); }

void Keyboard::power_on() {
    restore_defaults();
    scanning_ = true;
    pending_command_ = 0;
    last_sent_ = 0;
    reply_count_ = 0;
    testing_ = false;
    down_ = {};
    set_leds(0);
}

void Keyboard::restore_defaults() {
    set_ = 2;
    typematic_ = kDefaultTypematic;
    for (unsigned i = 0; i < kKeyCount; ++i)
        action_[i] = static_cast<std::uint8_t>(default_action_set3(static_cast<Key>(i)));
    clear_buffer();
}

void Keyboard::clear_buffer() {
    buffer_count_ = 0;
    repeat_key_ = kNoKey;
}

void Keyboard::set_leds(std::uint8_t leds) {
    if (leds_ == leds) return;
    leds_ = leds;
    if (led_callback_) led_callback_(leds);
}

void Keyboard::set_actions(KeyAction action) { action_.fill(static_cast<std::uint8_t>(action)); }

void Keyboard::reply(std::uint8_t byte, GuestTime now) {
    if (reply_count_ == 0) reply_at_ = now + kReplyDelay;
    if (reply_count_ < replies_.size()) replies_[reply_count_++] = byte;
}

void Keyboard::receive(std::uint8_t byte, GuestTime now) {
    if (testing_) return; // the keyboard does not listen during its test
    // A new byte from the system ends what was left of the reply to the one before.
    if (byte != kResend) reply_count_ = 0;
    if (pending_command_ != 0 && parameter(byte, now)) return;
    pending_command_ = 0;
    command(byte, now);
}

bool Keyboard::parameter(std::uint8_t byte, GuestTime now) {
    if (byte >= kFirstCommand) return false; // a command instead of the parameter takes over
    const std::uint8_t pending = pending_command_;
    pending_command_ = 0;
    switch (pending) {
    case 0xED:
        set_leds(byte & 0x07);
        reply(kAck, now);
        break;
    case 0xF3:
        if (byte > 0x7F) {
            reply(kResend, now);
            break;
        }
        typematic_ = byte;
        reply(kAck, now);
        break;
    case 0xF0:
        if (byte > 3) {
            reply(kResend, now);
            break;
        }
        reply(kAck, now);
        if (byte == 0) {
            reply(set_, now);
        } else {
            set_ = byte;
            clear_buffer();
        }
        break;
    default: // FBh, FCh, FDh: a list of set 3 codes that the next command ends
        for (unsigned i = 0; i < kKeyCount; ++i)
            if (scan_code_set3(static_cast<Key>(i)) == byte)
                action_[i] = static_cast<std::uint8_t>(pending == 0xFB   ? KeyAction::Typematic
                                                       : pending == 0xFC ? KeyAction::MakeBreak
                                                                         : KeyAction::MakeOnly);
        pending_command_ = pending;
        reply(kAck, now);
        break;
    }
    return true;
}

void Keyboard::command(std::uint8_t byte, GuestTime now) {
    switch (byte) {
    case 0xEE: reply(kEcho, now); return;
    case 0xFE: // resend: only if the last reply is already gone
        if (reply_count_ == 0) reply(last_sent_, now);
        return;
    case 0xED:
    case 0xF0:
    case 0xF3: pending_command_ = byte; break;
    case 0xF2:
        reply(kAck, now);
        reply(0xAB, now);
        reply(0x83, now);
        return;
    case 0xF4:
        clear_buffer();
        scanning_ = true;
        break;
    case 0xF5:
        restore_defaults();
        scanning_ = false;
        break;
    case 0xF6:
        restore_defaults();
        scanning_ = true;
        break;
    case 0xF7: set_actions(KeyAction::Typematic); break;
    case 0xF8: set_actions(KeyAction::MakeBreak); break;
    case 0xF9: set_actions(KeyAction::MakeOnly); break;
    case 0xFA: set_actions(KeyAction::TypematicMakeBreak); break;
    case 0xFB:
    case 0xFC:
    case 0xFD:
        clear_buffer();
        pending_command_ = byte;
        break;
    case 0xFF:
        restore_defaults();
        set_leds(0);
        scanning_ = true;
        testing_ = true;
        test_done_ = now + kReplyDelay + kTestTime;
        break;
    default: reply(kResend, now); return;
    }
    reply(kAck, now);
}

std::optional<GuestTime> Keyboard::ready_at() const {
    if (reply_count_ != 0) return reply_at_;
    if (buffer_count_ != 0) return GuestTime{};
    return std::nullopt;
}

std::uint8_t Keyboard::take() {
    // Replies overtake scan codes: the system waits for them.
    if (reply_count_ != 0) {
        last_sent_ = replies_[0];
        std::copy(replies_.begin() + 1, replies_.end(), replies_.begin());
        --reply_count_;
    } else if (buffer_count_ != 0) {
        last_sent_ = buffer_[0];
        std::copy(buffer_.begin() + 1, buffer_.end(), buffer_.begin());
        --buffer_count_;
    }
    return last_sent_;
}

bool Keyboard::ready_for_keys() const {
    return scanning_ && !testing_ && pending_command_ == 0 && reply_count_ == 0 && buffer_count_ == 0;
}

GuestTime Keyboard::repeat_delay() const { return 250ms * (1 + ((typematic_ >> 5) & 3)); }

GuestTime Keyboard::repeat_period() const {
    // (8 + A) * 2^B * 4.17 ms, 4.17 ms being 1/240 s.
    const std::int64_t units = (8 + (typematic_ & 7)) << ((typematic_ >> 3) & 3);
    return GuestTime(units * 1'000'000'000 / 240);
}

std::optional<GuestTime> Keyboard::deadline() const {
    std::optional<GuestTime> at;
    if (testing_) at = test_done_;
    if (repeat_key_ != kNoKey && (!at || repeat_at_ < *at)) at = repeat_at_;
    return at;
}

void Keyboard::run_until(GuestTime now) {
    if (testing_ && now >= test_done_) {
        testing_ = false;
        reply(kTestPassed, test_done_);
    }
    if (repeat_key_ == kNoKey || now < repeat_at_) return;
    // Repeats do not pile up: while the system does not take bytes, none is added.
    if (buffer_count_ == 0 && scanning_ && !testing_)
        buffer(encode(static_cast<Key>(repeat_key_), true, true));
    const GuestTime period = repeat_period();
    repeat_at_ += ((now - repeat_at_) / period + 1) * period;
}

void Keyboard::move(KeyEvent event, GuestTime now, bool repeat) {
    const auto index = static_cast<unsigned>(event.key);
    if (index >= kKeyCount || down_[index] == event.down) return;
    const auto action = static_cast<KeyAction>(action_[index]);
    const bool listens = scanning_ && !testing_;
    // The modifiers held besides the key decide its code, so the key itself counts as up for its make code.
    if (listens && (event.down || set_ != 3 || action == KeyAction::MakeBreak ||
                    action == KeyAction::TypematicMakeBreak))
        buffer(encode(event.key, event.down, false));
    down_[index] = event.down;

    if (!event.down) {
        if (repeat_key_ == index) repeat_key_ = kNoKey;
        return;
    }
    const bool repeats = set_ != 3
                             ? event.key != Key::Pause
                             : action == KeyAction::Typematic || action == KeyAction::TypematicMakeBreak;
    repeat_key_ = listens && repeat && repeats ? static_cast<std::uint8_t>(index) : kNoKey;
    repeat_at_ = now + repeat_delay();
}

void Keyboard::add_code(Sequence& out, std::uint8_t set2, bool extended, bool make) const {
    if (extended) out.add(kExtended);
    if (set_ == 1) {
        out.add(static_cast<std::uint8_t>(translate_set2_to_set1(set2) | (make ? 0x00 : 0x80)));
        return;
    }
    if (!make) out.add(kBreak);
    out.add(set2);
}

// With Num Lock on, a cursor key comes with a false left shift; with a true shift down, with its false
// release.
void Keyboard::add_shift_wrap(Sequence& out, Key key, bool make) const {
    if (!is_cursor_key(key) && key != Key::KeypadSlash) return;
    if (shifted()) {
        if (is_down(Key::LeftShift)) add_code(out, scan_code_set2(Key::LeftShift).code, true, !make);
        if (is_down(Key::RightShift)) add_code(out, scan_code_set2(Key::RightShift).code, true, !make);
    } else if ((leds_ & kNumLockLed) != 0 && key != Key::KeypadSlash) {
        add_code(out, scan_code_set2(Key::LeftShift).code, true, make);
    }
}

bool Keyboard::encode_special(Sequence& out, Key key, bool make, bool repeated) const {
    const bool control = is_down(Key::LeftControl) || is_down(Key::RightControl);
    if (key == Key::Pause) {
        if (!make) return true; // Pause sends make and break at once when pressed
        if (control) {
            add_code(out, 0x7E, true, true);
            add_code(out, 0x7E, true, false);
            return true;
        }
        for (const bool down : {true, false}) {
            out.add(0xE1);
            add_code(out, 0x14, false, down);
            add_code(out, 0x77, false, down);
        }
        return true;
    }
    if (key == Key::PrintScreen) {
        if (is_down(Key::LeftAlt) || is_down(Key::RightAlt)) {
            add_code(out, 0x84, false, make); // SysRq
            return true;
        }
        const std::uint8_t shift = scan_code_set2(Key::LeftShift).code;
        const bool wrapped = !control && !shifted();
        if (wrapped && make && !repeated) add_code(out, shift, true, true);
        add_code(out, 0x7C, true, make);
        if (wrapped && !make) add_code(out, shift, true, false);
        return true;
    }
    return false;
}

Keyboard::Sequence Keyboard::encode(Key key, bool make, bool repeated) const {
    Sequence out;
    if (set_ == 3) {
        if (!make) out.add(kBreak);
        out.add(scan_code_set3(key));
        return out;
    }
    if (encode_special(out, key, make, repeated)) return out;
    const ScanCode code = scan_code_set2(key);
    if (make && !repeated) add_shift_wrap(out, key, true);
    add_code(out, code.code, code.extended, make);
    if (!make) add_shift_wrap(out, key, false);
    return out;
}

void Keyboard::buffer(const Sequence& sequence) {
    if (sequence.count == 0) return;
    // A sequence goes in whole or not at all; the first that does not fit leaves the overrun code.
    if (buffer_count_ + sequence.count <= kBufferBytes) {
        std::copy_n(sequence.bytes.begin(), sequence.count, buffer_.begin() + buffer_count_);
        buffer_count_ = static_cast<std::uint8_t>(buffer_count_ + sequence.count);
    } else if (buffer_count_ <= kBufferBytes) {
        if (buffer_[buffer_count_ - 1] != (set_ == 1 ? 0xFF : 0x00))
            buffer_[buffer_count_++] = set_ == 1 ? 0xFF : 0x00;
    }
}

void Keyboard::describe(StateArchive& a) {
    std::uint8_t leds = leds_;
    a.field("set", set_, {.below = 4});
    a.check(set_ != 0, "set: there is no scan code set 0");
    a.field("scanning", scanning_);
    a.field("leds", leds, {.below = 8});
    a.field("typematic", typematic_, {.below = 0x80});
    a.field("pending_command", pending_command_);
    a.field("last_sent", last_sent_);
    a.field("replies", replies_);
    a.field("reply_count", reply_count_, {.below = replies_.size() + 1});
    a.field("reply_at", reply_at_);
    a.field("buffer", buffer_);
    a.field("buffer_count", buffer_count_, {.below = buffer_.size() + 1});
    // Version 1 told since when the first one is there: never later than now, which is all that counts.
    GuestTime buffer_at{};
    a.field("buffer_at", buffer_at, {.present = a.version() < 2});
    a.field("down", down_);
    a.field("repeat_key", repeat_key_);
    a.field("repeat_at", repeat_at_);
    a.field("testing", testing_);
    a.field("test_done", test_done_);
    a.field("action", action_, {.below = 4});
    a.check(repeat_key_ < kKeyCount || repeat_key_ == kNoKey, "repeat_key: no such key");
    a.check(plausible_time(reply_at_) && plausible_time(repeat_at_) && plausible_time(test_done_),
            "a time is out of range");
    set_leds(leds);
}

} // namespace btvm

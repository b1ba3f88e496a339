// The AT keyboard at the far end of its cable: commands, scan code sets 1 to 3, the 16-byte buffer, typematic
// repeat and LEDs (IBM PS/2 Hardware Interface Technical Reference: Keyboards).
//
// It knows no ports. The controller (i8042.hh) takes bytes from it when the line is free, and gives it what
// the system sends. Of the two directions only the order and the least delays matter to software, so times
// that the manual gives as "at most" are short here: a reply after 1 ms, the power-on test 5 ms.
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <span>

#include "userland/devices/device.hh"
#include "userland/devices/keyboard_keys.hh"
#include "userland/devices/keyboard_scancodes.hh"

namespace btvm {

class Keyboard {
public:
    enum Led : std::uint8_t { kScrollLockLed = 1, kNumLockLed = 2, kCapsLockLed = 4 };
    using LedCallback = std::function<void(std::uint8_t leds)>;

    Keyboard();

    /// Power-on state: scanning, set 2, all LEDs off, no key down.
    void power_on();

    /// A byte from the system.
    void receive(std::uint8_t byte, GuestTime now);
    /// A key moves. Presses of a key that is down and releases of one that is up are no movement. With
    /// `repeat` false the key does not start to repeat, however long it is down.
    void move(KeyEvent event, GuestTime now, bool repeat = true);

    /// From when on a byte can be sent, a time in the past if one can now; nothing if there is none.
    [[nodiscard]] std::optional<GuestTime> ready_at() const;
    /// The byte that waits. Call only if ready_at() has come.
    [[nodiscard]] std::uint8_t take();

    /// When run_until() next has work.
    [[nodiscard]] std::optional<GuestTime> deadline() const;
    void run_until(GuestTime now);

    /// Nothing to send, no test running, no command half received, and keys are looked at.
    [[nodiscard]] bool ready_for_keys() const;

    [[nodiscard]] std::uint8_t leds() const { return leds_; }
    /// Called whenever the LEDs change; bits are Led.
    void on_leds(LedCallback callback) { led_callback_ = std::move(callback); }

    void describe(StateArchive& archive);

private:
    /// A few bytes that go together.
    struct Sequence {
        std::array<std::uint8_t, 16> bytes{};
        unsigned count{};
        void add(std::uint8_t byte) { bytes[count++] = byte; }
    };

    void command(std::uint8_t byte, GuestTime now);
    [[nodiscard]] bool parameter(std::uint8_t byte, GuestTime now);
    void reply(std::uint8_t byte, GuestTime now);
    void restore_defaults();
    void set_leds(std::uint8_t leds);
    void set_actions(KeyAction action);

    [[nodiscard]] bool is_down(Key key) const { return down_[static_cast<unsigned>(key)]; }
    [[nodiscard]] bool shifted() const { return is_down(Key::LeftShift) || is_down(Key::RightShift); }
    [[nodiscard]] GuestTime repeat_period() const;
    [[nodiscard]] GuestTime repeat_delay() const;
    void add_code(Sequence& out, std::uint8_t set2, bool extended, bool make) const;
    void add_shift_wrap(Sequence& out, Key key, bool make) const;
    [[nodiscard]] Sequence encode(Key key, bool make, bool repeated) const;
    [[nodiscard]] bool encode_special(Sequence& out, Key key, bool make, bool repeated) const;
    void buffer(const Sequence& sequence);
    void clear_buffer();

    static constexpr unsigned kBufferBytes = 16;
    static constexpr std::uint8_t kNoKey = 0xFF;

    std::uint8_t set_{2};
    bool scanning_{true};
    std::uint8_t leds_{};
    std::uint8_t typematic_{};       ///< The parameter of F3h: bits 0-4 rate, 5-6 delay.
    std::uint8_t pending_command_{}; ///< A command that waits for its parameter, or 0.
    std::uint8_t last_sent_{};
    std::array<std::uint8_t, 4> replies_{};
    std::uint8_t reply_count_{};
    GuestTime reply_at_{};
    std::array<std::uint8_t, kBufferBytes + 1> buffer_{}; ///< The 17th holds the overrun code.
    std::uint8_t buffer_count_{};
    std::array<bool, kKeyCount> down_{};
    std::uint8_t repeat_key_{kNoKey};
    GuestTime repeat_at_{};
    bool testing_{}; ///< The basic assurance test runs until test_done_.
    GuestTime test_done_{};
    std::array<std::uint8_t, kKeyCount> action_{}; ///< KeyAction of set 3, by Key.
    LedCallback led_callback_;
};

} // namespace btvm

// The keyboard controller of a PC (8042 with PS/2 command set) at 60h and 64h, the keyboard behind it, and a
// queue of key movements in front of that, so that a program types no faster than the guest reads.
//
// The second (aux) channel exists with nothing plugged in: its test finds the lines dead, and a byte sent
// there ends in a time-out. Output port bit 0 resets the machine, bit 1 is the A20 gate, which port 92h
// shares.
#pragma once

#include <functional>

#include "userland/devices/device.hh"
#include "userland/devices/keyboard.hh"

namespace btvm {

class I8042 final : public Device {
public:
    explicit I8042(Platform& platform);

    [[nodiscard]] std::string_view name() const override { return "i8042"; }
    [[nodiscard]] std::vector<PortRange> ports() const override;
    void reset() override;
    std::uint32_t read(std::uint16_t port, unsigned size) override;
    void write(std::uint16_t port, unsigned size, std::uint32_t value) override;
    [[nodiscard]] std::optional<GuestTime> deadline() const override;
    void run_until(GuestTime now) override;
    void describe(StateArchive& archive) override;

    // What the front end uses. Movements wait in the queue until the guest has read what came before them.

    /// Largest number of movements that wait.
    static constexpr std::size_t kQueueLimit = 65536;
    /// False, with nothing queued, if the queue has no room for all of them.
    bool enqueue(std::span<const KeyEvent> events);
    bool press(Key key) { return enqueue(std::array{KeyEvent{key, true}}); }
    bool release(Key key) { return enqueue(std::array{KeyEvent{key, false}}); }
    /// Movements the guest has not seen yet.
    [[nodiscard]] std::size_t queued() const { return queue_.size(); }
    void clear_queue();
    /// Guest time between the guest's reading of one movement and the next movement; 5 ms unless told
    /// otherwise.
    void set_queue_interval(GuestTime interval) { queue_interval_ = interval; }

    /// Bits of Keyboard::Led.
    [[nodiscard]] std::uint8_t leds() const { return keyboard_.leds(); }
    void on_leds(Keyboard::LedCallback callback) { keyboard_.on_leds(std::move(callback)); }

private:
    enum class Source : std::uint8_t { Controller, Keyboard, Aux };

    void command(std::uint8_t byte, GuestTime now);
    void data(std::uint8_t byte, GuestTime now);
    void put_output(std::uint8_t byte, Source source);
    void write_output_port(std::uint8_t value);
    [[nodiscard]] std::uint8_t output_port() const;
    [[nodiscard]] std::uint8_t status() const;
    void update_irqs(bool always = false);
    void move_bytes(GuestTime now);
    void feed_keyboard(GuestTime now);
    [[nodiscard]] bool keyboard_enabled() const;
    [[nodiscard]] std::optional<GuestTime> next_byte_at() const;
    [[nodiscard]] bool ready_for_stroke() const;
    [[nodiscard]] bool bios_is_behind(GuestTime now);

    std::array<std::uint8_t, 32> ram_{}; ///< Byte 0 is the command byte.
    std::uint8_t output_{};              ///< The output buffer; keeps its value when read.
    bool output_full_{};
    bool output_from_aux_{};
    bool timed_out_{};               ///< Status bit 6, of the byte in the output buffer.
    bool system_flag_{};             ///< Status bit 2: the self-test has passed.
    bool last_was_command_{};        ///< Status bit 3.
    std::uint8_t pending_command_{}; ///< A command that waits for its byte at 60h, or 0.
    bool break_pending_{};           ///< Translation has swallowed F0h: the next code is a break.
    bool aux_waiting_{}; ///< A byte went to the empty aux port; the time-out comes at aux_fails_at_.
    GuestTime aux_fails_at_{};
    GuestTime line_free_at_{}; ///< The keyboard's next byte cannot be here before.
    /// The interrupt has been on since reset. Before, the BIOS talks with the keyboard and would take a
    /// stroke for an answer, so the queue waits.
    bool set_up_{};
    std::vector<std::uint8_t> queue_; ///< Key in bits 0-6, bit 7 set for a press.
    GuestTime next_stroke_at_{};
    GuestTime queue_interval_;
    GuestTime hold_ends_at_{};     ///< A press waits no longer than this for room in the BIOS's buffer...
    std::uint32_t stale_buffer_{}; ///< ... nor while the buffer's pointers are still these: nobody reads it.
    bool keyboard_irq_{};          ///< Levels of the interrupt lines; derived.
    bool aux_irq_{};
    Keyboard keyboard_;
};

} // namespace btvm

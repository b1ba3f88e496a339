// A 16550A serial port (National Semiconductor PC16550D data sheet). Characters take their true time by the
// divisor, in guest time. Bytes from the backend wait there until the receiver has room, so a slow guest
// loses nothing; the receiver overruns only in loopback mode. As on PC cards, OUT2 gates the interrupt.
#pragma once

#include <array>
#include <memory>

#include "userland/devices/device.hh"
#include "userland/devices/serial_backend.hh"

namespace btvm {

/// Where the first to the fourth port of a PC sit.
struct SerialLocation {
    std::uint16_t base;
    std::uint8_t irq;
};
inline constexpr std::array<SerialLocation, 4> kSerialLocations{
    {{0x3F8, 4}, {0x2F8, 3}, {0x3E8, 4}, {0x2E8, 3}}};

/// Two ports on one interrupt line drive it as separate cards would on a shared ISA line: the Platform sees
/// the level of whichever changed last. Ports with a line of their own are the sound choice.
class Serial final : public Device {
public:
    /// `index` 0 to 3 names the port in saved states: "serial0" to "serial3".
    Serial(Platform& platform, unsigned index, SerialLocation location,
           std::unique_ptr<SerialBackend> backend);

    [[nodiscard]] std::string_view name() const override { return name_; }
    [[nodiscard]] std::vector<PortRange> ports() const override;
    void reset() override;
    std::uint32_t read(std::uint16_t port, unsigned size) override;
    void write(std::uint16_t port, unsigned size, std::uint32_t value) override;
    [[nodiscard]] std::optional<GuestTime> deadline() const override;
    void run_until(GuestTime now) override;
    void drain() override;
    void describe(StateArchive& archive) override;

    [[nodiscard]] SerialBackend& backend() { return *backend_; }
    /// What one character takes at the present divisor and format.
    [[nodiscard]] GuestTime character_time() const;

private:
    static constexpr unsigned kFifoBytes = 16;

    [[nodiscard]] bool fifo_on() const { return (fifo_control_ & 0x01) != 0; }
    [[nodiscard]] bool loopback() const { return (modem_control_ & 0x10) != 0; }
    [[nodiscard]] bool divisor_access() const { return (line_control_ & 0x80) != 0; }
    [[nodiscard]] unsigned receive_trigger() const;
    [[nodiscard]] unsigned capacity() const { return fifo_on() ? kFifoBytes : 1; }

    [[nodiscard]] std::uint8_t read_data(GuestTime now);
    [[nodiscard]] std::uint8_t read_interrupt_id();
    [[nodiscard]] std::uint8_t read_line_status();
    [[nodiscard]] std::uint8_t read_modem_status();
    void write_data(std::uint8_t value, GuestTime now);
    void write_fifo_control(std::uint8_t value);
    void write_line_control(std::uint8_t value, GuestTime now);
    void start_sending(GuestTime now);
    void hurry(GuestTime now);
    void arrive(std::uint8_t byte, std::uint8_t errors, GuestTime now);
    void clear_receiver();
    void note_error();
    void update_modem_lines();
    [[nodiscard]] std::uint8_t pending_interrupt() const;
    void update_irq(bool always = false);

    std::uint16_t base_;
    std::uint8_t irq_;
    std::string name_;
    std::unique_ptr<SerialBackend> backend_;

    std::uint8_t interrupt_enable_{};
    std::uint8_t fifo_control_{};
    std::uint8_t line_control_{};
    std::uint8_t modem_control_{};
    std::uint8_t line_errors_{};  ///< Bits 1-4 of the line status: held until it is read.
    std::uint8_t modem_lines_{};  ///< Bits 4-7 of the modem status.
    std::uint8_t modem_deltas_{}; ///< Bits 0-3 of it: held until it is read.
    std::uint8_t scratch_{};
    std::uint16_t divisor_{};
    std::array<std::uint8_t, kFifoBytes> receive_{};
    std::array<std::uint8_t, kFifoBytes> receive_errors_{};
    std::uint8_t receive_count_{};
    std::array<std::uint8_t, kFifoBytes> send_{};
    std::uint8_t send_count_{};
    std::uint8_t last_received_{};
    std::uint8_t shift_{}; ///< The character on its way out.
    bool shifting_{};
    GuestTime shifted_at_{};   ///< When it is out.
    GuestTime next_receive_{}; ///< The next character from the backend is not complete before.
    GuestTime
        timeout_at_{}; ///< When the FIFO time-out interrupt comes, if characters wait below the trigger.
    bool timed_out_{};
    bool holding_empty_irq_{}; ///< The transmitter-empty interrupt is pending.
    bool line_{};              ///< The level of the interrupt line; derived.
};

} // namespace btvm

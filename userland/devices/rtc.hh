// The real-time clock and CMOS memory of a PC (Motorola MC146818, with the 128 bytes of later parts) at 70h
// and 71h, on interrupt line 8.
//
// The time registers hold what the guest or the machine put there and step once a second of guest time, at a
// phase that the divider sets, as the chip does. Leap years follow the chip: every fourth year by the two
// digits. The century byte at 32h steps with the year 99, as on later parts. Daylight saving (bit 0 of
// register B) is kept but does nothing.
#pragma once

#include <array>

#include "userland/devices/device.hh"

namespace btvm {

class Rtc final : public Device {
public:
    static constexpr std::size_t kBytes = 128;
    using WallTime = std::chrono::sys_time<std::chrono::nanoseconds>;

    /// A new chip: the clock runs from `wall_time` on (what the guest should read as its local time), memory
    /// is zero.
    Rtc(Platform& platform, WallTime wall_time);

    [[nodiscard]] std::string_view name() const override { return "rtc"; }
    [[nodiscard]] std::vector<PortRange> ports() const override;
    /// The RESET pin: interrupts off; time and memory live on a battery.
    void reset() override;
    std::uint32_t read(std::uint16_t port, unsigned size) override;
    void write(std::uint16_t port, unsigned size, std::uint32_t value) override;
    [[nodiscard]] std::optional<GuestTime> deadline() const override;
    void run_until(GuestTime now) override;
    void describe(StateArchive& archive) override;

    /// Sets date and time in the format the guest has chosen.
    void set_wall_time(WallTime wall_time);
    /// Bytes as the guest sees them, without side effects; index 0 to 127. For machine setup and the front
    /// end.
    [[nodiscard]] std::uint8_t cmos(unsigned index) const { return memory_[index % kBytes]; }
    void set_cmos(unsigned index, std::uint8_t value) { memory_[index % kBytes] = value; }
    /// Bit 7 of the last byte written to port 70h: NMIs do not reach the CPU.
    [[nodiscard]] bool nmi_masked() const { return nmi_masked_; }

private:
    [[nodiscard]] std::uint8_t read_register(unsigned index);
    void write_register(unsigned index, std::uint8_t value);
    [[nodiscard]] bool running() const;
    [[nodiscard]] std::int64_t divider_ticks(GuestTime at) const;
    [[nodiscard]] GuestTime tick_time(std::int64_t tick) const;
    [[nodiscard]] std::int64_t periodic_ticks() const;
    [[nodiscard]] bool updating(GuestTime now) const;
    void start_divider(GuestTime first_update);
    void step_seconds(std::int64_t seconds);
    void step_second();
    void step_date();
    [[nodiscard]] bool alarm_matches() const;
    [[nodiscard]] unsigned get(unsigned index) const;
    void put(unsigned index, unsigned value);
    [[nodiscard]] unsigned get_hour(std::uint8_t value) const;
    void put_hour(unsigned hour);
    void update_irq(bool always = false);

    std::array<std::uint8_t, kBytes> memory_{}; ///< Registers and memory in one, as the guest sees them.
    std::uint8_t index_{};
    bool nmi_masked_{};
    /// The 32768 Hz divider counts from here; seconds end at whole seconds after it.
    GuestTime divider_origin_{};
    std::int64_t ticks_done_{}; ///< Divider ticks up to which everything has been acted on.
    bool line_{};               ///< The level of interrupt line 8; derived.
};

} // namespace btvm

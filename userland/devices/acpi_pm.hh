// Power management as the operating system sees it through ACPI (ACPI 2.0, 4.7): event, control and timer
// registers in function 3 of an Intel 82371AB (PIIX4, order number 290562), the port B2h by which ACPI is
// switched on, and the general-purpose events where the firmware's tables expect them. Of sleeping states
// there is soft-off. The same function has an SMBus host controller.
#pragma once

#include <functional>

#include "userland/devices/acpi_smbus.hh"
#include "userland/devices/device.hh"
#include "userland/devices/pci_function.hh"

namespace btvm {

class AcpiPm final : public Device {
public:
    /// `power_off` is called when the guest enters soft-off (S5).
    AcpiPm(Platform& platform, std::function<void()> power_off);

    [[nodiscard]] std::string_view name() const override { return "acpi_pm"; }
    [[nodiscard]] std::vector<PortRange> ports() const override;
    void reset() override;
    std::uint32_t read(std::uint16_t port, unsigned size) override;
    void write(std::uint16_t port, unsigned size, std::uint32_t value) override;
    [[nodiscard]] bool takes_words(std::uint16_t port) const override;
    [[nodiscard]] std::optional<GuestTime> deadline() const override;
    void run_until(GuestTime now) override;
    void describe(StateArchive& archive) override;

    [[nodiscard]] PciFunction& function() { return function_; }
    /// Somebody presses the machine's power button: an event for a guest that has enabled it.
    void press_power_button();
    /// Whether the guest listens to it.
    [[nodiscard]] bool power_button_enabled() const;

private:
    static constexpr unsigned kIrq = 9;
    static constexpr unsigned kBlockPorts = 64;

    /// The first of kBlockPorts ports of event, control and timer registers; 0 while they are disabled.
    [[nodiscard]] std::uint16_t block() const;
    /// The first port of the SMBus host controller; 0 while it is disabled.
    [[nodiscard]] std::uint16_t smbus_base() const;
    /// The block has moved, or may have.
    void tell_ports();
    [[nodiscard]] std::uint8_t read_block(unsigned offset) const;
    void write_block(unsigned offset, std::uint8_t value);
    [[nodiscard]] std::uint8_t read_events(unsigned offset) const;
    void write_control(std::uint8_t high);
    [[nodiscard]] std::uint16_t event_status() const;
    void update_interrupt();

    PciFunction function_;
    std::function<void()> power_off_;
    std::uint16_t status_{};  ///< PM1 status but the timer's bit.
    std::uint16_t enable_{};  ///< PM1 enable.
    std::uint16_t control_{}; ///< PM1 control.
    std::uint64_t
        timer_changes_seen_{}; ///< Changes of the timer's bit 23 that the guest has taken notice of.
    std::array<std::uint8_t, 2> event_enable_{}; ///< General-purpose events. None ever comes.
    std::uint8_t apm_control_{};
    std::uint8_t apm_status_{};
    std::array<std::uint8_t, 4> general_output_{};
    AcpiSmbus smbus_;
};

} // namespace btvm

// The PCI side of the IDE interface: function 1 of an Intel 82371SB (PIIX3, order number 290550), with a bus
// master for each of the two channels at the ports its base address register 4 names. The channels' own ports
// stay where an AT has them, whatever the enable bits say: firmware without PCI finds its disks, too.
#pragma once

#include "userland/devices/ide_bus_master.hh"
#include "userland/devices/pci_function.hh"

namespace btvm {

class PiixIde final : public Device {
public:
    explicit PiixIde(Platform& platform);

    [[nodiscard]] std::string_view name() const override { return "piix_ide"; }
    [[nodiscard]] std::vector<PortRange> ports() const override;
    void reset() override;
    std::uint32_t read(std::uint16_t port, unsigned size) override;
    void write(std::uint16_t port, unsigned size, std::uint32_t value) override;
    [[nodiscard]] bool takes_words(std::uint16_t) const override { return true; }
    void describe(StateArchive& archive) override;

    [[nodiscard]] PciFunction& function() { return function_; }
    /// `channel` is 0 or 1.
    [[nodiscard]] IdeBusMaster& bus_master(unsigned channel) { return masters_.at(channel); }

private:
    static constexpr unsigned kPorts = 16;

    void configuration_changed();

    PciFunction function_;
    std::array<IdeBusMaster, 2> masters_;
};

} // namespace btvm

// The host bridge: PCI configuration mechanism #1 (PCI Local Bus Specification 2.1, 3.7.4.1), an address
// register at CF8h and a window on the register it names at CFCh, on a bus of one level; and the bridge's own
// function 00:00.0, an Intel 82441FX (order number 290549).
//
// Not there: the memory map that its PAM and SMRAM registers choose. C0000h-FFFFFh is always RAM that can be
// written (docs/devices.md), whatever the registers say.
#pragma once

#include <map>

#include "userland/devices/device.hh"
#include "userland/devices/pci_function.hh"

namespace btvm {

class PciHost final : public Device {
public:
    explicit PciHost(Platform& platform);

    [[nodiscard]] std::string_view name() const override { return "pci_host"; }
    /// CF9h between these is the reset control register's.
    [[nodiscard]] std::vector<PortRange> ports() const override {
        return {{0xcf8, 1}, {0xcfa, 2}, {0xcfc, 4}};
    }
    void reset() override;
    std::uint32_t read(std::uint16_t port, unsigned size) override;
    void write(std::uint16_t port, unsigned size, std::uint32_t value) override;
    [[nodiscard]] bool takes_words(std::uint16_t) const override { return true; }
    void describe(StateArchive& archive) override;

    /// Puts a function on bus 0; the owner resets and saves it. `device` is 0 to 31, `number` 0 to 7.
    void add(unsigned device, unsigned number, PciFunction& function);

private:
    [[nodiscard]] PciFunction* selected() const;

    PciFunction bridge_;
    std::map<unsigned, PciFunction*> functions_; ///< By device * 8 + number.
    std::uint32_t address_{};
};

} // namespace btvm

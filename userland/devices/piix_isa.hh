// The PCI side of the ISA bridge: function 0 of an Intel 82371SB (PIIX3, order number 290550). The chips
// behind it are devices of their own. Its PIRQ route registers are kept for who reads them: no function on
// this board has an interrupt pin that goes by them.
#pragma once

#include "userland/devices/device.hh"
#include "userland/devices/pci_function.hh"

namespace btvm {

class PiixIsa final : public Device {
public:
    explicit PiixIsa(Platform& platform);

    [[nodiscard]] std::string_view name() const override { return "piix_isa"; }
    [[nodiscard]] std::vector<PortRange> ports() const override { return {}; }
    void reset() override { function_.reset(); }
    std::uint32_t read(std::uint16_t, unsigned) override { return 0xff; }
    void write(std::uint16_t, unsigned, std::uint32_t) override {}
    void describe(StateArchive& archive) override { function_.describe(archive); }

    [[nodiscard]] PciFunction& function() { return function_; }

private:
    PciFunction function_;
};

} // namespace btvm

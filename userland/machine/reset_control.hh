// The reset control register at port CF9h (82371SB datasheet, RC register), by which SeaBIOS and many systems
// reset a PC. It lies within the double word of the PCI configuration address at CF8h, which is the host
// bridge's as a whole: only byte accesses come here.
#pragma once

#include "userland/devices/device.hh"

namespace btvm {

class ResetControl final : public Device {
public:
    explicit ResetControl(Platform& platform) : Device(platform) {}

    [[nodiscard]] std::string_view name() const override { return "reset_control"; }
    [[nodiscard]] std::vector<PortRange> ports() const override { return {{0xcf9, 1}}; }
    void reset() override { register_ = 0; }
    std::uint32_t read(std::uint16_t port, unsigned size) override;
    void write(std::uint16_t port, unsigned size, std::uint32_t value) override;
    void describe(StateArchive& archive) override;

private:
    std::uint8_t register_{};
};

} // namespace btvm

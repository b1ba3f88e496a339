// The port by which the Bochs BIOS turns the machine off: it writes "Shutdown" byte by byte to port 8900h
// (APM "set power state off" ends there).
#pragma once

#include <functional>

#include "userland/devices/device.hh"

namespace btvm {

class PowerPort final : public Device {
public:
    PowerPort(Platform& platform, std::function<void()> power_off)
        : Device(platform), power_off_(std::move(power_off)) {}

    [[nodiscard]] std::string_view name() const override { return "power_port"; }
    [[nodiscard]] std::vector<PortRange> ports() const override { return {{0x8900, 1}}; }
    void reset() override { matched_ = 0; }
    std::uint32_t read(std::uint16_t, unsigned) override { return 0xff; }
    void write(std::uint16_t port, unsigned size, std::uint32_t value) override;
    void describe(StateArchive& archive) override;

private:
    std::function<void()> power_off_;
    std::uint8_t matched_{}; ///< How many letters of the word have come.
};

} // namespace btvm

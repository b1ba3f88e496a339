// The I/O port space of the machine: which device answers which port, and how an access wider than a device's
// registers is split. PIC, PIT and port 61h are not here: they live in the core.
#pragma once

#include <cstdint>
#include <vector>

#include "userland/devices/device.hh"

namespace btvm {

class PortMap {
public:
    PortMap() : owner_(kPorts) {}

    /// Claims the device's ports. Throws std::logic_error when two devices claim the same port.
    void add(Device& device);
    /// The ports of a device that is on the map have changed. Where another device is already, that one goes
    /// on answering: first the devices that never move, then the others in the order they first moved.
    void update(Device& device);
    /// Ports without a device read as FFh bytes: the bus floats high.
    [[nodiscard]] std::uint32_t read(std::uint16_t port, unsigned size);
    /// Writes to ports without a device vanish.
    void write(std::uint16_t port, unsigned size, std::uint32_t value);
    /// A run of accesses to one port (INS, OUTS); the span's length is a multiple of `size`.
    void read_block(std::uint16_t port, unsigned size, std::span<std::uint8_t> out);
    void write_block(std::uint16_t port, unsigned size, std::span<const std::uint8_t> in);
    /// The device that answers `port`, or null.
    [[nodiscard]] Device* owner(std::uint16_t port) const { return owner_[port]; }

private:
    static constexpr std::size_t kPorts = 0x10000;
    std::vector<Device*> owner_;
    std::vector<Device*> moving_; ///< Devices that have moved.
};

} // namespace btvm

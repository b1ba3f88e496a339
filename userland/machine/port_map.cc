#include "userland/machine/port_map.hh"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace btvm {

void PortMap::add(Device& device) {
    for (const PortRange& range : device.ports())
        for (std::uint32_t port = range.first; port < std::uint32_t{range.first} + range.count; port++) {
            if (port >= kPorts || owner_[port])
                throw std::logic_error("port " + std::to_string(port) + " of " + std::string(device.name()) +
                                       " is taken or out of range");
            owner_[port] = &device;
        }
}

void PortMap::update(Device& device) {
    if (std::find(moving_.begin(), moving_.end(), &device) == moving_.end()) moving_.push_back(&device);
    for (Device*& owner : owner_)
        if (owner && std::find(moving_.begin(), moving_.end(), owner) != moving_.end()) owner = nullptr;
    for (Device* const mover : moving_)
        for (const PortRange& range : mover->ports())
            for (std::uint32_t port = range.first;
                 port < std::min<std::uint32_t>(kPorts, std::uint32_t{range.first} + range.count); port++)
                if (!owner_[port]) owner_[port] = mover;
}

std::uint32_t PortMap::read(std::uint16_t port, unsigned size) {
    Device* device = owner_[port];
    if (device && (size == 1 || device->takes_words(port))) return device->read(port, size);
    if (size == 1) return 0xff;
    // An ISA bus splits what an 8-bit card does not take whole into byte cycles, the low byte first.
    std::uint32_t value = 0;
    for (unsigned i = 0; i < size; i++) {
        const auto at = static_cast<std::uint16_t>(port + i);
        Device* const each = owner_[at];
        value |= (each ? each->read(at, 1) & 0xff : 0xff) << (8 * i);
    }
    return value;
}

void PortMap::write(std::uint16_t port, unsigned size, std::uint32_t value) {
    Device* device = owner_[port];
    if (device && (size == 1 || device->takes_words(port))) {
        device->write(port, size, value);
        return;
    }
    for (unsigned i = 0; i < size; i++) {
        const auto at = static_cast<std::uint16_t>(port + i);
        if (Device* const each = owner_[at]) each->write(at, 1, value >> (8 * i) & 0xff);
    }
}

void PortMap::read_block(std::uint16_t port, unsigned size, std::span<std::uint8_t> out) {
    Device* const device = owner_[port];
    if (device && (size == 1 || device->takes_words(port))) return device->read_port_block(port, size, out);
    for (std::size_t at = 0; at + size <= out.size(); at += size) {
        const std::uint32_t value = read(port, size);
        for (unsigned i = 0; i < size; i++)
            out[at + i] = static_cast<std::uint8_t>(value >> 8 * i);
    }
}

void PortMap::write_block(std::uint16_t port, unsigned size, std::span<const std::uint8_t> in) {
    Device* const device = owner_[port];
    if (device && (size == 1 || device->takes_words(port))) return device->write_port_block(port, size, in);
    for (std::size_t at = 0; at + size <= in.size(); at += size) {
        std::uint32_t value = 0;
        for (unsigned i = 0; i < size; i++)
            value |= std::uint32_t{in[at + i]} << 8 * i;
        write(port, size, value);
    }
}

} // namespace btvm

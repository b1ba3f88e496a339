#include "userland/devices/device.hh"

namespace btvm {

void Device::read_port_block(std::uint16_t port, unsigned size, std::span<std::uint8_t> out) {
    for (std::size_t at = 0; at + size <= out.size(); at += size) {
        const std::uint32_t value = read(port, size);
        for (unsigned i = 0; i < size; i++)
            out[at + i] = static_cast<std::uint8_t>(value >> 8 * i);
    }
}

void Device::write_port_block(std::uint16_t port, unsigned size, std::span<const std::uint8_t> in) {
    for (std::size_t at = 0; at + size <= in.size(); at += size) {
        std::uint32_t value = 0;
        for (unsigned i = 0; i < size; i++)
            value |= std::uint32_t{in[at + i]} << 8 * i;
        write(port, size, value);
    }
}

} // namespace btvm

#include "userland/devices/pci_host.hh"

#include <algorithm>

#include "userland/devices/state.hh"

namespace btvm {

namespace {

constexpr std::uint16_t kAddress = 0xcf8;
constexpr std::uint16_t kData = 0xcfc;
constexpr std::uint32_t kEnable = 0x80000000;
constexpr std::uint32_t kAddressBits = 0x80fffffc;
constexpr std::uint32_t kBusBits = 0x00ff0000;

constexpr unsigned kPam = 0x59; ///< To 5Fh: what is at 640 KiB and up.
constexpr unsigned kSmram = 0x72;

} // namespace

PciHost::PciHost(Platform& platform)
    : Device(platform), bridge_({0x8086, 0x1237, 0x0600, 0x00, 0x02, false}) {
    bridge_.define16(kPciCommand, 0x0006, 0x0100);
    bridge_.define16(kPciStatus, 0x0280, 0);
    for (unsigned reg = kPam; reg < kPam + 7; reg++)
        bridge_.define8(reg, 0x00, 0x33);
    bridge_.define8(kSmram, 0x02, 0x78);
    add(0, 0, bridge_);
}

void PciHost::add(unsigned device, unsigned number, PciFunction& function) {
    functions_[device * 8 + number] = &function;
}

void PciHost::reset() {
    address_ = 0;
    bridge_.reset();
}

PciFunction* PciHost::selected() const {
    if (!(address_ & kEnable) || (address_ & kBusBits)) return nullptr;
    const auto found = functions_.find(address_ >> 8 & 0xff);
    return found == functions_.end() ? nullptr : found->second;
}

std::uint32_t PciHost::read(std::uint16_t port, unsigned size) {
    const std::uint32_t all_ones = size == 4 ? 0xffffffffu : (1u << 8 * size) - 1;
    if (port == kAddress && size == 4) return address_;
    if (port < kData) return all_ones;
    const PciFunction* const function = selected();
    // No device answers: the bridge ends the cycle with a master abort and gives ones.
    if (!function) return all_ones;
    const unsigned offset = port - kData;
    const unsigned within = std::min(size, 4 - offset); // the register is a double word, the rest floats
    return function->read((address_ & 0xfc) + offset, within) | (all_ones & ~0u << 8 * (within - 1) << 8);
}

void PciHost::write(std::uint16_t port, unsigned size, std::uint32_t value) {
    if (port == kAddress && size == 4) {
        address_ = value & kAddressBits;
        return;
    }
    if (port < kData) return;
    const unsigned offset = port - kData;
    if (PciFunction* const function = selected())
        function->write((address_ & 0xfc) + offset, std::min(size, 4 - offset), value);
}

void PciHost::describe(StateArchive& archive) {
    archive.field("address", address_);
    archive.field("bridge", bridge_);
}

} // namespace btvm

#include "userland/devices/pci_function.hh"

#include "userland/devices/state.hh"

namespace btvm {

namespace {

constexpr std::uint32_t kIoBar = 0x01; ///< Bit 0 of a base address register: for I/O ports.

// QEMU's numbers for its boards. SeaBIOS knows by the host bridge's that it runs on such a board.
constexpr std::uint16_t kSubsystemVendor = 0x1af4;
constexpr std::uint16_t kSubsystem = 0x1100;

} // namespace

PciFunction::PciFunction(const Identity& identity) {
    define16(kPciVendor, identity.vendor, 0);
    define16(kPciDevice, identity.device, 0);
    define16(kPciClass, identity.class_code, 0);
    define8(kPciInterface, identity.interface, 0);
    define8(kPciRevision, identity.revision, 0);
    define8(kPciHeaderType, identity.multi_function ? 0x80 : 0x00, 0);
    define16(kPciSubsystemVendor, kSubsystemVendor, 0);
    define16(kPciSubsystem, kSubsystem, 0);
    // Target and master abort, parity and system errors (PCI 2.1, 6.2.3).
    define_clearable16(kPciStatus, 0xf900);
}

void PciFunction::define8(unsigned reg, std::uint8_t initial, std::uint8_t writable) {
    initial_.at(reg) = config_.at(reg) = initial;
    writable_.at(reg) = writable;
}

void PciFunction::define16(unsigned reg, std::uint16_t initial, std::uint16_t writable) {
    define8(reg, static_cast<std::uint8_t>(initial), static_cast<std::uint8_t>(writable));
    define8(reg + 1, static_cast<std::uint8_t>(initial >> 8), static_cast<std::uint8_t>(writable >> 8));
}

void PciFunction::define32(unsigned reg, std::uint32_t initial, std::uint32_t writable) {
    define16(reg, static_cast<std::uint16_t>(initial), static_cast<std::uint16_t>(writable));
    define16(reg + 2, static_cast<std::uint16_t>(initial >> 16), static_cast<std::uint16_t>(writable >> 16));
}

void PciFunction::define_clearable16(unsigned reg, std::uint16_t bits) {
    clearable_.at(reg) = static_cast<std::uint8_t>(bits);
    clearable_.at(reg + 1) = static_cast<std::uint8_t>(bits >> 8);
}

void PciFunction::define_io_bar(unsigned index, unsigned size) {
    // All upper bits can be written, though there are only 64 Ki ports: firmware takes the size from how many
    // low ones cannot, over all 32.
    define32(kPciBar0 + 4 * index, kIoBar, ~(size - 1));
}

std::uint32_t PciFunction::read(unsigned reg, unsigned size) const {
    std::uint32_t value = 0;
    for (unsigned i = 0; i < size && reg + i < config_.size(); i++)
        value |= std::uint32_t{config_[reg + i]} << 8 * i;
    return value;
}

void PciFunction::write(unsigned reg, unsigned size, std::uint32_t value) {
    for (unsigned i = 0; i < size && reg + i < config_.size(); i++) {
        const unsigned at = reg + i;
        const auto byte = static_cast<std::uint8_t>(value >> 8 * i);
        const unsigned kept = config_[at] & ~writable_[at] & ~(clearable_[at] & byte);
        config_[at] = static_cast<std::uint8_t>(kept | (byte & writable_[at]));
    }
    if (on_write_) on_write_(reg, size);
}

std::uint16_t PciFunction::io_base(unsigned index) const {
    if (!(command() & kPciCommandIo)) return 0;
    return static_cast<std::uint16_t>(read(kPciBar0 + 4 * index, 4) & ~3u);
}

void PciFunction::describe(StateArchive& archive) { archive.field("config", config_); }

} // namespace btvm

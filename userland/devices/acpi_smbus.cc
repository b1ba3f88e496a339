#include "userland/devices/acpi_smbus.hh"

#include "userland/devices/state.hh"

namespace btvm {

namespace {

constexpr unsigned kHostStatus = 0;
constexpr unsigned kHostControl = 2;
constexpr unsigned kLastHostRegister = 7;
constexpr std::uint8_t kStart = 0x40;
constexpr std::uint8_t kNoAnswer = 0x04; ///< Status: no device has acknowledged its address.
constexpr std::uint8_t kClearable = 0x1e;

} // namespace

std::uint8_t AcpiSmbus::read(unsigned reg) const {
    if (reg == kHostStatus) return status_;
    return reg <= kLastHostRegister && reg != 1 ? registers_[reg] : 0;
}

void AcpiSmbus::write(unsigned reg, std::uint8_t value) {
    if (reg == kHostStatus) {
        status_ &= static_cast<std::uint8_t>(~(value & kClearable));
    } else if (reg == kHostControl) {
        registers_[reg] = value & 0x1f; // start and kill read as zeros
        if (value & kStart) status_ = kNoAnswer;
    } else if (reg < kPorts) {
        registers_[reg] = value;
    }
}

void AcpiSmbus::describe(StateArchive& a) {
    a.field("status", status_);
    a.field("registers", registers_);
}

} // namespace btvm

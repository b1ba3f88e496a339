#include "userland/devices/acpi_pm_timer.hh"

namespace btvm {

namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

} // namespace

std::uint64_t AcpiPmTimer::ticks(GuestTime now) {
    // In two parts, so that the product stays within 64 bits for centuries.
    const auto ns = static_cast<std::uint64_t>(now.count());
    return ns / kSecond * kHz + ns % kSecond * kHz / kSecond;
}

GuestTime AcpiPmTimer::time_of_change(std::uint64_t number) {
    const std::uint64_t tick = number << (kBits - 1);
    // Rounded up: at that time the tick has come.
    return GuestTime(
        static_cast<std::int64_t>(tick / kHz * kSecond + (tick % kHz * kSecond + kHz - 1) / kHz));
}

} // namespace btvm

// The ACPI tables of the machine, as SeaBIOS takes them from the firmware configuration interface: the tables
// in two files, and a script that tells where they go and which addresses and checksums are to be filled in
// (QEMU's documentation of its "table loader"; ACPI 2.0, 5.2).
//
// Without them SeaBIOS would make its own, which tell of local and I/O APICs whether or not this machine has
// them.
#pragma once

#include <vector>

#include "userland/machine/firmware_config.hh"

namespace btvm {

/// Where SeaBIOS puts the registers of power management once it is given tables, and so where these say they
/// are.
inline constexpr std::uint16_t kAcpiPmBase = 0x600;

/// `apic`: the machine has a local APIC and an I/O APIC, which a table describes (MADT).
[[nodiscard]] std::vector<FirmwareFile> acpi_firmware_files(bool apic);

} // namespace btvm

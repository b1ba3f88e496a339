// The SMBIOS structures of the machine, as SeaBIOS takes them from the firmware configuration interface: all
// structures in one file, the entry point in another (DMTF DSP0134 2.4; SeaBIOS fills in addresses and
// checksums, and describes itself).
//
// Without them SeaBIOS would make its own, one for each processor that it may count, and look up a file for
// each field of each.
#pragma once

#include <vector>

#include "userland/machine/firmware_config.hh"

namespace btvm {

/// `ram_mib`: 1 to 2048.
[[nodiscard]] std::vector<FirmwareFile> smbios_firmware_files(unsigned ram_mib);

} // namespace btvm

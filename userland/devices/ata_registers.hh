// The registers of an ATA device and their bits (ATA/ATAPI-6, clause 7), by their place in the command block.
#pragma once

#include <cstdint>

namespace btvm {

enum AtaRegister : unsigned {
    kAtaData = 0,
    kAtaError = 1, ///< Written: features.
    kAtaFeatures = 1,
    kAtaCount = 2, ///< ATAPI: interrupt reason.
    kAtaLbaLow = 3,
    kAtaLbaMid = 4,  ///< ATAPI: byte count, low byte.
    kAtaLbaHigh = 5, ///< ATAPI: byte count, high byte.
    kAtaDevice = 6,
    kAtaStatus = 7, ///< Written: command.
};

namespace ata_status {
inline constexpr std::uint8_t kBusy = 0x80;
inline constexpr std::uint8_t kReady = 0x40;
inline constexpr std::uint8_t kFault = 0x20;
inline constexpr std::uint8_t kSeekDone = 0x10;
inline constexpr std::uint8_t kDataRequest = 0x08;
inline constexpr std::uint8_t kError = 0x01;
} // namespace ata_status

namespace ata_error {
inline constexpr std::uint8_t kUncorrectable = 0x40;
inline constexpr std::uint8_t kNotFound = 0x10; ///< IDNF: the address is not on the disk.
inline constexpr std::uint8_t kAborted = 0x04;
inline constexpr std::uint8_t kPassed = 0x01; ///< After a diagnostic: device 0 passed.
} // namespace ata_error

namespace ata_device {
inline constexpr std::uint8_t kLba = 0x40;
inline constexpr std::uint8_t kSlave = 0x10;
inline constexpr std::uint8_t kHead = 0x0f; ///< Or bits 24 to 27 of an LBA.
} // namespace ata_device

namespace ata_control {
inline constexpr std::uint8_t kPrevious = 0x80; ///< HOB: reads give the byte written before the last.
inline constexpr std::uint8_t kReset = 0x04;
inline constexpr std::uint8_t kNoInterrupt = 0x02;
} // namespace ata_control

} // namespace btvm

// What a PC's setup program would have written to CMOS memory: the machine as its BIOS finds it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "userland/devices/rtc.hh"

namespace btvm {

/// The type nibbles of CMOS byte 10h.
enum class CmosFloppy : std::uint8_t {
    None = 0,
    Inch5Kb360 = 1,
    Inch5Kb1200 = 2,
    Inch3Kb720 = 3,
    Inch3Kb1440 = 4,
    Inch3Kb2880 = 5,
};

/// A hard disk of "user type 47".
struct CmosDisk {
    std::uint16_t cylinders{};
    std::uint8_t heads{};
    std::uint8_t sectors{};
    /// How the BIOS is to translate: 0 none (CHS as it is), 1 LBA, 2 large, 3 R-ECHS (Bochs BIOS, 39h and
    /// 3Ah).
    std::uint8_t translation{};
};

/// What to boot from, in the codes of 38h and 3Dh (Bochs BIOS and SeaBIOS).
enum class CmosBoot : std::uint8_t { None = 0, Floppy = 1, Disk = 2, CdRom = 3, Network = 4 };

struct CmosSetup {
    std::array<CmosFloppy, 2> floppies{CmosFloppy::Inch3Kb1440, CmosFloppy::None};
    std::array<std::optional<CmosDisk>, 2> disks{};
    /// All RAM in bytes, the hole below 1 MiB counted in; at least 1 MiB, below 4 GiB.
    std::uint64_t ram_bytes{16u << 20};
    std::array<CmosBoot, 3> boot_order{CmosBoot::Floppy, CmosBoot::Disk, CmosBoot::None};
    /// The Bochs BIOS then boots a floppy without looking for 55AAh at its end. Old DOS floppies lack it.
    bool boot_without_signature{};
    bool coprocessor{true};
};

/// Writes `setup` and the checksum. Date, time and the clock's registers stay as they are.
void fill_cmos(Rtc& rtc, const CmosSetup& setup);

/// The sum over 10h to 2Dh that belongs in 2Eh (high) and 2Fh (low).
[[nodiscard]] std::uint16_t cmos_checksum(const Rtc& rtc);

} // namespace btvm

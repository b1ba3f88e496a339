#include "userland/devices/rtc_cmos.hh"

#include <algorithm>

namespace btvm {

namespace {

// Byte addresses by the AT's CMOS map (IBM AT Technical Reference) and, from 30h on, of Bochs's BIOS.
enum Cmos : unsigned {
    kShutdownStatus = 0x0F,
    kFloppyTypes = 0x10,
    kDiskTypes = 0x12,
    kEquipment = 0x14,
    kBaseMemoryKb = 0x15,
    kExtendedMemoryKb = 0x17,
    kDisk0Type = 0x19,
    kDisk1Type = 0x1A,
    kDisk0 = 0x1B,
    kDisk1 = 0x24,
    kSystemFlags = 0x2D,
    kChecksumHigh = 0x2E,
    kChecksumLow = 0x2F,
    kExtendedMemoryKb2 = 0x30,
    kMemoryAbove16Mb = 0x34, // in 64 KiB
    kBootThird = 0x38,       // bits 4-7 the third device, bit 0 boot without signature
    kDiskTranslation = 0x39, // two bits a disk
    kBootOrder = 0x3D,       // bits 0-3 the first device, 4-7 the second
    kMemoryAbove4Gb = 0x5B,
    kMoreProcessors = 0x5F, // processors besides the first
};

constexpr std::uint64_t kMb = 1u << 20;
constexpr std::uint8_t kUserType = 47;

void put_word(Rtc& rtc, unsigned index, std::uint64_t value) {
    rtc.set_cmos(index, static_cast<std::uint8_t>(value));
    rtc.set_cmos(index + 1, static_cast<std::uint8_t>(value >> 8));
}

void put_disk(Rtc& rtc, unsigned index, const std::optional<CmosDisk>& disk) {
    for (unsigned i = 0; i < 9; ++i)
        rtc.set_cmos(index + i, 0);
    if (!disk) return;
    put_word(rtc, index, disk->cylinders);
    rtc.set_cmos(index + 2, disk->heads);
    put_word(rtc, index + 3, 0xFFFF); // no write precompensation
    rtc.set_cmos(index + 5, static_cast<std::uint8_t>(0xC0 | (disk->heads > 8 ? 0x08 : 0x00)));
    put_word(rtc, index + 6, disk->cylinders); // landing zone
    rtc.set_cmos(index + 8, disk->sectors);
}

std::uint8_t equipment(const CmosSetup& setup) {
    const auto floppies = static_cast<unsigned>(std::count_if(
        setup.floppies.begin(), setup.floppies.end(), [](CmosFloppy f) { return f != CmosFloppy::None; }));
    // Video bits 4-5 zero: an adapter with a BIOS of its own.
    return static_cast<std::uint8_t>((floppies != 0 ? 0x01 | (floppies - 1) << 6 : 0) |
                                     (setup.coprocessor ? 0x02 : 0) | 0x04 /* a display is there */);
}

} // namespace

std::uint16_t cmos_checksum(const Rtc& rtc) {
    unsigned sum = 0;
    for (unsigned i = kFloppyTypes; i <= kSystemFlags; ++i)
        sum += rtc.cmos(i);
    return static_cast<std::uint16_t>(sum);
}

void fill_cmos(Rtc& rtc, const CmosSetup& setup) {
    const auto nibble = [](auto value) { return static_cast<unsigned>(value) & 0x0F; };
    const auto put = [&rtc](unsigned index, unsigned value) {
        rtc.set_cmos(index, static_cast<std::uint8_t>(value));
    };

    put(kShutdownStatus, 0);
    put(kFloppyTypes, nibble(setup.floppies[0]) << 4 | nibble(setup.floppies[1]));
    put(kDiskTypes, (setup.disks[0] ? 0xF0u : 0u) | (setup.disks[1] ? 0x0Fu : 0u));
    put(kDisk0Type, setup.disks[0] ? kUserType : 0);
    put(kDisk1Type, setup.disks[1] ? kUserType : 0);
    put_disk(rtc, kDisk0, setup.disks[0]);
    put_disk(rtc, kDisk1, setup.disks[1]);
    put(kDiskTranslation, (setup.disks[0] ? setup.disks[0]->translation & 3u : 0u) |
                              (setup.disks[1] ? setup.disks[1]->translation & 3u : 0u) << 2);
    put(kEquipment, equipment(setup));

    const std::uint64_t extended = setup.ram_bytes > kMb ? setup.ram_bytes - kMb : 0;
    const std::uint64_t above16 = setup.ram_bytes > 16 * kMb ? setup.ram_bytes - 16 * kMb : 0;
    const std::uint64_t extended_kb = std::min<std::uint64_t>(extended >> 10, 0xFC00);
    put_word(rtc, kBaseMemoryKb, 640);
    put_word(rtc, kExtendedMemoryKb, extended_kb);
    put_word(rtc, kExtendedMemoryKb2, extended_kb);
    put_word(rtc, kMemoryAbove16Mb, std::min<std::uint64_t>(above16 >> 16, 0xFFFF));
    for (unsigned i = 0; i < 3; ++i)
        put(kMemoryAbove4Gb + i, 0);
    put(kMoreProcessors, 0);

    // Bit 5 of the system flags says "A: first" to BIOSes that do not know 3Dh.
    put(kSystemFlags, setup.boot_order[0] == CmosBoot::Floppy ? 0x20 : 0x00);
    put(kBootOrder, nibble(setup.boot_order[0]) | nibble(setup.boot_order[1]) << 4);
    put(kBootThird, nibble(setup.boot_order[2]) << 4 | (setup.boot_without_signature ? 1 : 0));

    const std::uint16_t sum = cmos_checksum(rtc);
    put(kChecksumHigh, sum >> 8);
    put(kChecksumLow, sum & 0xFF);
}

} // namespace btvm

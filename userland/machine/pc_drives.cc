// The drives on the board's IDE channels, and what of them goes to CMOS.
#include <algorithm>

#include "userland/machine/pc_board.hh"

namespace btvm {

namespace {

CmosBoot cmos_boot(BootDevice device) {
    switch (device) {
    case BootDevice::Floppy: return CmosBoot::Floppy;
    case BootDevice::Disk: return CmosBoot::Disk;
    case BootDevice::CdRom: return CmosBoot::CdRom;
    }
    return CmosBoot::None;
}

bool has_drive(const PcConfig& config, DriveConfig::Kind kind) {
    return std::any_of(config.drives.begin(), config.drives.end(),
                       [kind](const DriveConfig& drive) { return drive.kind == kind; });
}

/// The order asked for, or the one that what is there suggests: an empty drive A is not tried first.
std::array<CmosBoot, 3> boot_order(const PcConfig& config) {
    std::vector<BootDevice> order = config.boot;
    if (order.empty()) {
        const bool floppy = !config.floppies[0].path.empty();
        const bool disk = has_drive(config, DriveConfig::Kind::Disk);
        const bool cd = has_drive(config, DriveConfig::Kind::CdRom);
        if (floppy || (!disk && !cd)) order.push_back(BootDevice::Floppy);
        if (disk) order.push_back(BootDevice::Disk);
        if (cd) order.push_back(BootDevice::CdRom);
        if (!disk) order.push_back(BootDevice::Disk);
    }
    std::array<CmosBoot, 3> cmos{CmosBoot::None, CmosBoot::None, CmosBoot::None};
    for (std::size_t i = 0; i < std::min(order.size(), cmos.size()); i++)
        cmos[i] = cmos_boot(order[i]);
    return cmos;
}

} // namespace

void Pc::Board::attach(unsigned number, const DriveConfig& drive) {
    AtaChannel& channel = channels[number / 2];
    if (drive.kind == DriveConfig::Kind::Disk)
        channel.attach<AtaDisk>(
            number % 2,
            told(DiskImage::open(drive.path, {.snapshot = drive.snapshot, .size = drive.disk_bytes})),
            number);
    else if (drive.kind == DriveConfig::Kind::CdRom)
        channel.attach<AtapiCdrom>(number % 2,
                                   drive.path.empty() ? nullptr : told(AtapiCdrom::open(drive.path)), number);
}

AtaDisk* Pc::Board::disk(unsigned number) {
    AtaDevice* const device = channels[number / 2].device(number % 2);
    if (!device || device->kind() != AtaDevice::Kind::Disk) return nullptr;
    return static_cast<AtaDisk*>(device);
}

AtapiCdrom* Pc::Board::cdrom(unsigned number) {
    AtaDevice* const device = channels[number / 2].device(number % 2);
    if (!device || device->kind() != AtaDevice::Kind::CdRom) return nullptr;
    return static_cast<AtapiCdrom*>(device);
}

/// Changes the disc; an empty path only takes out what is in.
void Pc::Board::change_cdrom(const std::string& path) {
    for (unsigned number = 0; number < kAtaDrives; number++) {
        AtapiCdrom* const drive = cdrom(number);
        if (!drive) continue;
        if (drive->locked()) {
            drive->request_eject();
            throw std::runtime_error(
                "the guest has locked the CD-ROM drive; it has been asked to eject the disc");
        }
        drive->change(path.empty() ? nullptr : told(AtapiCdrom::open(path)));
        return;
    }
    throw std::runtime_error("the machine has no CD-ROM drive (start it with --cdrom FILE, or --cdrom none)");
}

/// What fails here has been tried by the guest already, or is too late for it.
void Pc::Board::flush_disks() {
    for (unsigned number = 0; number < kAtaDrives; number++)
        if (AtaDisk* const each = disk(number)) try {
                each->image().flush();
            } catch (const DiskError&) {
            }
}

DriveStatus Pc::Board::drive_status(unsigned number) {
    DriveStatus status;
    if (const AtaDisk* const each = disk(number)) {
        const DiskImage& image = each->image();
        status.kind = DriveConfig::Kind::Disk;
        status.path = image.path();
        status.snapshot = image.snapshot();
        status.bytes = image.sectors() * kDiskSectorSize;
        status.read = each->sectors_read() * kDiskSectorSize;
        status.written = each->sectors_written() * kDiskSectorSize;
        status.overlay_bytes = image.overlay_bytes();
    } else if (const AtapiCdrom* const drive = cdrom(number)) {
        status.kind = DriveConfig::Kind::CdRom;
        status.read = drive->sectors_read() * kCdSectorSize;
        if (const DiskImage* const disc = drive->medium()) {
            status.path = disc->path();
            status.bytes = disc->sectors() * kCdSectorSize;
        }
    }
    return status;
}

CmosSetup Pc::Board::cmos_setup(const PcConfig& config) {
    CmosSetup setup;
    setup.ram_bytes = std::uint64_t{config.ram_mib} << 20;
    for (unsigned drive = 0; drive < kFloppyDrives; drive++)
        setup.floppies[drive] = static_cast<CmosFloppy>(fdc.drive_type(drive));
    for (unsigned number = 0; number < setup.disks.size(); number++)
        if (const AtaDisk* const each = disk(number)) {
            const DiskGeometry& g = each->geometry();
            setup.disks[number] = {g.cylinders, g.heads, g.sectors, g.translation};
        }
    setup.boot_order = boot_order(config);
    return setup;
}

/// CMOS byte 39h for all four drives, two bits each.
std::uint8_t Pc::Board::translations() {
    unsigned value = 0;
    for (unsigned number = 0; number < kAtaDrives; number++)
        if (const AtaDisk* const each = disk(number))
            value |= (each->geometry().translation & 3u) << 2 * number;
    return static_cast<std::uint8_t>(value);
}

} // namespace btvm

#include "userland/machine/pc_board.hh"

#include <ctime>

#include "userland/devices/floppy_image.hh"
#include "userland/machine/acpi_tables.hh"
#include "userland/machine/smbios_tables.hh"

namespace btvm {

namespace {

Rtc::WallTime wall_time(const ClockConfig& clock) {
    using namespace std::chrono;
    if (clock.base == ClockConfig::Base::Fixed) return Rtc::WallTime(seconds(clock.fixed_seconds));
    const auto now = system_clock::now();
    if (clock.base == ClockConfig::Base::Utc) return now;
    const std::time_t time = system_clock::to_time_t(now);
    std::tm local{};
    ::localtime_r(&time, &local);
    return now + seconds(local.tm_gmtoff);
}

/// What SeaBIOS asks the board for: it finds no video BIOS by itself, since it first clears the memory where
/// others expect it, and it is told not to wait for a key to its boot menu.
std::vector<FirmwareFile> firmware_files(const PcConfig& config) {
    if (!config.firmware.writable) return {};
    // With more processors than can be counted SeaBIOS makes no MP table, which would tell of APICs that are
    // not there; nor a $PIR table, for interrupt pins that are not there either. With the one that there is
    // it makes both.
    const bool apic = config.engine.apic;
    const std::vector<std::uint8_t> processors =
        apic ? std::vector<std::uint8_t>{0x01, 0x00} : std::vector<std::uint8_t>{0x00, 0x01};
    std::vector<FirmwareFile> files{{"etc/show-boot-menu", {0, 0}}, {"etc/max-cpus", processors}};
    // And it must know that the timer is not where the ISA has it: its line is pin 2 of the I/O APIC.
    if (apic) files.push_back({"etc/irq0-override", {1}});
    for (FirmwareFile& table : acpi_firmware_files(apic))
        files.push_back(std::move(table));
    for (FirmwareFile& table : smbios_firmware_files(config.ram_mib))
        files.push_back(std::move(table));
    if (!config.firmware.video_bios.empty())
        files.push_back({"vgaroms/vgabios.bin", config.firmware.video_bios});
    return files;
}

std::string serial_specification(const PcConfig& config) {
    return config.serial.empty() ? "null" : config.serial;
}

constexpr unsigned kCmosTranslations = 0x39; ///< How the BIOS translates each disk's geometry.

// Both number drive types as the CMOS does.
static_assert(static_cast<int>(FloppyDriveType::Mb1_44) == static_cast<int>(CmosFloppy::Inch3Kb1440));
static_assert(static_cast<int>(FloppyDriveType::Kb720) == static_cast<int>(CmosFloppy::Inch3Kb720));

} // namespace

Pc::Board::Board(Machine& machine, const PcConfig& config, Tell tell)
    : vga(machine), keyboard_controller(machine), rtc(machine, wall_time(config.clock)),
      serial(machine, 0, kSerialLocations[0], make_serial_backend(serial_specification(config))),
      system_ports(machine), debug_console(machine), power_port(machine, [&machine] { machine.power_off(); }),
      reset_control(machine), pci_host(machine), isa_bridge(machine), ide(machine),
      power_management(machine, [&machine] { machine.power_off(); }),
      channels{AtaChannel(machine, 0, ide.bus_master(0)), AtaChannel(machine, 1, ide.bus_master(1))},
      dma(machine), fdc(machine, dma), firmware_config(machine, firmware_files(config)),
      tell_(std::move(tell)) {
    for (Device* device : std::initializer_list<Device*>{
             &vga, &keyboard_controller, &rtc, &serial, &system_ports, &debug_console, &power_port,
             &reset_control, &pci_host, &isa_bridge, &ide, &power_management, &channels[0], &channels[1],
             &dma, &fdc, &firmware_config})
        machine.add(*device);
    pci_host.add(1, 0, isa_bridge.function());
    pci_host.add(1, 1, ide.function());
    pci_host.add(1, 3, power_management.function());
    for (unsigned drive = 0; drive < kAtaDrives; drive++)
        attach(drive, config.drives[drive]);
    fdc.set_drive_type(0, FloppyDriveType::Mb1_44);
    if (config.second_drive) fdc.set_drive_type(1, FloppyDriveType::Mb1_44);
    for (unsigned drive = 0; drive < kFloppyDrives; drive++)
        if (!config.floppies[drive].path.empty()) insert_first(drive, config.floppies[drive]);
    fill_cmos(rtc, cmos_setup(config));
    rtc.set_cmos(kCmosTranslations, translations());
}

void Pc::Board::set_clock(const ClockConfig& clock) { rtc.set_wall_time(wall_time(clock)); }

/// The floppy that is in a drive at power-on decides what kind of drive it is.
void Pc::Board::insert_first(unsigned drive, const FloppyConfig& floppy) {
    std::shared_ptr<FloppyImage> image = open_floppy(floppy);
    FloppyDriveType type = drive_type_for(image->geometry());
    // A 1.44 MB drive takes 720 KB floppies too, and either may come later.
    if (type == FloppyDriveType::Kb720) type = FloppyDriveType::Mb1_44;
    fdc.set_drive_type(drive, type);
    fdc.insert(drive, std::move(image));
    floppies[drive] = floppy;
}

void Pc::Board::insert(unsigned drive, const FloppyConfig& floppy) {
    const FloppyConfig before = floppies.at(drive);
    eject(drive);
    try {
        fdc.insert(drive, open_floppy(floppy));
    } catch (...) {
        // The old floppy had to go first: the new one may be the same file.
        if (!before.path.empty()) {
            fdc.insert(drive, open_floppy(before));
            floppies[drive] = before;
        }
        throw;
    }
    floppies[drive] = floppy;
}

void Pc::Board::eject(unsigned drive) {
    if (fdc.drive_type(drive) == FloppyDriveType::None)
        throw std::runtime_error(
            "the machine has no second floppy drive (start it with --two-drives or --fdb)");
    fdc.eject(drive);
    floppies[drive] = {};
}

FloppyStatus Pc::Board::floppy_status(unsigned drive) const {
    FloppyStatus status;
    status.present = fdc.drive_type(drive) != FloppyDriveType::None;
    status.active = fdc.activity(drive).motor;
    if (const FloppyImage* medium = fdc.medium(drive)) {
        status.path = medium->path();
        status.write_protected = medium->write_protected();
        status.snapshot = medium->snapshot();
        status.overlay_bytes = medium->changes().size() * FloppyImage::kChangeUnit;
    }
    return status;
}

} // namespace btvm

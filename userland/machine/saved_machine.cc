#include "userland/machine/saved_machine.hh"

#include <algorithm>

#include "userland/machine/utf8.hh"

namespace btvm {

using state_format::Type;

namespace {

StateReader open(const std::string& path) {
    try {
        return StateReader(open_state_file(path));
    } catch (const StateError& error) {
        throw in_file(path, error);
    }
}

DriveConfig::Kind drive_kind(std::uint8_t number) {
    return number == 0   ? DriveConfig::Kind::None
           : number == 1 ? DriveConfig::Kind::Disk
                         : DriveConfig::Kind::CdRom;
}

} // namespace

StateError in_file(const std::string& path, const std::exception& error) {
    return StateError(path + ": " + plain(error.what())); // it may quote the file
}

SavedMachine::SavedMachine(const std::string& path) : path_(path), reader_(open(path)) {
    try {
        load_state(description_, reader_.fields(reader_.get(kMachineSection, Type::Fields)));
        // One that leaves something out can only be put upon the state that it was made from.
        if (!description_.parent.empty())
            throw StateError(
                "holds only what differs from another state; restoring those is not possible yet");
    } catch (const StateError& error) {
        throw in_file(path, error);
    }
}

void SavedMachine::configure(PcConfig& config, const RestoreWishes& wishes) const try {
    const MachineDescription& was = description_;
    config.name = wishes.name.empty() ? plain(was.name) : wishes.name;
    config.ram_mib = was.ram_mib;
    config.engine.apic = was.apic;
    config.firmware = {was.system_bios,
                       was.video_bios,
                       reader_.payload(reader_.get("firmware/system", Type::Bytes)),
                       {},
                       was.firmware_writable};
    if (reader_.find("firmware/video"))
        config.firmware.video_bios = reader_.payload(reader_.get("firmware/video", Type::Bytes));
    config.serial = wishes.serial.value_or(was.serial);
    config.second_drive = was.floppy_drives[1] != 0;

    std::map<std::string, std::string> images = wishes.images;
    const auto path_of = [&](const char* slot) {
        const MediumDescription* const medium = was.medium(slot);
        const auto wish = images.find(slot);
        if (wish == images.end()) return medium ? medium->path : std::string();
        if (!medium) throw StateError(wish->second + ": drive " + slot + " was empty in the saved machine");
        std::string path = wish->second;
        images.erase(wish);
        return path;
    };
    for (unsigned drive = 0; drive < kFloppyDrives; drive++) {
        const MediumDescription* const medium = was.medium(kFloppySlots[drive]);
        if (medium && medium->kind != "floppy")
            throw StateError("drive " + medium->slot + ": a " + medium->kind + " does not fit in");
        config.floppies[drive] = {};
        const std::string path = path_of(kFloppySlots[drive]);
        if (medium)
            config.floppies[drive] = {path, medium->snapshot || wishes.snapshot, medium->write_protect};
    }
    for (unsigned drive = 0; drive < kAtaDrives; drive++) {
        const MediumDescription* const medium = was.medium(kIdeSlots[drive]);
        const DriveConfig::Kind kind = drive_kind(was.ide_drives[drive]);
        if (kind == DriveConfig::Kind::Disk && !medium)
            throw StateError(std::string("drive ") + kIdeSlots[drive] + ": a disk without an image");
        if (medium && (kind == DriveConfig::Kind::None ||
                       medium->kind != (kind == DriveConfig::Kind::Disk ? "disk" : "cdrom")))
            throw StateError("drive " + medium->slot + ": a " + medium->kind + " does not fit in");
        config.drives[drive] = {kind, path_of(kIdeSlots[drive]),
                                medium && (medium->snapshot || wishes.snapshot), std::nullopt};
    }
    if (!images.empty())
        throw StateError(images.begin()->second + ": the saved machine has no drive " +
                         images.begin()->first);
} catch (const StateError& error) {
    throw in_file(path_, error);
}

} // namespace btvm

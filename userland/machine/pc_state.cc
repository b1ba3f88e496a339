// A whole machine to a file and back.
#include <ctime>
#include <set>

#include "userland/machine/engine_state.hh"
#include "userland/machine/guest_clock.hh"
#include "userland/machine/memory_state.hh"
#include "userland/machine/pc_board.hh"

namespace btvm {

using state_format::Type;

namespace {

constexpr auto kRequired = StateWriter::Need::Required;
constexpr auto kOptional = StateWriter::Need::Optional;
constexpr auto kElsewhere = StateArchive::Media::Elsewhere;

constexpr const char* kProgram = "btvm-run " BTVM_VERSION;

/// The names that a state of this machine can have. One that is required and not among them holds something
/// that would be lost.
std::set<std::string, std::less<>> known_sections(Machine& machine) {
    std::set<std::string, std::less<>> names{kMachineSection, "screen", "firmware/system", "firmware/video"};
    names.insert(std::begin(kEngineSections), std::end(kEngineSections));
    for (const Device* const device : machine.devices())
        names.emplace(device->name());
    for (const MemoryRegion& region : machine.memory().regions())
        if (!region.read_only) names.insert(memory_section(region));
    for (const char* const slot : kFloppySlots)
        names.insert(std::string("media/") + slot);
    for (const char* const slot : kIdeSlots)
        names.insert(std::string("media/") + slot);
    return names;
}

void refuse_unknown(const StateReader& reader, Machine& machine) {
    const auto names = known_sections(machine);
    for (const StateEntry& entry : reader.entries())
        if (entry.required() && (!entry.known() || !names.contains(entry.name)))
            throw StateError("section \"" + entry.name +
                             "\" is needed to restore the machine, and this program does not know it");
}

/// Keeps the guest and its time still as long as it lives.
class StandStill {
public:
    explicit StandStill(Machine& machine)
        : machine_(machine), was_running_(machine.state() == MachineState::Running) {
        machine_.pause();
    }
    ~StandStill() {
        if (was_running_) machine_.resume();
    }
    StandStill(const StandStill&) = delete;
    StandStill& operator=(const StandStill&) = delete;
    [[nodiscard]] bool was_running() const { return was_running_; }

private:
    Machine& machine_;
    bool was_running_;
};

} // namespace

SaveReport Pc::save(const std::string& path) {
    return machine_->call([this, &path] {
        Machine& machine = *machine_;
        if (machine.state() == MachineState::Failed)
            throw StateError("the engine has failed: there is nothing to go on from");
        const GuestTime began = monotonic_now();
        const StandStill still(machine);
        SaveReport report;
        report.guest_time = machine.now();

        // What the guest has been told is written must be there when the state is.
        board_->fdc.flush();
        board_->flush_disks();

        MachineDescription description;
        description.program = kProgram;
        description.name = config_.name;
        description.engine = engine_name();
        description.saved_at = static_cast<std::uint64_t>(std::time(nullptr));
        description.guest_time = report.guest_time;
        description.paused = machine.state() == MachineState::Paused && !still.was_running();
        description.resets = machine.resets();
        description.ram_mib = config_.ram_mib;
        description.system_bios = config_.firmware.system_path;
        description.video_bios = config_.firmware.video_path;
        description.firmware_writable = config_.firmware.writable;
        for (unsigned drive = 0; drive < kFloppyDrives; drive++)
            description.floppy_drives[drive] = static_cast<std::uint8_t>(board_->fdc.drive_type(drive));
        for (unsigned drive = 0; drive < kAtaDrives; drive++)
            description.ide_drives[drive] = board_->disk(drive) ? 1 : board_->cdrom(drive) ? 2 : 0;
        description.serial = config_.serial;
        description.media = board_->describe_media();
        for (const MediumDescription& medium : description.media)
            if (!medium.snapshot && medium.kind != "cdrom" && !medium.write_protect)
                report.written_images.push_back(medium.path);

        StateWriter writer(path);
        writer.fields(save_state(kMachineSection, description), kRequired);
        const TextScreen screen = board_->vga.snapshot(
            [&machine](std::uint64_t at, std::span<std::uint8_t> out) { machine.memory().read(at, out); });
        if (screen.text_mode) writer.text("screen", screen_text(screen), kOptional);
        for (const StateSection& section : save_engine({machine.engine().state(), report.guest_time}))
            writer.fields(section, kRequired);
        for (Device* const device : machine.devices())
            writer.fields(save_state(*device, kElsewhere), kRequired);
        writer.bytes("firmware/system", config_.firmware.system_bios, kRequired);
        if (!config_.firmware.video_bios.empty())
            writer.bytes("firmware/video", config_.firmware.video_bios, kRequired);
        board_->save_changes(writer);
        save_memory(writer, machine.memory());
        writer.finish();
        report.bytes = writer.size();
        report.pause = monotonic_now() - began;
        return report;
    });
}

void Pc::restore(const SavedMachine& saved) try {
    const StateReader& reader = saved.reader();
    const MachineDescription& was = saved.description();
    Machine& machine = *machine_;
    refuse_unknown(reader, machine);
    board_->check_media(was);
    for (unsigned drive = 0; drive < kFloppyDrives; drive++)
        board_->fdc.set_drive_type(drive, static_cast<FloppyDriveType>(was.floppy_drives[drive]));

    std::vector<StateSection> core;
    for (const char* const name : kEngineSections)
        core.push_back(reader.fields(reader.get(name, Type::Fields)));
    const EngineState engine = load_engine(core);
    // Devices reckon with guest time while they are loaded, and drive their interrupt lines. The second time
    // is what counts: what the lines did to the interrupt controllers is part of their state already.
    const auto load_core = [&] {
        if (!machine.engine().set_state(engine.core, engine.time))
            throw StateError("cpu: the guest's processor had features that cannot be had here");
    };
    load_core();
    restore_memory(reader, machine.memory());
    for (const MemoryRegion& region : machine.memory().regions())
        if (!region.read_only) machine.engine().memory_written(region.first, region.size);
    board_->restore_changes(saved);
    for (Device* const device : machine.devices())
        load_state(*device, reader.fields(reader.get(device->name(), Type::Fields)), kElsewhere);
    load_core();
    machine.restored(was.paused, was.resets);
} catch (const std::exception& error) {
    throw in_file(saved.path(), error);
}

void Pc::set_clock(const ClockConfig& clock) { board_->set_clock(clock); }

} // namespace btvm

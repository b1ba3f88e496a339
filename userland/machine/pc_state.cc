// A whole machine back from a file.
#include <set>

#include "userland/machine/engine_state.hh"
#include "userland/machine/memory_state.hh"
#include "userland/machine/pc_checkpoints.hh"
#include "userland/machine/saved_tree.hh"

namespace btvm {

using state_format::Type;

namespace {

constexpr auto kElsewhere = StateArchive::Media::Elsewhere;

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

} // namespace

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
    checkpoints_->put_back(saved);
    for (Device* const device : machine.devices())
        load_state(*device, reader.fields(reader.get(device->name(), Type::Fields)), kElsewhere);
    load_core();
    machine.restored(was.paused, was.resets);
} catch (const std::exception& error) {
    throw in_file(saved.path(), error);
}

void Pc::set_clock(const ClockConfig& clock) { board_->set_clock(clock); }

} // namespace btvm

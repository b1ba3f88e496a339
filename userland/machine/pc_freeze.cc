// A machine made ready for a state file: what the machine's thread does for a live save.
#include <ctime>

#include "userland/machine/memory_state.hh"
#include "userland/machine/pc_checkpoints.hh"

namespace btvm {

namespace {

constexpr const char* kProgram = "btvm-run " BTVM_VERSION;

} // namespace

std::uint64_t Pc::Checkpoints::begin_round() {
    // The pages of checkpoints are the machine's thread's alone.
    return tree_.nodes().empty() ? memory_.begin_round() : 0;
}

std::optional<Pc::Board::Reading> Pc::Checkpoints::read_ahead(unsigned number, bool with_tree) {
    if (number < Board::kSlots) return board_.read_ahead(number);
    if (!with_tree) return std::nullopt;
    number -= Board::kSlots;
    if (number < board_.shelf.size()) return board_.read_ahead(board_.shelf[number]);
    number -= static_cast<unsigned>(board_.shelf.size());
    const auto discs = known_discs();
    if (number < discs.size()) return board_.read_ahead(discs[number]);
    return std::nullopt;
}

FrozenMachine Pc::Checkpoints::freeze(const PcConfig& config, bool with_tree, SaveReport& report) {
    if (machine_.state() == MachineState::Failed)
        throw StateError("the engine has failed: there is nothing to go on from");
    const StillTime still(machine_);
    FrozenMachine frozen;
    frozen.machine = snapshot();
    memory_.set_aside();
    for (const MemoryRegion& region : machine_.memory().regions())
        if (!region.read_only) frozen.regions.push_back({memory_section(region), region.first, region.size});
    frozen.firmware = &config.firmware;

    MachineDescription& description = frozen.description;
    description.program = kProgram;
    description.name = config.name;
    description.engine = std::string(machine_.engine().name());
    description.saved_at = static_cast<std::uint64_t>(std::time(nullptr));
    description.guest_time = frozen.machine.time;
    description.paused = machine_.state() == MachineState::Paused;
    description.resets = frozen.machine.resets;
    description.ram_mib = config.ram_mib;
    description.apic = config.engine.apic;
    description.system_bios = config.firmware.system_path;
    description.video_bios = config.firmware.video_path;
    description.firmware_writable = config.firmware.writable;
    for (unsigned drive = 0; drive < kFloppyDrives; drive++)
        description.floppy_drives[drive] = static_cast<std::uint8_t>(board_.fdc.drive_type(drive));
    for (unsigned drive = 0; drive < kAtaDrives; drive++)
        description.ide_drives[drive] = board_.disk(drive) ? 1 : board_.cdrom(drive) ? 2 : 0;
    description.serial = config.serial;
    board_.freeze_media(frozen);
    if (with_tree && !tree_.nodes().empty()) frozen.tree = freeze_tree();

    const TextScreen screen = board_.vga.snapshot(
        [this](std::uint64_t at, std::span<std::uint8_t> out) { machine_.memory().read(at, out); });
    if (screen.text_mode) frozen.screen = screen_text(screen);

    report.guest_time = frozen.machine.time;
    report.written_images = frozen.written_images;
    return frozen;
}

Pc::Checkpoints::Remains Pc::Checkpoints::let_go(std::unique_ptr<FrozenMachine> frozen) {
    // With checkpoints its pages are theirs too; without, nobody needs what is known of memory any longer.
    if (!tree_.nodes().empty()) {
        (void)memory_.take_aside(); // which nobody has done if the save has failed
        return {};
    }
    return {memory_.forget(), frozen ? std::move(frozen->machine.memory) : PageMap()};
}

} // namespace btvm

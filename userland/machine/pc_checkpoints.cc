#include "userland/machine/pc_checkpoints.hh"

#include <algorithm>
#include <ctime>
#include <unistd.h>

#include "userland/checkpoint/thinning.hh"
#include "userland/devices/state.hh"
#include "userland/machine/guest_clock.hh"

namespace btvm {

namespace {

constexpr auto kElsewhere = StateArchive::Media::Elsewhere;
constexpr const char* kRingPrefix = "auto-";

} // namespace

Pc::Checkpoints::Checkpoints(Machine& machine, Board& board, std::uint64_t most_bytes)
    : machine_(machine), board_(board), memory_(machine.engine(), machine.memory()), most_bytes_(most_bytes) {
    if (!most_bytes_)
        most_bytes_ = static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) / 2 *
                      static_cast<std::uint64_t>(::sysconf(_SC_PAGE_SIZE));
}

std::uint64_t MachineSnapshot::device_bytes() const {
    std::uint64_t bytes = sizeof core;
    for (const auto& device : devices)
        bytes += device.size();
    return bytes;
}

std::uint64_t Pc::Checkpoints::stored_bytes() const {
    std::uint64_t bytes = RefCounted::bytes_in_use(); // pages, blocks, and the maps of both
    for (const auto& [id, snapshot] : snapshots_)
        bytes += snapshot.device_bytes();
    return bytes;
}

MachineSnapshot Pc::Checkpoints::snapshot() {
    MachineSnapshot now;
    Engine& engine = machine_.engine();
    now.time = engine.now();
    now.resets = machine_.resets();
    now.core = engine.state();
    for (Device* const device : machine_.devices())
        append_bytes(save_state(*device, kElsewhere), now.devices.emplace_back());
    now.media = board_.take_media();
    return now;
}

CheckpointReport Pc::Checkpoints::take(const std::string& name, std::uint64_t ring) {
    if (machine_.state() == MachineState::Failed)
        throw CheckpointError("the engine has failed: there is nothing to go on from");
    CheckpointNode node;
    node.name = name.empty() ? tree_.free_name(ring ? kRingPrefix : "") : name;
    tree_.check_name(node.name);
    // What this one will take is not known beforehand, and at most the guest's memory: the writes that it
    // keeps are there already.
    if (!tree_.nodes().empty() && stored_bytes() >= most_bytes_)
        throw CheckpointError("checkpoints take " + std::to_string(stored_bytes() >> 20) +
                              " MiB of memory, as much as they may: delete some (--checkpoint-memory)");
    const GuestTime began = monotonic_now();
    const StillTime still(machine_);
    board_.begin_layers();
    MachineSnapshot taken = snapshot();
    taken.memory = memory_.capture();
    node.guest_time = taken.time;
    node.taken_at = std::time(nullptr);
    node.ring = ring;
    node.screen = screen_text(board_.vga.snapshot(
        [this](std::uint64_t at, std::span<std::uint8_t> out) { machine_.memory().read(at, out); }));
    CheckpointNode& added = tree_.add(std::move(node));
    snapshots_[added.id] = std::move(taken);
    measure(added);
    return {added.name, added.guest_time, monotonic_now() - began, added.changed_pages, added.changed_bytes};
}

void Pc::Checkpoints::verify() const {
    if (const auto frame = memory_.unnoticed())
        throw CheckpointError("page frame " + std::to_string(*frame) +
                              " was written, and the log of written pages does not say so");
}

void Pc::Checkpoints::measure(CheckpointNode& node) {
    static const MachineSnapshot kNothing;
    const MachineSnapshot& own = snapshots_.at(node.id);
    const auto parent = snapshots_.find(node.parent);
    const MachineSnapshot& before = parent == snapshots_.end() ? kNothing : parent->second;
    node.changed_pages = TrackedMemory::differing_pages(before.memory, own.memory);
    node.changed_bytes =
        node.changed_pages * kStoredPage + differing_bytes(before.media, own.media) + own.device_bytes();
}

CheckpointReport Pc::Checkpoints::go_back(const std::string& name) {
    if (machine_.state() == MachineState::Failed)
        throw CheckpointError("the engine has failed: only quit is left");
    const CheckpointNode* const node = name.empty() ? tree_.at(tree_.present()) : &tree_.find(name);
    if (!node) throw CheckpointError("there is no checkpoint to go back to");
    CheckpointReport report{node->name, node->guest_time, {}, 0, 0};
    const GuestTime began = monotonic_now();
    machine_.engine().freeze_time();
    try {
        put(snapshots_.at(node->id), report);
    } catch (const std::exception& error) {
        machine_.pause();
        throw CheckpointError(std::string(error.what()) +
                              " (the machine is between two states now, and paused: rewind it again)");
    }
    tree_.move_to(node->id);
    machine_.rewound(snapshots_.at(node->id).resets);
    report.pause = monotonic_now() - began;
    return report;
}

void Pc::Checkpoints::put(const MachineSnapshot& snapshot, CheckpointReport& report) {
    const auto put_core = [&] {
        if (!machine_.engine().set_state(snapshot.core, snapshot.time))
            throw CheckpointError("the processor does not take its own state back");
    };
    // As in Pc::restore(): devices reckon with guest time while they are loaded, and drive their lines.
    put_core();
    report.pages = memory_.restore(snapshot.memory);
    put_devices(snapshot);
    put_core();
}

void Pc::Checkpoints::put_devices(const MachineSnapshot& snapshot) {
    board_.put_media(snapshot.media);
    for (std::size_t i = 0; i < snapshot.devices.size(); i++) {
        std::span<const std::uint8_t> bytes = snapshot.devices[i];
        load_state(*machine_.devices()[i], take_section(bytes), kElsewhere);
    }
}

CheckpointList Pc::Checkpoints::list() const {
    CheckpointList list;
    const auto& nodes = tree_.nodes();
    for (const CheckpointTree::Line& line : tree_.lines()) {
        const auto parent = nodes.find(line.node->parent);
        list.lines.push_back({*line.node, parent == nodes.end() ? std::string() : parent->second.name,
                              line.graph, line.node->id == tree_.present()});
    }
    // Without any, what a save under way has read is nobody's yet.
    list.stored_bytes = nodes.empty() ? 0 : stored_bytes();
    return list;
}

void Pc::Checkpoints::remove(const std::string& name) { remove(tree_.find(name).id); }

void Pc::Checkpoints::remove(std::uint64_t id) {
    const std::vector<std::uint64_t> children = tree_.remove(id);
    snapshots_.erase(id);
    for (const std::uint64_t child : children)
        measure(*tree_.at(child));
    // What is known of memory stays, also without any: the next one then reads what is dirty only.
}

void Pc::Checkpoints::take_by_clock(std::size_t most) {
    // The oldest of these make room.
    for (auto node = tree_.nodes().begin(); node != tree_.nodes().end() && stored_bytes() >= most_bytes_;) {
        const CheckpointNode& oldest = (node++)->second;
        if (oldest.ring) remove(oldest.id);
    }
    take({}, ++ring_);
    std::vector<std::uint64_t> kept, gone;
    for (const auto& [id, node] : tree_.nodes())
        if (node.ring) (is_kept(node.ring, ring_) ? kept : gone).push_back(id);
    for (std::size_t i = 0; kept.size() > most + i; i++)
        gone.push_back(kept[i]);
    for (const std::uint64_t id : gone)
        remove(id);
}

std::vector<CommittedImage> Pc::Checkpoints::commit() {
    std::vector<MediaSnapshot*> media;
    for (auto& [id, snapshot] : snapshots_)
        media.push_back(&snapshot.media);
    return board_.commit(media);
}

// ---- the PC's side

CheckpointReport Pc::checkpoint(const std::string& name, bool verify) {
    return machine_->call([&] {
        const CheckpointReport report = checkpoints_->take(name, 0);
        if (verify) checkpoints_->verify();
        return report;
    });
}

CheckpointReport Pc::rewind(const std::string& name, bool set_clock) {
    return machine_->call([&] {
        const CheckpointReport report = checkpoints_->go_back(name);
        if (set_clock) board_->set_clock(config_.clock);
        return report;
    });
}

CheckpointList Pc::checkpoints() {
    return look([this] { return checkpoints_->list(); });
}

void Pc::delete_checkpoint(const std::string& name) {
    machine_->call([&] { checkpoints_->remove(name); });
}

void Pc::rename_checkpoint(const std::string& name, const std::string& to) {
    machine_->call([&] { checkpoints_->rename(name, to); });
}

void Pc::checkpoint_every(GuestTime period, std::size_t most) {
    machine_->call([&] {
        machine_->every(period, [this, most] {
            try {
                checkpoints_->take_by_clock(most);
            } catch (const std::exception& error) {
                machine_->every({}, {});
                add_message(std::string(error.what()) + ": no more checkpoints are taken by the clock");
            }
        });
    });
}

std::vector<CommittedImage> Pc::commit() {
    return look([this] { return checkpoints_->commit(); });
}

std::vector<CommittedImage> Pc::committed() {
    return look([this] { return board_->committed; });
}

} // namespace btvm

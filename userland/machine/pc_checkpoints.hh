// The checkpoints of a PC: for pc.cc and pc_checkpoints.cc.
#pragma once

#include <map>

#include "userland/machine/frozen_machine.hh"
#include "userland/machine/pc_board.hh"
#include "userland/machine/tracked_memory.hh"

namespace btvm {

/// Keeps guest time still as long as it lives.
class StillTime {
public:
    explicit StillTime(Machine& machine) : machine_(machine) { machine_.engine().freeze_time(); }
    ~StillTime() {
        if (machine_.state() == MachineState::Running) machine_.engine().thaw_time();
    }
    StillTime(const StillTime&) = delete;
    StillTime& operator=(const StillTime&) = delete;

private:
    Machine& machine_;
};

/// Only the machine's thread touches them.
struct Pc::Checkpoints {
    /// `most_bytes` of memory for all that stored_bytes() counts; 0: half of what the host has.
    Checkpoints(Machine& machine, Board& board, std::uint64_t most_bytes);

    CheckpointReport take(const std::string& name, std::uint64_t ring);
    void verify() const;
    CheckpointReport go_back(const std::string& name);
    [[nodiscard]] CheckpointList list() const;
    void remove(const std::string& name);
    void rename(const std::string& name, const std::string& to) { tree_.rename(name, to); }
    /// One of the clock's, after which older ones may go; `most` of them are left.
    void take_by_clock(std::size_t most);
    std::vector<CommittedImage> commit();

    // Trees in files (pc_saved_tree.cc).
    /// Puts back the checkpoints that the state has, if it has any, in a machine whose memory and media have
    /// been. Devices and engine are left as one of them had them. Throws StateError.
    void put_back(const SavedMachine& saved);

    // Live saves (pc_freeze.cc). gather(), reserve() and complete() are called from another thread than the
    // machine's.
    /// What reads ahead an image, by number; none: there are no more.
    [[nodiscard]] std::optional<Board::Reading> read_ahead(unsigned number, bool with_tree);
    /// Begins a round of TrackedMemory's; 0: nothing to gain.
    [[nodiscard]] std::uint64_t begin_round();
    void gather(const std::atomic<bool>& give_up) { memory_.gather(give_up); }
    [[nodiscard]] std::uint64_t gathered() const { return memory_.gathered(); }
    /// Makes room for so many pages that freeze() has to copy.
    void reserve(std::uint64_t pages) { memory_.reserve_aside(pages); }
    /// The machine as it is now, which stands still meanwhile; but its memory is set aside until complete().
    /// Throws StateError.
    [[nodiscard]] FrozenMachine freeze(const PcConfig& config, bool with_tree, SaveReport& report);
    void complete(FrozenMachine& frozen) { frozen.machine.memory = memory_.take_aside(); }
    /// What only a save had: for any thread to destroy.
    struct Remains {
        TrackedMemory::Known known;
        PageMap pages; ///< Of that store.
    };
    /// Ends a save; null: nothing has been frozen.
    [[nodiscard]] Remains let_go(std::unique_ptr<FrozenMachine> frozen);

private:
    /// But for memory.
    [[nodiscard]] MachineSnapshot snapshot();
    void put(const MachineSnapshot& snapshot, CheckpointReport& report);
    void put_devices(const MachineSnapshot& snapshot);
    /// Discs that checkpoints know, each once.
    [[nodiscard]] std::vector<std::shared_ptr<DiskImage>> known_discs();
    [[nodiscard]] FrozenTree freeze_tree();
    /// Reckons anew how a checkpoint differs from its parent.
    void measure(CheckpointNode& node);
    void remove(std::uint64_t id);
    /// Memory that checkpoints take, with what is kept of the guest's writes to media.
    [[nodiscard]] std::uint64_t stored_bytes() const;

    Machine& machine_;
    Board& board_;
    TrackedMemory memory_;
    std::map<std::uint64_t, MachineSnapshot> snapshots_; ///< By the tree's numbers.
    CheckpointTree tree_;
    std::uint64_t ring_{}; ///< Taken by the clock so far.
    std::uint64_t most_bytes_;
};

} // namespace btvm

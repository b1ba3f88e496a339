// The checkpoints of a PC: for pc.cc and pc_checkpoints.cc.
#pragma once

#include <map>

#include "userland/machine/media_snapshot.hh"
#include "userland/machine/pc_board.hh"
#include "userland/machine/tracked_memory.hh"

namespace btvm {

/// A machine at one moment.
struct MachineSnapshot {
    GuestTime time{};
    std::uint64_t resets{};
    btvm_state core{};
    std::vector<std::vector<std::uint8_t>>
        devices; ///< A section each, in the order of the machine's devices.
    PageMap memory;
    MediaSnapshot media;

    [[nodiscard]] std::uint64_t device_bytes() const;
};

/// Only the machine's thread touches them.
struct Pc::Checkpoints {
    Checkpoints(Machine& machine, Board& board)
        : machine_(machine), board_(board), memory_(machine.engine(), machine.memory()) {}

    CheckpointReport take(const std::string& name, std::uint64_t ring);
    void verify() const;
    CheckpointReport go_back(const std::string& name);
    [[nodiscard]] CheckpointList list() const;
    void remove(const std::string& name);
    void rename(const std::string& name, const std::string& to) { tree_.rename(name, to); }
    void take_every(GuestTime period, std::size_t most);
    std::vector<CommittedImage> commit();

private:
    [[nodiscard]] MachineSnapshot snapshot();
    void put(const MachineSnapshot& snapshot, CheckpointReport& report);
    /// Reckons anew how a checkpoint differs from its parent.
    void measure(CheckpointNode& node);
    void remove(std::uint64_t id);
    void take_by_clock(std::size_t most);

    Machine& machine_;
    Board& board_;
    TrackedMemory memory_;
    std::map<std::uint64_t, MachineSnapshot> snapshots_; ///< By the tree's numbers.
    CheckpointTree tree_;
    std::uint64_t ring_{}; ///< Taken by the clock so far.
};

} // namespace btvm

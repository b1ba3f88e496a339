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
    /// `most_bytes` of memory for pages; 0: half of what the host has.
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

private:
    [[nodiscard]] MachineSnapshot snapshot();
    void put(const MachineSnapshot& snapshot, CheckpointReport& report);
    /// Reckons anew how a checkpoint differs from its parent.
    void measure(CheckpointNode& node);
    void remove(std::uint64_t id);
    [[nodiscard]] std::uint64_t stored_bytes() const { return memory_.store().pages() * kStoredPage; }

    Machine& machine_;
    Board& board_;
    TrackedMemory memory_;
    std::map<std::uint64_t, MachineSnapshot> snapshots_; ///< By the tree's numbers.
    CheckpointTree tree_;
    std::uint64_t ring_{}; ///< Taken by the clock so far.
    std::uint64_t most_bytes_;
};

} // namespace btvm

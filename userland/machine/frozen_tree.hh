// All checkpoints of a machine, ready to be written with it.
#pragma once

#include <atomic>

#include "userland/machine/saved_tree.hh"

namespace btvm {

struct FrozenMachine;

struct FrozenTree {
    SavedTree saved; ///< Without `differs` of floppies and without checkpoints.
    std::map<std::uint64_t, MachineSnapshot> snapshots;
    std::vector<std::shared_ptr<FloppyImage>> floppies; ///< In the order of saved.floppies.
    std::vector<std::shared_ptr<DiskImage>> discs;      ///< In the order of saved.discs.
};

/// Writes the sections of a frozen machine's tree. From any thread. `pages_done` counts pages. Throws
/// StateError.
void write_tree(StateWriter& writer, const FrozenMachine& frozen, std::atomic<std::uint64_t>& pages_done);

} // namespace btvm

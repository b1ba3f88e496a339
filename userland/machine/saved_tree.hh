// The checkpoints of a machine in a state file: what its sections hold. The section "checkpoints" tells what
// there is, "checkpoint N" one of them, and "checkpoints/..." the pages and blocks that they differ in, each
// once. All of them are optional: who does not know them restores the machine without.
#pragma once

#include <map>
#include <unordered_map>

#include "userland/checkpoint/checkpoint_tree.hh"
#include "userland/machine/machine_description.hh"
#include "userland/machine/machine_snapshot.hh"
#include "userland/state/state_reader.hh"
#include "userland/state/state_writer.hh"

namespace btvm {

inline constexpr std::size_t kMostSavedCheckpoints = 2048; ///< A section each, of 4096 there can be.
inline constexpr std::size_t kMostSavedMedia = 255;        ///< They are told by a byte, counted from 1.
inline constexpr const char* kTreeSection = "checkpoints";
inline constexpr const char* kTreePages = "checkpoints/pages";
/// The blocks of a disk ("hda"), or of a floppy by its number in the tree ("floppy0").
[[nodiscard]] std::string tree_blocks_section(const std::string& medium);
[[nodiscard]] std::string checkpoint_section(std::uint64_t id);

/// How a map of pages or blocks differs from another one.
struct SavedDifferences {
    std::vector<std::uint32_t> places; ///< Page frames, or numbers of units of the medium; they rise.
    std::vector<std::uint32_t> blocks; ///< What is there, counted from 1 in the pool; 0: nothing (see below).

    void describe(StateArchive& archive);
};

/// A floppy that has been in a drive since the first checkpoint.
struct SavedFloppy {
    MediumDescription medium; ///< Without a slot: it is in no drive now ...
    SavedDifferences differs; ///< ... and so differs from its image.

    void describe(StateArchive& archive);
};

struct SavedFloppyChanges {
    std::uint32_t floppy{}; ///< By its number in the tree.
    SavedDifferences differs;

    void describe(StateArchive& archive);
};

struct SavedDiskChanges {
    std::string slot;
    SavedDifferences differs;

    void describe(StateArchive& archive);
};

/// A section "checkpoint N". Memory and media are told by how they differ from the parent's, or, without a
/// parent, from what the machine has now. A page that is nothing is zeros, a block of a medium as in the
/// image.
struct SavedCheckpoint {
    CheckpointNode node;
    std::uint64_t resets{};
    std::array<std::uint8_t, kFloppyDrives> floppies{}; ///< In the drives, counted from 1; 0: none.
    std::array<std::uint8_t, kAtaDrives> discs{};
    SavedDifferences memory;
    std::vector<SavedFloppyChanges> floppy_changes; ///< Of all floppies that were known then.
    std::vector<SavedDiskChanges> disk_changes;
    std::vector<StateSection> parts; ///< The engine's and the devices' states.

    void describe(StateArchive& archive); ///< All but the parts.
};

/// The section "checkpoints".
struct SavedTree {
    std::vector<std::uint64_t> ids; ///< Rising, parents before children.
    std::uint64_t present{};        ///< 0: none.
    std::uint64_t last_id{};        ///< That has been given so far.
    std::uint64_t ring{};           ///< How many the clock has taken.
    std::vector<SavedFloppy> floppies;
    std::vector<MediumDescription> discs; ///< Of CD-ROM drives; those in one now have a slot.

    // From the other sections.
    std::vector<SavedCheckpoint> checkpoints; ///< In the order of `ids`.
    CheckpointTree tree;

    void describe(StateArchive& archive);
};

[[nodiscard]] StateSection save_checkpoint(SavedCheckpoint& checkpoint);
/// The checkpoints in a state; none: there are none. Throws StateError, also if they do not fit each other or
/// what else is in the file.
[[nodiscard]] std::optional<SavedTree> load_tree(const StateReader& reader);

/// Blocks that go into a section of their own, each once.
template <class Block>
class BlockPool {
public:
    /// How `to` differs from `from`.
    SavedDifferences compare(const BlockMap<Block>& from, const BlockMap<Block>& to) {
        SavedDifferences out;
        BlockMap<Block>::for_each_difference(from, to,
                                             [&](std::uint64_t place, const Block*, const Block* block) {
                                                 out.places.push_back(static_cast<std::uint32_t>(place));
                                                 out.blocks.push_back(block ? number_of(block) : 0);
                                             });
        return out;
    }
    [[nodiscard]] const std::vector<const Block*>& blocks() const { return blocks_; }

private:
    std::uint32_t number_of(const Block* block) {
        const auto [found, is_new] =
            numbers_.try_emplace(block, static_cast<std::uint32_t>(blocks_.size() + 1));
        if (is_new) blocks_.push_back(block);
        return found->second;
    }

    std::vector<const Block*> blocks_;
    std::unordered_map<const Block*, std::uint32_t> numbers_;
};

} // namespace btvm

#include "userland/machine/frozen_tree.hh"

#include <algorithm>

#include "userland/machine/engine_state.hh"
#include "userland/machine/frozen_machine.hh"

namespace btvm {

namespace {

constexpr auto kOptional = StateWriter::Need::Optional;

template <class Block>
std::span<const std::uint8_t> bytes_of(const Block& block) {
    if constexpr (requires { block.bytes(); })
        return block.bytes();
    else
        return block.bytes;
}

template <class Block>
void write_pool(StateWriter& writer, const std::string& name, const BlockPool<Block>& pool,
                std::atomic<std::uint64_t>* done = nullptr) {
    const auto& blocks = pool.blocks();
    if (blocks.empty()) return;
    const std::size_t unit = bytes_of(*blocks.front()).size();
    PageEncoder encoder({0, blocks.size() * unit, static_cast<std::uint32_t>(unit), PageBase::Zero});
    for (std::size_t i = 0; i < blocks.size(); i++) {
        encoder.add(i, bytes_of(*blocks[i]));
        if (done) ++*done;
    }
    writer.pages(name, std::move(encoder), kOptional);
}

/// Puts together what checkpoints differ in.
class TreeWriter {
public:
    explicit TreeWriter(const FrozenMachine& frozen) : frozen_(frozen), tree_(*frozen.tree) {}

    void write(StateWriter& writer, std::atomic<std::uint64_t>& pages_done) {
        SavedTree saved = tree_.saved;
        for (std::size_t i = 0; i < saved.floppies.size(); i++)
            if (saved.floppies[i].medium.slot.empty())
                saved.floppies[i].differs = floppy_pools_[i].compare({}, changes_of(i, frozen_.machine));
        writer.fields(save_state(kTreeSection, saved), kOptional);
        for (const std::uint64_t id : saved.ids) {
            SavedCheckpoint checkpoint = compare(saved.tree.nodes().at(id));
            writer.fields(save_checkpoint(checkpoint), kOptional);
        }
        write_pool(writer, kTreePages, pages_, &pages_done);
        for (const auto& [number, pool] : floppy_pools_)
            write_pool(writer, tree_blocks_section("floppy" + std::to_string(number)), pool);
        for (const auto& [number, pool] : disk_pools_)
            write_pool(writer, tree_blocks_section(kIdeSlots[number]), pool);
    }

private:
    /// What a floppy had then; nothing if it was not known.
    [[nodiscard]] const FloppyImage::Changes& changes_of(std::size_t floppy, const MachineSnapshot& at) {
        static const FloppyImage::Changes kNone;
        const auto found =
            std::find_if(at.media.floppies.begin(), at.media.floppies.end(),
                         [&](const auto& medium) { return medium.image == tree_.floppies[floppy]; });
        return found == at.media.floppies.end() ? kNone : found->changes;
    }

    template <class Image>
    static std::size_t number_of(const std::vector<std::shared_ptr<Image>>& images,
                                 const std::shared_ptr<Image>& image) {
        return static_cast<std::size_t>(std::find(images.begin(), images.end(), image) - images.begin());
    }

    SavedCheckpoint compare(const CheckpointNode& node) {
        const MachineSnapshot& own = tree_.snapshots.at(node.id);
        const auto parent = tree_.snapshots.find(node.parent);
        const MachineSnapshot& base = parent == tree_.snapshots.end() ? frozen_.machine : parent->second;
        SavedCheckpoint out;
        out.node = node;
        out.resets = own.resets;
        for (unsigned drive = 0; drive < kFloppyDrives; drive++)
            if (const auto& image = own.media.in_drive[drive])
                out.floppies[drive] = static_cast<std::uint8_t>(number_of(tree_.floppies, image) + 1);
        for (unsigned drive = 0; drive < kAtaDrives; drive++) {
            if (const auto& disc = own.media.discs[drive])
                out.discs[drive] = static_cast<std::uint8_t>(number_of(tree_.discs, disc) + 1);
            if (frozen_.description.ide_drives[drive] == 1)
                out.disk_changes.push_back(
                    {kIdeSlots[drive],
                     disk_pools_[drive].compare(base.media.disks[drive], own.media.disks[drive])});
        }
        out.memory = pages_.compare(base.memory, own.memory);
        for (const auto& medium : own.media.floppies) {
            const std::size_t number = number_of(tree_.floppies, medium.image);
            out.floppy_changes.push_back(
                {static_cast<std::uint32_t>(number),
                 floppy_pools_[number].compare(changes_of(number, base), medium.changes)});
        }
        out.parts = save_engine({own.core, own.time});
        for (std::span<const std::uint8_t> device : own.devices)
            out.parts.push_back(take_section(device));
        return out;
    }

    const FrozenMachine& frozen_;
    const FrozenTree& tree_;
    BlockPool<PageStore::Page> pages_;
    std::map<std::size_t, BlockPool<FloppyImage::Changes::Unit>> floppy_pools_;
    std::map<unsigned, BlockPool<DiskImage::Changes::Unit>> disk_pools_;
};

} // namespace

void write_tree(StateWriter& writer, const FrozenMachine& frozen, std::atomic<std::uint64_t>& pages_done) {
    if (frozen.tree) TreeWriter(frozen).write(writer, pages_done);
}

} // namespace btvm

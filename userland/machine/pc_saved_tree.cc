// The tree of checkpoints to a file and back: what the machine's thread does for it.
#include <algorithm>

#include "userland/devices/state.hh"
#include "userland/machine/engine_state.hh"
#include "userland/machine/pc_checkpoints.hh"
#include "userland/machine/saved_tree.hh"

namespace btvm {

using state_format::Type;

namespace {

constexpr const char* kGone = ": is not what checkpoints of the saved machine know by that name";

/// Slots of CD-ROM drives and floppies, for what is in one at present.
unsigned slot_number(std::span<const char* const> slots, const std::string& slot) {
    return static_cast<unsigned>(std::find(slots.begin(), slots.end(), slot) - slots.begin());
}

/// The blocks of a pool, in their order; `make` makes one from its bytes. load_tree() has looked at its size.
template <class Block, class Make>
std::vector<Ref<Block>> load_pool(const StateReader& reader, const std::string& name, Make make) {
    std::vector<Ref<Block>> blocks;
    const StateEntry* const entry = reader.find(name);
    if (!entry) return blocks;
    const std::vector<std::uint8_t> payload = reader.payload(reader.get(name, Type::Pages));
    const PageSet set = page_set(payload, name);
    const std::vector<std::uint8_t> zeros(set.unit);
    const auto fill = [&](std::uint64_t end) { // what no run has
        while (blocks.size() < end)
            blocks.push_back(make(zeros));
    };
    decode_pages(payload, name, [&](std::uint64_t index, std::span<const std::uint8_t> units) {
        fill(index);
        for (; !units.empty(); units = units.subspan(set.unit))
            blocks.push_back(make(units.first(set.unit)));
    });
    fill(set.units());
    return blocks;
}

template <class Block>
void apply(BlockMap<Block>& map, const SavedDifferences& differs, const std::vector<Ref<Block>>& pool) {
    for (std::size_t i = 0; i < differs.places.size(); i++) {
        const std::uint32_t block = differs.blocks[i];
        if (block > pool.size()) throw StateError("a block that is not there");
        map.set(differs.places[i], block ? pool[block - 1] : Ref<Block>());
    }
}

template <class Image>
std::vector<Ref<typename Image::Changes::Unit>> load_blocks(const StateReader& reader,
                                                            const std::string& medium) {
    using Unit = typename Image::Changes::Unit;
    return load_pool<Unit>(reader, tree_blocks_section(medium),
                           [](std::span<const std::uint8_t> bytes) { return make_ref<Unit>(bytes); });
}

} // namespace

std::vector<std::shared_ptr<DiskImage>> Pc::Checkpoints::known_discs() {
    std::vector<std::shared_ptr<DiskImage>> discs;
    const auto add = [&discs](const std::shared_ptr<DiskImage>& disc) {
        if (disc && std::find(discs.begin(), discs.end(), disc) == discs.end()) discs.push_back(disc);
    };
    for (unsigned drive = 0; drive < kAtaDrives; drive++)
        if (const AtapiCdrom* const each = board_.cdrom(drive)) add(each->share_medium());
    for (const auto& [id, snapshot] : snapshots_)
        for (const auto& disc : snapshot.media.discs)
            add(disc);
    return discs;
}

FrozenTree Pc::Checkpoints::freeze_tree() {
    FrozenTree frozen;
    frozen.saved.tree = tree_;
    for (const auto& [id, node] : tree_.nodes())
        frozen.saved.ids.push_back(id);
    if (frozen.saved.ids.size() > kMostSavedCheckpoints)
        throw StateError("a state has room for " + std::to_string(kMostSavedCheckpoints) + " checkpoints");
    frozen.saved.present = tree_.present();
    frozen.saved.last_id = tree_.last_id();
    frozen.saved.ring = ring_;
    frozen.snapshots = snapshots_;
    frozen.floppies = board_.shelf;
    frozen.discs = known_discs();
    if (std::max(frozen.floppies.size(), frozen.discs.size()) > kMostSavedMedia)
        throw StateError("a state has room for " + std::to_string(kMostSavedMedia) + " floppies and CDs");
    for (const auto& floppy : frozen.floppies) {
        SavedFloppy& saved = frozen.saved.floppies.emplace_back();
        saved.medium = board_.describe(*floppy, floppy->read_only());
        for (unsigned drive = 0; drive < kFloppyDrives; drive++)
            if (board_.fdc.medium(drive) == floppy.get()) saved.medium.slot = kFloppySlots[drive];
    }
    for (const auto& disc : frozen.discs) {
        MediumDescription& saved = frozen.saved.discs.emplace_back(board_.describe(*disc));
        for (unsigned drive = 0; drive < kAtaDrives; drive++)
            if (const AtapiCdrom* const each = board_.cdrom(drive); each && each->medium() == disc.get())
                saved.slot = kIdeSlots[drive];
    }
    return frozen;
}

/// Builds a tree's snapshots.
class Pc::TreeBuilder {
public:
    TreeBuilder(const StateReader& reader, const SavedTree& tree, Machine& machine, Board& board,
                TrackedMemory& memory)
        : reader_(reader), tree_(tree), machine_(machine), board_(board), memory_(memory),
          pages_(load_pool<PageStore::Page>(reader, kTreePages, [&](std::span<const std::uint8_t> bytes) {
              return memory.store_page(bytes.first<kStoredPage>());
          })) {
        board.begin_layers();
        take_floppies();
        take_discs();
        present_.memory = memory.capture();
        present_.media = board.take_media();
    }

    [[nodiscard]] const MachineSnapshot& present() const { return present_; }

    MachineSnapshot build(const SavedCheckpoint& saved, const MachineSnapshot& base) {
        for (const std::uint32_t frame : saved.memory.places)
            if (!memory_.holds(frame)) throw StateError("a place where there is no memory");
        MachineSnapshot out;
        out.resets = saved.resets;
        out.memory = base.memory;
        apply(out.memory, saved.memory, pages_);
        put_media(saved, base, out.media);
        put_parts(saved, out);
        return out;
    }

private:
    template <class Image>
    void require_same(const Image& image, const MediumDescription& saved, MediumDescription now) {
        if (now.bytes != saved.bytes || now.digest != saved.digest) throw StateError(image.path() + kGone);
    }

    void take_floppies() {
        for (std::size_t i = 0; i < tree_.floppies.size(); i++) {
            const SavedFloppy& saved = tree_.floppies[i];
            floppy_blocks_.push_back(load_blocks<FloppyImage>(reader_, "floppy" + std::to_string(i)));
            std::shared_ptr<FloppyImage> image;
            if (!saved.medium.slot.empty()) {
                image = board_.fdc.share_medium(slot_number(kFloppySlots, saved.medium.slot));
            } else {
                image =
                    board_.told(FloppyImage::open(saved.medium.path, {.read_only = saved.medium.write_protect,
                                                                      .snapshot = saved.medium.snapshot}));
                require_same(*image, saved.medium, board_.describe(*image, saved.medium.write_protect));
                image->begin_layer();
                FloppyImage::Changes changes = image->changes();
                apply(changes, saved.differs, floppy_blocks_.back());
                image->set_changes(changes);
                board_.shelf.push_back(image);
            }
            floppies_.push_back(std::move(image));
        }
    }

    void take_discs() {
        for (const MediumDescription& saved : tree_.discs) {
            std::shared_ptr<DiskImage> disc;
            if (!saved.slot.empty()) {
                disc = board_.cdrom(slot_number(kIdeSlots, saved.slot))->share_medium();
            } else {
                disc = board_.told(AtapiCdrom::open(saved.path));
                require_same(*disc, saved, board_.describe(*disc));
            }
            discs_.push_back(std::move(disc));
        }
    }

    void put_media(const SavedCheckpoint& saved, const MachineSnapshot& base, MediaSnapshot& out) {
        for (const SavedFloppyChanges& each : saved.floppy_changes) {
            const auto& image = floppies_[each.floppy];
            const auto before = std::find_if(base.media.floppies.begin(), base.media.floppies.end(),
                                             [&](const auto& medium) { return medium.image == image; });
            FloppyImage::Changes changes(image->geometry().total_sectors());
            if (before != base.media.floppies.end()) changes = before->changes;
            apply(changes, each.differs, floppy_blocks_[each.floppy]);
            out.floppies.push_back({image, changes});
        }
        for (unsigned drive = 0; drive < kFloppyDrives; drive++) {
            if (!saved.floppies[drive]) continue;
            const auto& image = floppies_[saved.floppies[drive] - 1u];
            out.in_drive[drive] = image;
            out.configs[drive] = {image->path(), image->snapshot(), image->read_only()};
        }
        out.disks = base.media.disks;
        for (const SavedDiskChanges& each : saved.disk_changes) {
            const unsigned drive = slot_number(kIdeSlots, each.slot);
            if (!disk_blocks_.contains(drive))
                disk_blocks_[drive] = load_blocks<DiskImage>(reader_, each.slot);
            apply(out.disks[drive], each.differs, disk_blocks_[drive]);
        }
        for (unsigned drive = 0; drive < kAtaDrives; drive++)
            if (saved.discs[drive]) out.discs[drive] = discs_[saved.discs[drive] - 1u];
    }

    void put_parts(const SavedCheckpoint& saved, MachineSnapshot& out) {
        const auto part = [&saved](std::string_view name) -> const StateSection& {
            for (const StateSection& each : saved.parts)
                if (each.name == name) return each;
            throw StateError("has no part \"" + std::string(name) + "\"");
        };
        std::vector<StateSection> core;
        for (const char* const name : kEngineSections)
            core.push_back(part(name));
        const EngineState engine = load_engine(core);
        out.core = engine.core;
        out.time = engine.time;
        for (const Device* const device : machine_.devices())
            append_bytes(part(device->name()), out.devices.emplace_back());
        if (saved.parts.size() != std::size(kEngineSections) + machine_.devices().size())
            throw StateError("has parts that this program does not know");
    }

    const StateReader& reader_;
    const SavedTree& tree_;
    Machine& machine_;
    Board& board_;
    const TrackedMemory& memory_;
    std::vector<Ref<PageStore::Page>> pages_;
    std::vector<std::shared_ptr<FloppyImage>> floppies_;
    std::vector<std::shared_ptr<DiskImage>> discs_;
    std::vector<std::vector<Ref<FloppyImage::Changes::Unit>>> floppy_blocks_;
    std::map<unsigned, std::vector<Ref<DiskImage::Changes::Unit>>> disk_blocks_;
    MachineSnapshot present_;
};

void Pc::Checkpoints::put_back(const SavedMachine& saved) {
    const std::optional<SavedTree> tree = load_tree(saved.reader());
    if (!tree) return;
    TreeBuilder builder(saved.reader(), *tree, machine_, board_, memory_);
    for (const SavedCheckpoint& checkpoint : tree->checkpoints)
        try {
            const auto parent = snapshots_.find(checkpoint.node.parent);
            MachineSnapshot& built = snapshots_[checkpoint.node.id] =
                builder.build(checkpoint, parent == snapshots_.end() ? builder.present() : parent->second);
            // What a device does not take is found now, and not when somebody wants to go back there.
            if (!machine_.engine().set_state(built.core, built.time))
                throw StateError("its processor had features that cannot be had here");
            put_devices(built);
            tree_.put_back(checkpoint.node);
            measure(*tree_.at(checkpoint.node.id));
        } catch (const std::exception& error) {
            throw StateError(checkpoint_section(checkpoint.node.id) + ": " + error.what());
        }
    tree_.put_back(tree->present, tree->last_id);
    ring_ = tree->ring;
    board_.put_media(builder.present().media);
}

} // namespace btvm

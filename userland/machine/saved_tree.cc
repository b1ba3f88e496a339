#include "userland/machine/saved_tree.hh"

#include <algorithm>

#include "userland/devices/guest_time.hh"
#include "userland/machine/utf8.hh"

namespace btvm {

using state_format::Type;

namespace {

constexpr const char* kParts = "parts";

template <class Numbers>
bool rise(const Numbers& numbers) {
    return std::adjacent_find(numbers.begin(), numbers.end(), std::greater_equal<>()) == numbers.end();
}

/// A section's fields as a group in another one, which keeps its version.
StateNode group_of(StateSection section) {
    StateNode version, state, group;
    version.name = "version";
    version.type = StateNode::Type::U32;
    version.number = section.version;
    state.name = "state";
    state.type = StateNode::Type::Group;
    state.children = std::move(section.fields);
    group.name = std::move(section.name);
    group.type = StateNode::Type::Group;
    group.children = {std::move(version), std::move(state)};
    return group;
}

StateSection section_of(const StateNode& group) {
    if (group.type != StateNode::Type::Group || group.children.size() != 2 ||
        group.children[0].type != StateNode::Type::U32 || group.children[1].type != StateNode::Type::Group)
        throw StateError(std::string(kParts) + "." + group.name + ": not the state of a part");
    return {group.name, static_cast<std::uint32_t>(group.children[0].number), group.children[1].children};
}

} // namespace

std::string tree_blocks_section(const std::string& medium) { return "checkpoints/" + medium; }

std::string checkpoint_section(std::uint64_t id) { return "checkpoint " + std::to_string(id); }

void SavedDifferences::describe(StateArchive& a) {
    a.field("places", places);
    a.field("blocks", blocks);
    a.check(places.size() == blocks.size(), "places and blocks: not as many of each");
    a.check(rise(places), "places: they do not rise");
}

void SavedFloppy::describe(StateArchive& a) {
    a.field("medium", medium);
    a.field("differs", differs);
}

void SavedFloppyChanges::describe(StateArchive& a) {
    a.field("floppy", floppy);
    a.field("differs", differs);
}

void SavedDiskChanges::describe(StateArchive& a) {
    a.field("slot", slot, {.max_count = 16});
    a.field("differs", differs);
}

void SavedTree::describe(StateArchive& a) {
    a.field("ids", ids, {.max_count = kMostSavedCheckpoints});
    a.field("present", present);
    a.field("last_id", last_id);
    a.field("ring", ring);
    a.field("floppies", floppies, {.max_count = kMostSavedMedia});
    a.field("discs", discs, {.max_count = kMostSavedMedia});
    const auto known = [this](std::uint64_t id) {
        return std::find(ids.begin(), ids.end(), id) != ids.end();
    };
    a.check(present == 0 || known(present), "present: no checkpoint of this tree");
    a.check(rise(ids), "ids: they do not rise");
    a.check(ids.empty() || (ids.front() > 0 && ids.back() <= last_id), "ids: beyond those that were given");
    a.check(last_id < std::uint64_t{1} << 63 && ring < std::uint64_t{1} << 63,
            "last_id: an impossible number");
}

void SavedCheckpoint::describe(StateArchive& a) {
    a.field("parent", node.parent);
    a.field("name", node.name, {.max_count = CheckpointTree::kMostName});
    a.field("guest_time", node.guest_time);
    a.field("taken_at", node.taken_at);
    a.field("ring", node.ring);
    a.field("screen", node.screen);
    a.field("resets", resets);
    a.field("floppies", floppies);
    a.field("discs", discs);
    a.field("memory", memory);
    a.field("floppy_changes", floppy_changes, {.max_count = kMostSavedMedia});
    a.field("disk_changes", disk_changes, {.max_count = kAtaDrives});
}

StateSection save_checkpoint(SavedCheckpoint& checkpoint) {
    StateSection section = save_state(checkpoint_section(checkpoint.node.id), checkpoint);
    StateNode parts;
    parts.name = kParts;
    parts.type = StateNode::Type::Group;
    for (StateSection& part : checkpoint.parts)
        parts.children.push_back(group_of(std::move(part)));
    section.fields.push_back(std::move(parts));
    return section;
}

namespace {

SavedCheckpoint load_checkpoint(const StateReader& reader, std::uint64_t id) {
    const std::string name = checkpoint_section(id);
    StateSection section = reader.fields(reader.get(name, Type::Fields));
    const auto parts = std::find_if(section.fields.begin(), section.fields.end(), [](const StateNode& field) {
        return field.name == kParts && field.type == StateNode::Type::Group;
    });
    if (parts == section.fields.end()) throw StateError(name + ": has no parts");
    SavedCheckpoint checkpoint;
    for (const StateNode& part : parts->children)
        checkpoint.parts.push_back(section_of(part));
    section.fields.erase(parts);
    load_state(checkpoint, section);
    checkpoint.node.id = id;
    return checkpoint;
}

/// Looks whether what checkpoints say fits what else is in the file.
class TreeCheck {
public:
    TreeCheck(const StateReader& reader, const SavedTree& tree) : reader_(reader), tree_(tree) {
        load_state(machine_, reader.fields(reader.get(kMachineSection, Type::Fields)));
        for (const StateEntry& entry : reader.entries())
            if (entry.name.starts_with("memory/") && entry.type == Type::Pages) {
                const PageSet set = page_set(reader.payload(entry), entry.name);
                memory_.emplace_back(set.first / kStoredPage, (set.first + set.size) / kStoredPage);
            }
    }

    void tree() {
        for (std::size_t i = 0; i < tree_.floppies.size(); i++) {
            slot(tree_.floppies[i].medium, "floppy");
            blocks(tree_.floppies[i].differs, tree_.floppies[i].medium.bytes, FloppyImage::kChangeUnit,
                   "floppy" + std::to_string(i));
        }
        for (const MediumDescription& disc : tree_.discs)
            slot(disc, "cdrom");
    }

    void checkpoint(const SavedCheckpoint& checkpoint, const CheckpointTree& before) {
        before.check_name(checkpoint.node.name);
        std::string rows = checkpoint.node.screen; // it is printed, too
        std::erase(rows, '\n');
        require(plain(rows) == rows, "screen: not text");
        require(!checkpoint.node.parent || before.nodes().contains(checkpoint.node.parent), "no such parent");
        require(plausible_time(checkpoint.node.guest_time), "beyond any guest's life");
        for (const std::uint8_t floppy : checkpoint.floppies)
            require(floppy <= tree_.floppies.size(), "no such floppy");
        for (const std::uint8_t disc : checkpoint.discs)
            require(disc <= tree_.discs.size(), "no such disc");
        places(checkpoint.memory, pool(kTreePages, kStoredPage), [this](std::uint32_t frame) {
            return std::any_of(memory_.begin(), memory_.end(), [frame](const auto& region) {
                return frame >= region.first && frame < region.second;
            });
        });
        for (const SavedFloppyChanges& each : checkpoint.floppy_changes) {
            require(each.floppy < tree_.floppies.size(), "no such floppy");
            blocks(each.differs, tree_.floppies[each.floppy].medium.bytes, FloppyImage::kChangeUnit,
                   "floppy" + std::to_string(each.floppy));
        }
        for (const SavedDiskChanges& each : checkpoint.disk_changes) {
            const MediumDescription* const disk = machine_.medium(each.slot);
            require(disk && disk->kind == "disk", "no such disk");
            blocks(each.differs, disk->bytes, DiskImage::kChangeUnit, each.slot);
        }
    }

    /// After all checkpoints. Blocks of zeros cost nothing in the file, but memory here: so there is none
    /// that nobody refers to.
    void pools() {
        (void)pool(kTreePages, kStoredPage);
        for (const auto& [name, pool] : pools_)
            if (pool.blocks > pool.references) throw StateError(name + ": has blocks that nobody has");
    }

private:
    static void require(bool good, const char* what) {
        if (!good) throw StateError(what);
    }
    /// A medium that is in a drive now is the one that is there.
    void slot(const MediumDescription& medium, const char* kind) {
        require(medium.kind == kind, "a medium of another kind");
        if (medium.slot.empty()) return;
        const MediumDescription* const there = machine_.medium(medium.slot);
        require(there && there->kind == kind && there->bytes == medium.bytes, "not what is in that drive");
    }
    struct Pool {
        std::uint64_t blocks{};
        std::uint64_t references{};
    };
    template <class Good>
    static void places(const SavedDifferences& differs, Pool& pool, Good good) {
        require(std::all_of(differs.places.begin(), differs.places.end(), good), "a place beyond the end");
        for (const std::uint32_t block : differs.blocks) {
            require(block <= pool.blocks, "a block that is not there");
            if (block) pool.references++;
        }
    }
    void blocks(const SavedDifferences& differs, std::uint64_t bytes, std::size_t unit,
                const std::string& name) {
        places(differs, pool(tree_blocks_section(name), unit),
               [units = (bytes + unit - 1) / unit](std::uint32_t place) { return place < units; });
    }
    Pool& pool(const std::string& name, std::size_t unit) {
        const auto [found, is_new] = pools_.try_emplace(name);
        Pool& pool = found->second;
        if (is_new && reader_.find(name)) {
            const PageSet set = page_set(reader_.payload(reader_.get(name, Type::Pages)), name);
            require(set.unit == unit && set.base == PageBase::Zero && set.size % unit == 0,
                    "blocks of another size");
            pool.blocks = set.units();
        }
        return pool;
    }

    const StateReader& reader_;
    const SavedTree& tree_;
    MachineDescription machine_;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> memory_; ///< Page frames, from and to.
    std::map<std::string, Pool> pools_;
};

} // namespace

std::optional<SavedTree> load_tree(const StateReader& reader) {
    if (!reader.find(kTreeSection)) return std::nullopt;
    SavedTree saved;
    load_state(saved, reader.fields(reader.get(kTreeSection, Type::Fields)));
    std::string name = kTreeSection;
    try {
        TreeCheck check(reader, saved);
        check.tree();
        for (const std::uint64_t id : saved.ids) {
            name = checkpoint_section(id);
            saved.checkpoints.push_back(load_checkpoint(reader, id));
            check.checkpoint(saved.checkpoints.back(), saved.tree);
            saved.tree.put_back(saved.checkpoints.back().node);
        }
        name = kTreeSection;
        check.pools();
        saved.tree.put_back(saved.present, saved.last_id);
    } catch (const std::exception& error) {
        throw StateError(name + ": " + error.what());
    }
    return saved;
}

} // namespace btvm

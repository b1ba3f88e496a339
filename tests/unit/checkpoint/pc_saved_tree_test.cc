// Trees of checkpoints in state files: to a file and back in a fresh machine, on the hosted engine.
#include <chrono>
#include <cstring>
#include <gtest/gtest.h>
#include <thread>

#include "tests/unit/ata/temporary_disk.hh"
#include "tests/unit/machine/disk_worker.hh"
#include "userland/machine/saved_machine.hh"
#include "userland/machine/saved_tree.hh"

namespace btvm {
namespace {

using namespace std::chrono_literals;
using state_format::Type;
using test::TemporaryDisk;
using Bytes = std::vector<std::uint8_t>;
using Change = std::function<void(StateSection&)>;

/// Adds 1 to the first word of one page after the other from 64 KiB to 576 KiB, with a pause after each, for
/// ever: so that checkpoints differ from each other in pages in which others do not.
const std::vector<std::uint8_t> kWalker{
    0xfa,                         // cli
    0xb8, 0x00, 0x10,             // first: mov ax,1000h
    0x8e, 0xc0,                   // next: mov es,ax
    0x26, 0xff, 0x06, 0x00, 0x00, // inc word [es:0]
    0xb9, 0x00, 0x08, 0xe2, 0xfe, // mov cx,800h; loop $
    0x05, 0x00, 0x01,             // add ax,100h
    0x3d, 0x00, 0x90, 0x72, 0xec, // cmp ax,9000h; jb next
    0xeb, 0xe7                    // jmp first
};

class SavedTrees : public testing::Test {
protected:
    PcConfig worker(const std::vector<std::uint8_t>& code = kWorker) {
        return worker_config(code, disk.path(), false);
    }
    [[nodiscard]] std::string file(const std::string& name = "state") const {
        return disk.path() + "." + name;
    }
    std::unique_ptr<Pc> restored() {
        const SavedMachine saved(file());
        PcConfig config;
        config.engine_choice = EngineChoice::Interpreter;
        saved.configure(config, {});
        auto pc = std::make_unique<Pc>(config);
        pc->restore(saved);
        return pc;
    }
    std::string refusal() {
        try {
            restored();
        } catch (const std::exception& error) {
            return error.what();
        }
        return "";
    }
    static bool halts(const Pc& pc) {
        const auto end = std::chrono::steady_clock::now() + 60s;
        while (pc.state() != MachineState::Halted && std::chrono::steady_clock::now() < end)
            std::this_thread::sleep_for(1ms);
        return pc.state() == MachineState::Halted;
    }
    /// All of memory and of the disk, and the processor, of a machine that stands still.
    Bytes content(Pc& pc) {
        (void)pc.save(file("content"));
        const StateReader reader(open_state_file(file("content")));
        Bytes all;
        for (const StateEntry& entry : reader.entries()) {
            if (!entry.name.starts_with("memory/") && entry.name != "media/hda") continue;
            const Bytes payload = reader.payload(entry);
            const PageSet set = page_set(payload, entry.name);
            Bytes bytes = set.base == PageBase::Image ? disk.content() : Bytes();
            bytes.resize(set.units() * set.unit);
            decode_pages(payload, entry.name, [&](std::uint64_t index, std::span<const std::uint8_t> units) {
                std::copy(units.begin(), units.end(),
                          bytes.begin() + static_cast<std::ptrdiff_t>(index * set.unit));
            });
            all.insert(all.end(), bytes.begin(), bytes.end());
        }
        const btvm_regs general = pc.registers().general;
        const auto* const registers = reinterpret_cast<const std::uint8_t*>(&general);
        all.insert(all.end(), registers, registers + sizeof general);
        return all;
    }
    static std::map<std::string, CheckpointList::Line> lines(Pc& pc) {
        std::map<std::string, CheckpointList::Line> out;
        for (CheckpointList::Line& line : pc.checkpoints().lines)
            out[line.node.name] = line;
        return out;
    }
    /// A machine with a tree: a - b - d, a - c, and e, a root of its own since its parent is gone. It stands
    /// still after c, a little later.
    std::unique_ptr<Pc> grown(const std::vector<std::uint8_t>& code = kWorker) {
        auto pc = std::make_unique<Pc>(worker(code));
        pc->start();
        const auto take = [&](const char* name) {
            std::this_thread::sleep_for(6ms);
            (void)pc->checkpoint(name, true);
        };
        take("gone");
        take("e");
        (void)pc->rewind("gone");
        pc->delete_checkpoint("gone");
        for (const char* const name : {"a", "b", "d"})
            take(name);
        (void)pc->rewind("a");
        take("c");
        std::this_thread::sleep_for(6ms);
        pc->pause();
        return pc;
    }
    /// Saves a state again with sections changed, or, by a change that is none, without.
    void rewrite(const std::map<std::string, Change>& changes) {
        const StateReader reader(open_state_file(file("good")));
        StateWriter writer(file());
        for (const StateEntry& entry : reader.entries()) {
            const auto need = entry.required() ? StateWriter::Need::Required : StateWriter::Need::Optional;
            const auto change = changes.find(entry.name);
            if (change != changes.end() && !change->second) continue;
            if (entry.type == Type::Fields) {
                StateSection section = reader.fields(entry);
                if (change != changes.end()) change->second(section);
                writer.fields(section, need);
            } else if (entry.type == Type::Pages) {
                const Bytes payload = reader.payload(entry);
                PageEncoder encoder(page_set(payload, entry.name));
                decode_pages(payload, entry.name, [&](std::uint64_t at, std::span<const std::uint8_t> units) {
                    encoder.add(at, units);
                });
                writer.pages(entry.name, std::move(encoder), need);
            } else if (entry.type == Type::Text) {
                writer.text(entry.name, reader.text(entry), need);
            } else {
                writer.bytes(entry.name, reader.payload(entry), need);
            }
        }
        writer.finish();
    }
    static StateNode& field(std::vector<StateNode>& fields, const std::string& name) {
        for (StateNode& each : fields)
            if (each.name == name) return each;
        throw std::runtime_error("no field " + name);
    }

    TemporaryDisk disk{2048};
};

TEST_F(SavedTrees, AllComesBackInAFreshMachine) {
    std::map<std::string, Bytes> contents;
    std::map<std::string, CheckpointList::Line> before;
    Bytes present;
    {
        const auto pc = grown();
        present = content(*pc);
        (void)pc->save(file(), {.tree = true, .watch = {}});
        before = lines(*pc);
        ASSERT_EQ(before.size(), 5u);
        for (const auto& [name, line] : before) {
            (void)pc->rewind(name);
            contents[name] = content(*pc);
        }
        // What the file holds is what was there when it was made.
        for (const auto& [name, line] : before)
            if (name != "a") pc->delete_checkpoint(name);
    }
    ASSERT_NE(contents["a"], contents["d"]);
    for (int generation = 0; generation < 2; generation++) {
        const auto pc = restored();
        pc->start();
        EXPECT_EQ(content(*pc), present) << "the present is one thing";
        const auto after = lines(*pc);
        ASSERT_EQ(after.size(), before.size());
        for (const auto& [name, line] : before) {
            const CheckpointList::Line& here = after.at(name);
            EXPECT_EQ(here.parent, line.parent) << name;
            EXPECT_EQ(here.graph, line.graph) << name;
            EXPECT_EQ(here.present, line.present) << name;
            EXPECT_EQ(here.node.guest_time, line.node.guest_time) << name;
            EXPECT_EQ(here.node.taken_at, line.node.taken_at) << name;
            EXPECT_EQ(here.node.changed_pages, line.node.changed_pages) << name;
            EXPECT_EQ(here.node.screen, line.node.screen) << name;
        }
        // The file of the second generation is written by the first, which has not been anywhere.
        if (generation == 0) (void)pc->save(file(), {.tree = true, .watch = {}});
        for (const char* const name : {"d", "e", "b", "a", "c", "e"}) {
            (void)pc->rewind(name);
            EXPECT_EQ(content(*pc), contents[name]) << name << " of generation " << generation;
        }
        // It is a tree like any other: it grows, and the log of written pages is right.
        (void)pc->rewind("b");
        pc->resume();
        std::this_thread::sleep_for(5ms);
        EXPECT_EQ(pc->checkpoint("new", true).name, "new");
        EXPECT_EQ(lines(*pc).at("new").parent, "b");
        EXPECT_EQ(pc->checkpoint("").name, "8") << "numbers go on";
        for (const auto& [name, bytes] : contents) {
            (void)pc->rewind(name);
            ASSERT_TRUE(halts(*pc)) << name;
            const Bytes end = content(*pc);
            std::uint32_t sum = 0, wanted = 0;
            for (unsigned sector = 0; sector < kSectors; sector++)
                wanted += 256 * (0x1234 + sector);
            std::memcpy(&sum, &end[disk.content().size() + 0x600], 4); // media come first
            EXPECT_EQ(sum, wanted) << name;
        }
    }
}

TEST_F(SavedTrees, EachIsToldByWhatDiffersFromItsParent) {
    std::map<std::string, Bytes> contents;
    {
        const auto pc = grown(kWalker);
        (void)pc->save(file(), {.tree = true, .watch = {}});
        for (const char* const name : {"a", "b", "c", "d", "e"}) {
            (void)pc->rewind(name);
            contents[name] = content(*pc);
        }
    }
    const auto pc = restored();
    pc->start();
    for (const auto& [name, bytes] : contents) {
        (void)pc->rewind(name);
        EXPECT_EQ(content(*pc), bytes) << name;
    }
}

TEST_F(SavedTrees, WithoutBeingAskedForItIsNotThere) {
    (void)grown()->save(file());
    EXPECT_FALSE(load_tree(StateReader(open_state_file(file()))));
    const auto other = restored();
    other->start();
    EXPECT_TRUE(other->checkpoints().lines.empty());
    // Nor is there anything if there are no checkpoints.
    (void)other->save(file("none"), {.tree = true, .watch = {}});
    EXPECT_FALSE(load_tree(StateReader(open_state_file(file("none")))));
}

TEST_F(SavedTrees, EqualPagesAreInTheFileOnce) {
    const auto pc = grown();
    (void)pc->save(file(), {.tree = true, .watch = {}});
    const StateReader reader(open_state_file(file()));
    const auto tree = load_tree(reader);
    ASSERT_TRUE(tree);
    std::size_t references = 0;
    for (const SavedCheckpoint& checkpoint : tree->checkpoints)
        references += checkpoint.memory.places.size();
    const auto pool = page_set(reader.payload(reader.get(kTreePages, Type::Pages)), "").units();
    EXPECT_GT(references, 0u);
    EXPECT_LE(pool, references);
    EXPECT_LT(references, 5u * 12u) << "only what differs is told";
}

TEST_F(SavedTrees, FloppiesComeBackToo) {
    std::vector<std::string> images;
    for (const char* name : {"one", "two"}) {
        images.push_back(file(name));
        std::ofstream(images.back(), std::ios::binary).write("floppy", 6);
        std::filesystem::resize_file(images.back(), 1440 * 1024);
    }
    {
        Pc pc(worker());
        pc.start();
        pc.pause();
        pc.insert_floppy(0, {images[0], false, false});
        (void)pc.checkpoint("one");
        pc.eject_floppy(0);
        (void)pc.checkpoint("none");
        pc.insert_floppy(0, {images[1], false, true});
        (void)pc.checkpoint("two");
        (void)pc.save(file("good"), {.tree = true, .watch = {}});
    }
    rewrite({});
    {
        const auto pc = restored();
        pc->start();
        const auto path = [&pc] { return pc->status().floppies[0].path; };
        EXPECT_EQ(path(), images[1]);
        (void)pc->rewind("one");
        EXPECT_EQ(path(), images[0]);
        (void)pc->rewind("none");
        EXPECT_EQ(path(), "");
        (void)pc->rewind("two");
        EXPECT_EQ(path(), images[1]);
        EXPECT_TRUE(pc->status().floppies[0].write_protected);
    }
    std::fstream(images[0], std::ios::in | std::ios::out | std::ios::binary).seekp(1000000).put('x');
    EXPECT_NE(refusal().find(images[0] + ": is not what checkpoints of the saved machine know"),
              std::string::npos)
        << refusal();
    std::filesystem::remove(images[0]);
    EXPECT_NE(refusal().find(images[0]), std::string::npos) << refusal();
}

TEST_F(SavedTrees, WhatDoesNotFitIsRefused) {
    {
        const auto pc = grown();
        (void)pc->save(file("good"), {.tree = true, .watch = {}});
    }
    rewrite({});
    EXPECT_EQ(refusal(), "");
    const StateReader good(open_state_file(file("good")));
    const std::vector<std::uint64_t> ids = load_tree(good)->ids;
    std::map<std::string, Change> none{{kTreeSection, {}}};
    rewrite(none);
    EXPECT_EQ(refusal(), "") << "without the list of them the machine is restored without checkpoints";
    EXPECT_FALSE(load_tree(StateReader(open_state_file(file()))));
    // As a program does that knows none of these sections: all of them are optional.
    for (const StateEntry& entry : good.entries())
        if (entry.name.starts_with("checkpoint")) {
            EXPECT_FALSE(entry.required()) << entry.name;
            none[entry.name] = {};
        }
    rewrite(none);
    EXPECT_EQ(refusal(), "");

    const auto refuses = [&](const std::string& section, const Change& change, const std::string& why) {
        rewrite({{section, change}});
        EXPECT_NE(refusal().find(why), std::string::npos) << refusal() << " is not about " << why;
        EXPECT_THROW((void)load_tree(StateReader(open_state_file(file()))), StateError) << why;
    };
    const std::string last = checkpoint_section(ids.back());
    refuses(last, {}, "no section \"" + last + "\"");
    refuses(kTreePages, {}, "a block that is not there");
    refuses(tree_blocks_section("hda"), {}, "a block that is not there");
    for (const char* const name : {"ids", "present", "last_id", "ring", "floppies", "discs"})
        refuses(
            kTreeSection,
            [&](StateSection& s) { std::erase_if(s.fields, [&](const auto& f) { return f.name == name; }); },
            name);
    for (const char* const name :
         {"parent", "name", "guest_time", "ring", "screen", "memory", "disk_changes", "parts"})
        refuses(
            last,
            [&](StateSection& s) { std::erase_if(s.fields, [&](const auto& f) { return f.name == name; }); },
            name);
    refuses(
        kTreeSection, [](StateSection& s) { field(s.fields, "present").number = 77; }, "present");
    refuses(
        kTreeSection,
        [](StateSection& s) {
            std::swap(field(s.fields, "ids").numbers[0], field(s.fields, "ids").numbers[1]);
        },
        "rise");
    refuses(
        kTreeSection, [](StateSection& s) { field(s.fields, "last_id").number = 2; }, "ids");
    refuses(
        last, [&](StateSection& s) { field(s.fields, "parent").number = ids.back(); }, "no such parent");
    refuses(
        last, [](StateSection& s) { field(s.fields, "name").bytes = {'a'}; }, "already");
    refuses(
        last,
        [](StateSection& s) {
            field(s.fields, "name").bytes = {27, '['};
        },
        "control");
    refuses(
        last, [](StateSection& s) { field(s.fields, "floppies").bytes[0] = 1; }, "no such floppy");
    refuses(
        last, [](StateSection& s) { field(s.fields, "discs").bytes[3] = 1; }, "no such disc");
    const auto memory = [](StateSection& s, const char* name) -> std::vector<std::uint64_t>& {
        return field(field(s.fields, "memory").children, name).numbers;
    };
    refuses(
        last, [&](StateSection& s) { memory(s, "places").back() = 0xffff; }, "beyond the end");
    refuses(
        last, [&](StateSection& s) { memory(s, "blocks").back() = 0xffff; }, "a block that is not there");
    refuses(
        last, [&](StateSection& s) { memory(s, "blocks").pop_back(); }, "not as many of each");
    refuses(
        last,
        [&](StateSection& s) {
            memory(s, "places").push_back(0);
            memory(s, "blocks").push_back(0);
        },
        "rise");
    refuses(
        last,
        [](StateSection& s) {
            field(field(s.fields, "disk_changes").children.at(0).children, "slot").bytes = {'h', 'd', 'b'};
        },
        "no such disk");
    // What only a machine can tell: its name is that of the checkpoint.
    const auto part = [&](const char* name, const std::function<void(StateNode&)>& change,
                          const std::string& why) {
        rewrite({{last, [&](StateSection& s) { change(field(field(s.fields, "parts").children, name)); }}});
        EXPECT_NE(refusal().find(last), std::string::npos) << refusal();
        EXPECT_NE(refusal().find(why), std::string::npos) << refusal();
    };
    part(
        "cpu", [](StateNode& n) { n.children[1].children.clear(); }, "eax");
    part(
        "fdc", [](StateNode& n) { n.children[1].children.pop_back(); }, "fdc");
    part(
        "fdc", [](StateNode& n) { n.children[0].number = 1000; }, "newer");
    part(
        "dma", [](StateNode& n) { n.name = "sound"; }, "no part \"dma\"");
}

} // namespace
} // namespace btvm

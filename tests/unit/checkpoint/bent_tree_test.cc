// Trees of checkpoints in files that somebody has bent: refused by name, and nothing worse.
#include <cstring>

#include "tests/unit/checkpoint/saved_trees.hh"

namespace btvm {
namespace {

using BentTrees = SavedTrees;

TEST_F(BentTrees, WhatDoesNotFitIsRefused) {
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
    for (const char* const bad : {"\xc2\x9b", "\x9b", "\xff"}) // C1 is commands, too; and no UTF-8
        refuses(
            last,
            [&](StateSection& s) {
                field(s.fields, "name").bytes = {bad, bad + std::strlen(bad)};
            },
            "control");
    refuses(
        last,
        [](StateSection& s) {
            field(s.fields, "screen").bytes = {'\n', 27, 'c'};
        },
        "screen");
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

/// The pages of a section again, of which the first may be left out, in another set.
PageEncoder again(const StateReader& reader, const std::string& name, bool without_first,
                  const std::function<void(PageSet&)>& bend) {
    const Bytes payload = reader.payload(reader.get(name, Type::Pages));
    PageSet set = page_set(payload, name);
    const std::uint32_t unit = set.unit;
    bend(set);
    PageEncoder encoder(set);
    decode_pages(payload, name, [&](std::uint64_t at, std::span<const std::uint8_t> units) {
        const bool skip = without_first && at == 0;
        encoder.add(at + skip, units.subspan(skip ? unit : 0));
    });
    return encoder;
}

TEST_F(BentTrees, MoreBlocksThanAnybodyHas) {
    (void)grown()->save(file("good"), {.tree = true, .watch = {}});
    const StateReader good(open_state_file(file("good")));
    for (const std::string& name : {std::string(kTreePages), tree_blocks_section("hda")}) {
        rewrite({{name, {}}}, [&](StateWriter& writer) {
            // Zeros, which cost nothing in the file.
            writer.pages(
                name,
                again(good, name, false, [](PageSet& set) { set.size += std::uint64_t{set.unit} << 16; }),
                StateWriter::Need::Optional);
        });
        EXPECT_NE(refusal().find(name + ": has blocks that nobody has"), std::string::npos) << refusal();
    }
}

TEST_F(BentTrees, BlocksThatNoRunHasAreZeros) {
    (void)grown()->save(file("good"), {.tree = true, .watch = {}});
    const StateReader good(open_state_file(file("good")));
    const std::string pool = tree_blocks_section("hda");
    rewrite({{pool, {}}}, [&](StateWriter& writer) {
        writer.pages(pool, again(good, pool, true, [](PageSet&) {}), StateWriter::Need::Optional);
    });
    const auto pc = restored();
    pc->start();
    unsigned seen = 0;
    const auto tree = load_tree(good);
    for (const SavedCheckpoint& checkpoint : tree->checkpoints) {
        const SavedDifferences& differs = checkpoint.disk_changes.at(0).differs;
        for (std::size_t i = 0; i < differs.places.size(); i++) {
            if (differs.blocks[i] != 1) continue;
            (void)pc->rewind(checkpoint.node.name);
            const Bytes all = content(*pc); // the disk comes first
            EXPECT_EQ(Bytes(&all[differs.places[i] * 4096], &all[differs.places[i] * 4096 + 4096]),
                      Bytes(4096))
                << checkpoint.node.name;
            seen++;
        }
    }
    EXPECT_GT(seen, 0u);
}

TEST_F(BentTrees, MemoryThatTheMachineDoesNotHave) {
    (void)grown()->save(file("good"), {.tree = true, .watch = {}});
    const StateReader good(open_state_file(file("good")));
    const std::string last = checkpoint_section(load_tree(good)->ids.back());
    // A section that is not required is nobody's memory, whatever its name.
    const std::uint64_t first = std::uint64_t{1} << 33;
    rewrite({{last,
              [&](StateSection& s) {
                  auto& memory = field(s.fields, "memory").children;
                  field(memory, "places").numbers.push_back(first / kStoredPage);
                  field(memory, "blocks").numbers.push_back(0);
              }}},
            [&](StateWriter& writer) {
                writer.pages("memory/elsewhere", PageEncoder({first, 4096, 4096, PageBase::Zero}),
                             StateWriter::Need::Optional);
            });
    EXPECT_NE(refusal().find(last + ": a place where there is no memory"), std::string::npos) << refusal();
}

TEST_F(BentTrees, MediaInDrivesThatNoMachineHas) {
    (void)grown()->save(file("good"), {.tree = true, .watch = {}});
    const StateReader good(open_state_file(file("good")));
    const std::string last = checkpoint_section(load_tree(good)->ids.back());
    const auto move = [](StateNode& described) { field(described.children, "slot").bytes = {'x', 'y', 'z'}; };
    rewrite({{kMachineSection,
              [&](StateSection& s) {
                  auto& media = field(s.fields, "media").children;
                  media.push_back(media.at(0));
                  move(media.back());
              }},
             {last, [&](StateSection& s) { move(field(s.fields, "disk_changes").children.at(0)); }}});
    EXPECT_NE(refusal().find("drive xyz"), std::string::npos) << refusal();
    // A drive that the machine has, but nothing that could be in it.
    rewrite({{kMachineSection, [&](StateSection& s) {
                  auto& media = field(s.fields, "media").children;
                  media.push_back(media.at(0));
                  field(media.back().children, "slot").bytes = {'f', 'd', 'a'};
                  field(media.back().children, "kind").bytes = {'f', 'l', 'o', 'p', 'p', 'y'};
                  field(media.back().children, "path").bytes.clear();
              }}});
    EXPECT_NE(refusal().find("drive fda"), std::string::npos) << refusal();
}

} // namespace
} // namespace btvm

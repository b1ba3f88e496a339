// Trees of checkpoints in state files: to a file and back in a fresh machine, on the hosted engine.
#include <cstring>

#include "tests/unit/checkpoint/saved_trees.hh"

namespace btvm {
namespace {

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
    const std::string images[] = {make_floppy(file("one")), make_floppy(file("two"))};
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

} // namespace
} // namespace btvm

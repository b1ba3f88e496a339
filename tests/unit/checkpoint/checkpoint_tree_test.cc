#include <gtest/gtest.h>

#include "userland/checkpoint/checkpoint_tree.hh"

namespace btvm {
namespace {

std::uint64_t add(CheckpointTree& tree, const std::string& name) {
    CheckpointNode node;
    node.name = name;
    return tree.add(std::move(node)).id;
}

std::string drawn(const CheckpointTree& tree) {
    std::string out;
    for (const CheckpointTree::Line& line : tree.lines())
        out += (line.node->id == tree.present() ? "*" : " ") + line.graph + line.node->name + "\n";
    return out;
}

/// a - b - c, and from b also d - e, where the machine is.
CheckpointTree branched() {
    CheckpointTree tree;
    add(tree, "a");
    const std::uint64_t b = add(tree, "b");
    add(tree, "c");
    tree.move_to(b);
    add(tree, "d");
    add(tree, "e");
    return tree;
}

TEST(CheckpointTree, TheNextIsAChildOfWhereTheMachineWasLast) {
    CheckpointTree tree = branched();
    EXPECT_EQ(tree.find("a").parent, 0u);
    EXPECT_EQ(tree.find("c").parent, tree.find("b").id);
    EXPECT_EQ(tree.find("d").parent, tree.find("b").id);
    EXPECT_EQ(tree.find("e").parent, tree.find("d").id);
    EXPECT_EQ(tree.present(), tree.find("e").id);
    EXPECT_EQ(drawn(tree), " a\n b\n ├─ c\n └─ d\n*   e\n");
}

TEST(CheckpointTree, ChildrenOfADeletedOneAreItsParents) {
    CheckpointTree tree = branched();
    const std::uint64_t c = tree.find("c").id, d = tree.find("d").id;
    EXPECT_EQ(tree.remove(tree.find("b").id), (std::vector<std::uint64_t>{c, d}));
    EXPECT_EQ(tree.find("c").parent, tree.find("a").id);
    EXPECT_EQ(tree.remove(tree.find("a").id), (std::vector<std::uint64_t>{c, d}));
    EXPECT_EQ(tree.find("d").parent, 0u);
    EXPECT_EQ(drawn(tree), " ├─ c\n └─ d\n*   e\n");
    EXPECT_TRUE(tree.remove(4711).empty());
}

TEST(CheckpointTree, TheMachineGoesToTheParentWithADeletedOne) {
    CheckpointTree tree = branched();
    (void)tree.remove(tree.find("e").id);
    EXPECT_EQ(tree.present(), tree.find("d").id);
    add(tree, "f");
    EXPECT_EQ(tree.find("f").parent, tree.find("d").id);
}

TEST(CheckpointTree, NumbersAreNotUsedAgain) {
    CheckpointTree tree;
    const std::uint64_t first = add(tree, "x");
    (void)tree.remove(first);
    EXPECT_EQ(tree.present(), 0u);
    EXPECT_GT(add(tree, "x"), first);
}

TEST(CheckpointTree, Names) {
    CheckpointTree tree = branched();
    const auto refused = [&tree](const std::string& name) {
        try {
            add(tree, name);
        } catch (const CheckpointError& error) {
            return std::string(error.what());
        }
        return std::string();
    };
    EXPECT_EQ(refused("b"), "there is a checkpoint \"b\" already");
    EXPECT_NE(refused(""), "");
    EXPECT_NE(refused(std::string(65, 'x')), "");
    EXPECT_NE(refused("a\nb"), "");
    EXPECT_NE(refused("\x1b[2J"), "");
    EXPECT_EQ(refused("vor dem Zünden"), "");
    EXPECT_THROW((void)tree.find("nowhere"), CheckpointError);

    tree.find("c").ring = 5;
    tree.rename("c", "kept");
    EXPECT_EQ(tree.find("kept").ring, 0u) << "whoever names one wants to keep it";
    EXPECT_THROW(tree.rename("kept", "a"), CheckpointError);
    EXPECT_THROW(tree.rename("c", "z"), CheckpointError);
    EXPECT_NO_THROW(tree.rename("kept", "kept"));

    add(tree, tree.free_name());
    add(tree, tree.free_name("auto-"));
    EXPECT_NO_THROW((void)tree.find("7"));
    EXPECT_NO_THROW((void)tree.find("auto-8"));
}

TEST(CheckpointTree, AThousandInARowAreOneColumn) {
    CheckpointTree tree;
    for (int i = 0; i < 1000; i++)
        add(tree, std::to_string(i));
    const auto lines = tree.lines();
    ASSERT_EQ(lines.size(), 1000u);
    EXPECT_EQ(lines.back().graph, "");
    EXPECT_EQ(lines.back().node->name, "999");
}

} // namespace
} // namespace btvm

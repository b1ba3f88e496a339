// The property every device has to keep: saving and restoring between any two operations changes nothing that
// a guest can see. Two boards get the same operations; on one of them the device is replaced, each time, by a
// new one that is loaded from the old one's saved bytes.
#pragma once

#include <algorithm>
#include <functional>
#include <gtest/gtest.h>
#include <memory>
#include <random>

#include "tests/unit/common/test_board.hh"
#include "userland/devices/state.hh"

namespace btvm::test {

/// `make` builds the device on a board. `operate` does one random operation on the device and returns what
/// the guest saw; it draws only from the generator it is given, and acts on the two sides alike.
template <class D>
void check_state_round_trips(const std::function<std::unique_ptr<D>(TestBoard&)>& make,
                             const std::function<std::uint64_t(TestBoard&, D&, std::mt19937&)>& operate,
                             unsigned operations, unsigned seed) {
    TestBoard plain_board;
    TestBoard saved_board;
    auto plain = make(plain_board);
    auto saved = make(saved_board);
    std::mt19937 plain_random(seed);
    std::mt19937 saved_random(seed);
    for (unsigned i = 0; i < operations; ++i) {
        const std::uint64_t expected = operate(plain_board, *plain, plain_random);
        const std::uint64_t seen = operate(saved_board, *saved, saved_random);
        ASSERT_EQ(seen, expected) << "operation " << i << ", seed " << seed;
        ASSERT_EQ(saved_board.lines, plain_board.lines) << "operation " << i << ", seed " << seed;
        ASSERT_EQ(saved_board.rises, plain_board.rises) << "operation " << i << ", seed " << seed;
        ASSERT_EQ(saved->deadline(), plain->deadline()) << "operation " << i << ", seed " << seed;

        std::vector<std::uint8_t> bytes;
        append_bytes(save_state(*saved), bytes);
        auto next = make(saved_board);
        std::span<const std::uint8_t> rest(bytes);
        load_state(*next, take_section(rest));
        ASSERT_TRUE(rest.empty());
        saved = std::move(next);
    }
    EXPECT_EQ(differences(save_state(*plain), save_state(*saved)), std::vector<std::string>{});
}

/// Calls `leaf` for each value of a section that is no group, with its path: "drives.0.cylinder".
inline void for_each_leaf(std::vector<StateNode>& fields, const std::string& prefix,
                          const std::function<void(const std::string&, StateNode&)>& leaf) {
    for (std::size_t i = 0; i < fields.size(); i++) {
        StateNode& node = fields[i];
        const std::string path = prefix + (node.name.empty() ? std::to_string(i) : node.name);
        if (node.type == StateNode::Type::Group || node.type == StateNode::Type::List)
            for_each_leaf(node.children, path + '.', leaf);
        else
            leaf(path, node);
    }
}

/// The other half of the property: whether the test above would see a field that somebody forgets to declare.
/// Runs it once for each field, with that one left out: it is not carried over, so the new device has what it
/// has when it is made. Gives the fields without which nothing that a guest sees was different; those should
/// be ones that a guest cannot see.
template <class D>
[[nodiscard]] std::vector<std::string>
fields_nobody_misses(const std::function<std::unique_ptr<D>(TestBoard&)>& make,
                     const std::function<std::uint64_t(TestBoard&, D&, std::mt19937&)>& operate,
                     unsigned operations, const std::vector<unsigned>& seeds) {
    std::vector<std::string> paths;
    {
        // Fields come and go with what the device does: gather those of a whole run.
        TestBoard board;
        auto device = make(board);
        std::mt19937 random(seeds.front());
        for (unsigned i = 0; i < operations; i++) {
            (void)operate(board, *device, random);
            if (i % 16) continue;
            StateSection section = save_state(*device);
            for_each_leaf(section.fields, "", [&](const std::string& path, StateNode&) {
                if (std::find(paths.begin(), paths.end(), path) == paths.end()) paths.push_back(path);
            });
        }
    }
    const auto misses = [&](const std::string& forgotten, unsigned seed) {
        TestBoard plain_board;
        TestBoard saved_board;
        auto plain = make(plain_board);
        auto saved = make(saved_board);
        std::mt19937 plain_random(seed);
        std::mt19937 saved_random(seed);
        for (unsigned i = 0; i < operations; i++) {
            if (operate(plain_board, *plain, plain_random) != operate(saved_board, *saved, saved_random) ||
                saved_board.lines != plain_board.lines || saved_board.rises != plain_board.rises ||
                (i % 64 == 63 && saved_board.memory != plain_board.memory) ||
                saved->deadline() != plain->deadline())
                return true;
            auto next = make(saved_board);
            StateSection fresh = save_state(*next);
            StateNode initial;
            for_each_leaf(fresh.fields, "", [&](const std::string& path, StateNode& node) {
                if (path == forgotten) initial = node;
            });
            StateSection section = save_state(*saved);
            for_each_leaf(section.fields, "", [&](const std::string& path, StateNode& node) {
                if (path == forgotten && !initial.name.empty()) node = initial;
            });
            try {
                load_state(*next, section);
            } catch (const StateError&) {
                return true; // the other fields say that something is missing
            }
            saved = std::move(next);
        }
        return false;
    };
    std::vector<std::string> unmissed;
    for (const std::string& path : paths)
        if (std::none_of(seeds.begin(), seeds.end(), [&](unsigned seed) { return misses(path, seed); }))
            unmissed.push_back(path);
    return unmissed;
}

} // namespace btvm::test

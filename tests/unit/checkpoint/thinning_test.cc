#include <gtest/gtest.h>
#include <set>
#include <vector>

#include "userland/checkpoint/thinning.hh"

namespace btvm {
namespace {

std::vector<std::uint64_t> kept(std::uint64_t newest) {
    std::vector<std::uint64_t> out;
    for (std::uint64_t n = 1; n <= newest; n++)
        if (is_kept(n, newest)) out.push_back(n);
    return out;
}

TEST(Thinning, TheYoungestAreAllKept) {
    EXPECT_EQ(kept(8), (std::vector<std::uint64_t>{1, 2, 3, 4, 5, 6, 7, 8}));
    EXPECT_EQ(kept(20), (std::vector<std::uint64_t>{4, 6, 8, 10, 12, 13, 14, 15, 16, 17, 18, 19, 20}));
}

TEST(Thinning, WhatIsGoneIsNotWantedLater) {
    std::set<std::uint64_t> there;
    for (std::uint64_t newest = 1; newest < 3000; newest++) {
        there.insert(newest);
        std::erase_if(there, [newest](std::uint64_t n) { return !is_kept(n, newest); });
        const auto wanted = kept(newest);
        ASSERT_EQ(there, std::set<std::uint64_t>(wanted.begin(), wanted.end())) << newest;
    }
}

/// Of any moment so long ago there is a checkpoint that is at most a quarter of that away.
TEST(Thinning, GapsGrowWithAge) {
    const auto all = kept(100000);
    EXPECT_LT(all.size(), 70u);
    for (std::size_t i = 1; i < all.size(); i++) {
        const std::uint64_t age = 100000 - all[i - 1];
        EXPECT_LE(all[i] - all[i - 1], 1 + age / 4) << all[i];
    }
}

} // namespace
} // namespace btvm

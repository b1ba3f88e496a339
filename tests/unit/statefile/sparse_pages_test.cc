// Memory in a state, for looking at: where it is, and that nothing is unpacked that has no place.
#include <gtest/gtest.h>

#include "tests/unit/statefile/example_state.hh"
#include "userland/state/little_endian.hh"
#include "userland/state/sparse_pages.hh"

namespace btvm {
namespace {

constexpr std::uint64_t kMost = std::uint64_t{1} << 32;

/// A state whose regions of memory are these, each with its second page filled with its number, from 1.
StateReader state_with(const Folder& folder, const std::vector<PageSet>& sets) {
    StateWriter writer(folder / "x");
    for (std::size_t i = 0; i < sets.size(); i++) {
        PageEncoder encoder(sets[i]);
        if (sets[i].units() > 1) encoder.add(1, Bytes(4096, static_cast<std::uint8_t>(i + 1)));
        writer.pages("memory/" + std::to_string(i), std::move(encoder), kRequired);
    }
    writer.finish();
    return StateReader(open_state_file(folder / "x"));
}

std::string refusal(const std::vector<PageSet>& sets) {
    const Folder folder;
    try {
        const SavedMemory memory(state_with(folder, sets));
    } catch (const StateError& error) {
        return error.what();
    }
    return "";
}

TEST(SavedMemoryTest, RegionsComeByAddress) {
    const Folder folder;
    const SavedMemory memory(state_with(folder, {{0x100000, 8192, 4096, PageBase::Zero},
                                                 {0, 0xa0000, 4096, PageBase::Zero},
                                                 {kMost - 8192, 8192, 4096, PageBase::Zero}}));
    ASSERT_EQ(memory.regions().size(), 3u);
    EXPECT_EQ(memory.regions()[0].set.first, 0u);
    Bytes bytes(2);
    EXPECT_TRUE(memory.read(0x100fff, bytes));
    EXPECT_EQ(bytes, (Bytes{0, 1}));
    EXPECT_TRUE(memory.read(0x1fff, bytes));
    EXPECT_EQ(bytes, (Bytes{2, 0}));
    EXPECT_TRUE(memory.read(0x101fff, bytes));
    EXPECT_EQ(bytes, (Bytes{1, 0xff})) << "nothing is there";
    EXPECT_FALSE(memory.read(0xa0000, bytes));
    EXPECT_TRUE(memory.read(kMost - 1, std::span(bytes).first(1)));
    EXPECT_EQ(bytes[0], 3);
}

TEST(SavedMemoryTest, RegionsThatOverlapOrReachTooFar) {
    EXPECT_EQ(refusal({{0, 8192, 4096, PageBase::Zero}, {8192, 8192, 4096, PageBase::Zero}}), "");
    EXPECT_EQ(refusal({{0, 8192, 4096, PageBase::Zero}, {4096, 8192, 4096, PageBase::Zero}}),
              "memory/1: is where it cannot be");
    EXPECT_EQ(refusal({{0, 8192, 4096, PageBase::Zero}, {0, 4096, 4096, PageBase::Zero}}),
              "memory/1: is where it cannot be");
    EXPECT_EQ(refusal({{kMost - 4096, 8192, 4096, PageBase::Zero}}), "memory/0: is where it cannot be");
    EXPECT_EQ(refusal({{0, kMost + 4096, 4096, PageBase::Zero}}), "memory/0: is where it cannot be");
}

TEST(SavedMemoryTest, WhatHasNoPlaceIsNotUnpacked) {
    // A region of 4 TiB can be a megabyte in the file for each 16 GiB.
    const Folder folder;
    {
        StateWriter writer(folder / "x");
        PageEncoder encoder({0, std::uint64_t{1} << 42, 4096, PageBase::Zero});
        for (std::uint64_t at = 0; at < 4096; at += 256)
            encoder.add(at, Bytes(256 * 4096, 1));
        // It would be noticed if it were: the data of its end are beyond it.
        encoder.add(std::uint64_t{1} << 30, Bytes(4096, 1));
        writer.pages("memory/0", std::move(encoder), kRequired);
        writer.finish();
    }
    try {
        const SavedMemory memory(StateReader(open_state_file(folder / "x")));
        FAIL();
    } catch (const StateError& error) {
        EXPECT_STREQ(error.what(), "memory/0: is where it cannot be");
    }
}

TEST(SparsePagesTest, NoMoreIsUnpackedThanMayBe) {
    const Folder folder;
    constexpr std::uint64_t kMiB = 1 << 20;
    {
        StateWriter writer(folder / "x");
        PageEncoder encoder({0, kMost, 512, PageBase::Image});
        for (std::uint64_t at = 0; at < 8; at++)
            encoder.add(at * 10 * kMiB / 512, Bytes(kMiB, 0x55)); // some bytes each in the file
        writer.pages("media/hda", std::move(encoder), kRequired);
        writer.finish();
    }
    const StateReader reader(open_state_file(folder / "x"));
    EXPECT_LT(reader.size(), 4096u);
    const StateEntry& entry = reader.get("media/hda", Type::Pages);
    EXPECT_EQ(load_pages(reader, entry, 8 * kMiB).units.size(), 8 * kMiB / 512);
    try {
        (void)load_pages(reader, entry, 8 * kMiB - 1);
        ADD_FAILURE() << "unpacked";
    } catch (const UnpacksToTooMuch& error) {
        EXPECT_STREQ(error.what(), "media/hda: unpacks to more than 7 MiB");
    }
}

} // namespace
} // namespace btvm

// Shadow page tables, walked here as the processor walks them: by host frames, not by the pool's indices.
#include <gtest/gtest.h>
#include <map>
#include <vector>

#include "vmm/mmu/shadow_page_table.hh"

namespace btvm::test {
namespace {

constexpr u64 kFirstFrame = 0x12345; // where the pool lies in the host, with gaps between its pages
constexpr u64 kFrameStep = 3;

class ShadowTest : public testing::Test {
protected:
    void make_pool(u32 pages) {
        memory_.assign(512 * pages, ~u64{0}); // not zeroed: making a table has to do it
        frames_.clear();
        for (u32 i = 0; i < pages; i++)
            frames_.push_back(kFirstFrame + kFrameStep * i);
        pool_ = {memory_.data(), frames_.data()};
        tables_.initialise(pool_, pages);
    }

    /// The leaf entry the processor would find for `linear`, or 0. Checks the rights on the way.
    u64 walk(u64 linear) {
        u64 frame = frames_[ShadowPageTable::kRootPage];
        for (unsigned level = 3;; level--) {
            const u64 index = (frame - kFirstFrame) / kFrameStep;
            EXPECT_EQ(frames_.at(index), frame) << "an entry points outside the pool";
            const u64 entry = memory_[512 * index + (linear >> (12 + 9 * (level - 1)) & 511)];
            if (!(entry & ShadowEntry::kPresent)) return 0;
            EXPECT_TRUE(entry & ShadowEntry::kUser);
            if (level == 1) return entry;
            EXPECT_TRUE(entry & ShadowEntry::kWritable) << "a table's entry takes rights away";
            frame = (entry & ShadowEntry::kFrameMask) >> 12;
        }
    }

    std::vector<u64> memory_, frames_;
    ShadowPoolView pool_;
    ShadowPageTable tables_;
};

TEST_F(ShadowTest, MapsWhatIsAskedAndNothingElse) {
    make_pool(8);
    tables_.map(pool_, GuestLinear(0x7000), 0xabcde, true);
    EXPECT_EQ(walk(0x7000) & ShadowEntry::kFrameMask, 0xabcde000u);
    EXPECT_TRUE(walk(0x7000) & ShadowEntry::kWritable);
    EXPECT_EQ(walk(0x6000), 0u);
    EXPECT_EQ(walk(0x8000), 0u);
    EXPECT_EQ(walk(0xfffff000), 0u);
}

TEST_F(ShadowTest, WriteProtectionTakesWritingOnly) {
    make_pool(8);
    tables_.map(pool_, GuestLinear(0x7000), 0xabcde, true);
    tables_.write_protect(pool_, GuestLinear(0x7000));
    EXPECT_EQ(walk(0x7000) & ShadowEntry::kFrameMask, 0xabcde000u);
    EXPECT_FALSE(walk(0x7000) & ShadowEntry::kWritable);
    tables_.write_protect(pool_, GuestLinear(0x9000)); // not mapped: nothing to do
    EXPECT_EQ(walk(0x9000), 0u);
    tables_.map(pool_, GuestLinear(0x7000), 0xabcde, true);
    EXPECT_TRUE(walk(0x7000) & ShadowEntry::kWritable);
}

TEST_F(ShadowTest, AFullPoolStartsAgain) {
    make_pool(8); // the root, and then two tables for each address below: 0 to 2 fit
    for (u64 i = 0; i < 4; i++) {
        tables_.map(pool_, GuestLinear(i << 30), 0x100 + i, false);
        EXPECT_EQ(walk(i << 30) & ShadowEntry::kFrameMask, (0x100 + i) << 12);
    }
    EXPECT_EQ(walk(0), 0u) << "what was mapped before the pool was full should be gone";
    EXPECT_LE(tables_.pages_in_use(), 8u);
}

TEST_F(ShadowTest, FlushDropsEverything) {
    make_pool(8);
    tables_.map(pool_, GuestLinear(0x7000), 0xabcde, true);
    tables_.flush(pool_);
    EXPECT_EQ(walk(0x7000), 0u);
    EXPECT_EQ(tables_.pages_in_use(), 1u);
}

TEST_F(ShadowTest, EveryTableOfALargePoolIsFound) {
    make_pool(2100); // more than the low index bits count
    std::map<u64, u64> expected;
    for (u64 i = 0; i < 2048; i++) {
        const u64 linear = i << 21;
        expected[linear] = 0x1000 + i;
        tables_.map(pool_, GuestLinear(linear), 0x1000 + i, i & 1);
    }
    for (const auto& [linear, frame] : expected) {
        ASSERT_EQ(walk(linear) & ShadowEntry::kFrameMask, frame << 12) << std::hex << linear;
        tables_.write_protect(pool_, GuestLinear(linear));
        ASSERT_FALSE(walk(linear) & ShadowEntry::kWritable) << std::hex << linear;
    }
}

} // namespace
} // namespace btvm::test

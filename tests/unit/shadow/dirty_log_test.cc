// The log of written pages against the shadow page tables: no write goes by unseen after it was taken.
#include <gtest/gtest.h>
#include <random>
#include <set>

#include "tests/unit/shadow/shadow_machine.hh"
#include "vmm/memory/dirty_log.hh"

namespace btvm::test {
namespace {

using M = ShadowMachine;

std::set<u32> take(M& m) {
    u64 bitmap[M::kFrames / 64];
    std::set<u32> called, set;
    take_dirty(m.memory.slots[0], bitmap, [&](u64 page) {
        called.insert(static_cast<u32>(page));
        m.mmu.write_protect(m.view, m.memory, page);
    });
    for (u32 page = 0; page < M::kFrames; page++)
        if (bitmap[page / 64] >> page % 64 & 1) set.insert(page);
    EXPECT_EQ(called, set);
    return set;
}

TEST(DirtyLog, AWriteAfterTheLogWasTakenIsInTheNext) {
    M m;
    m.poke(M::kDirectory, 1, M::kTable << 12 | 7);
    m.poke(M::kTable, 3, 100 << 12 | 7);
    (void)m.access(0x403000, ShadowSide::User, false);
    (void)take(m);
    EXPECT_EQ(m.access(0x403000, ShadowSide::User, true).hidden, 1u);
    EXPECT_EQ(take(m), (std::set<u32>{M::kTable, 100})) << "the page, and the table for its dirty bit";
    EXPECT_TRUE(m.mmu.stale.all()) << "the processor may still hold the writable entry";
    EXPECT_FALSE(m.see(0x403000).writable);
    EXPECT_EQ(m.access(0x403000, ShadowSide::User, true).hidden, 1u);
    EXPECT_EQ(take(m), std::set<u32>{100}) << "its dirty bit was set already";
    (void)m.access(0x403000, ShadowSide::User, false);
    EXPECT_TRUE(take(m).empty());
}

TEST(DirtyLog, EveryMappingLosesItsWriteAccess) {
    M m;
    m.poke(M::kDirectory, 1, M::kTable << 12 | 7);
    for (u32 i = 0; i < 5; i++)
        m.poke(M::kTable, i, 100 << 12 | 7);
    for (u32 i = 0; i < 5; i++)
        (void)m.access(0x400000 + i * 0x1000, i % 2 ? ShadowSide::User : ShadowSide::Kernel, true);
    (void)take(m);
    for (const ShadowSide side : {ShadowSide::Kernel, ShadowSide::User}) {
        m.mmu.load(m.view, m.memory, m.cpu, side);
        for (u32 i = 0; i < 5; i++)
            EXPECT_FALSE(m.see(0x400000 + i * 0x1000).writable);
    }
}

TEST(DirtyLog, AnySizeOfSlot) {
    for (const u32 pages : {1u, 3u, 7u, 8u, 9u, 63u, 64u, 65u, 71u, 128u, 200u}) {
        std::vector<u8> state(pages, page_state::kCode);
        MemorySlot slot{};
        slot.size = u64{pages} << kPageShift;
        slot.state = state.data();
        std::mt19937 random(pages);
        std::vector<u64> wanted((pages + 63) / 64), bitmap(wanted.size(), ~u64{0});
        for (u32 page = 0; page < pages; page++)
            if (random() % 3 == 0) {
                state[page] |= page_state::kDirty;
                wanted[page / 64] |= u64{1} << page % 64;
            }
        take_dirty(slot, bitmap.data(), [](u64) {});
        EXPECT_EQ(bitmap, wanted) << pages;
        EXPECT_EQ(state, std::vector<u8>(pages, page_state::kCode)) << "the other marks stay";
    }
}

} // namespace
} // namespace btvm::test

#include <gtest/gtest.h>
#include <stdexcept>

#include "tests/unit/shadow/shadow_machine.hh"

namespace btvm::test {
namespace {

using M = ShadowMachine;
constexpr u32 kP = 1, kW = 2, kU = 4, kA = 0x20, kD = 0x40, kLarge = 0x80;
constexpr ShadowSide kKernel = ShadowSide::Kernel, kUser = ShadowSide::User;
constexpr u32 entry(u32 frame, u32 flags) { return frame << 12 | flags; }

/// Linear 0x400000 + n pages through one page table.
struct Mapped : M {
    explicit Mapped(u32 pde = kP | kW | kU) { poke(kDirectory, 1, entry(kTable, pde)); }
};

TEST(ShadowMmu, SetsAccessedAndDirtyAsTheProcessorDoes) {
    Mapped m;
    m.poke(M::kTable, 3, entry(100, kP | kW | kU));
    EXPECT_EQ(m.access(0x403000, kUser, false).frame, 100u);
    EXPECT_EQ(m.peek(M::kTable, 3), entry(100, kP | kW | kU | kA));
    EXPECT_EQ(m.peek(M::kDirectory, 1) & (kA | kD), kA);
    EXPECT_FALSE(m.see(0x403000).writable) << "a write must be seen to set D";
    EXPECT_EQ(m.access(0x403000, kUser, true).hidden, 1u);
    EXPECT_EQ(m.peek(M::kTable, 3), entry(100, kP | kW | kU | kA | kD));
    EXPECT_EQ(m.access(0x403000, kUser, true).hidden, 0u);
}

TEST(ShadowMmu, SeparatesTheKernelFromTheUser) {
    Mapped m;
    m.poke(M::kTable, 0, entry(100, kP | kW));
    m.poke(M::kTable, 1, entry(101, kP | kU));
    EXPECT_EQ(m.access(0x400000, kKernel, true).frame, 100u);
    const auto refused = m.access(0x400000, kUser, false);
    EXPECT_TRUE(refused.fault);
    EXPECT_EQ(refused.error, pf_error::kPresent | pf_error::kUser);
    EXPECT_TRUE(m.access(0x401000, kKernel, true).fault) << "CR0.WP holds the kernel back";
    m.cpu.cr0 &= ~cr0::kWp;
    m.flush();
    EXPECT_FALSE(m.access(0x401000, kKernel, true).fault);
    EXPECT_TRUE(m.access(0x401000, kUser, true).fault);
}

TEST(ShadowMmu, TheDirectorysRightsCount) {
    Mapped m(kP | kU);
    m.poke(M::kTable, 0, entry(100, kP | kW | kU));
    EXPECT_FALSE(m.access(0x400000, kUser, false).fault);
    EXPECT_TRUE(m.access(0x400000, kUser, true).fault);
}

TEST(ShadowMmu, AChangedEntryCountsFromTheNextFlush) {
    Mapped m;
    // The tables are mapped themselves at 0x800000.
    m.poke(M::kDirectory, 2, entry(M::kTable, kP | kW));
    m.poke(M::kTable, 0, entry(100, kP | kW | kU));
    m.poke(M::kTable, 1, entry(101, kP | kW | kU));
    m.poke(M::kTable, 5, entry(M::kTable, kP | kW));
    EXPECT_EQ(m.access(0x400000, kUser, true).frame, 100u);
    EXPECT_EQ(m.access(0x401000, kUser, true).frame, 101u);
    m.store_entry(0x405000, entry(200, kP | kW | kU | kA | kD));
    m.store_entry(0x405000 + 4 * 2, entry(202, kP | kW | kU));
    EXPECT_EQ(m.mmu.counters.changed_tables, 1u) << "the second write needs no trap";
    EXPECT_EQ(m.access(0x402000, kUser, false).frame, 202u) << "what was absent is never cached";
    m.flush();
    EXPECT_EQ(m.access(0x400000, kUser, true).frame, 200u);
    EXPECT_EQ(m.access(0x401000, kUser, true).hidden, 0u) << "what did not change stays";
    EXPECT_GT(m.mmu.counters.entries_kept, 0u);
    m.store_entry(0x405000 + 4 * 1, 0);
    EXPECT_EQ(m.mmu.counters.changed_tables, 2u) << "guarded again by the flush";
    m.flush();
    EXPECT_TRUE(m.access(0x401000, kUser, false).fault);
}

TEST(ShadowMmu, FlushesOnePage) {
    Mapped m;
    m.poke(M::kTable, 0, entry(100, kP | kW | kU));
    m.poke(M::kTable, 1, entry(101, kP | kW | kU));
    (void)m.access(0x400000, kKernel, true);
    (void)m.access(0x401000, kUser, true);
    m.poke(M::kTable, 0, entry(110, kP | kW | kU));
    m.poke(M::kTable, 1, entry(111, kP | kW | kU));
    m.mmu.flush_page(m.view, m.memory, m.cpu, GuestLinear(0x400000));
    EXPECT_EQ(m.access(0x400000, kKernel, false).frame, 110u);
    m.mmu.flush_page(m.view, m.memory, m.cpu, GuestLinear(0x401000));
    EXPECT_EQ(m.access(0x401000, kUser, false).frame, 111u);
    m.poke(M::kDirectory, 1, 0);
    m.mmu.flush_page(m.view, m.memory, m.cpu, GuestLinear(0x401000));
    EXPECT_TRUE(m.access(0x401000, kUser, false).fault);
}

TEST(ShadowMmu, ATableThatIsTakenOutAndPutBackShowsNothingOld) {
    // Linux unmaps some pages, frees their table, flushes page by page, and uses the table at once again.
    Mapped m;
    m.poke(M::kDirectory, 2, entry(18, kP | kW)); // both tables are mapped at 0x800000
    m.poke(18, 0, entry(M::kTable, kP | kW));
    m.poke(18, 1, entry(M::kDirectory, kP | kW));
    m.poke(M::kTable, 0, entry(100, kP | kW | kU));
    m.poke(M::kTable, 1, entry(101, kP | kW | kU));
    EXPECT_EQ(m.access(0x400000, kUser, true).frame, 100u);
    EXPECT_EQ(m.access(0x401000, kUser, true).frame, 101u);
    m.store_entry(0x800000, 0);
    m.store_entry(0x800004, 0);
    m.store_entry(0x801004, 0);
    m.mmu.flush_page(m.view, m.memory, m.cpu, GuestLinear(0x400000));
    m.mmu.flush_page(m.view, m.memory, m.cpu, GuestLinear(0x401000));
    m.store_entry(0x800008, entry(202, kP | kW | kU));
    m.store_entry(0x800004, entry(201, kP | kW | kU));
    m.store_entry(0x801004, entry(M::kTable, kP | kW | kU));
    EXPECT_EQ(m.access(0x402000, kUser, true).frame, 202u);
    EXPECT_EQ(m.access(0x401000, kUser, true).frame, 201u);
    EXPECT_TRUE(m.access(0x400000, kUser, false).fault);
}

TEST(ShadowMmu, LargePages) {
    M m;
    m.cpu.cr4 = cr4::kPse;
    m.flush();
    m.poke(M::kDirectory, 3, 0x400000 | kP | kW | kU | kLarge);
    EXPECT_EQ(m.access(0xc01000, kUser, false).frame, 0x401u);
    EXPECT_FALSE(m.see(0xc01000).writable);
    EXPECT_EQ(m.access(0xe02000, kUser, false).frame, 0x602u) << "the upper half";
    EXPECT_EQ(m.access(0xc01000, kUser, true).frame, 0x401u);
    EXPECT_EQ(m.peek(M::kDirectory, 3) & (kA | kD), kA | kD);
    m.cpu.cr4 = 0;
    m.flush();
    m.poke(0x400, 1, entry(55, kP | kU));
    EXPECT_EQ(m.access(0xc01000, kUser, false).frame, 55u) << "without PSE the bit means nothing";
}

TEST(ShadowMmu, PaeAndExecuteDisable) {
    M m;
    constexpr u64 kNx = u64{1} << 63;
    m.cpu.cr4 = cr4::kPae;
    m.cpu.efer = efer::kNxe;
    m.cpu.pae_pdpte[1] = u64{20} << 12 | kP;
    m.flush();
    m.poke_pae(20, 2, u64{21} << 12 | kP | kW | kU);
    m.poke_pae(21, 0, u64{100} << 12 | kP | kW | kU | kNx);
    m.poke_pae(20, 3, u64{0x400} << 12 | kP | kW | kU | kLarge);
    EXPECT_EQ(m.access(0x40400000, kUser, true).frame, 100u);
    EXPECT_FALSE(m.see(0x40400000).executable);
    const auto refused = m.access(0x40400000, kUser, false, true);
    EXPECT_TRUE(refused.fault);
    EXPECT_EQ(refused.error, pf_error::kPresent | pf_error::kUser | pf_error::kFetch);
    EXPECT_EQ(m.access(0x40605000, kUser, false, true).frame, 0x405u);
    EXPECT_TRUE(m.access(0x80000000, kUser, false).fault);
}

TEST(ShadowMmu, EveryMappingOfAPageIsFound) {
    Mapped m;
    for (u32 i = 0; i < 5; i++) {
        m.poke(M::kTable, i, entry(100, kP | kW | kU));
        (void)m.access(0x400000 + i * 0x1000, kUser, true);
        (void)m.access(0x400000 + i * 0x1000, kKernel, true);
    }
    m.state(100) |= page_state::kCode;
    m.mmu.write_protect(m.view, m.memory, 100);
    EXPECT_TRUE(m.mmu.stale.all());
    for (const ShadowSide side : {kUser, kKernel})
        for (u32 i = 0; i < 5; i++) {
            m.mmu.load(m.view, m.memory, m.cpu, side);
            EXPECT_TRUE(m.see(0x400000 + i * 0x1000).present);
            EXPECT_FALSE(m.see(0x400000 + i * 0x1000).writable);
        }
}

TEST(ShadowMmu, PagesOfOneAddressAreForgottenByName) {
    Mapped m;
    m.mmu.options.execute_only = true;
    for (u32 i = 0; i < 3; i++) {
        m.poke(M::kTable, i, entry(100 + i, kP | kW | kU));
        (void)m.access(0x400000 + i * 0x1000, kUser, true);
    }
    m.mmu.write_protect(m.view, m.memory, 101);
    EXPECT_FALSE(m.mmu.stale.all());
    ASSERT_EQ(m.mmu.stale.count(), 1u);
    EXPECT_EQ(m.mmu.stale.page(0).value, 0x401000u);
    EXPECT_EQ(m.access(0x401000, kUser, true).hidden, 1u);
    (void)m.access(0x401000, kKernel, true);
    m.mmu.write_protect(m.view, m.memory, 102);
    EXPECT_EQ(m.mmu.stale.count(), 0u) << "the user's side is not loaded";
}

TEST(ShadowMmu, AddressSpacesComeBackWarm) {
    Mapped m;
    m.poke(M::kTable, 0, entry(100, kP | kW | kU));
    m.poke(30, 1, entry(31, kP | kW | kU));
    m.poke(31, 0, entry(200, kP | kW | kU));
    (void)m.access(0x400000, kUser, true);
    m.cpu.cr3 = 30 << 12;
    m.flush();
    EXPECT_EQ(m.access(0x400000, kUser, true).frame, 200u);
    m.cpu.cr3 = M::kDirectory << 12;
    m.flush();
    const auto back = m.access(0x400000, kUser, true);
    EXPECT_EQ(back.frame, 100u);
    EXPECT_EQ(back.hidden, 0u);
}

TEST(ShadowMmu, ARewindDropsOnlyWhatItRewrites) {
    Mapped m;
    m.poke(M::kDirectory, 2, entry(31, kP | kW | kU));
    m.poke(M::kTable, 0, entry(100, kP | kW | kU));
    m.poke(M::kTable, 1, entry(101, kP | kW | kU));
    m.poke(31, 0, entry(200, kP | kW | kU));
    for (const u32 at : {0x400000u, 0x401000u, 0x800000u})
        (void)m.access(at, kUser, true);
    // Memory was taken back: one table has another entry, and a page that is no table other content.
    m.poke(M::kTable, 1, entry(102, kP | kW | kU));
    m.mmu.table_written(m.memory, M::kTable);
    m.mmu.table_written(m.memory, 100);
    m.flush();
    EXPECT_EQ(m.access(0x400000, kUser, true).hidden, 0u);
    EXPECT_EQ(m.access(0x800000, kUser, true).hidden, 0u);
    EXPECT_EQ(m.access(0x401000, kUser, true).frame, 102u);
    // To a processor that translates otherwise: nothing is kept.
    m.cpu.cr0 &= ~cr0::kPg;
    m.flush();
    EXPECT_FALSE(m.see(0x400000).present);
    EXPECT_EQ(m.access(0x400000, kUser, true).frame, 0x400u);
}

TEST(ShadowMmu, AFullPoolIsUsedAgain) {
    M m(8);
    for (u32 i = 0; i < 64; i++) {
        m.poke(M::kDirectory, i, entry(100 + i, kP | kW | kU));
        m.poke(100 + i, 0, entry(300 + i, kP | kW | kU));
        EXPECT_EQ(m.access(i << 22, kUser, true).frame, 300 + i);
    }
    EXPECT_GT(m.mmu.pages_evicted(), 0u);
    EXPECT_LE(m.mmu.pages_in_use(), 8u);
    EXPECT_EQ(m.access(0, kUser, true).frame, 300u);
}

TEST(ShadowMmu, WithoutPagingEverythingIsWhereItIs) {
    M m;
    m.cpu.cr0 = cr0::kPe;
    m.flush();
    EXPECT_EQ(m.access(0x123000, kKernel, true).frame, 0x123u);
    EXPECT_EQ(m.access(0x123000, kUser, true).hidden, 0u);
}

TEST(ShadowMmu, WhatIsGivenUpIsDroppedBeforeNativeCodeRuns) {
    M m;
    constexpr u32 kPage = 20, kMappings = 4;
    m.poke(M::kDirectory, 0, M::kTable << 12 | 7);
    m.poke(M::kDirectory, 1, kPage << 12 | 7);
    m.poke(kPage, 0, 21 << 12 | 7);
    for (u32 i = 0; i < kMappings; i++) {
        m.poke(M::kTable, i, kPage << 12 | 7);
        ASSERT_FALSE(m.access(i << 12, ShadowSide::Kernel, true).fault);
    }
    const auto writable = [&] {
        u32 count = 0;
        for (u32 i = 0; i < kMappings; i++)
            count += m.see(i << 12).writable;
        return count;
    };
    ASSERT_EQ(writable(), kMappings);
    m.mmu.options.most_work = 2;
    // The page becomes a table: its writes must be seen, wherever it is mapped.
    GuestWalk walk;
    ASSERT_TRUE(guest_walk(m.cpu, m.memory, GuestLinear(0x400000), {}, WalkMark::Yes, walk));
    m.mmu.map(m.view, m.memory, m.cpu, ShadowSide::Kernel, GuestLinear(0x400000), walk);
    EXPECT_EQ(writable(), kMappings - 2) << "two were looked at";
    m.enter_native();
    EXPECT_EQ(writable(), 0u);
    EXPECT_EQ(m.access(0x400000, ShadowSide::Kernel, false).frame, 21u);
    EXPECT_EQ(m.access(0x1000, ShadowSide::Kernel, false).frame, kPage);
    EXPECT_EQ(writable(), 0u);
}

} // namespace
} // namespace btvm::test

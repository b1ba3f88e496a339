#include <gtest/gtest.h>
#include <memory>

#include "tests/unit/plan/code_world.hh"
#include "vmm/plan/plan_cache.hh"

namespace btvm::test {
namespace {

constexpr u64 kEpoch = 7;

class PlanCacheTest : public testing::Test {
protected:
    PlanCacheTest() {
        w.pushf(0x1010);
        w.pushf(0x2010);
    }

    /// What the monitor does at a trap.
    Plan plan_at(const PlanKey& key) {
        if (const Plan* found = plans->lookup(key, w.cache(), w.translation, kEpoch)) return *found;
        const Plan made = w.plan(key.pc, key.breakpoints, key.kind);
        plans->insert(key, made, kEpoch);
        return made;
    }

    CodeWorld w;
    std::unique_ptr<PlanCache> plans = std::make_unique<PlanCache>();
};

TEST_F(PlanCacheTest, FindsWhatWasInserted) {
    const PlanKey key{.pc = 0x1000};
    EXPECT_EQ(plans->lookup(key, w.cache(), w.translation, kEpoch), nullptr);
    (void)plan_at(key);
    const Plan* found = plans->lookup(key, w.cache(), w.translation, kEpoch);
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(addresses(*found), std::vector<u64>{0x1010});
    EXPECT_EQ(plans->counters.hits, 1u);
    EXPECT_EQ(plans->counters.misses, 2u);
    EXPECT_EQ(plans->counters.inserted, 1u);
}

TEST_F(PlanCacheTest, EveryPartOfTheKeyCounts) {
    const PlanKey key{.pc = 0x1000};
    (void)plan_at(key);
    PlanKey other = key;
    other.pc = 0x1001;
    EXPECT_EQ(plans->lookup(other, w.cache(), w.translation, kEpoch), nullptr);
    other = key;
    other.space = 1;
    EXPECT_EQ(plans->lookup(other, w.cache(), w.translation, kEpoch), nullptr);
    other = key;
    other.size = CodeSize::Bits16;
    EXPECT_EQ(plans->lookup(other, w.cache(), w.translation, kEpoch), nullptr);
    other = key;
    other.breakpoints = 2;
    EXPECT_EQ(plans->lookup(other, w.cache(), w.translation, kEpoch), nullptr);
    other = key;
    other.kind = PlannerKind::Lookahead;
    EXPECT_EQ(plans->lookup(other, w.cache(), w.translation, kEpoch), nullptr);
    EXPECT_NE(plans->lookup(key, w.cache(), w.translation, kEpoch), nullptr);
}

TEST_F(PlanCacheTest, AWriteToTheCodeMakesAPlanStale) {
    const PlanKey one{.pc = 0x1000};
    const PlanKey two{.pc = 0x2000};
    (void)plan_at(one);
    (void)plan_at(two);
    w.memory.store<u8>(GuestPhysical(0x1008), 0x9c);
    (void)w.cache().drop_written(w.memory);
    EXPECT_EQ(plans->lookup(one, w.cache(), w.translation, kEpoch), nullptr);
    EXPECT_EQ(plans->counters.stale, 1u);
    EXPECT_NE(plans->lookup(two, w.cache(), w.translation, kEpoch), nullptr);
    EXPECT_EQ(addresses(plan_at(one)), std::vector<u64>{0x1008});
    EXPECT_EQ(addresses(plan_at(one)), std::vector<u64>{0x1008});
}

TEST_F(PlanCacheTest, AnEvictedPageMakesAPlanStale) {
    CodeWorld big(CodeCache::kPages + 8);
    const PlanKey key{.pc = 0x1000};
    big.pushf(0x1010);
    plans->insert(key, big.plan(0x1000, 4), kEpoch);
    for (u64 page = 2; page < CodeCache::kPages + 4; page++)
        (void)big.classify(page << kPageShift);
    EXPECT_EQ(plans->lookup(key, big.cache(), big.translation, kEpoch), nullptr);
}

TEST_F(PlanCacheTest, AHitKeepsItsPagesFromBeingEvicted) {
    CodeWorld big(2 * CodeCache::kPages + 8);
    const PlanKey key{.pc = 0x1000};
    big.pushf(0x1010);
    plans->insert(key, big.plan(0x1000, 4), kEpoch);
    for (u64 page = 2; page < 2 * CodeCache::kPages; page++) {
        ASSERT_NE(plans->lookup(key, big.cache(), big.translation, kEpoch), nullptr);
        (void)big.classify(page << kPageShift);
    }
}

TEST_F(PlanCacheTest, FlushForgetsAll) {
    const PlanKey key{.pc = 0x1000};
    (void)plan_at(key);
    plans->flush();
    EXPECT_EQ(plans->lookup(key, w.cache(), w.translation, kEpoch), nullptr);
    EXPECT_EQ(plans->counters.flushes, 1u);
    (void)plan_at(key);
    EXPECT_NE(plans->lookup(key, w.cache(), w.translation, kEpoch), nullptr);
}

TEST_F(PlanCacheTest, ProvisionalPlansAreNotKept) {
    PlannerOptions options;
    options.budget.decodes = 3;
    const PlanKey key{.pc = 0x1000};
    const Plan p = w.plan(0x1000, options);
    ASSERT_TRUE(p.provisional);
    plans->insert(key, p, kEpoch);
    EXPECT_EQ(plans->lookup(key, w.cache(), w.translation, kEpoch), nullptr);
}

TEST_F(PlanCacheTest, FullSetsReplaceTheLeastRecentlyUsed) {
    // Far more keys than places: whatever is found must be right, and the newest must be there.
    u32 found = 0;
    const Plan p = w.plan(0x1000, 4);
    constexpr u32 kKeys = 4 * PlanCache::kSets * PlanCache::kWays;
    for (u32 i = 0; i < kKeys; i++) {
        Plan mine = p;
        mine.pc = i;
        plans->insert({.pc = i}, mine, kEpoch);
        const Plan* back = plans->lookup({.pc = i}, w.cache(), w.translation, kEpoch);
        ASSERT_NE(back, nullptr);
    }
    for (u32 i = 0; i < kKeys; i++)
        if (const Plan* back = plans->lookup({.pc = i}, w.cache(), w.translation, kEpoch)) {
            found++;
            ASSERT_EQ(back->pc, i);
        }
    EXPECT_LE(found, PlanCache::kSets * PlanCache::kWays);
    EXPECT_GT(found, PlanCache::kSets * PlanCache::kWays / 2) << "the hash spreads badly";
    EXPECT_GT(plans->counters.replaced, 0u);
}

TEST_F(PlanCacheTest, ReplacingTheSameKeyKeepsTheNeighbour) {
    const PlanKey key{.pc = 0x1000};
    for (int i = 0; i < 3; i++)
        plans->insert(key, w.plan(0x1000, 4), kEpoch);
    EXPECT_EQ(plans->counters.replaced, 0u);
    EXPECT_NE(plans->lookup(key, w.cache(), w.translation, kEpoch), nullptr);
}

} // namespace
} // namespace btvm::test

#include <gtest/gtest.h>

#include "tests/unit/plan/code_world.hh"
#include "vmm/cfg/code_cache.hh"

namespace btvm::test {
namespace {

TEST(CodeCache, DecodesOnceAndWatchesThePage) {
    CodeWorld w;
    w.pushf(0x1234);
    EXPECT_EQ(w.state(1), 0);

    CodeAt at = w.classify(0x1234);
    EXPECT_EQ(at.status, CodeStatus::Ok);
    EXPECT_EQ(at.cls, InstructionClass::Sensitive);
    EXPECT_EQ(at.length, 1);
    EXPECT_TRUE(at.fresh);
    EXPECT_EQ(w.state(1), page_state::kCode);
    ASSERT_EQ(w.cache().newly_watched_count(), 1u);
    EXPECT_EQ(w.cache().newly_watched(0), 1u);

    w.cache().clear_newly_watched();
    at = w.classify(0x1234);
    EXPECT_FALSE(at.fresh);
    EXPECT_EQ(at.cls, InstructionClass::Sensitive);
    EXPECT_EQ(w.cache().counters.decoded, 1u);
    EXPECT_EQ(w.cache().counters.hits, 1u);
    EXPECT_EQ(w.cache().newly_watched_count(), 0u);
}

TEST(CodeCache, AWriteDropsThePageAndTheNextLookDecodesAfresh) {
    CodeWorld w;
    const CodePageId before = w.classify(0x1234).page;
    EXPECT_TRUE(w.cache().current(before));

    w.memory.store<u8>(GuestPhysical(0x1234), 0x9c);
    EXPECT_EQ(w.memory.watched_hits, 1u);
    EXPECT_EQ(w.cache().drop_written(w.memory), 1u);

    EXPECT_FALSE(w.cache().current(before));
    EXPECT_EQ(w.state(1) & (page_state::kCode | page_state::kWatchedHit), 0);
    EXPECT_EQ(w.cache().counters.dropped, 1u);
    EXPECT_EQ(w.classify(0x1234).cls, InstructionClass::Sensitive);
    EXPECT_FALSE(w.cache().current(before)) << "an old name must not fit the new contents";
}

TEST(CodeCache, DropWrittenLeavesOtherPagesAlone) {
    CodeWorld w;
    const CodePageId one = w.classify(0x1000).page;
    const CodePageId two = w.classify(0x2000).page;
    w.memory.store<u8>(GuestPhysical(0x2000), 0);
    EXPECT_EQ(w.cache().drop_written(w.memory), 1u);
    EXPECT_TRUE(w.cache().current(one));
    EXPECT_FALSE(w.cache().current(two));
}

TEST(CodeCache, TheMarkOfAPageTableIsLeftForItsOwner) {
    CodeWorld w;
    (void)w.classify(0x1000);
    w.set_state(1, page_state::kCode | page_state::kTable | page_state::kWatchedHit);
    EXPECT_EQ(w.cache().drop_written(w.memory), 1u);
    EXPECT_EQ(w.state(1), page_state::kTable | page_state::kWatchedHit);
}

TEST(CodeCache, DropOfAFrameThatIsNotDecodedDoesNothing) {
    CodeWorld w;
    EXPECT_FALSE(w.cache().drop(w.memory, 7));
    (void)w.classify(0x7000);
    EXPECT_TRUE(w.cache().drop(w.memory, 7));
    EXPECT_FALSE(w.cache().drop(w.memory, 7));
    EXPECT_EQ(w.cache().live(), 0u);
}

TEST(CodeCache, CrossingInstructionsAreNeverKeptAndWatchBothPages) {
    CodeWorld w;
    w.jmp(0x1ffd, 0x3000);
    for (int i = 0; i < 2; i++) {
        const CodeAt at = w.classify(0x1ffd);
        EXPECT_EQ(at.status, CodeStatus::Ok);
        EXPECT_EQ(at.cls, InstructionClass::UnconditionalBranch);
        EXPECT_EQ(at.length, 5);
        EXPECT_TRUE(at.crosses);
        EXPECT_TRUE(at.fresh);
        EXPECT_TRUE(w.cache().current(at.page));
        EXPECT_TRUE(w.cache().current(at.next_page));
    }
    EXPECT_EQ(w.cache().counters.decoded, 2u);
    EXPECT_EQ(w.state(1), page_state::kCode);
    EXPECT_EQ(w.state(2), page_state::kCode);
    // The tail alone changes: the head's page is still good, and the whole is another instruction.
    w.memory.store<u8>(GuestPhysical(0x2000), 0xff);
    EXPECT_EQ(w.cache().drop_written(w.memory), 1u);
    EXPECT_EQ(w.state(2) & page_state::kCode, 0);
    EXPECT_TRUE(w.classify(0x1ffd).crosses);
    EXPECT_EQ(w.state(2) & page_state::kCode, page_state::kCode);
}

TEST(CodeCache, TheLastInstructionOfAPageDoesNotTouchTheNext) {
    CodeWorld w(2);
    w.put(0x1ffe, {0xeb, 0x00});
    const CodeAt at = w.classify(0x1ffe);
    EXPECT_EQ(at.status, CodeStatus::Ok);
    EXPECT_FALSE(at.crosses);
    EXPECT_EQ(w.classify(0x1fff).status, CodeStatus::Unwatchable) << "00 /r goes on where nothing is";
}

TEST(CodeCache, WhatCannotBeWatchedIsNotDecoded) {
    CodeWorld w(2);
    EXPECT_EQ(w.classify(0x2000).status, CodeStatus::Unwatchable) << "nothing is there";
    w.put(0x1ffd, {0xe9});
    EXPECT_EQ(w.classify(0x1ffd).status, CodeStatus::Unwatchable) << "its tail is not there";
    w.memory.slots[0].state = nullptr;
    w.cache().drop_all(w.memory);
    EXPECT_EQ(w.classify(0x1000).status, CodeStatus::Unwatchable) << "writes there are not tracked";
    w.memory.slots[0].read_only = 1;
    EXPECT_EQ(w.classify(0x1000).status, CodeStatus::Ok) << "ROM needs no watching";
}

TEST(CodeCache, TheLastPageOf32BitSpaceHasNoSuccessor) {
    CodeWorld w(2);
    w.memory.slots[0].first = 0xffffe000;
    w.put(0x1ffd, {0xe9});
    EXPECT_EQ(w.classify(0xfffffffd).status, CodeStatus::Untranslated);
}

TEST(CodeCache, AddressLine20FoldsPages) {
    CodeWorld w(0x110);
    w.pushf(0x2000);
    w.translation = CodeTranslation(true);
    EXPECT_EQ(w.classify(0x102000).cls, InstructionClass::Sensitive);
    EXPECT_EQ(w.state(2), page_state::kCode);
    EXPECT_EQ(w.state(0x102), 0);
    EXPECT_EQ(w.cache().counters.decoded, 1u);
    EXPECT_EQ(w.classify(0x2000).fresh, false) << "one frame, two linear pages: decoded once";
}

TEST(CodeCache, InvalidBytesAreUnrecognisedAndNeverLengthless) {
    CodeWorld w;
    w.put(0x1000, {0x0f, 0x04});
    CodeAt at = w.classify(0x1000);
    EXPECT_EQ(at.status, CodeStatus::Ok);
    EXPECT_EQ(at.cls, InstructionClass::Unrecognised);
    EXPECT_GE(at.length, 1);
    for (u32 i = 0; i < 20; i++)
        w.put(0x1100 + i, {0x66});
    at = w.classify(0x1100);
    EXPECT_EQ(at.cls, InstructionClass::Unrecognised) << "over 15 bytes";
    EXPECT_GE(at.length, 1);
    EXPECT_LE(at.length, 15);
}

TEST(CodeCache, RepeatedPortAccessMayNotFaultSoItIsSensitive) {
    CodeWorld w;
    w.put(0x1000, {0xf3, 0x6c}); // rep insb: no access, no fault when ECX = 0
    w.put(0x1010, {0x6c});
    EXPECT_EQ(w.classify(0x1000).cls, InstructionClass::Sensitive);
    EXPECT_EQ(w.classify(0x1010).cls, InstructionClass::Privileged);
}

TEST(CodeCache, EvictsTheLeastRecentlyUsedPageAndStopsWatchingIt) {
    CodeWorld w(CodeCache::kPages + 8);
    const CodePageId kept = w.classify(0).page;
    const CodePageId victim = w.classify(0x1000).page;
    for (u64 page = 2; page < CodeCache::kPages; page++)
        (void)w.classify(page << kPageShift);
    EXPECT_EQ(w.cache().live(), CodeCache::kPages);
    EXPECT_TRUE(w.cache().current(kept)); // a use
    (void)w.classify(u64{CodeCache::kPages} << kPageShift);
    EXPECT_EQ(w.cache().live(), CodeCache::kPages);
    EXPECT_EQ(w.cache().counters.evicted, 1u);
    EXPECT_TRUE(w.cache().current(kept));
    EXPECT_FALSE(w.cache().current(victim));
    EXPECT_EQ(w.state(1), 0);
    EXPECT_EQ(w.state(CodeCache::kPages), page_state::kCode);
    EXPECT_TRUE(w.cache().newly_watched_overflow()) << "more pages than the list holds";
}

TEST(CodeCache, OneFrameInTwoCodeSizesStaysWatchedUntilBothAreGone) {
    CodeWorld w(CodeCache::kPages + 8);
    CodeCursor c16;
    w.put(0x1000, {0x05, 0x01, 0x02}); // add ax, imm16 / add eax, imm32
    const CodeAt at16 = w.cache().classify(w.memory, w.translation, 0x1000, CodeSize::Bits16, c16);
    EXPECT_EQ(at16.length, 3);
    for (u64 page = 2; page <= CodeCache::kPages; page++)
        (void)w.classify(page << kPageShift);
    EXPECT_TRUE(w.cache().current(at16.page));
    EXPECT_EQ(w.classify(0x1000).length, 5);
    (void)w.classify(0x2000); // used: so the next victim is another
    // Only the 16-bit entry ages out.
    for (u64 page = CodeCache::kPages + 1; page < CodeCache::kPages + 4; page++)
        (void)w.classify(page << kPageShift);
    for (u64 page = 3; w.cache().holds(at16.page, 1) && page < CodeCache::kPages; page++)
        (void)w.classify(page << kPageShift), (void)w.classify(0x1000);
    EXPECT_FALSE(w.cache().holds(at16.page, 1));
    EXPECT_EQ(w.state(1), page_state::kCode);
    EXPECT_TRUE(w.cache().drop(w.memory, 1));
    EXPECT_EQ(w.state(1), 0);
}

TEST(CodeCache, DropAllForgetsEverything) {
    CodeWorld w;
    for (u64 page = 0; page < 10; page++)
        (void)w.classify(page << kPageShift);
    w.cache().drop_all(w.memory);
    EXPECT_EQ(w.cache().live(), 0u);
    for (u64 page = 0; page < 10; page++)
        EXPECT_EQ(w.state(page), 0);
    EXPECT_TRUE(w.classify(0).fresh);
}

TEST(CodeCache, ACursorDoesNotOutliveItsPage) {
    CodeWorld w;
    CodeCursor cursor;
    (void)w.cache().classify(w.memory, w.translation, 0x1000, CodeSize::Bits32, cursor);
    w.memory.store<u8>(GuestPhysical(0x1000), 0x9c);
    (void)w.cache().drop_written(w.memory);
    const CodeAt at = w.cache().classify(w.memory, w.translation, 0x1000, CodeSize::Bits32, cursor);
    EXPECT_EQ(at.cls, InstructionClass::Sensitive);
    EXPECT_EQ(w.state(1) & page_state::kCode, page_state::kCode);
}

} // namespace
} // namespace btvm::test

// Writes to pages that hold decoded code: what they drop and what they spare.
#include <gtest/gtest.h>
#include <random>

#include "tests/unit/plan/code_world.hh"

namespace btvm::test {
namespace {

/// Decodes the instruction at `pc` and those after it up to `end`.
void decode_run(CodeWorld& w, u64 pc, u64 end) {
    while (pc < end)
        pc += w.classify(pc).length;
}

TEST(CodeWrite, VariablesBesideTheCodeDropNothing) {
    CodeWorld w;
    decode_run(w, 0x1100, 0x1110);
    const CodePageId id = w.classify(0x1100).page;
    for (const u64 at : {0x10ff, 0x1110, 0x1000, 0x1fff}) {
        w.memory.store<u8>(GuestPhysical(at), 1);
        EXPECT_EQ(w.memory.watched_hits, 1u);
        w.memory.watched_hits = 0;
        EXPECT_EQ(w.cache().drop_written(w.memory), 0u);
        EXPECT_TRUE(w.cache().current(id)) << std::hex << at;
        EXPECT_EQ(w.state(1), page_state::kCode | page_state::kDirty) << "still watched, no mark left";
    }
    EXPECT_EQ(w.cache().counters.spared, 4u);
    EXPECT_EQ(w.cache().counters.dropped, 0u);
}

TEST(CodeWrite, AnyByteOfAnInstructionDropsItsPage) {
    for (u64 byte = 0; byte < 7; byte++)
        for (const u32 bytes : {1, 2, 4, 8}) {
            CodeWorld w;
            w.put(0x1100, {0xb8, 1, 2, 3, 4}); // mov eax, imm32 at 1100 to 1104
            const CodePageId id = w.classify(0x1100).page;
            const u64 first = 0x10fe + byte;
            const u8 value[8]{};
            w.memory.write(GuestPhysical(first), value, bytes);
            const bool hit = first < 0x1105 && first + bytes > 0x1100;
            EXPECT_EQ(w.cache().drop_written(w.memory), hit ? 1u : 0u) << std::hex << first << " " << bytes;
            EXPECT_EQ(w.cache().current(id), !hit);
        }
}

TEST(CodeWrite, BothEndsOfACrossingInstructionCount) {
    for (u64 at = 0x1ffa; at < 0x2006; at++) {
        CodeWorld w;
        w.jmp(0x1ffd, 0x3000); // 1ffd to 2001
        const CodeAt jump = w.classify(0x1ffd);
        w.memory.store<u8>(GuestPhysical(at), 0);
        (void)w.cache().drop_written(w.memory);
        EXPECT_EQ(w.cache().current(jump.page), !(at >= 0x1ffd && at < 0x2000)) << std::hex << at;
        EXPECT_EQ(w.cache().current(jump.next_page), !(at >= 0x2000 && at <= 0x2001)) << std::hex << at;
    }
}

TEST(CodeWrite, MoreWritesThanAreNotedDropEveryMarkedPage) {
    CodeWorld w;
    const CodePageId one = w.classify(0x1800).page;
    const CodePageId two = w.classify(0x2800).page;
    const CodePageId other = w.classify(0x3800).page;
    for (u32 i = 0; i <= GuestMemory::kWatchedWrites; i++)
        w.memory.store<u8>(GuestPhysical(0x1000 + 0x1000 * (i % 2) + 16 * i), 0);
    EXPECT_EQ(w.memory.watched_writes, GuestMemory::kWatchedWrites + 1);
    w.memory.store<u8>(GuestPhysical(0x1000), 0);
    EXPECT_EQ(w.memory.watched_writes, GuestMemory::kWatchedWrites + 1);
    EXPECT_EQ(w.cache().drop_written(w.memory), 2u);
    EXPECT_FALSE(w.cache().current(one));
    EXPECT_FALSE(w.cache().current(two));
    EXPECT_TRUE(w.cache().current(other));
    EXPECT_EQ(w.memory.watched_writes, 0u);
}

TEST(CodeWrite, RunsOfWritesAreOneNote) {
    CodeWorld w;
    (void)w.classify(0x1800);
    for (u64 at = 0x1000; at < 0x1100; at += 4)
        w.memory.store<u32>(GuestPhysical(at), 0); // rep stosd
    EXPECT_EQ(w.memory.watched_writes, 1u);
    EXPECT_EQ(w.memory.watched_write[0].first, 0x1000u);
    EXPECT_EQ(w.memory.watched_write[0].bytes, 0x100u);
    for (u64 at = 0x1400; at > 0x1300; at -= 2)
        w.memory.store<u16>(GuestPhysical(at - 2), 0); // std; rep stosw
    EXPECT_EQ(w.memory.watched_writes, 2u);
    EXPECT_EQ(w.memory.watched_write[1].first, 0x1300u);
    EXPECT_EQ(w.memory.watched_write[1].bytes, 0x100u);
    EXPECT_EQ(w.cache().drop_written(w.memory), 0u);
    EXPECT_EQ(w.state(1) & page_state::kWatchedHit, 0);
}

TEST(CodeWrite, ARunDoesNotGoOnInTheNextPage) {
    CodeWorld w;
    const CodePageId one = w.classify(0x1000).page;
    const CodePageId two = w.classify(0x2000).page;
    w.memory.store<u32>(GuestPhysical(0x1ffe), 0);
    EXPECT_EQ(w.memory.watched_writes, 2u);
    EXPECT_EQ(w.cache().drop_written(w.memory), 1u);
    EXPECT_TRUE(w.cache().current(one));
    EXPECT_FALSE(w.cache().current(two));
}

TEST(CodeWrite, WritesElsewhereAreNotNoted) {
    CodeWorld w;
    (void)w.classify(0x1000);
    w.memory.store<u32>(GuestPhysical(0x5000), 0);
    EXPECT_EQ(w.memory.watched_hits, 0u);
    EXPECT_EQ(w.memory.watched_writes, 0u);
}

TEST(CodeWrite, WhatIsSparedIsStillRight) {
    // Random bytes as code, random writes: what the cache still says must be what a fresh decoder says.
    std::mt19937_64 random(1);
    CodeWorld w;
    for (u64 at = 0x1000; at < 0x4000; at++)
        w.put(at, {static_cast<u8>(random())});
    u32 compared = 0;
    for (int round = 0; round < 3000; round++) {
        u64 pc = 0x1000 + random() % 0x2f00;
        for (int i = 0; i < 5; i++)
            pc += w.classify(pc).length;
        for (u64 writes = random() % 12; writes > 0; writes--) {
            const u64 value = random();
            w.memory.write(GuestPhysical(pc - 40 + random() % 80), &value, 1u << random() % 4);
        }
        (void)w.cache().drop_written(w.memory);
        for (u64 at = pc - 64; at < pc + 64; at++) {
            u64 frame = at >> kPageShift;
            CodeCache::Known known;
            const CodeAt any = w.classify(0x1000 * frame); // only for the page's name
            if (!w.cache().holds(any.page, frame) || !w.cache().peek(any.page, at, known)) continue;
            Instruction fresh;
            ASSERT_EQ(w.cache().fetch(w.memory, w.translation, at, CodeSize::Bits32, fresh), CodeStatus::Ok);
            // An unrecognised instruction may have become one: it has a breakpoint all the same.
            if (known.cls == InstructionClass::Unrecognised) continue;
            ASSERT_EQ(known.cls, fresh.cls) << std::hex << at;
            ASSERT_EQ(known.length, fresh.length) << std::hex << at;
            compared++;
        }
    }
    EXPECT_GT(compared, 1000u);
    EXPECT_GT(w.cache().counters.spared, 100u);
}

} // namespace
} // namespace btvm::test

// The copies of the guest's descriptors that its user code loads natively.
#include <gtest/gtest.h>

#include "tests/unit/native/user_guest.hh"

namespace btvm::test {
namespace {

constexpr u64 kPresentBit = u64{1} << 47;

TEST(Usable, OnlyWhatCpl3CanLoadOrSee) {
    using native::UserTables;
    EXPECT_EQ(UserTables::usable(kUserData), kUserData);
    EXPECT_EQ(UserTables::usable(kUserCode), kUserCode);
    EXPECT_EQ(UserTables::usable(kUserData & ~kAccessedBit), kUserData & ~kAccessedBit) << "its load traps";
    EXPECT_EQ(UserTables::usable(kUserCode & ~kAccessedBit), 0u);
    EXPECT_EQ(UserTables::usable(kUserData & ~kPresentBit), kUserData & ~kPresentBit) << "LAR shows it";
    EXPECT_EQ(UserTables::usable(0x00cf9b000000ffff), 0u) << "code of ring 0";
    EXPECT_EQ(UserTables::usable(0x00cf93000000ffff), 0u) << "data of ring 0";
    EXPECT_EQ(UserTables::usable(0x00cfd3000000ffff), 0u) << "data of ring 2";
    EXPECT_EQ(UserTables::usable(0x00cf9f000000ffff), 0x00cf9f000000ffffu) << "conforming code";
    EXPECT_EQ(UserTables::usable(0x00effb000000ffff), 0x00cffb000000ffffu) << "L means nothing to the guest";
    for (u64 type = 0; type < 16; type++)
        EXPECT_EQ(UserTables::usable(u64{0xe0 | type} << 40 | 0xffff), 0u) << "system type " << type;
}

TEST(Usable, OnALaxProcessorOnlyWhatItNeedNotCheck) {
    const auto usable = [](u64 raw) { return native::UserTables::usable(raw, true); };
    for (const u64 whole : {kUserCode, kUserData, u64{0x12cff3345678ffff}, u64{0x00cfff000000ffff}})
        EXPECT_EQ(usable(whole), whole) << std::hex << whole;
    for (const u64 data : {u64{0x004ff3000000ffff}, u64{0x00cff3000000fffe}, u64{0x00cff1000000ffff},
                           u64{0x00cff7000000ffff}, u64{0x00cef3000000ffff}})
        EXPECT_EQ(usable(data), data & ~kAccessedBit) << "its load traps: " << std::hex << data;
    EXPECT_EQ(usable(0x004ffb000000ffff), 0u) << "code of 1 MiB";
    EXPECT_EQ(usable(0x00cff9000000ffff), 0u) << "code that cannot be read";
    constexpr u64 kAbsent = 0x004f73000000ffff;
    EXPECT_EQ(usable(kAbsent), kAbsent) << "its load faults in any case";
}

TEST(UserTables, OnALaxProcessorLimitedSegmentsAreThereToBeLookedAt) {
    UserGuest guest;
    guest.world().user_tables.only_whole_segments = true;
    constexpr u64 kLimited = 0x0040f3000000ffff;
    guest.put(0x2b, kLimited);
    guest.put(0x323, kLimited);
    guest.refresh();
    EXPECT_EQ(guest.seen(0x2b), kLimited & ~kAccessedBit);
    EXPECT_EQ(guest.find(0x323), kLimited & ~kAccessedBit);
    EXPECT_EQ(guest.seen(UserGuest::kDs), kUserData);
}

TEST(UserTables, FollowTheGuest) {
    UserGuest guest;
    guest.put(0x08, 0x00cf9b000000ffff);
    guest.refresh();
    EXPECT_EQ(guest.seen(UserGuest::kCs), kUserCode);
    EXPECT_EQ(guest.seen(UserGuest::kDs), kUserData);
    EXPECT_EQ(guest.seen(0x08), 0u);
    guest.put(UserGuest::kDs, 0x00cff3123456ffff);
    guest.put(UserGuest::kCs, 0);
    guest.refresh();
    EXPECT_EQ(guest.seen(UserGuest::kDs), 0x00cff3123456ffffu);
    EXPECT_EQ(guest.seen(UserGuest::kCs), 0u);
}

TEST(UserTables, EndAtTheLimit) {
    UserGuest guest;
    guest.put(0x3b, kUserData);
    guest.cpu().gdtr.limit = 0x3f;
    guest.refresh();
    EXPECT_EQ(guest.seen(0x3b), kUserData);
    guest.cpu().gdtr.limit = 0x3e; // its last byte is outside
    guest.refresh();
    EXPECT_EQ(guest.seen(0x3b), 0u);
    EXPECT_EQ(guest.seen(UserGuest::kDs), kUserData);
    guest.cpu().gdtr.limit = 0x3f;
    guest.refresh();
    EXPECT_EQ(guest.seen(0x3b), kUserData);
}

TEST(UserTables, TheNullDescriptorIsNone) {
    UserGuest guest;
    guest.put(0, kUserData);
    guest.put(4, kUserCode);
    guest.refresh();
    EXPECT_EQ(guest.seen(0), 0u);
    EXPECT_EQ(guest.seen(4), kUserCode) << "an LDT has none";
}

TEST(UserTables, LdtAndItsChange) {
    UserGuest guest;
    guest.put(7, kUserData);
    guest.refresh();
    EXPECT_EQ(guest.seen(7), kUserData);
    guest.cpu().ldtr.base = 0xa000;
    guest.put(0xf, kUserCode);
    guest.refresh();
    EXPECT_EQ(guest.seen(7), 0u);
    EXPECT_EQ(guest.seen(0xf), kUserCode);
    guest.cpu().ldtr = {};
    guest.refresh();
    EXPECT_EQ(guest.seen(0xf), 0u);
}

TEST(UserTables, EntriesFarUpComeWhenAskedFor) {
    UserGuest guest;
    guest.put(0x323, kUserData);
    guest.put(0x327, kUserCode);
    guest.refresh();
    EXPECT_EQ(guest.seen(0x323), 0u);
    EXPECT_EQ(guest.find(0x323), kUserData);
    EXPECT_EQ(guest.find(0x327), kUserCode);
    EXPECT_EQ(guest.seen(0x323), kUserData);
    EXPECT_EQ(guest.seen(0x327), kUserCode);
    guest.put(0x323, kUserData | 0x1230000);
    guest.refresh();
    EXPECT_EQ(guest.seen(0x323), kUserData | 0x1230000);
    guest.cpu().gdtr.limit = 0x31f;
    guest.refresh();
    EXPECT_EQ(guest.seen(0x323), 0u) << "now beyond the limit";
    EXPECT_EQ(guest.seen(0x327), kUserCode);
}

TEST(UserTables, OldEntriesFarUpGiveWay) {
    UserGuest guest;
    guest.cpu().gdtr = {.base = 0x10000, .limit = 0xffff, .reserved = {}};
    constexpr u32 kFirst = 100;
    constexpr u32 kCount = native::UserTables::kLate + 10;
    for (u32 i = kFirst; i < kFirst + kCount; i++)
        guest.put(static_cast<u16>(i << 3 | 3), kUserData);
    for (u32 i = kFirst; i < kFirst + kCount; i++) {
        guest.refresh();
        EXPECT_EQ(guest.find(static_cast<u16>(i << 3 | 3)), kUserData);
    }
    u32 there = 0;
    for (u32 i = kFirst; i < kFirst + kCount; i++)
        there += guest.seen(static_cast<u16>(i << 3 | 3)) != 0;
    EXPECT_EQ(there, native::UserTables::kLate);
    EXPECT_EQ(guest.seen(static_cast<u16>(kFirst << 3)), 0u);
}

TEST(UserTables, WhatIsLoadedTogetherStaysTogether) {
    UserGuest guest;
    guest.cpu().gdtr = {.base = 0x10000, .limit = 0xffff, .reserved = {}};
    constexpr u32 kFirst = 100;
    constexpr u32 kLate = native::UserTables::kLate;
    const auto selector = [](u32 n) { return static_cast<u16>((kFirst + n) << 3 | 3); };
    for (u32 n = 0; n < 2 * kLate; n++)
        guest.put(selector(n), kUserData);
    for (u32 n = 0; n < kLate; n++) {
        guest.refresh();
        ASSERT_EQ(guest.find(selector(n)), kUserData);
    }
    // The next place to be used again is that of the first, which is in CS now.
    for (u32 n = kLate; n < 2 * kLate; n++) {
        guest.refresh();
        EXPECT_EQ(guest.find(selector(0)), kUserData);
        EXPECT_EQ(guest.find(selector(n)), kUserData);
        EXPECT_EQ(guest.seen(selector(0)), kUserData) << n;
        EXPECT_EQ(guest.seen(selector(n)), kUserData) << n;
    }
}

TEST(UserTables, OurOwnDescriptorStaysAndIsNobodys) {
    UserGuest guest;
    guest.cpu().gdtr = {.base = 0x10000, .limit = 0xffff, .reserved = {}};
    guest.put(0xfffb, kUserData);
    guest.refresh();
    EXPECT_EQ(guest.find(0xfffb), 0u);
    EXPECT_EQ(guest.seen(BTVM_SEL_LAST_CS), UserGuest::kOurs);
    guest.cpu().ldtr = {0x20000, 0xffff, 0x30, AccessRights{0x82}};
    guest.put(0xffff, kUserData);
    EXPECT_EQ(guest.find(0xffff), kUserData) << "the LDT has all its places";
}

TEST(UserTables, ATableAcrossPages) {
    UserGuest guest;
    guest.cpu().gdtr.base = 0x2ffc - 8 * 5; // entry 5 has four bytes in each page
    guest.put(0x2b, kUserData | 0xabcd0000);
    guest.put(0x33, kUserCode);
    guest.refresh();
    EXPECT_EQ(guest.seen(0x2b), kUserData | 0xabcd0000);
    EXPECT_EQ(guest.seen(0x33), kUserCode);
}

TEST(UserTables, ATableThroughPaging) {
    UserGuest guest;
    constexpr u32 kPresentWritable = 3;
    guest.cpu().cr3 = 0x40000;
    guest.poke(0x40000, 0x41000 | kPresentWritable);
    guest.poke(0x41000 + 4 * 0x50, 0x2000 | kPresentWritable); // linear 50000h is physical 2000h
    guest.cpu().cr0 |= cr0::kPg;
    guest.cpu().gdtr = {.base = 0x50000, .limit = 0x1fff, .reserved = {}};
    guest.refresh();
    EXPECT_EQ(guest.seen(UserGuest::kDs), kUserData) << "supervisor pages do";
    EXPECT_EQ(guest.find(0x1003), 0u) << "its page is not mapped";
    guest.poke(0x41000 + 4 * 0x50, 0);
    guest.refresh();
    EXPECT_EQ(guest.seen(UserGuest::kDs), 0u);
}

TEST(UserTables, WhatMustTrapHasNoAccessedBitUntilTheNextRefresh) {
    UserGuest guest;
    guest.put(0x323, kUserData);
    guest.refresh();
    (void)guest.find(0x323);
    guest.world().user_tables.make_load_trap(guest.tables(), UserGuest::kDs);
    guest.world().user_tables.make_load_trap(guest.tables(), UserGuest::kCs);
    guest.world().user_tables.make_load_trap(guest.tables(), 0x323);
    EXPECT_EQ(guest.seen(UserGuest::kDs), kUserData & ~kAccessedBit);
    EXPECT_EQ(guest.seen(UserGuest::kCs), 0u);
    EXPECT_EQ(guest.seen(0x323), kUserData & ~kAccessedBit);
    guest.refresh();
    EXPECT_EQ(guest.seen(UserGuest::kDs), kUserData);
    EXPECT_EQ(guest.seen(UserGuest::kCs), kUserCode);
    EXPECT_EQ(guest.seen(0x323), kUserData);
}

} // namespace
} // namespace btvm::test

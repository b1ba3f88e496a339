// The interpreter's translation cache behaves as a TLB: what the guest changes in its tables counts once it
// has flushed, and at the latest then.
#include <cstring>
#include <gtest/gtest.h>

#include "tests/unit/interpret/protected_machine.hh"

namespace btvm::test {
namespace {

class Translations : public ::testing::Test, protected ProtectedMachine {
protected:
    static constexpr u32 kDirectory = 0x80000, kTable = 0x81000;
    static constexpr u32 kP = 1, kW = 2, kU = 4, kA = 0x20, kD = 0x40;
    static constexpr u32 kPage = 0x50000, kFirst = 0x60000, kSecond = 0x61000;

    Translations() {
        for (u32 page = 0; page < 256; page++)
            store<u32>(kTable + 4 * page, page << 12 | kP | kW | kU);
        store<u32>(kDirectory, kTable | kP | kW | kU);
        store<u32>(kTable + 4 * (kPage >> 12), kFirst | kP | kW | kU);
        store<u32>(kFirst, 0x11111111);
        store<u32>(kSecond, 0x22222222);
        cpu.cr3 = kDirectory;
        cpu.cr0 |= cr0::kPg;
    }
    /// As the guest's own store would: without telling anybody.
    void poke(u32 linear, u32 entry) {
        std::memcpy(ram.data() + kTable + 4 * (linear >> 12), &entry, sizeof entry);
    }
    [[nodiscard]] u32 entry(u32 linear) const { return load<u32>(kTable + 4 * (linear >> 12)); }
    u32 read() {
        cpu.gpr[Rax] = 0;
        cpu.rip = kCode; // mov eax, [50000h]
        (void)step();
        return static_cast<u32>(cpu.gpr[Rax]);
    }
    void do_at(u32 offset) {
        cpu.rip = kCode + offset;
        (void)step();
    }
};

constexpr u32 kStore = 0x10, kInvlpg = 0x20, kMovCr3 = 0x30, kMovCr0 = 0x40, kMovCr4 = 0x50;

class Flushes : public Translations, public ::testing::WithParamInterface<u32> {
protected:
    void flush() {
        switch (GetParam()) {
        case kMovCr3: cpu.gpr[Rbx] = kDirectory; break;
        case kMovCr0: cpu.gpr[Rbx] = cpu.cr0 ^ cr0::kWp; break;
        case kMovCr4: cpu.gpr[Rbx] = cpu.cr4 ^ cr4::kPse; break;
        default: break;
        }
        do_at(GetParam());
    }
};

TEST_P(Flushes, TheNewEntryCounts) {
    put(kCode, {0xa1, 0x00, 0x00, 0x05, 0x00});
    put(kCode + kInvlpg, {0x0f, 0x01, 0x3d, 0x00, 0x00, 0x05, 0x00});
    put(kCode + kMovCr3, {0x0f, 0x22, 0xdb}); // mov cr3, ebx
    put(kCode + kMovCr0, {0x0f, 0x22, 0xc3});
    put(kCode + kMovCr4, {0x0f, 0x22, 0xe3});
    EXPECT_EQ(read(), 0x11111111u);
    poke(kPage, kSecond | kP | kW | kU);
    EXPECT_EQ(read(), 0x11111111u) << "no flush, no news";
    flush();
    EXPECT_EQ(read(), 0x22222222u);
    poke(kPage, 0);
    flush();
    (void)read();
    EXPECT_EQ(vector(), 14);
}
INSTANTIATE_TEST_SUITE_P(Each, Flushes, ::testing::Values(kInvlpg, kMovCr3, kMovCr0, kMovCr4));

TEST_F(Translations, AReadDoesNotStandInForAWrite) {
    put(kCode, {0xa1, 0x00, 0x00, 0x05, 0x00});
    put(kCode + kStore, {0xa3, 0x00, 0x00, 0x05, 0x00});
    (void)read();
    (void)read();
    EXPECT_EQ(entry(kPage) & (kA | kD), kA);
    do_at(kStore);
    EXPECT_EQ(entry(kPage) & (kA | kD), kA | kD);
    poke(kPage, kFirst | kP | kW | kU);
    do_at(kStore);
    EXPECT_EQ(entry(kPage) & (kA | kD), 0u) << "a processor that knows the page does not look";
}

TEST_F(Translations, ASupervisorsAccessDoesNotStandInForAUsers) {
    put(kCode, {0xa1, 0x00, 0x00, 0x05, 0x00});
    store<u32>(kTable + 4 * (kPage >> 12), kFirst | kP | kW);
    (void)read();
    const Descriptor code{load<u64>(kGdt + (kCode3 & 0xfff8u))};
    cpu.seg[Cs] = code.segment(kCode3);
    cpu.seg[Ss] = Descriptor{load<u64>(kGdt + (kData3 & 0xfff8u))}.segment(kData3);
    cpu.gpr[Rsp] = kStack3;
    (void)read();
    EXPECT_EQ(vector(), 14);
}

TEST_F(Translations, PagesThatShareAnEntryOfTheCache) {
    constexpr u32 kApart = TranslationCache::kEntries << 12;
    store<u32>(kTable + 4 * ((kPage + kApart) >> 12), kSecond | kP | kW | kU);
    put(kCode, {0xa1, 0x00, 0x00, 0x05, 0x00});
    put(kCode + kStore, {0xa1, 0x00, 0x00, 0x05 + (kApart >> 16 & 0xff), 0x00});
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(read(), 0x11111111u);
        do_at(kStore);
        EXPECT_EQ(cpu.gpr[Rax], 0x22222222u);
    }
}

} // namespace
} // namespace btvm::test

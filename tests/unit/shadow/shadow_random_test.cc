// Random guests: whatever they do to their tables, after a flush the processor must find exactly what a walk
// of the guest's tables allows.
#include <gtest/gtest.h>
#include <random>
#include <stdexcept>

#include "tests/unit/shadow/shadow_machine.hh"

namespace btvm::test {
namespace {

using M = ShadowMachine;

class RandomGuest {
public:
    RandomGuest(u32 seed, bool execute_only, u32 most_work) : random_(seed), m_(24) {
        m_.cpu.cr4 = cr4::kPse;
        m_.mmu.options.most_work = most_work;
        m_.mmu.options.execute_only = execute_only;
        m_.flush();
        for (u32 i = 0; i < 4000; i++)
            step();
    }

private:
    // Few frames and few addresses, so that everything meets everything: tables that are data, directories
    // that are tables, large pages over both.
    static constexpr u32 kFewFrames = 12;
    u32 pick(u32 n) { return static_cast<u32>(random_() % n); }
    u32 frame() { return M::kDirectory + pick(kFewFrames); }
    u32 linear() { return pick(4) << 22 | pick(4) << 12; }
    ShadowSide side() { return pick(2) ? ShadowSide::User : ShadowSide::Kernel; }

    void step() {
        switch (pick(12)) {
        case 0: // a table entry, through whatever maps that table
        case 1:
        case 2: {
            const u32 at = linear() | pick(4) * 4;
            if (!touches_code(at) && !m_.access(at, ShadowSide::Kernel, true).fault)
                m_.store_entry(at, new_entry());
            break;
        }
        case 3: // or by the interpreter or DMA, which tell
        {
            const u32 to = frame();
            m_.poke(to, pick(4), new_entry());
            m_.mmu.table_written(m_.memory, to);
            break;
        }
        case 4:
            m_.cpu.cr3 = u64{frame()} << kPageShift;
            if (pick(4) == 0) m_.cpu.cr0 ^= cr0::kWp;
            m_.flush();
            check();
            break;
        case 5:
            m_.flush();
            check();
            break;
        case 6: // all that is looked at, one after the other; what comes back then must be new
            for (u32 i = 0; i < 32; i++) {
                const u32 at = (i >> 2 & 3) << 22 | (i & 3) << 12;
                if (i < 16)
                    m_.mmu.flush_page(m_.view, m_.memory, m_.cpu, GuestLinear(at));
                else
                    (void)m_.access(at, side(), false);
            }
            check(false);
            break;
        case 7: {
            const u32 to = frame();
            m_.state(to) ^= page_state::kCode;
            if (m_.state(to) & page_state::kCode) m_.mmu.write_protect(m_.view, m_.memory, to);
            break;
        }
        case 8:
            if (!then_.memory.empty() && pick(4))
                go_back();
            else
                remember();
            break;
        default: {
            const u32 at = linear();
            const bool write = pick(2);
            if (!(write && touches_code(at))) (void)m_.access(at, side(), write);
        }
        }
    }

    /// A checkpoint: what memory holds, and writes are noticed from here on.
    void remember() {
        then_.memory.clear();
        for (u32 to = M::kDirectory; to < M::kDirectory + kFewFrames; to++)
            for (u32 entry = 0; entry < 1024; entry++)
                then_.memory.push_back(m_.peek(to, entry));
        then_.cr0 = m_.cpu.cr0;
        then_.cr3 = m_.cpu.cr3;
        take_dirty();
    }

    /// A rewind, as userland makes it: the processor, what was written, and the processor once more.
    void go_back() {
        const auto put_processor = [this] {
            m_.cpu.cr0 = then_.cr0;
            m_.cpu.cr3 = then_.cr3;
            m_.flush();
        };
        put_processor();
        check();
        for (u32 n = 0; n < kFewFrames; n++) {
            bool told = false;
            for (u32 entry = 0; entry < 1024; entry++) {
                const u32 value = then_.memory[n * 1024 + entry];
                if (m_.peek(M::kDirectory + n, entry) == value) continue;
                m_.poke(M::kDirectory + n, entry, value);
                told = true;
            }
            if (told) m_.mmu.table_written(m_.memory, M::kDirectory + n);
        }
        put_processor();
        take_dirty();
        check();
    }

    void take_dirty() {
        for (u32 to = M::kDirectory; to < M::kDirectory + kFewFrames; to++) {
            m_.state(to) &= static_cast<u8>(~page_state::kDirty);
            m_.mmu.write_protect(m_.view, m_.memory, to);
        }
    }

    u32 new_entry() {
        u32 flags = static_cast<u32>(random_()) & 0x67;
        if (pick(3)) flags |= 1;
        return frame() << 12 | flags | (pick(8) == 0 ? 0x80 : 0);
    }

    bool touches_code(u32 at) {
        GuestWalk walk;
        return guest_walk(m_.cpu, m_.memory, GuestLinear(at), {}, WalkMark::No, walk) &&
               walk.address.frame() < M::kFrames &&
               (m_.state(static_cast<u32>(walk.address.frame())) & page_state::kCode);
    }

    /// guarded: all tables have been since the flush.
    void check(bool guarded = true) {
        m_.mmu.settle(m_.view, m_.memory);
        for (const ShadowSide side : {ShadowSide::Kernel, ShadowSide::User}) {
            m_.mmu.load(m_.view, m_.memory, m_.cpu, side);
            for (u32 at = 0; at < 4u << 22; at += 0x1000) {
                if (at >> 12 & 0x3fc) continue;
                const M::Seen seen = m_.see(at);
                if (!seen.present) continue;
                GuestWalk walk;
                const bool user = side == ShadowSide::User;
                ASSERT_TRUE(guest_walk(m_.cpu, m_.memory, GuestLinear(at),
                                       {.write = seen.writable, .user = user}, WalkMark::No, walk))
                    << std::hex << at;
                ASSERT_EQ(walk.address.frame(), seen.frame) << std::hex << at;
                ASSERT_TRUE(walk.leaf & 0x20) << "accessed";
                ASSERT_TRUE(!seen.writable || walk.dirty);
                const u8 state = m_.state(seen.frame);
                ASSERT_FALSE(seen.writable && (state & page_state::kCode));
                ASSERT_FALSE(guarded && seen.writable && (state & page_state::kTable))
                    << "tables are guarded after a flush";
            }
        }
    }

    struct {
        std::vector<u32> memory;
        u64 cr0{}, cr3{};
    } then_;
    std::mt19937 random_;
    M m_;
};

TEST(ShadowRandom, AfterAFlushTheTablesAgree) {
    for (u32 seed = 0; seed < 60; seed++) {
        SCOPED_TRACE(seed);
        RandomGuest guest(seed, seed % 2, 0);
        if (testing::Test::HasFatalFailure()) return;
    }
}

TEST(ShadowRandom, AlsoWhereWorkIsGivenUp) {
    for (u32 seed = 0; seed < 20; seed++) {
        SCOPED_TRACE(seed);
        RandomGuest guest(seed, seed % 2, 1 + 3 * seed);
        if (testing::Test::HasFatalFailure()) return;
    }
}

} // namespace
} // namespace btvm::test

// Memory as checkpoints see it, over an engine whose log of written pages the test writes.
#include <cstring>
#include <gtest/gtest.h>
#include <random>
#include <set>

#include "userland/machine/tracked_memory.hh"

namespace btvm {
namespace {

constexpr std::uint64_t kPage = kStoredPage;

/// Notes what it is told, and has the log of what the test says the guest has written.
class LoggingEngine final : public Engine {
public:
    explicit LoggingEngine(PhysicalMemory& memory) : memory_(memory) {}

    void guest_writes(std::uint64_t frame, std::uint8_t value) {
        const std::uint8_t bytes[] = {value};
        memory_.write(frame * kPage + frame % kPage, bytes);
        dirty.insert(frame);
    }
    void memory_written(std::uint64_t at, std::uint64_t size) override {
        for (std::uint64_t frame = at / kPage; frame < (at + size) / kPage; frame++) {
            told.insert(frame);
            dirty.insert(frame);
        }
        calls++;
    }
    void take_dirty(std::size_t region, std::span<std::uint64_t> bitmap) override {
        if (fails) throw std::runtime_error("no log");
        const MemoryRegion& r = memory_.regions()[region];
        EXPECT_FALSE(r.read_only);
        std::fill(bitmap.begin(), bitmap.end(), 0);
        for (std::uint64_t page = 0; page < r.size / kPage; page++)
            if (dirty.erase(r.first / kPage + page)) bitmap[page / 64] |= std::uint64_t{1} << page % 64;
    }

    std::set<std::uint64_t> dirty, told; ///< Page frames.
    unsigned calls{};
    bool fails{};

    // What memory has nothing to do with.
    [[nodiscard]] std::string_view name() const override { return "none"; }
    [[nodiscard]] EngineExit run(GuestTime) override { return {}; }
    void kick() override {}
    void set_irq(unsigned, bool) override {}
    void nmi() override {}
    void set_a20(bool) override {}
    [[nodiscard]] bool a20() const override { return true; }
    void set_pm_timer(std::uint16_t) override {}
    void reset() override {}
    [[nodiscard]] GuestTime now() const override { return {}; }
    void freeze_time() override {}
    void thaw_time() override {}
    [[nodiscard]] btvm_state state() const override { return {}; }
    [[nodiscard]] bool set_state(const btvm_state&, GuestTime) override { return true; }
    [[nodiscard]] Registers registers() const override { return {}; }
    [[nodiscard]] btvm_stats stats() const override { return {}; }
    [[nodiscard]] std::vector<btvm_trace_entry> trace(unsigned) const override { return {}; }

private:
    PhysicalMemory& memory_;
};

struct Tracked : testing::Test {
    PhysicalMemory memory{{4, std::vector<std::uint8_t>(0x10000, 0xf4), {}, false}};
    LoggingEngine engine{memory};
    TrackedMemory tracked{engine, memory};

    /// All of memory with these pages in those that can be written.
    [[nodiscard]] std::vector<std::uint8_t> bytes_of(const PageMap& pages) const {
        std::vector<std::uint8_t> bytes = content();
        for (std::uint64_t frame = 0; frame < bytes.size() / kPage; frame++)
            if (tracked.holds(frame)) {
                const PageStore::Page* const page = pages.find(frame);
                for (std::size_t i = 0; i < kPage; i++)
                    bytes[frame * kPage + i] = page ? page->bytes()[i] : 0;
            }
        return bytes;
    }
    [[nodiscard]] std::vector<std::uint8_t> content() const {
        std::vector<std::uint8_t> bytes(4 << 20);
        memory.read(0, bytes);
        return bytes;
    }
};

TEST_F(Tracked, TellsTheEngineWhatItWrites) {
    engine.guest_writes(3, 1);
    const PageMap first = tracked.capture();
    engine.guest_writes(3, 2);
    engine.guest_writes(4, 2);
    (void)tracked.capture();
    engine.guest_writes(0x9f, 2); // the last page of one region, and the first of the next
    engine.guest_writes(0xa0, 2);
    engine.guest_writes(0x200, 2);
    EXPECT_EQ(tracked.restore(first), 5u);
    EXPECT_EQ(engine.told, (std::set<std::uint64_t>{3, 4, 0x9f, 0xa0, 0x200}));
    EXPECT_EQ(engine.calls, 4u) << "neighbours at once, but no call across regions";
    EXPECT_TRUE(engine.dirty.empty()) << "our own writes are none of the guest's";
    engine.told.clear();
    EXPECT_EQ(tracked.restore(first), 0u);
    EXPECT_TRUE(engine.told.empty());
}

TEST_F(Tracked, AnyWayBackAndForth) {
    std::mt19937 random(7);
    std::vector<std::pair<PageMap, std::vector<std::uint8_t>>> moments;
    for (int step = 0; step < 300; step++) {
        for (unsigned writes = random() % 6; writes; writes--) {
            const std::uint64_t frame = random() % 2 ? random() % 24 : random() % 1024;
            if (frame < 0xc0 || frame >= 0x100)
                engine.guest_writes(frame, static_cast<std::uint8_t>(random() % 3));
        }
        if (random() % 2 || moments.empty()) {
            moments.emplace_back(tracked.capture(), content());
            ASSERT_FALSE(tracked.unnoticed());
        } else {
            const auto& [map, bytes] = moments[random() % moments.size()];
            (void)tracked.restore(map);
            ASSERT_EQ(content(), bytes) << step;
            ASSERT_FALSE(tracked.unnoticed());
        }
    }
}

TEST_F(Tracked, GatheredInRoundsItIsAsReadAtOnce) {
    const std::atomic<bool> on{false}, over{true};
    std::mt19937 random(8);
    for (int time = 0; time < 20; time++) {
        const std::uint64_t all = tracked.begin_round();
        EXPECT_EQ(all, 960u) << "everything that can be written";
        for (unsigned round = 0; round < time % 5u; round++) {
            std::set<std::uint64_t> written;
            for (int write = 0; write < 5; write++) {
                written.insert(random() % 0xa0);
                engine.guest_writes(*std::next(written.begin(), static_cast<long>(random() % written.size())),
                                    static_cast<std::uint8_t>(random() % 3));
            }
            if (round == 2)
                tracked.gather(over); // what it leaves belongs to the next
            else
                tracked.gather(on);
            for (const std::uint64_t frame : written)
                engine.guest_writes(frame, static_cast<std::uint8_t>(random() % 3));
            const std::uint64_t pages = tracked.begin_round();
            EXPECT_GE(pages, written.size());
            EXPECT_LE(pages, 20u);
        }
        engine.guest_writes(random() % 0xa0, 9);
        (void)tracked.capture();
        ASSERT_FALSE(tracked.unnoticed()) << time;
        EXPECT_EQ(tracked.begin_round(), 0u) << "there is nothing to gain any more";
        tracked.gather(on);
        ASSERT_FALSE(tracked.unnoticed());
        const auto before = tracked.forget();
        EXPECT_EQ(tracked.store().pages(), 0u);
        EXPECT_GT(before.pages.size(), 0u);
    }
}

TEST_F(Tracked, WhatIsSetAsideIsOfThatMoment) {
    const std::atomic<bool> on{false};
    std::mt19937 random(9);
    const auto write_some = [&] {
        for (int write = 0; write < 20; write++)
            engine.guest_writes(random() % 0xa0, static_cast<std::uint8_t>(random() % 3));
    };
    // There is room for none of the pages that are left, for some, and for more.
    for (const std::uint64_t room : {0, 10, 100})
        for (const char* meanwhile : {"nothing", "writes", "a checkpoint", "a rewind", "zeros", "a save"}) {
            SCOPED_TRACE(std::to_string(room) + " " + meanwhile);
            const std::string_view what = meanwhile;
            write_some();
            (void)tracked.begin_round();
            tracked.gather(on);
            write_some();
            (void)tracked.begin_round();
            tracked.reserve_aside(room);
            write_some();
            tracked.set_aside();
            const auto then = content();
            EXPECT_EQ(tracked.begin_round(), 0u) << "what is left is the log's";
            if (what != "nothing") write_some();
            if (what == "zeros") (void)tracked.restore(PageMap(std::uint64_t{1} << 20));
            if (what == "a checkpoint" || what == "a rewind") {
                const PageMap later = tracked.capture();
                const auto now = content();
                ASSERT_FALSE(tracked.unnoticed());
                write_some();
                if (what == "a rewind") {
                    (void)tracked.restore(later);
                    ASSERT_EQ(content(), now);
                }
            }
            if (what == "a save") {
                tracked.set_aside();
                EXPECT_EQ(bytes_of(tracked.take_aside()), content());
            } else {
                EXPECT_EQ(bytes_of(tracked.take_aside()), then);
            }
            EXPECT_TRUE(tracked.take_aside().empty()) << "once";
            (void)tracked.capture();
            ASSERT_FALSE(tracked.unnoticed()) << "what was written since is in the log";
            (void)tracked.forget();
        }
}

TEST_F(Tracked, WhatIsSetAsideNeedNotBeTaken) {
    engine.guest_writes(5, 1);
    for (const bool known : {false, true}) {
        (void)tracked.begin_round();
        tracked.reserve_aside(960);
        tracked.set_aside();
        if (known) (void)tracked.capture();
        (void)tracked.forget();
        EXPECT_TRUE(tracked.take_aside().empty());
        EXPECT_EQ(tracked.store().pages(), 0u);
    }
    (void)tracked.capture();
    EXPECT_FALSE(tracked.unnoticed());
}

TEST_F(Tracked, AllOfItIsSetAsideWhereNothingWasGathered) {
    for (const bool begun : {false, true}) {
        engine.guest_writes(5, 1);
        if (begun) (void)tracked.begin_round();
        tracked.set_aside();
        EXPECT_EQ(bytes_of(tracked.take_aside()), content());
        EXPECT_GT(tracked.store().pages(), 0u);
        (void)tracked.forget();
    }
}

TEST_F(Tracked, AnUnnoticedWriteIsFound) {
    (void)tracked.capture();
    EXPECT_FALSE(tracked.unnoticed());
    engine.guest_writes(77, 1);
    engine.dirty.clear();
    (void)tracked.capture();
    EXPECT_EQ(tracked.unnoticed(), 77u);
}

TEST_F(Tracked, AfterALostLogAllOfMemoryIsRead) {
    engine.guest_writes(5, 1);
    const PageMap first = tracked.capture();
    engine.guest_writes(5, 2);
    engine.fails = true;
    EXPECT_THROW((void)tracked.capture(), std::runtime_error);
    engine.fails = false;
    engine.dirty.clear();
    const PageMap second = tracked.capture();
    EXPECT_FALSE(tracked.unnoticed());
    EXPECT_EQ(TrackedMemory::differing_pages(first, second), 1u);
    engine.fails = true;
    EXPECT_THROW((void)tracked.restore(first), std::runtime_error);
    engine.fails = false;
    EXPECT_EQ(tracked.restore(first), 1u);
    EXPECT_FALSE(tracked.unnoticed());
}

} // namespace
} // namespace btvm

// Machines with APICs, saved and taken back while their timers run, on the hosted engine.
#include <gtest/gtest.h>
#include <random>
#include <thread>

#include "tests/unit/ata/temporary_disk.hh"
#include "tests/unit/machine/disk_worker.hh"
#include "userland/machine/saved_machine.hh"

namespace btvm {
namespace {

/// In flat protected mode: the local APIC's timer periodic at 1 kHz with vector 40h, counted at 600h; channel
/// 0 of the 8254 at 1 kHz, which is pin 2 of the I/O APIC, vector 41h, counted at 604h; HLT in between. After
/// 400 ticks of the first it halts with interrupts off.
const std::vector<std::uint8_t> kClockwork{
    // clang-format off
    0xfa, 0x2e, 0x66, 0x0f, 0x01, 0x16, 0xf0, 0x00, 0x0f, 0x20, 0xc0, 0x40, 0x0f, 0x22, 0xc0, 0x66,
    0xea, 0x17, 0x00, 0x0f, 0x00, 0x08, 0x00, 0xb8, 0x10, 0x00, 0x00, 0x00, 0x8e, 0xd8, 0x8e, 0xc0,
    0x8e, 0xd0, 0xbc, 0x00, 0x70, 0x00, 0x00, 0xc7, 0x05, 0x00, 0x12, 0x00, 0x00, 0xb3, 0x00, 0x08,
    0x00, 0xc7, 0x05, 0x04, 0x12, 0x00, 0x00, 0x00, 0x8e, 0x0f, 0x00, 0xc7, 0x05, 0x08, 0x12, 0x00,
    0x00, 0xc4, 0x00, 0x08, 0x00, 0xc7, 0x05, 0x0c, 0x12, 0x00, 0x00, 0x00, 0x8e, 0x0f, 0x00, 0x0f,
    0x01, 0x1d, 0xf6, 0x00, 0x0f, 0x00, 0xbb, 0x00, 0x00, 0xe0, 0xfe, 0xc7, 0x83, 0xf0, 0x00, 0x00,
    0x00, 0xf0, 0x01, 0x00, 0x00, 0xc7, 0x83, 0xe0, 0x03, 0x00, 0x00, 0x0b, 0x00, 0x00, 0x00, 0xc7,
    0x83, 0x20, 0x03, 0x00, 0x00, 0x40, 0x00, 0x02, 0x00, 0xc7, 0x83, 0x80, 0x03, 0x00, 0x00, 0x40,
    0x42, 0x0f, 0x00, 0xc7, 0x05, 0x00, 0x00, 0xc0, 0xfe, 0x14, 0x00, 0x00, 0x00, 0xc7, 0x05, 0x10,
    0x00, 0xc0, 0xfe, 0x41, 0x00, 0x00, 0x00, 0xb0, 0x34, 0xe6, 0x43, 0xb0, 0xa9, 0xe6, 0x40, 0xb0,
    0x04, 0xe6, 0x40, 0xfb, 0xf4, 0xfa, 0x81, 0x3d, 0x00, 0x06, 0x00, 0x00, 0x90, 0x01, 0x00, 0x00,
    0x72, 0xf1, 0xf4, 0xff, 0x05, 0x00, 0x06, 0x00, 0x00, 0xc7, 0x83, 0xb0, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0xcf, 0xff, 0x05, 0x04, 0x06, 0x00, 0x00, 0xc7, 0x83, 0xb0, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0xcf, 0x8d, 0x76, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0xff, 0xff, 0x00, 0x00, 0x00, 0x9a, 0xcf, 0x00, 0xff, 0xff, 0x00, 0x00, 0x00, 0x92, 0xcf, 0x00,
    0x17, 0x00, 0xd8, 0x00, 0x0f, 0x00, 0xff, 0x07, 0x00, 0x10, 0x00, 0x00,
    // clang-format on
};
constexpr unsigned kTicks = 400;

class ApicState : public testing::Test {
protected:
    PcConfig clockwork() {
        PcConfig config = worker_config(kClockwork, disk.path(), true);
        config.engine.apic = true;
        return config;
    }
    [[nodiscard]] std::string file() const { return disk.path() + ".state"; }
    std::unique_ptr<Pc> restored() {
        const SavedMachine saved(file());
        PcConfig config;
        config.engine_choice = EngineChoice::Interpreter;
        saved.configure(config, {});
        auto pc = std::make_unique<Pc>(config);
        pc->restore(saved);
        return pc;
    }
    /// Both timers have counted guest time: none of it twice, and little lost.
    void check_counts(Pc& pc) {
        (void)pc.save(file());
        const SavedMachine saved(file());
        EXPECT_TRUE(saved.description().apic);
        const auto memory = test::content(saved.reader(), "memory/conventional RAM");
        const auto milliseconds =
            static_cast<std::uint32_t>(saved.description().guest_time / std::chrono::milliseconds(1));
        EXPECT_EQ(load(memory, 0x600, 4), kTicks);
        EXPECT_LE(kTicks, milliseconds + 1);
        EXPECT_GE(kTicks, milliseconds * 3 / 4);
        EXPECT_LE(load(memory, 0x604, 4), milliseconds + 1);
        EXPECT_GE(load(memory, 0x604, 4), milliseconds * 3 / 4);
    }

    test::TemporaryDisk disk{64};
    std::mt19937 random{6};
};

TEST_F(ApicState, SavedAndRestoredBetweenTicks) {
    auto pc = std::make_unique<Pc>(clockwork());
    pc->start();
    unsigned moves = 0;
    for (; moves < 30 && pc->state() == MachineState::Running; moves++) {
        std::this_thread::sleep_for(std::chrono::microseconds(random() % 6000));
        (void)pc->save(file());
        pc.reset();
        pc = restored();
        pc->start();
    }
    EXPECT_GT(moves, 3u);
    ASSERT_TRUE(halts(*pc));
    check_counts(*pc);
}

TEST_F(ApicState, TakenBackBetweenTicks) {
    Pc pc(clockwork());
    pc.start();
    (void)pc.checkpoint("start");
    unsigned rewinds = 0;
    for (; rewinds < 60; rewinds++) {
        std::this_thread::sleep_for(std::chrono::microseconds(random() % 4000));
        if (random() % 3 == 0) (void)pc.checkpoint("");
        const auto lines = pc.checkpoints().lines;
        (void)pc.rewind(lines[random() % lines.size()].node.name);
    }
    ASSERT_TRUE(halts(pc));
    check_counts(pc);
    (void)pc.rewind("start"); // a halted machine, too
    ASSERT_TRUE(halts(pc));
    check_counts(pc);
}

TEST_F(ApicState, AMachineWithoutIsSavedAsBefore) {
    PcConfig config = worker_config({0xfa, 0xf4}, disk.path(), true);
    Pc pc(config);
    pc.start();
    (void)pc.save(file());
    const SavedMachine saved(file());
    EXPECT_FALSE(saved.description().apic);
    for (const char* const section : {"machine", "core"}) {
        const auto fields = saved.reader().fields(saved.reader().get(section, state_format::Type::Fields));
        EXPECT_EQ(fields.version, 1u) << section;
    }
}

} // namespace
} // namespace btvm

// Saves of a machine that runs on meanwhile, on the hosted engine: what is done to it at each phase of a
// save, and what the file holds then.
#include <chrono>
#include <csignal>
#include <cstring>
#include <gtest/gtest.h>
#include <random>
#include <sys/resource.h>
#include <thread>

#include "tests/unit/ata/temporary_disk.hh"
#include "tests/unit/machine/disk_worker.hh"
#include "userland/machine/saved_machine.hh"
#include "userland/state/page_runs.hh"

namespace btvm {
namespace {

using namespace std::chrono_literals;
using test::TemporaryDisk;
using Bytes = std::vector<std::uint8_t>;
using Phase = SaveProgress::Phase;

class LiveSave : public testing::Test {
protected:
    PcConfig worker(bool snapshot = true) { return worker_config(kWorker, disk.path(), snapshot); }
    [[nodiscard]] std::string file() const { return disk.path() + ".state"; }
    /// How many sectors the guest had done at the file's moment.
    std::uint32_t done_in_file() {
        const StateReader reader(open_state_file(file()));
        const Bytes media = test::content(reader, "media/hda");
        std::uint32_t done = 0;
        while (done < kSectors && load(media, done * 512 + 510, 2) == 0x1234 + done)
            done++;
        return done;
    }
    /// The file's machine goes on and does its work to the end, nothing of it twice or not at all.
    void expect_it_goes_on() {
        const std::string after = file() + ".after";
        {
            const SavedMachine saved(file());
            PcConfig config;
            config.engine_choice = EngineChoice::Interpreter;
            saved.configure(config, {});
            Pc pc(config);
            pc.restore(saved);
            pc.start();
            ASSERT_TRUE(halts(pc));
            (void)pc.save(after);
        }
        const StateReader reader(open_state_file(after));
        const Bytes memory = test::content(reader, "memory/conventional RAM"),
                    media = test::content(reader, "media/hda");
        std::uint32_t sum = 0;
        for (unsigned sector = 0; sector < kSectors; sector++) {
            sum += 256 * (0x1234 + sector);
            ASSERT_EQ(load(media, sector * 512 + 510, 2), 0x1234 + sector);
        }
        EXPECT_EQ(load(memory, 0x604, 1), 0xaau);
        EXPECT_EQ(load(memory, 0x600, 4), sum);
    }

    TemporaryDisk disk{2048};
};

/// Holds up a save as a phase begins, until it is let on.
class Hold {
public:
    explicit Hold(Phase phase) : phase_(phase) {}
    ~Hold() { let_on(); }
    std::function<void(Phase)> watch() {
        return [this](Phase phase) {
            if (phase != phase_) return;
            reached_.set_value();
            go_on_.get_future().wait();
        };
    }
    void wait() { reached_.get_future().wait(); }
    void let_on() {
        if (!std::exchange(on_, true)) go_on_.set_value();
    }

private:
    Phase phase_;
    bool on_{};
    std::promise<void> reached_, go_on_;
};

TEST_F(LiveSave, AtAnyMomentTheFileHoldsOne) {
    std::mt19937 random(6);
    unsigned midway = 0;
    for (int round = 0; round < 12; round++) {
        Pc pc(worker());
        pc.start();
        std::this_thread::sleep_for(std::chrono::microseconds(random() % 3000));
        // The guest works while its pages are read, and on while the file is written.
        (void)pc
            .start_save(
                file(),
                {.watch =
                     [&](Phase) { std::this_thread::sleep_for(std::chrono::microseconds(random() % 3000)); }})
            .get();
        const std::uint32_t done = done_in_file();
        midway += done > 0 && done < kSectors;
        expect_it_goes_on();
    }
    EXPECT_GT(midway, 0u) << "no file is of a guest at work";
}

TEST_F(LiveSave, WhatTheGuestDoesOnceItIsFrozenIsNotInTheFile) {
    // On a busy machine the guest may have done all of its work before it is frozen: then another one is.
    std::uint32_t done = kSectors;
    for (int attempt = 0; attempt < 20 && done == kSectors; attempt++) {
        Pc pc(worker());
        pc.start();
        Hold hold(Phase::File);
        auto result = pc.start_save(file(), {.watch = hold.watch()});
        hold.wait();
        ASSERT_TRUE(halts(pc)) << "it is held up by the save";
        EXPECT_EQ(result.wait_for(0s), std::future_status::timeout);
        ASSERT_TRUE(pc.saving());
        EXPECT_EQ(pc.saving()->phase, Phase::File);
        EXPECT_EQ(pc.saving()->path, file());
        EXPECT_FALSE(std::filesystem::exists(file()));
        hold.let_on();
        const SaveReport report = result.get();
        EXPECT_FALSE(pc.saving());
        EXPECT_EQ(report.bytes, std::filesystem::file_size(file()));
        EXPECT_LT(report.pause, report.elapsed);
        done = done_in_file();
        expect_it_goes_on();
        std::filesystem::remove(file());
    }
    EXPECT_LT(done, kSectors);
}

TEST_F(LiveSave, WhatTheGuestWritesWhileItIsReadIsInTheFile) {
    for (const Phase phase : {Phase::Images, Phase::Memory}) {
        Pc pc(worker());
        pc.start();
        Hold hold(phase);
        auto result = pc.start_save(file(), {.watch = hold.watch()});
        hold.wait();
        ASSERT_TRUE(halts(pc));
        hold.let_on();
        (void)result.get();
        EXPECT_EQ(done_in_file(), kSectors);
        expect_it_goes_on();
    }
}

TEST_F(LiveSave, OneAtATime) {
    Pc pc(worker());
    pc.start();
    Hold hold(Phase::File);
    auto result = pc.start_save(file(), {.watch = hold.watch()});
    hold.wait();
    try {
        (void)pc.save(file() + ".second");
        FAIL();
    } catch (const StateError& error) {
        EXPECT_EQ(error.what(),
                  file() + ".second: cannot be written now: a save to " + file() + " is under way");
    }
    EXPECT_FALSE(std::filesystem::exists(file() + ".second"));
    hold.let_on();
    (void)result.get();
    EXPECT_NO_THROW((void)pc.save(file() + ".second"));
    expect_it_goes_on();
}

TEST_F(LiveSave, CheckpointsAndRewindsMeanwhile) {
    for (const Phase phase : {Phase::Images, Phase::Memory, Phase::File}) {
        Pc pc(worker());
        pc.start();
        Hold hold(phase);
        auto result = pc.start_save(file(), {.watch = hold.watch()});
        hold.wait();
        (void)pc.checkpoint("first", true);
        std::this_thread::sleep_for(5ms);
        (void)pc.checkpoint("second", true);
        (void)pc.rewind("first");
        pc.delete_checkpoint("first");
        if (phase == Phase::Memory) pc.delete_checkpoint("second");
        hold.let_on();
        (void)result.get();
        expect_it_goes_on();
        if (phase != Phase::Memory) (void)pc.rewind("second");
        (void)pc.checkpoint("third", true);
        ASSERT_TRUE(halts(pc));
        // A save of a machine with checkpoints reads what is dirty only.
        (void)pc.save(file());
        EXPECT_EQ(done_in_file(), kSectors);
        (void)pc.rewind("third");
        ASSERT_TRUE(halts(pc));
    }
}

TEST_F(LiveSave, AResetMeanwhile) {
    for (const Phase phase : {Phase::Memory, Phase::File}) {
        Pc pc(worker());
        pc.start();
        std::this_thread::sleep_for(5ms);
        Hold hold(phase);
        auto result = pc.start_save(file(), {.watch = hold.watch()});
        hold.wait();
        pc.reset();
        hold.let_on();
        (void)result.get();
        const SavedMachine saved(file());
        EXPECT_EQ(saved.description().resets, phase == Phase::Memory ? 1u : 0u);
    }
}

TEST_F(LiveSave, TheEndOfTheMachine) {
    {
        Pc pc(worker());
        pc.start();
        (void)pc.save(file());
    }
    const auto size = std::filesystem::file_size(file());
    const auto time = std::filesystem::last_write_time(file());
    {
        Pc pc(worker());
        pc.start();
        Hold hold(Phase::Memory);
        auto result = pc.start_save(file(), {.watch = hold.watch()});
        hold.wait();
        std::thread ends([&] { pc.stop(); });
        while (pc.state() != MachineState::PoweredOff)
            std::this_thread::sleep_for(1ms);
        hold.let_on();
        ends.join();
        EXPECT_THROW((void)result.get(), MachineStopped) << "its moment never came";
    }
    EXPECT_EQ(std::filesystem::file_size(file()), size);
    EXPECT_EQ(std::filesystem::last_write_time(file()), time);
    {
        Pc pc(worker());
        pc.start();
        std::this_thread::sleep_for(5ms);
        Hold hold(Phase::File);
        auto result = pc.start_save(file(), {.watch = hold.watch()});
        hold.wait();
        std::thread ends([&] { pc.stop(); });
        while (pc.state() != MachineState::PoweredOff)
            std::this_thread::sleep_for(1ms);
        hold.let_on();
        ends.join();
        EXPECT_NO_THROW((void)result.get());
    }
    EXPECT_NE(std::filesystem::last_write_time(file()), time);
    expect_it_goes_on();
}

TEST_F(LiveSave, AFullDiskLeavesTheOldStateWhole) {
    Pc pc(worker());
    pc.start();
    (void)pc.save(file());
    std::signal(SIGXFSZ, SIG_IGN);
    rlimit before{};
    ::getrlimit(RLIMIT_FSIZE, &before);
    Hold hold(Phase::File);
    auto result = pc.start_save(file(), {.watch = hold.watch()});
    hold.wait();
    const rlimit small{1000, before.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &small);
    hold.let_on();
    std::string why;
    try {
        (void)result.get();
    } catch (const StateError& error) {
        why = error.what();
    }
    ::setrlimit(RLIMIT_FSIZE, &before);
    EXPECT_NE(why.find("what was there before is as it was"), std::string::npos) << why;
    expect_it_goes_on();
    std::size_t files = 0;
    for (const auto& each : std::filesystem::directory_iterator(std::filesystem::path(file()).parent_path()))
        files += each.path().string().starts_with(file() + ".") && each.path() != file() + ".after";
    EXPECT_EQ(files, 0u) << "what was begun is gone";
    ASSERT_TRUE(halts(pc));
    EXPECT_NO_THROW((void)pc.save(file())) << "and the next one does not suffer";
    EXPECT_EQ(done_in_file(), kSectors);
}

TEST_F(LiveSave, AnImageThatTheGuestWritesIsToldByWhatItHeldThen) {
    Pc pc(worker(false));
    pc.start();
    Hold hold(Phase::Memory); // the image has been read, and is written after that
    auto result = pc.start_save(file(), {.watch = hold.watch()});
    hold.wait();
    ASSERT_TRUE(halts(pc));
    hold.let_on();
    EXPECT_EQ(result.get().written_images.size(), 1u);
    pc.stop();
    const SavedMachine saved(file());
    const Bytes bytes = disk.content();
    ASSERT_EQ(bytes.size(), std::size_t{1} << 20) << "one piece";
    EXPECT_EQ(saved.description().media.at(0).digest, sha256(sha256(bytes)));
}

} // namespace
} // namespace btvm

// The end of btvm-run, however it comes: what layers hold is in the images then.
#include "tests/unit/checkpoint/saved_trees.hh"
#include "userland/control/pc_control.hh"
#include "userland/tools/run_end.hh"

namespace btvm {
namespace {

class RunEnd : public SavedTrees {
protected:
    /// A guest that works its disk from a checkpoint on, until it halts.
    RunExit work() {
        pc.start();
        (void)pc.checkpoint("start");
        before = disk.content();
        EXPECT_TRUE(halts(pc));
        EXPECT_EQ(disk.content(), before);
        return RunExit::GuestHalted;
    }
    [[noreturn]] RunExit work_and_fail() {
        (void)work();
        throw std::domain_error("on the way out");
    }
    /// The last sector that the guest has written.
    [[nodiscard]] bool is_committed() const {
        const Bytes now = disk.content();
        return load(now, (kSectors - 1) * 512, 2) == 0x1234 + kSectors - 1;
    }

    Pc pc{worker()};
    Bytes before;
    std::atomic<bool> discard{false};
};

TEST_F(RunEnd, CommitsWhatLayersHold) {
    EXPECT_EQ(run_to_the_end(pc, discard, [this] { return work(); }), RunExit::GuestHalted);
    EXPECT_TRUE(is_committed());
}

TEST_F(RunEnd, ByAnExceptionCommitsToo) {
    EXPECT_THROW((void)run_to_the_end(pc, discard, [this] { return work_and_fail(); }), std::domain_error);
    EXPECT_TRUE(is_committed());
}

TEST_F(RunEnd, CommitsNothingThatIsToBeDiscarded) {
    discard = true;
    EXPECT_EQ(run_to_the_end(pc, discard, [this] { return work(); }), RunExit::GuestHalted);
    EXPECT_EQ(disk.content(), before);
    EXPECT_THROW((void)run_to_the_end(pc, discard, []() -> RunExit { throw std::domain_error("again"); }),
                 std::domain_error);
    EXPECT_EQ(disk.content(), before);
}

TEST_F(RunEnd, ThatCannotCommitIsAnErrorOfTheImages) {
    EXPECT_EQ(run_to_the_end(pc, discard,
                             [this] {
                                 const RunExit exit = work();
                                 // Where the journal would be renamed to, and cannot.
                                 std::filesystem::create_directory(disk.path() + ".btvm-journal");
                                 return exit;
                             }),
              RunExit::Image);
    EXPECT_EQ(disk.content(), before);
}

TEST_F(RunEnd, QuitDoesNotEndAMachineThatCannotCommit) {
    int ended = 0;
    PcControl control(pc, [&](bool) { ended++; });
    EXPECT_EQ(run_to_the_end(pc, discard,
                             [&] {
                                 const RunExit exit = work();
                                 const std::string journal = disk.path() + ".btvm-journal";
                                 std::filesystem::create_directory(journal);
                                 EXPECT_THROW(control.execute("quit", nlohmann::json::object()),
                                              RequestError);
                                 EXPECT_EQ(ended, 0);
                                 EXPECT_EQ(disk.content(), before);
                                 std::filesystem::remove(journal);
                                 control.execute("quit", nlohmann::json::object());
                                 EXPECT_EQ(ended, 1);
                                 EXPECT_TRUE(is_committed());
                                 return exit;
                             }),
              RunExit::GuestHalted);
    ASSERT_EQ(pc.committed().size(), 1u) << "what it tells at the end";
    EXPECT_GT(pc.committed()[0].bytes, 512u);
}

} // namespace
} // namespace btvm

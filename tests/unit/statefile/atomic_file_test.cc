// State files that come into being whole or not at all.
#include <csignal>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/statefile/example_state.hh"
#include "userland/state/state_reader.hh"

namespace btvm {
namespace {

TEST(AtomicStateFile, AnUnfinishedOneLeavesTheOldOneWhole) {
    const Folder folder;
    write_example(folder / "x", 1);
    const Bytes before = file_bytes(folder / "x");
    {
        StateWriter writer(folder / "x");
        writer.text("half", "of it", kRequired);
    }
    EXPECT_EQ(file_bytes(folder / "x"), before);
    EXPECT_EQ(folder.names(), std::vector<std::string>{"x"});
    write_example(folder / "x", 2);
    EXPECT_NE(file_bytes(folder / "x"), before);
}

TEST(AtomicStateFile, AFullDiskLeavesTheOldOneWholeAndSaysSo) {
    const Folder folder;
    write_example(folder / "x", 1);
    const Bytes before = file_bytes(folder / "x");
    // The limit on a file's size stands for the full disk: the same error path, and no privileges needed.
    const pid_t child = ::fork();
    if (child == 0) {
        std::signal(SIGXFSZ, SIG_IGN);
        const rlimit limit{500, 500};
        ::setrlimit(RLIMIT_FSIZE, &limit);
        try {
            StateWriter writer(folder / "x");
            Bytes noise(100000);
            for (std::size_t i = 0; i < noise.size(); i++)
                noise[i] = static_cast<std::uint8_t>(i * i >> 3);
            writer.bytes("noise", noise, kRequired);
            writer.finish();
        } catch (const StateError& error) {
            const std::string what = error.what();
            ::_exit(what.find("cannot be written: File too large (what was there before is as it was)") !=
                            std::string::npos
                        ? 7
                        : 8);
        }
        ::_exit(9);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(WEXITSTATUS(status), 7);
    EXPECT_EQ(file_bytes(folder / "x"), before);
}

TEST(AtomicStateFile, BeingKilledLeavesNothingBehind) {
    const Folder folder;
    write_example(folder / "x", 1);
    const Bytes before = file_bytes(folder / "x");
    const pid_t child = ::fork();
    if (child == 0) {
        StateWriter writer(folder / "x");
        writer.bytes("half", Bytes(100000), kRequired);
        ::kill(::getpid(), SIGKILL);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status));
    EXPECT_EQ(file_bytes(folder / "x"), before);
    EXPECT_EQ(folder.names(), std::vector<std::string>{"x"});
}

TEST(AtomicStateFile, TwoWritersOfOneFileDoNotMeet) {
    const Folder folder;
    {
        StateWriter one(folder / "x"), two(folder / "x");
        one.text("which", "one", kRequired);
        two.text("which", "two", kRequired);
        two.finish();
        one.finish();
    }
    const StateReader reader(open_state_file(folder / "x"));
    EXPECT_EQ(reader.text(reader.get("which", Type::Text)), "one");
    EXPECT_EQ(folder.names(), std::vector<std::string>{"x"});
}

TEST(AtomicStateFile, ANameAsLongAsNamesCanBe) {
    const Folder folder;
    const std::string name(255, 'n');
    write_example(folder / name.c_str());
    EXPECT_EQ(folder.names(), std::vector<std::string>{name});
    write_example(folder / name.c_str());
    EXPECT_EQ(folder.names(), std::vector<std::string>{name});
}

TEST(AtomicStateFile, PlacesThatCannotBeWritten) {
    const Folder folder;
    EXPECT_THROW(StateWriter(folder / "no/such/folder"), StateError);
    EXPECT_THROW(StateWriter("/dev/null"), StateError);
    std::filesystem::create_directory(folder / "folder");
    EXPECT_THROW(StateWriter(folder / "folder"), StateError);
    EXPECT_THROW((void)open_state_file(folder / "folder"), StateError);
    EXPECT_THROW((void)open_state_file(folder / "missing"), StateError);
    EXPECT_THROW((void)open_state_file("/dev/null"), StateError);
}

TEST(AtomicStateFile, ALinkIsFollowedAndTheFileIsTheOwnersOnly) {
    const Folder folder;
    write_example(folder / "real");
    std::filesystem::create_symlink("real", folder / "link");
    write_example(folder / "link", 9);
    EXPECT_TRUE(std::filesystem::is_symlink(folder / "link"));
    Chip chip;
    const StateReader reader(open_state_file(folder / "real"));
    load_state(chip, reader.fields(reader.get("chip", Type::Fields)));
    EXPECT_EQ(chip.a, 9);
    EXPECT_EQ(std::filesystem::status(folder / "real").permissions(),
              std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

} // namespace
} // namespace btvm

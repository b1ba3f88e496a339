// State files that come into being whole or not at all.
#include <csignal>
#include <functional>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/statefile/example_state.hh"
#include "userland/state/atomic_file.hh"
#include "userland/state/state_reader.hh"

namespace btvm {
namespace {

/// A file that is there, and what becomes of it when somebody fails to write it anew.
class OldStateFile : public testing::Test {
protected:
    OldStateFile() {
        write_example(path, 1);
        before = file_bytes(path);
    }
    void expect_as_it_was_and_alone() {
        EXPECT_EQ(file_bytes(path), before);
        EXPECT_EQ(folder.names(), std::vector<std::string>{"x"});
    }
    /// How a process that does this ends.
    static int status_of(const std::function<void()>& work) {
        const pid_t child = ::fork();
        if (child == 0) {
            work();
            ::_exit(0);
        }
        int status = -1;
        EXPECT_EQ(::waitpid(child, &status, 0), child);
        return status;
    }

    Folder folder;
    const std::string path = folder / "x";
    Bytes before;
};

TEST_F(OldStateFile, StaysWholeBesideAnUnfinishedOne) {
    {
        StateWriter writer(path);
        writer.text("half", "of it", kRequired);
    }
    expect_as_it_was_and_alone();
    write_example(path, 2);
    EXPECT_NE(file_bytes(path), before);
}

TEST_F(OldStateFile, StaysWholeOnAFullDiskWhichIsSaid) {
    // The limit on a file's size stands for the full disk: the same error path, and no privileges needed.
    const int status = status_of([this] {
        std::signal(SIGXFSZ, SIG_IGN);
        const rlimit limit{500, 500};
        ::setrlimit(RLIMIT_FSIZE, &limit);
        try {
            StateWriter writer(path);
            Bytes noise(100000);
            for (std::size_t i = 0; i < noise.size(); i++)
                noise[i] = static_cast<std::uint8_t>(i * i >> 3);
            writer.bytes("noise", noise, kRequired);
            writer.finish();
        } catch (const StateError& error) {
            const std::string what = error.what();
            constexpr const char* kSaid =
                "cannot be written: File too large (what was there before is as it was)";
            ::_exit(what.find(kSaid) != std::string::npos ? 7 : 8);
        }
    });
    EXPECT_EQ(WEXITSTATUS(status), 7);
    expect_as_it_was_and_alone();
}

TEST_F(OldStateFile, StaysAloneWhenTheWriterIsKilled) {
    const int status = status_of([this] {
        StateWriter writer(path);
        writer.bytes("half", Bytes(100000), kRequired);
        ::kill(::getpid(), SIGKILL);
    });
    EXPECT_TRUE(WIFSIGNALED(status));
    expect_as_it_was_and_alone();
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

TEST(AtomicStateFile, ALinkToNothingStaysAndWhatItLeadsToIsMade) {
    const Folder folder;
    std::filesystem::create_directory(folder / "there");
    std::filesystem::create_symlink("there/second", folder / "first");
    std::filesystem::create_symlink(folder / "there/real", folder / "there/second");
    write_example(folder / "first", 9);
    EXPECT_TRUE(std::filesystem::is_symlink(folder / "first"));
    EXPECT_TRUE(std::filesystem::is_symlink(folder / "there/second"));
    EXPECT_TRUE(std::filesystem::is_regular_file(std::filesystem::symlink_status(folder / "there/real")));
    EXPECT_EQ(open_state_file(folder / "first")->size(), open_state_file(folder / "there/real")->size());
    // A circle leads nowhere.
    std::filesystem::create_symlink("b", folder / "a");
    std::filesystem::create_symlink("a", folder / "b");
    EXPECT_THROW(StateWriter(folder / "a"), StateError);
}

TEST(AtomicStateFile, ALinkCanBeReplaced) {
    const Folder folder;
    write_example(folder / "real");
    const Bytes before = file_bytes(folder / "real");
    std::filesystem::create_symlink("real", folder / "link");
    {
        AtomicFile file(folder / "link", AtomicFile::Link::Replaced);
        file.write(Bytes{1, 2, 3});
        file.commit();
    }
    EXPECT_EQ(file_bytes(folder / "link"), (Bytes{1, 2, 3}));
    EXPECT_FALSE(std::filesystem::is_symlink(folder / "link"));
    EXPECT_EQ(file_bytes(folder / "real"), before);
}

} // namespace
} // namespace btvm

// The power goes during a commit: what was written since a file was last brought to the disk may be there, or
// not, or in part and in any order; and so may what became of names.
#include <map>
#include <set>

#include "tests/unit/commit/host_calls.hh"
#include "tests/unit/commit/layered_image.hh"
#include "userland/state/checksum.hh"

namespace btvm::test {
namespace {

using host::Call;

enum class Kept { None, All, Even, Odd, Halves };

/// What the disk holds, and what it may or may not hold.
class HostsDisk {
public:
    HostsDisk(ino_t image, const std::string& name, Bytes content) : image_(image) {
        files_[image] = std::move(content);
        names_[name] = image;
    }
    void make(const Call& call) {
        if (call.kind != Call::Kind::Sync) return pending_.push_back(call);
        std::vector<Call> left;
        for (const Call& each : pending_) {
            const bool is_write = each.kind == Call::Kind::Write;
            if (call.directory ? !is_write : is_write && each.file == call.file)
                apply(each);
            else
                left.push_back(each);
        }
        pending_ = left;
    }
    /// The power goes.
    void lose(Kept in_image, Kept in_others, bool names) {
        unsigned number = 0;
        for (Call each : pending_) {
            if (each.kind != Call::Kind::Write) {
                if (names) apply(each);
                continue;
            }
            const Kept kept = each.file == image_ ? in_image : in_others;
            const bool even = number++ % 2 == 0;
            if (kept == Kept::None || (kept == Kept::Even && !even) || (kept == Kept::Odd && even)) continue;
            if (kept == Kept::Halves) each.bytes.resize(each.bytes.size() / 2 / 512 * 512);
            apply(each);
        }
    }
    void put_into(const std::filesystem::path& folder) const {
        for (const auto& entry : std::filesystem::directory_iterator(folder))
            std::filesystem::remove(entry.path());
        for (const auto& [name, file] : names_) {
            const std::string path = folder / std::filesystem::path(name).filename();
            write_bytes(path, files_.count(file) ? files_.at(file) : Bytes{});
            std::filesystem::permissions(path, std::filesystem::perms::owner_read |
                                                   std::filesystem::perms::owner_write);
        }
    }

    /// Names and checksums.
    [[nodiscard]] std::map<std::string, std::uint32_t> summary() const {
        std::map<std::string, std::uint32_t> all;
        for (const auto& [name, file] : names_)
            all[name] = files_.count(file) ? crc32(files_.at(file)) : 0;
        return all;
    }

private:
    void apply(const Call& call) {
        if (call.kind == Call::Kind::Write) {
            Bytes& file = files_[call.file];
            file.resize(std::max<std::size_t>(file.size(), call.at + call.bytes.size()));
            std::copy(call.bytes.begin(), call.bytes.end(),
                      file.begin() + static_cast<std::ptrdiff_t>(call.at));
        } else if (call.kind == Call::Kind::Link) {
            names_[call.name] = call.file;
        } else if (call.kind == Call::Kind::Rename) {
            names_[call.name] = names_.at(call.from);
            names_.erase(call.from);
        } else {
            names_.erase(call.name);
        }
    }

    ino_t image_;
    std::map<ino_t, Bytes> files_;
    std::map<std::string, ino_t> names_;
    std::vector<Call> pending_;
};

template <class Kind>
class PowerCut : public testing::Test {};

using Kinds = testing::Types<DiskKind, FloppyKind>;
TYPED_TEST_SUITE(PowerCut, Kinds);

/// Tries each way to lose what the disk need not have, after each of the calls. `then` looks at what is left.
void try_all(const TemporaryDisk& disk, const std::vector<Call>& calls, const HostsDisk& begin,
             const std::function<void(std::size_t made)>& then) {
    std::set<std::map<std::string, std::uint32_t>> tried;
    constexpr Kept kWays[] = {Kept::None, Kept::All, Kept::Even, Kept::Odd, Kept::Halves};
    const std::filesystem::path folder = std::filesystem::path(disk.path()).parent_path();
    for (std::size_t made = 0; made <= calls.size(); made++)
        for (const Kept in_image : kWays)
            for (const Kept in_others : kWays)
                for (const bool names : {false, true}) {
                    HostsDisk left = begin;
                    for (std::size_t i = 0; i < made; i++)
                        left.make(calls[i]);
                    left.lose(in_image, in_others, names);
                    if (!tried.insert(left.summary()).second && made < calls.size()) continue;
                    left.put_into(folder);
                    SCOPED_TRACE(testing::Message()
                                 << made << " calls, of the image " << static_cast<int>(in_image)
                                 << ", of others " << static_cast<int>(in_others)
                                 << (names ? ", with names" : ""));
                    then(made);
                    if (testing::Test::HasFailure()) return;
                }
}

TYPED_TEST(PowerCut, LeavesTheOldImageOrTheNewOne) {
    const TemporaryDisk disk(TypeParam::kSectors);
    const Bytes before = disk.content(), after = committed(before);
    std::vector<Call> calls;
    ino_t file{};
    {
        const auto image = layered<TypeParam>(disk.path());
        struct stat info {};
        ASSERT_EQ(::fstat(image->descriptor(), &info), 0);
        file = info.st_ino;
        host::watch();
        (void)commit_layer(*image, {});
        calls = host::unwatch();
    }
    unsigned was_old = 0, was_new = 0;
    try_all(disk, calls, HostsDisk(file, disk.path(), before), [&](std::size_t made) {
        (void)TypeParam::open(disk.path());
        const Bytes now = disk.content();
        if (made == calls.size())
            EXPECT_EQ(now, after) << "the commit was done";
        else
            EXPECT_TRUE(now == before || now == after);
        (now == before ? was_old : was_new)++;
    });
    EXPECT_GT(was_old, 0u);
    EXPECT_GT(was_new, 50u);
}

TYPED_TEST(PowerCut, WhileAnInterruptedCommitIsFinishedLosesNothing) {
    const TemporaryDisk disk(TypeParam::kSectors);
    const Bytes before = disk.content(), after = committed(before);
    ASSERT_TRUE(killed([&] {
        const auto image = layered<TypeParam>(disk.path());
        host::watch({.kill_at = 7, .half = true}); // in the middle of the image
        (void)commit_layer(*image, {});
    }));
    const Bytes torn = disk.content(), journal = file_bytes(journal_of(disk));
    ASSERT_TRUE(torn != before && torn != after);
    struct stat image {
    }, beside{};
    ASSERT_EQ(::stat(disk.path().c_str(), &image), 0);
    ASSERT_EQ(::stat(journal_of(disk).c_str(), &beside), 0);
    host::watch();
    (void)TypeParam::open(disk.path());
    const std::vector<Call> calls = host::unwatch();
    HostsDisk begin(image.st_ino, disk.path(), torn);
    begin.make({.kind = Call::Kind::Write, .file = beside.st_ino, .at = 0, .bytes = journal});
    begin.make({.kind = Call::Kind::Link, .file = beside.st_ino, .name = journal_of(disk)});
    begin.make({.kind = Call::Kind::Sync, .file = beside.st_ino});
    begin.make({.kind = Call::Kind::Sync, .directory = true});
    try_all(disk, calls, begin, [&](std::size_t) {
        (void)TypeParam::open(disk.path());
        EXPECT_EQ(disk.content(), after);
    });
}

} // namespace
} // namespace btvm::test

// A disk to which a commit was interrupted in the middle: a part of it is in the image, all of it in the
// journal.
#pragma once

#include "tests/unit/commit/host_calls.hh"
#include "tests/unit/commit/layered_image.hh"

namespace btvm::test {

class Interrupted : public testing::Test {
protected:
    Interrupted() {
        EXPECT_TRUE(killed([this] {
            const auto image = layered<DiskKind>(disk.path());
            host::watch({.kill_at = kSecondUnit, .half = true});
            (void)commit_layer(*image, {});
        }));
        torn = disk.content();
        journal = file_bytes(journal_of(disk));
        EXPECT_NE(torn, before);
        EXPECT_NE(torn, after);
    }
    /// What opening it says, for the user or in refusing it.
    std::string opening(const DiskImage::Options& options = {}) {
        try {
            return DiskImage::open(disk.path(), options)->notice();
        } catch (const DiskError& error) {
            return error.what();
        }
    }
    void expect_opening_says(const std::string& part, const DiskImage::Options& options = {}) {
        const std::string said = opening(options);
        EXPECT_NE(said.find(part), std::string::npos) << said;
    }
    /// The journal's bytes are others now.
    void bend(const std::function<void(Bytes&)>& change) {
        Bytes bent = journal;
        change(bent);
        write_bytes(journal_of(disk), bent);
        std::filesystem::permissions(journal_of(disk), std::filesystem::perms(0600));
    }
    /// Number from 0 on, of `size` bytes.
    static void put(Bytes& bytes, std::size_t at, std::uint64_t value, std::size_t size) {
        for (std::size_t i = 0; i < size; i++)
            bytes[at + i] = static_cast<std::uint8_t>(value >> 8 * i);
    }

    static constexpr unsigned kSecondUnit = 7; ///< The call that writes it; the journal takes five.
    TemporaryDisk disk{DiskKind::kSectors};
    Bytes before = disk.content(), after = committed(before), torn, journal;
};

} // namespace btvm::test

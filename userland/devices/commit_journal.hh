// The journal of a commit: what is about to be written into an image, in a file beside it, NAME.btvm-journal.
// It is complete and on the host's disk before the first byte of the image changes, and goes when the last
// one has reached the disk. Whoever opens the image while it is there finishes the commit first
// (interrupted_commit.hh), so that being killed or a power cut leaves the image as it was or as it was to be,
// whole.
//
// The alternative, a journal of what the image held before, would take an interrupted commit back instead. It
// was not taken because a commit that has failed halfway (a bad sector) could then not be finished by a
// better host.
//
// All numbers are little-endian. A header: the magic number, the version (4 bytes), the image's size and the
// number of records (8 bytes each). A record: its place in the image (8), its size (4; whole sectors of 512
// bytes), the CRC-32 of each sector as the image held it (4 each), the bytes. Records are in order of place.
// At the end, the CRC-32 of all before it.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "userland/devices/disk_image_file.hh"
#include "userland/state/atomic_file.hh"

namespace btvm {

namespace journal_format {

inline constexpr std::array<std::uint8_t, 8> kMagic{'b', 't', 'v', 'm', 'j', 'r', 'n', 'l'};
inline constexpr std::uint32_t kVersion = 1;
inline constexpr std::size_t kHeaderSize = 28;
inline constexpr std::size_t kRecordHeaderSize = 12;
inline constexpr std::size_t kSector = 512; ///< What a disk writes as a whole.
inline constexpr std::size_t kLargestRecord = 64 * 1024;

} // namespace journal_format

/// Where the journal of an open image lies, whatever name the image was opened by: beside the file that
/// symbolic links lead to, and under the name that it has by now. Empty: it can have none, since it is no
/// regular file or has no name any more.
[[nodiscard]] std::string journal_path(int image, const std::string& path);

/// Takes a journal away, on the host's disk as well. Throws DiskError.
void remove_journal(const std::string& journal);

/// One that is written. The image must be open and locked for writing, so that nobody takes it for one that a
/// killed program has left.
class CommitJournal {
public:
    /// Of the image behind the descriptor, opened by this path.
    CommitJournal(int image, std::string path);

    /// Whether there can be one: in a directory that may be written.
    [[nodiscard]] bool possible() const;
    /// One of ours is there, of an earlier commit to the image that has failed.
    [[nodiscard]] bool is_there() const;

    // All of these throw DiskError. The image has not been touched then.

    /// For an image of so many bytes; so many calls of add() follow, in order of place.
    void begin(std::uint64_t image_bytes, std::uint64_t records);
    /// What the image has there, and what it shall have: whole sectors.
    void add(std::uint64_t at, std::span<const std::uint8_t> before, std::span<const std::uint8_t> after);
    /// From now on the commit takes place, whatever happens. A journal that was there is replaced.
    void finish();

    void remove() { remove_journal(journal_); }

private:
    void write_buffer();
    template <class F>
    void guarded(F write);

    std::string image_;   ///< As the user calls it.
    std::string journal_; ///< Empty: there can be none.
    std::unique_ptr<AtomicFile> file_;
    std::vector<std::uint8_t> buffer_;
    std::uint32_t crc_{};
};

} // namespace btvm

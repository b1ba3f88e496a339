#include "userland/devices/commit_journal.hh"

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "userland/devices/state_section.hh"
#include "userland/state/checksum.hh"
#include "userland/state/little_endian.hh"

namespace btvm {

using namespace journal_format;

namespace {

constexpr const char* kSuffix = ".btvm-journal";
constexpr std::size_t kLongestName = 255 - 24; ///< Of an image; room for the suffix and what is added to it.
constexpr std::size_t kBuffer = 1 << 20;       ///< Bytes that are written at once.

bool is_file(const std::string& path, const struct stat& file) {
    struct stat info {};
    return ::stat(path.c_str(), &info) == 0 && info.st_dev == file.st_dev && info.st_ino == file.st_ino;
}

/// The name that an open file has by now, without symbolic links.
std::string present_name(int fd, const std::string& path, const struct stat& file) {
    std::array<char, PATH_MAX> name{};
    const std::string link = "/proc/self/fd/" + std::to_string(fd);
    if (::readlink(link.c_str(), name.data(), name.size() - 1) > 0 && is_file(name.data(), file))
        return name.data();
    if (::realpath(path.c_str(), name.data()) && is_file(name.data(), file)) return name.data();
    return {};
}

} // namespace

std::string journal_path(int image, const std::string& path) {
    struct stat info {};
    if (::fstat(image, &info) != 0 || !S_ISREG(info.st_mode)) return {};
    const std::string whole = present_name(image, path, info);
    if (whole.empty()) return {};
    std::string name = whole.substr(whole.rfind('/') + 1);
    if (name.size() > kLongestName) {
        std::vector<std::uint8_t> crc;
        put_number(crc, crc32(std::span(reinterpret_cast<const std::uint8_t*>(name.data()), name.size())), 4);
        name = name.substr(0, kLongestName - 9) + "-" + to_hex(crc);
    }
    return directory_of(whole) + "/" + name + kSuffix;
}

void remove_journal(const std::string& journal) {
    int error = ::unlink(journal.c_str()) == 0 || errno == ENOENT ? 0 : errno;
    if (!error) {
        error = sync_directory_of(journal);
        if (directory_sync_is_missing(error)) return;
    }
    if (error)
        throw DiskError(journal + ": is done with and cannot be removed: " + std::strerror(error) +
                        " (remove it before the image is used again)");
}

CommitJournal::CommitJournal(int image, std::string path)
    : image_(std::move(path)), journal_(journal_path(image, image_)) {}

bool CommitJournal::possible() const {
    return !journal_.empty() &&
           ::faccessat(AT_FDCWD, directory_of(journal_).c_str(), W_OK | X_OK, AT_EACCESS) == 0;
}

bool CommitJournal::is_there() const {
    struct stat info {};
    return !journal_.empty() && ::lstat(journal_.c_str(), &info) == 0 && S_ISREG(info.st_mode) &&
           info.st_uid == ::geteuid();
}

template <class F>
void CommitJournal::guarded(F write) {
    try {
        write();
    } catch (const StateError& error) {
        throw DiskError(image_ +
                        ": nothing is written to it, since the journal of that cannot be: " + error.what());
    }
}

void CommitJournal::begin(std::uint64_t image_bytes, std::uint64_t records) {
    // A link in its place may be anybody's.
    guarded([this] { file_ = std::make_unique<AtomicFile>(journal_, AtomicFile::Link::Replaced); });
    buffer_.assign(kMagic.begin(), kMagic.end());
    put_number(buffer_, kVersion, 4);
    put_number(buffer_, image_bytes, 8);
    put_number(buffer_, records, 8);
    crc_ = 0;
}

void CommitJournal::add(std::uint64_t at, std::span<const std::uint8_t> before,
                        std::span<const std::uint8_t> after) {
    put_number(buffer_, at, 8);
    put_number(buffer_, after.size(), 4);
    for (; !before.empty(); before = before.subspan(kSector))
        put_number(buffer_, crc32(before.first(kSector)), 4);
    buffer_.insert(buffer_.end(), after.begin(), after.end());
    if (buffer_.size() >= kBuffer) write_buffer();
}

void CommitJournal::write_buffer() {
    guarded([this] { file_->write(buffer_); });
    crc_ = crc32(buffer_, crc_);
    buffer_.clear();
}

void CommitJournal::finish() {
    write_buffer();
    put_number(buffer_, crc_, 4);
    write_buffer();
    int error = 0;
    guarded([&] { error = file_->commit(); });
    file_.reset();
    // Its name must be on the disk before the image changes. Should taking it away come to nothing as well,
    // the whole commit takes place: that is still one of the two.
    if (!error || directory_sync_is_missing(error)) return;
    ::unlink(journal_.c_str());
    throw DiskError(image_ +
                    ": nothing is written to it, since its directory cannot be: " + std::strerror(error));
}

} // namespace btvm

#include "userland/state/atomic_file.hh"

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

#include "userland/devices/state_section.hh"

namespace btvm {

std::string directory_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    if (slash == std::string::npos) return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
}

int sync_directory_of(const std::string& path) {
    const FileDescriptor directory(::open(directory_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return directory && ::fsync(directory.get()) == 0 ? 0 : errno;
}

bool directory_sync_is_missing(int error) { return error == EINVAL || error == ENOTSUP || error == EACCES; }

namespace {

constexpr int kMostLinks = 40; // as many as Linux follows

/// Where the writing goes: what a symbolic link leads to is made or replaced, not the link.
std::string final_path(std::string path) {
    for (int links = 0; links <= kMostLinks; links++) {
        if (char* const resolved = ::realpath(path.c_str(), nullptr)) {
            std::string result(resolved);
            std::free(resolved);
            return result;
        }
        // Nothing is there, or a link to nothing.
        std::error_code none;
        const std::string target = std::filesystem::read_symlink(path, none);
        if (none) return path;
        path = target.front() == '/' ? target : directory_of(path) + "/" + target;
    }
    throw StateError(path + ": cannot be written: " + std::strerror(ELOOP));
}

std::string own_link(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

} // namespace

AtomicFile::AtomicFile(std::string path, Link link)
    : path_(link == Link::Followed ? final_path(std::move(path)) : std::move(path)) {
    struct stat info {};
    if (::lstat(path_.c_str(), &info) == 0 && !S_ISREG(info.st_mode) && !S_ISLNK(info.st_mode))
        throw StateError(path_ + ": is there already, and is not a regular file");
    // For the owner only: a state holds all that the guest's memory holds.
    constexpr mode_t kOwners = S_IRUSR | S_IWUSR;
    const std::string directory = directory_of(path_);
    fd_ = FileDescriptor(::open(directory.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, kOwners));
    if (fd_ && ::access(own_link(fd_.get()).c_str(), F_OK) == 0) return;
    // A file system without unnamed files, or no /proc to name one by.
    temporary_ = directory + "/.btvm-XXXXXX";
    fd_ = FileDescriptor(::mkostemp(temporary_.data(), O_CLOEXEC));
    if (!fd_) {
        const int error = errno;
        temporary_.clear();
        throw StateError(path_ + ": cannot be written: " + std::strerror(error));
    }
}

AtomicFile::~AtomicFile() {
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::fail(int error) const {
    throw StateError(path_ + ": cannot be written: " + std::strerror(error) +
                     " (what was there before is as it was)");
}

void AtomicFile::write(std::span<const std::uint8_t> bytes) {
    while (!bytes.empty()) {
        const ssize_t n = ::write(fd_.get(), bytes.data(), bytes.size());
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) fail(n == 0 ? ENOSPC : errno);
        size_ += static_cast<std::uint64_t>(n);
        bytes = bytes.subspan(static_cast<std::size_t>(n));
    }
}

/// rename() takes a name, and only it replaces what is there.
void AtomicFile::give_name() {
    static std::atomic<unsigned> last{};
    for (;;) {
        const std::string name =
            directory_of(path_) + "/.btvm-" + std::to_string(::getpid()) + "-" + std::to_string(++last);
        if (::linkat(AT_FDCWD, own_link(fd_.get()).c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) == 0) {
            temporary_ = name;
            return;
        }
        if (errno != EEXIST) fail(errno);
    }
}

int AtomicFile::commit() {
    if (::fsync(fd_.get()) != 0) fail(errno);
    // Where nothing is yet, one call does.
    const bool named = temporary_.empty() && ::linkat(AT_FDCWD, own_link(fd_.get()).c_str(), AT_FDCWD,
                                                      path_.c_str(), AT_SYMLINK_FOLLOW) == 0;
    if (!named) {
        if (temporary_.empty()) give_name();
        if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail(errno);
        temporary_.clear();
    }
    // That its directory cannot be brought to the disk is no reason to call the file unwritten: it is there.
    return sync_directory_of(path_);
}

} // namespace btvm

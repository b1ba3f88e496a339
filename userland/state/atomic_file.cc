#include "userland/state/atomic_file.hh"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "userland/devices/state_section.hh"

namespace btvm {

namespace {

std::string directory_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    if (slash == std::string::npos) return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
}

/// Where the writing goes: what a symbolic link leads to is replaced, not the link.
std::string final_path(const std::string& path) {
    char* const resolved = ::realpath(path.c_str(), nullptr);
    if (!resolved) return path;
    std::string result(resolved);
    std::free(resolved);
    return result;
}

} // namespace

AtomicFile::AtomicFile(std::string path) : path_(final_path(path)) {
    struct stat info {};
    if (::stat(path_.c_str(), &info) == 0 && !S_ISREG(info.st_mode))
        throw StateError(path_ + ": is there already, and is not a regular file");
    temporary_ = path_ + ".XXXXXX";
    fd_ = FileDescriptor(::mkostemp(temporary_.data(), O_CLOEXEC));
    if (!fd_) throw StateError(path_ + ": cannot be written: " + std::strerror(errno));
    // mkostemp() makes it for the owner only: a state holds all that the guest's memory holds, and that is
    // right.
}

AtomicFile::~AtomicFile() {
    if (fd_ && !committed_) ::unlink(temporary_.c_str());
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

void AtomicFile::commit() {
    if (::fsync(fd_.get()) != 0) fail(errno);
    if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail(errno);
    committed_ = true;
    // The rename itself is on the disk once its directory is. That this cannot be had is no reason to call
    // the file unwritten: it is there.
    const FileDescriptor directory(::open(directory_of(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (directory) (void)::fsync(directory.get());
}

} // namespace btvm

#include "userland/devices/disk_image_file.hh"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "userland/abi/file_descriptor.hh"
#include "userland/devices/interrupted_commit.hh"

namespace btvm {

namespace {

constexpr const char* kSnapshotKeeps = " (--snapshot keeps the guest's writes in memory)";

} // namespace

DiskImageFile::DiskImageFile(std::string path, Access access) : path_(std::move(path)), access_(access) {
    try {
        open_settled();
    } catch (...) {
        if (fd_ >= 0) ::close(fd_);
        throw;
    }
}

DiskImageFile::DiskImageFile(std::string path, std::uint64_t size)
    : path_(std::move(path)), access_(Access::Write) {
    try {
        open_settled(O_CREAT);
        if (size_ < size) grow(size);
    } catch (...) {
        if (fd_ >= 0) ::close(fd_);
        throw;
    }
}

DiskImageFile::~DiskImageFile() { ::close(fd_); }

void DiskImageFile::fail(const std::string& what) const { throw DiskError(path_ + ": " + what); }

void DiskImageFile::open(int flags) {
    // O_NONBLOCK: opening a pipe must not wait for its other end; it does nothing to regular files.
    fd_ = ::open(path_.c_str(), flags | (writes() ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
                 0666);
    if (fd_ >= 0) return;
    const int error = errno;
    if ((error == EACCES || error == EROFS || error == EPERM) && writes())
        fail(std::string("cannot be written: ") + std::strerror(error) +
             (access_ == Access::Write ? kSnapshotKeeps : ""));
    if (error == EISDIR) fail("is a directory, not a disk image");
    fail(std::strerror(error));
}

void DiskImageFile::check_and_lock() {
    struct stat info {};
    if (::fstat(fd_, &info) != 0) fail(std::strerror(errno));
    if (S_ISDIR(info.st_mode)) fail("is a directory, not a disk image");
    if (!S_ISREG(info.st_mode) && !S_ISBLK(info.st_mode))
        fail("is neither a regular file nor a block device");
    // The superuser may open anything for writing; the owner's wish still counts. (A commit was its wish,
    // too.)
    if (access_ == Access::Write && !(info.st_mode & (S_IWUSR | S_IWGRP | S_IWOTH)))
        fail(std::string("is read-only") + kSnapshotKeeps);
    size_ = static_cast<std::uint64_t>(info.st_size);
    if (S_ISBLK(info.st_mode)) {
        const off_t end = ::lseek(fd_, 0, SEEK_END);
        if (end < 0) fail(std::string("has no size: ") + std::strerror(errno));
        size_ = static_cast<std::uint64_t>(end);
    }

    // Open-file-description locks where the file system has them (they see QEMU's locks, too), else flock().
    struct flock request {};
    request.l_type = static_cast<short>(writes() ? F_WRLCK : F_RDLCK);
    request.l_whence = SEEK_SET;
    if (::fcntl(fd_, F_OFD_SETLK, &request) == 0) return;
    int error = errno;
    if (error != EAGAIN && error != EACCES) {
        if (::flock(fd_, (writes() ? LOCK_EX : LOCK_SH) | LOCK_NB) == 0) return;
        error = errno;
    }
    if (error == EAGAIN || error == EACCES || error == EWOULDBLOCK)
        fail(access_ == Access::Write
                 ? "is in use by another program (--snapshot can share an image with others that do not "
                   "write it)"
             : writes() ? "is in use by another program"
                        : "is being written by another program");
    // No locks on this file system: reading is safe enough, two writers are not.
    if (writes())
        fail(std::string("cannot be locked against other programs (") + std::strerror(error) + ")" +
             (access_ == Access::Write ? "; use --snapshot" : ""));
}

/// Opens and locks it, with no commit to it left half done. Whether there is one can be known only once it is
/// locked: before that, somebody may be committing.
void DiskImageFile::open_settled(int flags) {
    open(flags);
    check_and_lock();
    if (!journal_is_there(fd_, path_)) return;
    if (writes()) {
        notice_ = finish_commit(fd_, path_);
        return;
    }
    ::close(std::exchange(fd_, -1));
    notice_ = settle_commit(path_);
    open(flags);
    check_and_lock();
}

std::string settle_commit(const std::string& path) {
    std::string reason;
    try {
        return DiskImageFile(path, DiskImageFile::Access::Settle).notice();
    } catch (const UnfinishedCommit&) {
        throw;
    } catch (const DiskError& error) {
        reason = error.what();
    }
    const FileDescriptor image(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!image) throw DiskError(path + ": " + std::strerror(errno));
    return pass_over_journal(image.get(), path, reason);
}

void DiskImageFile::grow(std::uint64_t size) {
    if (::ftruncate(fd_, static_cast<off_t>(size)) != 0)
        fail("cannot grow to " + std::to_string(size) + " bytes: " + std::strerror(errno));
    size_ = size;
}

void DiskImageFile::read(std::uint64_t at, std::span<std::uint8_t> out) const {
    while (!out.empty()) {
        const ssize_t n = ::pread(fd_, out.data(), out.size(), static_cast<off_t>(at));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) fail(std::string("cannot be read: ") + std::strerror(errno));
        if (n == 0) {
            if (at < size_) fail("has become shorter while in use");
            std::fill(out.begin(), out.end(), std::uint8_t{0});
            return;
        }
        out = out.subspan(static_cast<std::size_t>(n));
        at += static_cast<std::uint64_t>(n);
    }
}

void DiskImageFile::write(std::uint64_t at, std::span<const std::uint8_t> in) {
    while (!in.empty()) {
        const ssize_t n = ::pwrite(fd_, in.data(), in.size(), static_cast<off_t>(at));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) fail(std::string("cannot be written: ") + std::strerror(n == 0 ? ENOSPC : errno));
        in = in.subspan(static_cast<std::size_t>(n));
        at += static_cast<std::uint64_t>(n);
    }
}

void DiskImageFile::flush() const {
    if (::fdatasync(fd_) != 0)
        fail(std::string("cannot be written to the host's disk: ") + std::strerror(errno));
}

} // namespace btvm

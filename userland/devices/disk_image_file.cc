#include "userland/devices/disk_image_file.hh"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace btvm {

DiskImageFile::DiskImageFile(std::string path, Access access) : path_(std::move(path)) {
    try {
        open(access == Access::Write ? O_RDWR : O_RDONLY);
        check_and_lock(access == Access::Write);
    } catch (...) {
        if (fd_ >= 0) ::close(fd_);
        throw;
    }
}

DiskImageFile::DiskImageFile(std::string path, std::uint64_t size) : path_(std::move(path)) {
    try {
        open(O_RDWR | O_CREAT);
        check_and_lock(true);
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
    fd_ = ::open(path_.c_str(), flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0666);
    if (fd_ >= 0) return;
    const int error = errno;
    if ((error == EACCES || error == EROFS || error == EPERM) && (flags & O_RDWR))
        fail(std::string("cannot be written: ") + std::strerror(error) +
             " (--snapshot keeps the guest's writes in memory)");
    if (error == EISDIR) fail("is a directory, not a disk image");
    fail(std::strerror(error));
}

void DiskImageFile::check_and_lock(bool exclusive) {
    struct stat info {};
    if (::fstat(fd_, &info) != 0) fail(std::strerror(errno));
    if (S_ISDIR(info.st_mode)) fail("is a directory, not a disk image");
    if (!S_ISREG(info.st_mode) && !S_ISBLK(info.st_mode))
        fail("is neither a regular file nor a block device");
    // The superuser may open anything for writing; the owner's wish still counts.
    if (exclusive && !(info.st_mode & (S_IWUSR | S_IWGRP | S_IWOTH)))
        fail("is read-only (--snapshot keeps the guest's writes in memory)");
    size_ = static_cast<std::uint64_t>(info.st_size);
    if (S_ISBLK(info.st_mode)) {
        const off_t end = ::lseek(fd_, 0, SEEK_END);
        if (end < 0) fail(std::string("has no size: ") + std::strerror(errno));
        size_ = static_cast<std::uint64_t>(end);
    }

    // Open-file-description locks where the file system has them (they see QEMU's locks, too), else flock().
    struct flock request {};
    request.l_type = static_cast<short>(exclusive ? F_WRLCK : F_RDLCK);
    request.l_whence = SEEK_SET;
    if (::fcntl(fd_, F_OFD_SETLK, &request) == 0) return;
    int error = errno;
    if (error != EAGAIN && error != EACCES) {
        if (::flock(fd_, (exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB) == 0) return;
        error = errno;
    }
    if (error == EAGAIN || error == EACCES || error == EWOULDBLOCK)
        fail(exclusive
                 ? "is in use by another program (--snapshot can share an image with others that do not "
                   "write it)"
                 : "is being written by another program");
    // No locks on this file system: reading is safe enough, two writers are not.
    if (exclusive)
        fail(std::string("cannot be locked against other programs (") + std::strerror(error) +
             "); use --snapshot");
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

// The host's file behind a disk: opened, locked against other programs, and read and written whole.
#pragma once

#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <sys/types.h>

namespace btvm {

/// An image that cannot be used as a disk, or an access to it that the host refused. The message is for the
/// user.
class DiskError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

class DiskImageFile {
public:
    enum class Access {
        Write,    ///< The file will be written: nobody else may have it open.
        ReadOnly, ///< It will not: it can be shared with others that do not write it.
        Settle,   ///< Only to bring an interrupted commit to its end.
    };

    /// Throws DiskError: missing, not a regular file, not readable or writable, in use, or left by a commit
    /// that was interrupted and cannot be finished (interrupted_commit.hh).
    DiskImageFile(std::string path, Access access);
    /// A new file, or an existing one, of at least `size` bytes: a shorter one grows, without using space on
    /// the host for what has not been written.
    DiskImageFile(std::string path, std::uint64_t size);
    ~DiskImageFile();
    DiskImageFile(const DiskImageFile&) = delete;
    DiskImageFile& operator=(const DiskImageFile&) = delete;

    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] std::uint64_t size() const { return size_; }
    [[nodiscard]] int descriptor() const { return fd_; }
    /// What the user should know of how it was found; mostly nothing.
    [[nodiscard]] const std::string& notice() const { return notice_; }

    /// All of `out`; what is beyond the end of the file reads as zeros. Throws DiskError.
    void read(std::uint64_t at, std::span<std::uint8_t> out) const;
    /// All of `in`. Throws DiskError; the file then may have part of it.
    void write(std::uint64_t at, std::span<const std::uint8_t> in);
    /// Returns when all that was written is on the host's disk. Throws DiskError. From any thread.
    void flush() const;

private:
    [[noreturn]] void fail(const std::string& what) const;
    void open(int flags);
    void check_and_lock();
    void open_settled(int flags = 0);
    [[nodiscard]] bool writes() const { return access_ != Access::ReadOnly; }
    void grow(std::uint64_t size);

    std::string path_;
    Access access_;
    std::string notice_;
    int fd_{-1};
    std::uint64_t size_{};
};

/// Brings an interrupted commit to an image to its end, for somebody who is going to read it and has not
/// locked it. What the user should know of it. Throws DiskError.
[[nodiscard]] std::string settle_commit(const std::string& path);

} // namespace btvm

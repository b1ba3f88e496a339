// A file that comes into being whole or not at all: it is written without a name, brought to the host's disk,
// and then put in place by one rename. Whatever fails before that leaves what was there before as it was; and
// nothing stays of a program that is killed, unless the file system has no unnamed files.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "userland/abi/file_descriptor.hh"

namespace btvm {

class AtomicFile {
public:
    /// What becomes of a symbolic link in the file's place.
    enum class Link {
        Followed, ///< It stays: the file that it leads to comes into being, also if there was none.
        Replaced  ///< It goes, and nothing that it leads to is touched.
    };

    /// Throws StateError, as all of these do: the message names the file.
    explicit AtomicFile(std::string path, Link link = Link::Followed);
    /// Nothing stays of what was written, unless commit() has come to its end.
    ~AtomicFile();
    AtomicFile(const AtomicFile&) = delete;
    AtomicFile& operator=(const AtomicFile&) = delete;

    void write(std::span<const std::uint8_t> bytes);
    /// Bytes written so far.
    [[nodiscard]] std::uint64_t size() const { return size_; }
    /// Puts the file in its place. It is on the host's disk when this returns, and so is its name, but for an
    /// error that is given back: an errno of sync_directory_of().
    int commit();

private:
    [[noreturn]] void fail(int error) const;
    void give_name();

    std::string path_;
    std::string temporary_; ///< Its name so far; empty: it has none, or its own.
    FileDescriptor fd_;
    std::uint64_t size_{};
};

/// The directory that a file is in, as a path.
[[nodiscard]] std::string directory_of(const std::string& path);
/// Brings to the host's disk that a file has come to its name or gone. An errno, or 0.
[[nodiscard]] int sync_directory_of(const std::string& path);
/// Whether such an error means that this cannot be had there at all: the file system does not do it, or the
/// directory may be written but not read.
[[nodiscard]] bool directory_sync_is_missing(int error);

} // namespace btvm

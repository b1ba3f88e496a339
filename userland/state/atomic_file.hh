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
    /// Throws StateError, as all of these do: the message names the file.
    explicit AtomicFile(std::string path);
    /// Nothing stays of what was written, unless commit() has come to its end.
    ~AtomicFile();
    AtomicFile(const AtomicFile&) = delete;
    AtomicFile& operator=(const AtomicFile&) = delete;

    void write(std::span<const std::uint8_t> bytes);
    /// Bytes written so far.
    [[nodiscard]] std::uint64_t size() const { return size_; }
    /// Puts the file in its place: on the host's disk when this returns.
    void commit();

private:
    [[noreturn]] void fail(int error) const;
    void give_name();

    std::string path_;
    std::string temporary_; ///< Its name so far; empty: it has none, or its own.
    FileDescriptor fd_;
    std::uint64_t size_{};
};

} // namespace btvm

// A file that comes into being whole or not at all: it is written beside its place under another name,
// brought to the host's disk, and then put in place by one rename. Whatever fails before that leaves what was
// there before as it was.
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
    /// Removes what was written unless commit() has come to its end.
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

    std::string path_;
    std::string temporary_;
    FileDescriptor fd_;
    std::uint64_t size_{};
    bool committed_{};
};

} // namespace btvm

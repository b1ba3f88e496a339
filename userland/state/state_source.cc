#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "userland/abi/file_descriptor.hh"
#include "userland/state/state_reader.hh"

namespace btvm {

namespace {

class FileSource final : public StateSource {
public:
    explicit FileSource(const std::string& path)
        // O_NONBLOCK: opening a pipe must not wait for its other end; it does nothing to regular files.
        : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)) {
        struct stat info {};
        if (!fd_ || ::fstat(fd_.get(), &info) != 0) throw StateError(std::strerror(errno));
        if (S_ISDIR(info.st_mode)) throw StateError("is a directory, not a state");
        if (!S_ISREG(info.st_mode)) throw StateError("is not a regular file");
        size_ = static_cast<std::uint64_t>(info.st_size);
    }
    [[nodiscard]] std::uint64_t size() const override { return size_; }
    void read(std::uint64_t at, std::span<std::uint8_t> out) const override {
        while (!out.empty()) {
            const ssize_t n = ::pread(fd_.get(), out.data(), out.size(), static_cast<off_t>(at));
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) throw StateError(std::string("cannot be read: ") + std::strerror(errno));
            if (n == 0) throw StateError("has become shorter while it was read");
            out = out.subspan(static_cast<std::size_t>(n));
            at += static_cast<std::uint64_t>(n);
        }
    }

private:
    FileDescriptor fd_;
    std::uint64_t size_{};
};

class MemorySource final : public StateSource {
public:
    explicit MemorySource(std::vector<std::uint8_t> bytes) : bytes_(std::move(bytes)) {}
    [[nodiscard]] std::uint64_t size() const override { return bytes_.size(); }
    void read(std::uint64_t at, std::span<std::uint8_t> out) const override {
        if (at > bytes_.size() || out.size() > bytes_.size() - at) throw StateError("is cut short");
        if (!out.empty()) std::memcpy(out.data(), bytes_.data() + at, out.size());
    }

private:
    std::vector<std::uint8_t> bytes_;
};

} // namespace

std::unique_ptr<StateSource> open_state_file(const std::string& path) {
    return std::make_unique<FileSource>(path);
}

std::unique_ptr<StateSource> state_in_memory(std::vector<std::uint8_t> bytes) {
    return std::make_unique<MemorySource>(std::move(bytes));
}

} // namespace btvm

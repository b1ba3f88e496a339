#include "tests/unit/commit/host_calls.hh"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <optional>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace btvm::host {

namespace {

bool watching{};
Wishes wished;
std::vector<Call> calls;

struct stat status_of(int fd) {
    struct stat info {};
    ::fstat(fd, &info);
    return info;
}

/// Notes a call that is about to be made. False: it fails.
bool make(Call call, int fd = -1) {
    if (!watching) return true;
    calls.push_back(std::move(call));
    const Call& noted = calls.back();
    if (calls.size() == wished.kill_at) {
        if (wished.half && noted.kind == Call::Kind::Write)
            (void)::syscall(SYS_pwrite64, fd, noted.bytes.data(), noted.bytes.size() / 2 / 512 * 512,
                            noted.at);
        ::kill(::getpid(), SIGKILL);
    }
    if (calls.size() != wished.fail_at) return true;
    errno = wished.error;
    return false;
}

Call write_call(int fd, const void* bytes, std::size_t count, std::uint64_t at) {
    const auto* const first = static_cast<const std::uint8_t*>(bytes);
    return {
        .kind = Call::Kind::Write, .file = status_of(fd).st_ino, .at = at, .bytes = {first, first + count}};
}

Call sync_call(int fd) {
    const struct stat info = status_of(fd);
    return {.kind = Call::Kind::Sync, .file = info.st_ino, .directory = S_ISDIR(info.st_mode)};
}

} // namespace

void watch(const Wishes& wishes) {
    wished = wishes;
    calls.clear();
    watching = true;
}

std::vector<Call> unwatch() {
    watching = false;
    return std::move(calls);
}

} // namespace btvm::host

using btvm::host::Call;

extern "C" {

ssize_t write(int fd, const void* bytes, size_t count) {
    if (btvm::host::watching) {
        const off_t at = ::lseek(fd, 0, SEEK_CUR);
        if (!btvm::host::make(btvm::host::write_call(fd, bytes, count, static_cast<std::uint64_t>(at)), fd))
            return -1;
    }
    return ::syscall(SYS_write, fd, bytes, count);
}

ssize_t pwrite(int fd, const void* bytes, size_t count, off_t at) {
    if (btvm::host::watching &&
        !btvm::host::make(btvm::host::write_call(fd, bytes, count, static_cast<std::uint64_t>(at)), fd))
        return -1;
    return ::syscall(SYS_pwrite64, fd, bytes, count, at);
}

int fsync(int fd) {
    if (btvm::host::watching && !btvm::host::make(btvm::host::sync_call(fd))) return -1;
    return static_cast<int>(::syscall(SYS_fsync, fd));
}

int fdatasync(int fd) {
    if (btvm::host::watching && !btvm::host::make(btvm::host::sync_call(fd))) return -1;
    return static_cast<int>(::syscall(SYS_fdatasync, fd));
}

int linkat(int from, const char* name, int to, const char* new_name, int flags) noexcept {
    struct stat info {};
    ::stat(name, &info);
    if (!btvm::host::make({.kind = Call::Kind::Link, .file = info.st_ino, .name = new_name})) return -1;
    return static_cast<int>(::syscall(SYS_linkat, from, name, to, new_name, flags));
}

int rename(const char* from, const char* to) noexcept {
    if (!btvm::host::make({.kind = Call::Kind::Rename, .name = to, .from = from})) return -1;
    return static_cast<int>(::syscall(SYS_rename, from, to));
}

int unlink(const char* name) noexcept {
    if (!btvm::host::make({.kind = Call::Kind::Unlink, .name = name})) return -1;
    return static_cast<int>(::syscall(SYS_unlink, name));
}

} // extern "C"

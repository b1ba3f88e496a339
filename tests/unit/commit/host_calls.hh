// The calls by which files are changed, in place of the C library's: they are counted and noted, fail or kill
// the program as a test wishes. Only what is done between watch() and unwatch() counts.
#pragma once

#include <cstdint>
#include <string>
#include <sys/types.h>
#include <vector>

namespace btvm::host {

struct Call {
    enum class Kind { Write, Sync, Link, Rename, Unlink };
    Kind kind{};
    ino_t file{}; ///< Write, Sync, Link.
    bool directory{};
    std::uint64_t at{};                ///< Write.
    std::vector<std::uint8_t> bytes{}; ///< Write.
    std::string name{};                ///< Link, Rename (the new one), Unlink.
    std::string from{};                ///< Rename.
};

struct Wishes {
    unsigned kill_at{}; ///< The program is killed at that call, counted from 1, ...
    bool half{}; ///< ... which has been done by half then, in sectors, if it is a write; else it has not been
                 ///< done.
    unsigned fail_at{}; ///< That call fails ...
    int error{};        ///< ... with that.
};

void watch(const Wishes& wishes = {});
/// What was done since.
std::vector<Call> unwatch();

} // namespace btvm::host

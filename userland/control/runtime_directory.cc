#include "userland/control/runtime_directory.hh"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <sys/stat.h>
#include <unistd.h>

namespace btvm {

std::string runtime_directory() {
    const char* xdg = std::getenv("XDG_RUNTIME_DIR");
    if (xdg && *xdg == '/') return std::string(xdg) + "/btvm";
    return "/tmp/btvm-" + std::to_string(::geteuid());
}

void make_runtime_directory(const std::string& path) {
    if (::mkdir(path.c_str(), 0700) < 0 && errno != EEXIST)
        throw std::runtime_error("cannot make " + path + ": " + std::strerror(errno));
    // In /tmp somebody else may have been first, with a directory or a link of their own.
    struct stat info {};
    if (::lstat(path.c_str(), &info) < 0)
        throw std::runtime_error("cannot look at " + path + ": " + std::strerror(errno));
    if (!S_ISDIR(info.st_mode) || info.st_uid != ::geteuid() || (info.st_mode & 077))
        throw std::runtime_error(
            path + " is not a directory of yours alone (mode 0700): remove it, or give --control");
}

std::vector<std::string> list_sockets(const std::string& directory) {
    std::vector<std::string> found;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(directory, error))
        if (entry.path().extension() == ".sock" && entry.is_socket(error))
            found.push_back(entry.path().string());
    std::sort(found.begin(), found.end());
    return found;
}

} // namespace btvm

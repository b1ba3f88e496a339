#include "userland/control/control_socket.hh"

#include <cerrno>
#include <cstring>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

namespace btvm {

namespace {

sockaddr_un address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path)
        throw SocketError("the socket's path is too long (" + std::to_string(sizeof address.sun_path - 1) +
                          " bytes at most): " + path);
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    return address;
}

FileDescriptor make_socket() {
    FileDescriptor fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd) throw SocketError(std::string("socket: ") + std::strerror(errno));
    return fd;
}

int bind_to(const FileDescriptor& fd, const sockaddr_un& address) {
    return ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

} // namespace

ListeningSocket::ListeningSocket(const std::string& path) : path_(path), fd_(make_socket()) {
    const sockaddr_un address = address_of(path);
    // The mode that bind() gives the name: only this user may talk to the machine.
    ::fchmod(fd_.get(), 0600);
    if (bind_to(fd_, address) < 0) {
        if (errno != EADDRINUSE) throw SocketError("cannot make " + path + ": " + std::strerror(errno));
        struct stat info {};
        if (::lstat(path.c_str(), &info) == 0 && !S_ISSOCK(info.st_mode))
            throw SocketError(path + " exists and is not a socket");
        if (is_listening(path)) throw SocketError(path + " is in use by another running machine");
        ::unlink(path.c_str());
        if (bind_to(fd_, address) < 0) throw SocketError("cannot make " + path + ": " + std::strerror(errno));
    }
    if (::listen(fd_.get(), 8) < 0)
        throw SocketError("cannot listen on " + path + ": " + std::strerror(errno));
}

ListeningSocket::~ListeningSocket() { ::unlink(path_.c_str()); }

FileDescriptor connect_socket(const std::string& path) {
    const sockaddr_un address = address_of(path);
    FileDescriptor fd = make_socket();
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) {
        const int error = errno;
        if (error == ECONNREFUSED) throw NobodyListensError(path + ": no machine listens there any more");
        if (error == ENOENT) throw NobodyListensError(path + ": no such socket: is the machine running?");
        throw SocketError(path + ": " + std::strerror(error));
    }
    return fd;
}

bool is_listening(const std::string& path) {
    try {
        return static_cast<bool>(connect_socket(path));
    } catch (const SocketError&) {
        return false;
    }
}

} // namespace btvm

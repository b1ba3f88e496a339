// Unix stream sockets for the control protocol: listening with a stale socket replaced, and connecting.
#pragma once

#include <stdexcept>
#include <string>

#include "userland/abi/file_descriptor.hh"

namespace btvm {

/// The message says which socket and why.
class SocketError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Nobody listens there: the machine has not started yet, or has ended.
class NobodyListensError : public SocketError {
public:
    using SocketError::SocketError;
};

/// A listening socket and its name in the file system, which goes when this goes.
class ListeningSocket {
public:
    /// Replaces a socket that nobody listens on any more; refuses one that is in use. Throws SocketError.
    explicit ListeningSocket(const std::string& path);
    ~ListeningSocket();
    ListeningSocket(const ListeningSocket&) = delete;
    ListeningSocket& operator=(const ListeningSocket&) = delete;

    [[nodiscard]] int fd() const { return fd_.get(); }
    [[nodiscard]] const std::string& path() const { return path_; }

private:
    std::string path_;
    FileDescriptor fd_;
};

/// Throws SocketError; NobodyListensError when it may help to wait.
[[nodiscard]] FileDescriptor connect_socket(const std::string& path);

/// Whether somebody listens there.
[[nodiscard]] bool is_listening(const std::string& path);

} // namespace btvm

// The client's end of the control protocol (docs/control.md).
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "userland/control/control_socket.hh"

namespace btvm {

/// The machine said no. `code` is the reply's.
class RefusedError : public std::runtime_error {
public:
    RefusedError(std::string code, const std::string& message)
        : std::runtime_error(message), code_(std::move(code)) {}
    [[nodiscard]] const std::string& code() const { return code_; }

private:
    std::string code_;
};

class ControlClient {
public:
    /// Throws SocketError; NobodyListensError when it may help to wait.
    explicit ControlClient(const std::string& path) : path_(path), fd_(connect_socket(path)) {}

    /// Sends a request and waits for its reply. Throws RefusedError when the reply says no, SocketError when
    /// the connection breaks.
    nlohmann::ordered_json request(const std::string& command,
                                   nlohmann::json members = nlohmann::json::object());

private:
    std::string read_line();

    std::string path_;
    FileDescriptor fd_;
    std::string in_;
    unsigned next_id_{1};
};

} // namespace btvm

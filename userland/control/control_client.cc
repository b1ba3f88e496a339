#include "userland/control/control_client.hh"

#include <cerrno>
#include <cstring>
#include <sys/socket.h>

namespace btvm {

nlohmann::ordered_json ControlClient::request(const std::string& command, nlohmann::json members) {
    members["id"] = next_id_++;
    members["command"] = command;
    const std::string line = members.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
    for (std::size_t sent = 0; sent < line.size();) {
        const ssize_t part = ::send(fd_.get(), line.data() + sent, line.size() - sent, MSG_NOSIGNAL);
        if (part < 0 && errno == EINTR) continue;
        if (part < 0) throw SocketError(path_ + ": " + std::strerror(errno));
        sent += static_cast<std::size_t>(part);
    }
    nlohmann::ordered_json reply;
    try {
        reply = nlohmann::ordered_json::parse(read_line());
        if (reply.at("ok").get<bool>()) return reply;
    } catch (const nlohmann::json::exception& error) {
        throw SocketError(path_ + ": not the control protocol of btvm: " + error.what());
    }
    throw RefusedError(reply.value("code", "failed"), reply.value("error", "the machine refused"));
}

std::string ControlClient::read_line() {
    for (;;) {
        if (const std::size_t end = in_.find('\n'); end != std::string::npos) {
            const std::string line = in_.substr(0, end);
            in_.erase(0, end + 1);
            return line;
        }
        char buffer[4096];
        const ssize_t got = ::recv(fd_.get(), buffer, sizeof buffer, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) throw SocketError(path_ + ": " + std::strerror(errno));
        if (got == 0) throw SocketError(path_ + ": the machine closed the connection");
        in_.append(buffer, static_cast<std::size_t>(got));
    }
}

} // namespace btvm

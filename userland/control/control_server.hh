// Serves the control protocol (docs/control.md) on a Unix socket, from a thread of its own. One JSON object a
// line each way; a client's requests are answered in order, and a client that waits for a text holds up
// nobody else.
#pragma once

#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>

#include "userland/control/control_socket.hh"

namespace btvm {

/// A request that cannot be carried out; `code` is the reply's machine-readable word for it.
class RequestError : public std::runtime_error {
public:
    RequestError(std::string code, const std::string& message)
        : std::runtime_error(message), code_(std::move(code)) {}
    [[nodiscard]] const std::string& code() const { return code_; }

private:
    std::string code_;
};

/// The rest of a request that takes its time: called again and again until it gives the members of the reply.
/// Its exceptions are those of ControlTarget::execute().
using Later = std::function<std::optional<nlohmann::ordered_json>()>;

/// What a server serves. Called from the server's thread only.
class ControlTarget {
public:
    virtual ~ControlTarget() = default;
    /// Carries out a request other than "wait-for" and gives the members of its reply. Exceptions become
    /// error replies: RequestError with its code, others with "failed".
    virtual nlohmann::ordered_json execute(const std::string& command, const nlohmann::json& request) = 0;
    /// Begins a request that takes its time, so that it holds up nobody; none: execute() carries it out. The
    /// rest goes without having come to its end when its client does.
    virtual Later begin(const std::string& command, const nlohmann::json& request) {
        (void)command, (void)request;
        return {};
    }
    /// The screen as text, for "wait-for".
    virtual std::string screen_text() = 0;
    /// Why no new text will appear, if the guest runs no more; empty while it may.
    virtual std::string ended() = 0;
};

class ControlServer {
public:
    static constexpr std::size_t kMaxLine = 1 << 20; ///< Bytes of one request.
    static constexpr std::size_t kMaxClients = 32;

    /// Makes the socket and starts serving. Throws SocketError.
    ControlServer(const std::string& path, ControlTarget& target);
    /// Answers what can be answered, closes all connections and removes the socket.
    ~ControlServer();
    ControlServer(const ControlServer&) = delete;
    ControlServer& operator=(const ControlServer&) = delete;

    [[nodiscard]] const std::string& path() const { return socket_.path(); }

private:
    using Clock = std::chrono::steady_clock;

    struct Wait {
        nlohmann::json id;
        std::string text;
        Clock::time_point started;
        Clock::time_point give_up;
    };
    struct Client {
        FileDescriptor fd;
        std::string in;
        std::string out;
        std::optional<Wait> wait;
        Later later;             ///< What it waits for otherwise, ...
        nlohmann::json later_id; ///< ... by this request.
        bool closing{};          ///< Close once `out` is sent.

        [[nodiscard]] bool waits() const { return wait || later; }
    };

    void serve();
    void accept_client();
    void read_from(Client& client);
    void write_to(Client& client);
    void process_lines(Client& client);
    void process(Client& client, const std::string& line);
    void start_wait(Client& client, const nlohmann::json& id, const nlohmann::json& request);
    void check_waits();
    void check_later();
    /// Calls f(); what it throws becomes an error reply.
    template <class F>
    static void guarded(Client& client, const nlohmann::json& id, F f);
    static void reply(Client& client, const nlohmann::json& id, nlohmann::ordered_json members);
    static void reply_error(Client& client, const nlohmann::json& id, const std::string& code,
                            const std::string& message);

    ControlTarget& target_;
    ListeningSocket socket_;
    FileDescriptor stop_;
    std::list<Client> clients_;
    std::thread thread_;
};

} // namespace btvm

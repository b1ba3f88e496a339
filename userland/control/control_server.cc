#include "userland/control/control_server.hh"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <vector>

namespace btvm {

using nlohmann::json;
using nlohmann::ordered_json;

namespace {

/// How often a waited-for text is looked for, in milliseconds.
constexpr int kWaitPoll = 20;
constexpr double kDefaultTimeout = 10.0;
constexpr double kMaxTimeout = 24 * 3600.0;

std::string dump(const ordered_json& value) {
    // Guest text is UTF-8 by construction, but a request's own strings come back in errors.
    return value.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

} // namespace

ControlServer::ControlServer(const std::string& path, ControlTarget& target)
    : target_(target), socket_(path), stop_(::eventfd(0, EFD_CLOEXEC)) {
    if (!stop_) throw SocketError(std::string("eventfd: ") + std::strerror(errno));
    ::fcntl(socket_.fd(), F_SETFL, O_NONBLOCK);
    // Signals are the main thread's business.
    sigset_t all, before;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    thread_ = std::thread([this] { serve(); });
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

ControlServer::~ControlServer() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(stop_.get(), &one, sizeof one);
    thread_.join();
}

void ControlServer::serve() {
    for (bool stopping = false; !stopping;) {
        std::vector<pollfd> polls;
        polls.push_back({stop_.get(), POLLIN, 0});
        polls.push_back({socket_.fd(), static_cast<short>(clients_.size() < kMaxClients ? POLLIN : 0), 0});
        bool waiting = false;
        for (const Client& client : clients_) {
            waiting |= client.waits();
            // A client that waits is not read from: its requests are answered in order.
            const int in = client.waits() || client.closing ? 0 : POLLIN;
            polls.push_back(
                {client.fd.get(), static_cast<short>(in | (client.out.empty() ? 0 : POLLOUT)), 0});
        }
        if (::poll(polls.data(), polls.size(), waiting ? kWaitPoll : -1) < 0 && errno != EINTR) break;

        auto poll = polls.begin() + 2;
        for (Client& client : clients_) {
            if (poll->revents & (POLLIN | POLLERR)) read_from(client);
            if (poll->revents & POLLHUP) client.fd.reset();
            ++poll;
        }
        stopping = polls[0].revents != 0;
        check_waits();
        check_later();
        for (Client& client : clients_)
            write_to(client);
        clients_.remove_if([](const Client& c) { return !c.fd || (c.closing && c.out.empty()); });
        if (polls[1].revents & POLLIN) accept_client();
    }
}

void ControlServer::accept_client() {
    FileDescriptor fd(::accept4(socket_.fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (fd) clients_.emplace_back().fd = std::move(fd);
}

void ControlServer::read_from(Client& client) {
    char buffer[4096];
    const ssize_t got = ::recv(client.fd.get(), buffer, sizeof buffer, 0);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
        client.fd.reset();
        return;
    }
    if (got > 0) client.in.append(buffer, static_cast<std::size_t>(got));
    process_lines(client);
    if (client.in.size() > kMaxLine) {
        reply_error(client, nullptr, "bad-request", "the request is longer than 1 MiB");
        client.in.clear();
        client.closing = true;
    }
}

void ControlServer::process_lines(Client& client) {
    for (std::size_t end; !client.waits() && (end = client.in.find('\n')) != std::string::npos;) {
        const std::string line = client.in.substr(0, end);
        client.in.erase(0, end + 1);
        if (!line.empty()) process(client, line);
    }
}

template <class F>
void ControlServer::guarded(Client& client, const json& id, F f) {
    try {
        f();
    } catch (const RequestError& error) {
        reply_error(client, id, error.code(), error.what());
    } catch (const json::exception& error) {
        reply_error(client, id, "bad-request", error.what());
    } catch (const std::exception& error) {
        reply_error(client, id, "failed", error.what());
    }
}

void ControlServer::process(Client& client, const std::string& line) {
    json id;
    guarded(client, nullptr, [&] {
        const json request = json::parse(line);
        if (!request.is_object()) throw RequestError("bad-request", "a request is a JSON object");
        // Sent back as it is, which takes a level of the stack for each of its own.
        if (request.contains("id") && request["id"].is_structured())
            throw RequestError("bad-request", "\"id\" is a number, a text, true, false or null");
        if (request.contains("id")) id = request["id"];
        guarded(client, id, [&] {
            if (!request.contains("command") || !request["command"].is_string())
                throw RequestError("bad-request", "a request needs a \"command\"");
            const std::string command = request["command"];
            if (command == "wait-for") return start_wait(client, id, request);
            client.later = target_.begin(command, request);
            client.later_id = id;
            if (!client.later) reply(client, id, target_.execute(command, request));
        });
    });
}

void ControlServer::check_later() {
    for (Client& client : clients_) {
        if (!client.later) continue;
        bool over = true; // also if it throws
        guarded(client, client.later_id, [&] {
            const std::optional<ordered_json> members = client.later();
            over = members.has_value();
            if (over) reply(client, client.later_id, *members);
        });
        if (!over) continue;
        client.later = {};
        process_lines(client);
    }
}

void ControlServer::start_wait(Client& client, const json& id, const json& request) {
    if (!request.contains("text") || !request["text"].is_string() || request["text"] == "")
        throw RequestError("bad-request", "wait-for needs a \"text\"");
    const double timeout = request.value("timeout", kDefaultTimeout);
    if (!(timeout >= 0 && timeout <= kMaxTimeout))
        throw RequestError("bad-request", "\"timeout\" is in seconds, 0 to 86400");
    const auto now = Clock::now();
    const auto length = std::chrono::milliseconds(std::llround(timeout * 1000));
    client.wait = Wait{id, request["text"], now, now + length};
}

void ControlServer::check_waits() {
    if (std::none_of(clients_.begin(), clients_.end(), [](const Client& c) { return c.wait.has_value(); }))
        return;
    // Ask for the end first: what the guest printed before it ended is then on the screen that is read after.
    const std::string ended = target_.ended();
    const std::string screen = target_.screen_text();
    const auto now = Clock::now();
    for (Client& client : clients_) {
        if (!client.wait) continue;
        const Wait& wait = *client.wait;
        if (screen.find(wait.text) != std::string::npos) {
            const std::chrono::duration<double> elapsed = now - wait.started;
            reply(client, wait.id, {{"elapsed", elapsed.count()}});
        } else if (!ended.empty()) {
            reply_error(client, wait.id, "ended", "the text did not appear: " + ended);
        } else if (now >= wait.give_up) {
            reply_error(client, wait.id, "timeout", "the text did not appear in time");
        } else {
            continue;
        }
        client.wait.reset();
        process_lines(client);
    }
}

void ControlServer::write_to(Client& client) {
    while (client.fd && !client.out.empty()) {
        const ssize_t sent = ::send(client.fd.get(), client.out.data(), client.out.size(), MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno != EAGAIN && errno != EINTR) client.fd.reset();
            return;
        }
        client.out.erase(0, static_cast<std::size_t>(sent));
    }
}

void ControlServer::reply(Client& client, const json& id, ordered_json members) {
    ordered_json out = {{"id", id}, {"ok", true}};
    if (members.is_object()) out.update(members);
    client.out += dump(out);
}

void ControlServer::reply_error(Client& client, const json& id, const std::string& code,
                                const std::string& message) {
    client.out += dump({{"id", id}, {"ok", false}, {"code", code}, {"error", message}});
}

} // namespace btvm

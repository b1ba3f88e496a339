#include "userland/devices/serial_backend.hh"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <deque>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdexcept>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace btvm {

namespace {

constexpr std::size_t kOutputLimit = 256 * 1024;

[[noreturn]] void fail(const std::string& what) {
    throw std::system_error(errno, std::generic_category(), what);
}

class FileDescriptor {
public:
    FileDescriptor() = default;
    explicit FileDescriptor(int fd) : fd_(fd) {}
    FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    FileDescriptor& operator=(FileDescriptor&& other) noexcept {
        if (this != &other) {
            close();
            fd_ = std::exchange(other.fd_, -1);
        }
        return *this;
    }
    ~FileDescriptor() { close(); }
    [[nodiscard]] int get() const { return fd_; }
    [[nodiscard]] bool open() const { return fd_ >= 0; }
    void close() {
        if (fd_ >= 0) ::close(fd_);
        fd_ = -1;
    }

private:
    int fd_{-1};
};

bool ready(int fd, short events) {
    pollfd p{fd, events, 0};
    return ::poll(&p, 1, 0) > 0 && (p.revents & (events | POLLHUP | POLLERR)) != 0;
}

/// Bytes that wait for a descriptor to take them.
class OutputQueue {
public:
    void add(std::uint8_t byte) {
        if (bytes_.size() < kOutputLimit) bytes_.push_back(static_cast<char>(byte));
    }
    void clear() { bytes_.clear(); }
    /// False if the other side is gone.
    template <class Write>
    bool drain(Write write) {
        while (!bytes_.empty()) {
            const ssize_t n = write(bytes_.data(), bytes_.size());
            if (n < 0) return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
            bytes_.erase(0, static_cast<std::size_t>(n));
            if (n == 0) return true;
        }
        return true;
    }

private:
    std::string bytes_;
};

class NullBackend final : public SerialBackend {
public:
    void send(std::uint8_t) override {}
    std::optional<std::uint8_t> receive() override { return std::nullopt; }
    [[nodiscard]] bool can_receive() const override { return false; }
    [[nodiscard]] bool connected() override { return false; }
};

class LoopBackend final : public SerialBackend {
public:
    void send(std::uint8_t byte) override {
        if (bytes_.size() < kMostUnderWay) bytes_.push_back(byte);
    }
    std::optional<std::uint8_t> receive() override {
        if (bytes_.empty()) return std::nullopt;
        const std::uint8_t byte = bytes_.front();
        bytes_.pop_front();
        return byte;
    }
    [[nodiscard]] bool can_receive() const override { return true; }
    [[nodiscard]] bool connected() override { return true; }
    [[nodiscard]] std::vector<std::uint8_t> under_way() const override {
        return {bytes_.begin(), bytes_.end()};
    }
    void set_under_way(std::span<const std::uint8_t> bytes) override {
        bytes_.assign(bytes.begin(), bytes.end());
    }

private:
    std::deque<std::uint8_t> bytes_;
};

class FileBackend final : public SerialBackend {
public:
    explicit FileBackend(const std::string& path)
        : file_(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK, 0666)),
          path_(path) {
        if (!file_.open()) fail("serial output file " + path);
    }
    void send(std::uint8_t byte) override {
        output_.add(byte);
        output_.drain(
            [this](const char* data, std::size_t size) { return ::write(file_.get(), data, size); });
    }
    std::optional<std::uint8_t> receive() override { return std::nullopt; }
    [[nodiscard]] bool can_receive() const override { return false; }
    [[nodiscard]] bool connected() override { return true; }
    [[nodiscard]] std::string address() const override { return "file:" + path_; }

private:
    FileDescriptor file_;
    std::string path_;
    OutputQueue output_;
};

/// Standard input and output. They may be shared with other programs, so they are not made non-blocking:
/// poll() comes before every call, and output goes out in pieces that a writable pipe or terminal takes.
class StdioBackend final : public SerialBackend {
public:
    void send(std::uint8_t byte) override {
        output_.add(byte);
        drain();
    }
    std::optional<std::uint8_t> receive() override {
        drain();
        char byte{};
        if (ended_ || !ready(STDIN_FILENO, POLLIN)) return std::nullopt;
        const ssize_t n = ::read(STDIN_FILENO, &byte, 1);
        if (n == 1) return static_cast<std::uint8_t>(byte);
        ended_ = n == 0 || (errno != EAGAIN && errno != EINTR);
        return std::nullopt;
    }
    [[nodiscard]] bool can_receive() const override { return !ended_; }
    [[nodiscard]] bool connected() override { return true; }

private:
    void drain() {
        output_.drain([](const char* data, std::size_t size) -> ssize_t {
            if (!ready(STDOUT_FILENO, POLLOUT)) {
                errno = EAGAIN;
                return -1;
            }
            return ::write(STDOUT_FILENO, data, std::min<std::size_t>(size, 256));
        });
    }

    OutputQueue output_;
    bool ended_{};
};

/// A listening socket with at most one client.
class SocketBackend final : public SerialBackend {
public:
    SocketBackend(FileDescriptor listener, std::string address, std::string path)
        : listener_(std::move(listener)), address_(std::move(address)), path_(std::move(path)) {}
    ~SocketBackend() override {
        if (!path_.empty()) ::unlink(path_.c_str());
    }
    void send(std::uint8_t byte) override {
        if (!connected()) return; // as on a cable with nothing at its end
        output_.add(byte);
        drain();
    }
    std::optional<std::uint8_t> receive() override {
        if (!connected()) return std::nullopt;
        drain();
        if (!client_.open()) return std::nullopt;
        if (next_ == end_) {
            const ssize_t n = ::recv(client_.get(), input_, sizeof input_, MSG_DONTWAIT);
            if (n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) hang_up();
            if (n <= 0) return std::nullopt;
            next_ = 0;
            end_ = static_cast<std::size_t>(n);
        }
        return input_[next_++];
    }
    [[nodiscard]] bool can_receive() const override { return true; }
    [[nodiscard]] bool connected() override {
        if (!client_.open()) {
            client_ =
                FileDescriptor(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
            next_ = end_ = 0;
        }
        return client_.open();
    }
    [[nodiscard]] std::string address() const override { return address_; }

private:
    void hang_up() {
        client_.close();
        output_.clear();
        next_ = end_ = 0;
    }
    void drain() {
        const bool there = output_.drain([this](const char* data, std::size_t size) {
            return ::send(client_.get(), data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        });
        if (!there) hang_up();
    }

    FileDescriptor listener_;
    FileDescriptor client_;
    std::string address_;
    std::string path_; ///< Of a Unix socket, to be removed at the end.
    OutputQueue output_;
    std::uint8_t input_[256]{};
    std::size_t next_{};
    std::size_t end_{};
};

FileDescriptor stream_socket(int family) {
    FileDescriptor fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd.open()) fail("serial socket");
    return fd;
}

/// A socket file left by a program that died may be replaced; one that answers, or another kind of file, may
/// not.
void remove_stale_socket(const std::string& path, const sockaddr_un& address) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0 || !S_ISSOCK(status.st_mode)) return;
    const FileDescriptor probe = stream_socket(AF_UNIX);
    const bool answers =
        ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    if (!answers && errno == ECONNREFUSED) ::unlink(path.c_str());
}

std::unique_ptr<SerialBackend> listen_unix(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof address.sun_path)
        throw std::invalid_argument("serial socket path empty or too long: '" + path + "'");
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    remove_stale_socket(path, address);
    FileDescriptor fd = stream_socket(AF_UNIX);
    if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(fd.get(), 1) != 0)
        fail("serial socket " + path);
    return std::make_unique<SocketBackend>(std::move(fd), "unix:" + path, path);
}

std::unique_ptr<SerialBackend> listen_tcp(const std::string& port_text) {
    std::uint16_t port{};
    const char* end = port_text.data() + port_text.size();
    const auto parsed = std::from_chars(port_text.data(), end, port);
    if (parsed.ec != std::errc() || parsed.ptr != end)
        throw std::invalid_argument("serial TCP port is not a number from 0 to 65535: '" + port_text + "'");
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK); // never reachable from another machine
    FileDescriptor fd = stream_socket(AF_INET);
    const int on = 1;
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    socklen_t size = sizeof address;
    if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(fd.get(), 1) != 0 ||
        ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
        fail("serial TCP port " + port_text);
    return std::make_unique<SocketBackend>(std::move(fd),
                                           "tcp:127.0.0.1:" + std::to_string(ntohs(address.sin_port)), "");
}

} // namespace

std::unique_ptr<SerialBackend> make_serial_backend(const std::string& specification) {
    const std::size_t colon = specification.find(':');
    const std::string kind = specification.substr(0, colon);
    const std::string rest = colon == std::string::npos ? "" : specification.substr(colon + 1);
    if (colon == std::string::npos) {
        if (kind == "null" || kind == "none") return std::make_unique<NullBackend>();
        if (kind == "loop") return std::make_unique<LoopBackend>();
        if (kind == "stdio") return std::make_unique<StdioBackend>();
    } else if (kind == "file" && !rest.empty()) {
        return std::make_unique<FileBackend>(rest);
    } else if (kind == "unix") {
        return listen_unix(rest);
    } else if (kind == "tcp") {
        return listen_tcp(rest);
    }
    throw std::invalid_argument("unknown serial port '" + specification +
                                "': use none, loop, stdio, file:PATH, unix:PATH or tcp:PORT");
}

} // namespace btvm

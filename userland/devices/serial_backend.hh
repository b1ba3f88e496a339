// What is at the other end of a serial port's cable. No call blocks.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace btvm {

class SerialBackend {
public:
    virtual ~SerialBackend() = default;
    /// Takes a byte from the guest. What cannot be passed on at once is kept, up to a limit, then dropped.
    virtual void send(std::uint8_t byte) = 0;
    /// The next byte for the guest, if one has come.
    virtual std::optional<std::uint8_t> receive() = 0;
    /// False if receive() will never give a byte: then nobody needs to ask.
    [[nodiscard]] virtual bool can_receive() const = 0;
    /// Whether someone is there; drives DSR, CTS and DCD.
    [[nodiscard]] virtual bool connected() = 0;
    /// Where to connect to, for messages to the user, e.g. "tcp:127.0.0.1:4555"; empty if there is nothing to
    /// tell.
    [[nodiscard]] virtual std::string address() const { return {}; }
    /// Bytes that are on their way within the machine itself, so that they belong to its state: those in a
    /// loopback plug, the next one first. What somebody else has sent is his.
    [[nodiscard]] virtual std::vector<std::uint8_t> under_way() const { return {}; }
    /// For restoring such a state. Where nothing can be under way they are lost.
    virtual void set_under_way(std::span<const std::uint8_t> /*bytes*/) {}
    /// No more than this many bytes are.
    static constexpr std::size_t kMostUnderWay = std::size_t{256} << 10;
};

/// Makes the backend a specification names:
///     none, null   nothing is plugged in
///     loop         a loopback plug: what is sent comes back
///     file:PATH    output goes to a file, which is emptied first
///     stdio        standard input and output
///     unix:PATH    a listening Unix socket, one client at a time
///     tcp:PORT     a listening TCP socket on 127.0.0.1 (port 0: any free one, see address())
/// Throws std::invalid_argument for a specification it does not know, std::system_error for what the host
/// refuses.
[[nodiscard]] std::unique_ptr<SerialBackend> make_serial_backend(const std::string& specification);

} // namespace btvm

// The codes by which a BIOS or a test ROM tells how far it has come (power-on self-test): bytes written to a
// port that a diagnostic card would show. They are for who looks at the machine from outside: the guest
// cannot read them back here, so they are no state of its own.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace btvm {

struct PostCode {
    std::uint16_t port{};
    std::uint8_t code{};
    bool operator==(const PostCode&) const = default;
};

/// As "84h: 01 02, 190h: 1C FF": by port, the newest last.
[[nodiscard]] std::string to_string(const std::vector<PostCode>& codes);

class PostCodes {
public:
    static constexpr std::size_t kKept = 16;

    /// A byte was written to a port, any port. A code that is written over and over counts once.
    void note(std::uint16_t port, std::uint8_t code) {
        if (std::find(kPorts.begin(), kPorts.end(), port) == kPorts.end()) return;
        const PostCode next{port, code};
        const auto last = std::find_if(codes_.rbegin(), codes_.rend(),
                                       [port](const PostCode& each) { return each.port == port; });
        if (last != codes_.rend() && *last == next) return;
        if (codes_.size() == kKept) codes_.erase(codes_.begin());
        codes_.push_back(next);
    }

    /// The newest ones, oldest first.
    [[nodiscard]] const std::vector<PostCode>& recent() const { return codes_; }

private:
    /// Of the AT, of early Compaqs and EISA, and of the PS/2 models with an ISA bus. What is written to 80h
    /// comes here only with EngineConfig::post_port: systems write there for a delay.
    static constexpr std::array<std::uint16_t, 3> kPorts{0x80, 0x84, 0x190};
    std::vector<PostCode> codes_;
};

} // namespace btvm

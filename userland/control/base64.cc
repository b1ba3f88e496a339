#include "userland/control/base64.hh"

#include <stdexcept>

namespace btvm {

namespace {

constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

unsigned digit(char c) {
    const auto value = kDigits.find(c);
    if (value == std::string_view::npos) throw std::invalid_argument("bad base64 digit");
    return static_cast<unsigned>(value);
}

} // namespace

std::string base64_encode(std::span<const std::uint8_t> data) {
    std::string out;
    out.reserve((data.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < data.size(); i += 3) {
        const std::size_t left = data.size() - i;
        const unsigned b = data[i] << 16 | (left > 1 ? data[i + 1] << 8 : 0) | (left > 2 ? data[i + 2] : 0);
        out += kDigits[b >> 18];
        out += kDigits[b >> 12 & 63];
        out += left > 1 ? kDigits[b >> 6 & 63] : '=';
        out += left > 2 ? kDigits[b & 63] : '=';
    }
    return out;
}

std::vector<std::uint8_t> base64_decode(std::string_view text) {
    if (text.size() % 4) throw std::invalid_argument("base64 length is not a multiple of 4");
    std::size_t padding = 0;
    while (padding < 2 && !text.empty() && text.back() == '=') {
        text.remove_suffix(1);
        padding++;
    }
    std::vector<std::uint8_t> out;
    unsigned bits = 0, have = 0;
    for (const char c : text) {
        bits = bits << 6 | digit(c);
        have += 6;
        if (have >= 8) {
            have -= 8;
            out.push_back(static_cast<std::uint8_t>(bits >> have));
        }
    }
    if ((bits & ((1u << have) - 1)) || have != padding * 2) throw std::invalid_argument("base64 ends badly");
    return out;
}

} // namespace btvm

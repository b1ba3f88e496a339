#include "userland/machine/utf8.hh"

#include <optional>
#include <stdexcept>

namespace btvm {

namespace {

/// How many bytes follow a first byte, or -1.
int continuation_bytes(unsigned char first) {
    if (first < 0x80) return 0;
    if ((first & 0xe0) == 0xc0) return 1;
    if ((first & 0xf0) == 0xe0) return 2;
    if ((first & 0xf8) == 0xf0) return 3;
    return -1;
}

/// The character at `at`, which then is behind it; none, and `at` as it was, where there is no UTF-8.
std::optional<char32_t> take_character(std::string_view text, std::size_t& at) {
    constexpr char32_t kSmallest[4] = {0, 0x80, 0x800, 0x10000};
    const auto first = static_cast<unsigned char>(text[at]);
    const int more = continuation_bytes(first);
    if (more < 0 || text.size() - at <= static_cast<std::size_t>(more)) return std::nullopt;
    char32_t character = more ? first & (0x3fu >> more) : first;
    for (int k = 1; k <= more; k++) {
        const auto next = static_cast<unsigned char>(text[at + static_cast<std::size_t>(k)]);
        if ((next & 0xc0) != 0x80) return std::nullopt;
        character = character << 6 | (next & 0x3f);
    }
    // Overlong forms, surrogates and what lies beyond Unicode are not UTF-8 (RFC 3629).
    if (character < kSmallest[more] || (character >= 0xd800 && character < 0xe000) || character > 0x10ffff)
        return std::nullopt;
    at += 1 + static_cast<std::size_t>(more);
    return character;
}

/// ISO 6429: C0, delete, and C1, in which terminals see commands as well.
bool is_control(char32_t character) { return character < 0x20 || (character >= 0x7f && character < 0xa0); }

} // namespace

std::u32string decode_utf8(std::string_view text) {
    std::u32string out;
    for (std::size_t at = 0; at < text.size();) {
        const auto character = take_character(text, at);
        if (!character) throw std::invalid_argument("the text is not UTF-8");
        out += *character;
    }
    return out;
}

std::string plain(std::string_view text) {
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t start = at;
        const auto character = take_character(text, at);
        if (!character) at++;
        if (!character || is_control(*character))
            out += '?';
        else
            out += text.substr(start, at - start);
    }
    return out;
}

} // namespace btvm

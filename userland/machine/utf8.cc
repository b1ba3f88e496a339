#include "userland/machine/utf8.hh"

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

} // namespace

std::u32string decode_utf8(std::string_view text) {
    const auto refuse = [] { return std::invalid_argument("the text is not UTF-8"); };
    constexpr char32_t kSmallest[4] = {0, 0x80, 0x800, 0x10000};
    std::u32string out;
    for (std::size_t i = 0; i < text.size();) {
        const auto first = static_cast<unsigned char>(text[i++]);
        const int more = continuation_bytes(first);
        if (more < 0 || text.size() - i < static_cast<std::size_t>(more)) throw refuse();
        char32_t character = more ? first & (0x3fu >> more) : first;
        for (int k = 0; k < more; k++) {
            const auto next = static_cast<unsigned char>(text[i++]);
            if ((next & 0xc0) != 0x80) throw refuse();
            character = character << 6 | (next & 0x3f);
        }
        // Overlong forms, surrogates and what lies beyond Unicode are not UTF-8 (RFC 3629).
        if (character < kSmallest[more] || (character >= 0xd800 && character < 0xe000) ||
            character > 0x10ffff)
            throw refuse();
        out += character;
    }
    return out;
}

} // namespace btvm

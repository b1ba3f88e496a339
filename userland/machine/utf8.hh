// UTF-8 text as characters.
#pragma once

#include <string>
#include <string_view>

namespace btvm {

/// Throws std::invalid_argument on bytes that are not UTF-8.
[[nodiscard]] std::u32string decode_utf8(std::string_view text);
/// The text with a question mark for each control character and each byte that is not UTF-8: what comes from
/// a file then can do nothing to a terminal, and stays on its line.
[[nodiscard]] std::string plain(std::string_view text);

} // namespace btvm

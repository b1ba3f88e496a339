// UTF-8 text as characters.
#pragma once

#include <string>
#include <string_view>

namespace btvm {

/// Throws std::invalid_argument on bytes that are not UTF-8.
[[nodiscard]] std::u32string decode_utf8(std::string_view text);

} // namespace btvm

// IBM code page 437 as the character generator of a PC shows it: every one of the 256 codes has a glyph, the
// control codes included.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace btvm {

/// The Unicode character whose glyph the character generator shows for `code`. 00h and FFh are blank: U+0020,
/// U+00A0.
[[nodiscard]] char32_t codepage437_glyph(std::uint8_t code);

/// The lowest code with that glyph, or nothing if code page 437 does not have it.
[[nodiscard]] std::optional<std::uint8_t> codepage437_code(char32_t character);

/// Appends one character to UTF-8 text. Values that are no Unicode scalar value append U+FFFD.
void append_utf8(std::string& out, char32_t character);

/// Codes of code page 437 as UTF-8.
[[nodiscard]] std::string codepage437_to_utf8(std::uint8_t code);

} // namespace btvm

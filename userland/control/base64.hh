// Base64 (RFC 4648 section 4), for binary data in the JSON of the control protocol.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace btvm {

[[nodiscard]] std::string base64_encode(std::span<const std::uint8_t> data);

/// Throws std::invalid_argument on anything that base64_encode() would not have made.
[[nodiscard]] std::vector<std::uint8_t> base64_decode(std::string_view text);

} // namespace btvm

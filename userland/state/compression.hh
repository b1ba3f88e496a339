// Zstandard, one frame at a time.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace btvm {

[[nodiscard]] std::vector<std::uint8_t> compress(std::span<const std::uint8_t> bytes);
/// The `size` bytes that `frame` holds. Throws StateError, which begins with `what`, if it is no frame or
/// holds another number of bytes; no more memory is taken than `size`.
[[nodiscard]] std::vector<std::uint8_t> decompress(std::span<const std::uint8_t> frame, std::uint64_t size,
                                                   const std::string& what);

} // namespace btvm

// The checksums of state files: CRC-32 for what may rot, SHA-256 for telling one disk image from another.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>

namespace btvm {

/// CRC-32 as zlib, gzip, PNG and Ethernet have it (ISO 3309). Goes on from `before`, the CRC of what came
/// first.
[[nodiscard]] std::uint32_t crc32(std::span<const std::uint8_t> bytes, std::uint32_t before = 0);

using Digest = std::array<std::uint8_t, 32>;

/// SHA-256 (FIPS 180-4).
class Sha256 {
public:
    void add(std::span<const std::uint8_t> bytes);
    /// The digest of all that was added. Nothing may be added afterwards.
    [[nodiscard]] Digest finish();

private:
    void block(const std::uint8_t* bytes);

    std::array<std::uint32_t, 8> h_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    std::array<std::uint8_t, 64> partial_{};
    std::uint64_t length_{}; ///< Bytes.
};

[[nodiscard]] Digest sha256(std::span<const std::uint8_t> bytes);
/// In hexadecimal digits.
[[nodiscard]] std::string to_hex(std::span<const std::uint8_t> bytes);

} // namespace btvm

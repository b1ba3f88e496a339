// The checksums of state files: CRC-32 for what may rot, SHA-256 for telling one disk image from another.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

struct evp_md_ctx_st; // OpenSSL's EVP_MD_CTX

namespace btvm {

/// CRC-32 as zlib, gzip, PNG and Ethernet have it (ISO 3309). Goes on from `before`, the CRC of what came
/// first.
[[nodiscard]] std::uint32_t crc32(std::span<const std::uint8_t> bytes, std::uint32_t before = 0);

using Digest = std::array<std::uint8_t, 32>;

/// SHA-256 (FIPS 180-4). Throws std::bad_alloc, and std::runtime_error where the library refuses it.
class Sha256 {
public:
    Sha256();
    void add(std::span<const std::uint8_t> bytes);
    /// The digest of all that was added. Nothing may be added afterwards.
    [[nodiscard]] Digest finish();

private:
    struct Free {
        void operator()(evp_md_ctx_st* context) const;
    };
    std::unique_ptr<evp_md_ctx_st, Free> context_;
};

[[nodiscard]] Digest sha256(std::span<const std::uint8_t> bytes);
/// In hexadecimal digits.
[[nodiscard]] std::string to_hex(std::span<const std::uint8_t> bytes);

} // namespace btvm

#include "userland/state/checksum.hh"

#include <new>
#include <openssl/evp.h>
#include <stdexcept>
#include <zlib.h>

namespace btvm {

namespace {

void must(int done) {
    if (done != 1) throw std::runtime_error("OpenSSL does not compute SHA-256");
}

} // namespace

std::uint32_t crc32(std::span<const std::uint8_t> bytes, std::uint32_t before) {
    if (bytes.empty()) return before; // which zlib takes for a call to begin with
    return static_cast<std::uint32_t>(::crc32_z(before, bytes.data(), bytes.size()));
}

void Sha256::Free::operator()(evp_md_ctx_st* context) const { EVP_MD_CTX_free(context); }

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
    if (!context_) throw std::bad_alloc();
    must(EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr));
}

void Sha256::add(std::span<const std::uint8_t> bytes) {
    must(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()));
}

Digest Sha256::finish() {
    Digest digest;
    must(EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr));
    return digest;
}

Digest sha256(std::span<const std::uint8_t> bytes) {
    Sha256 sum;
    sum.add(bytes);
    return sum.finish();
}

std::string to_hex(std::span<const std::uint8_t> bytes) {
    constexpr char kDigits[] = "0123456789abcdef";
    std::string text;
    for (const std::uint8_t byte : bytes) {
        text += kDigits[byte >> 4];
        text += kDigits[byte & 15];
    }
    return text;
}

} // namespace btvm

// The checksums against published values.
#include <gtest/gtest.h>
#include <random>

#include "userland/state/checksum.hh"

namespace btvm {
namespace {

std::vector<std::uint8_t> bytes(std::string_view text) { return {text.begin(), text.end()}; }

TEST(Checksum, CrcOfTheCheckString) {
    EXPECT_EQ(crc32(bytes("123456789")), 0xcbf43926u); // the catalogue's check value
    EXPECT_EQ(crc32({}), 0u);
}

TEST(Checksum, CrcGoesOnWhereItWasLeft) {
    std::mt19937 random(1);
    std::vector<std::uint8_t> data(1000);
    for (auto& b : data)
        b = static_cast<std::uint8_t>(random());
    for (std::size_t cut = 0; cut <= data.size(); cut += 37)
        EXPECT_EQ(crc32(std::span(data).subspan(cut), crc32(std::span(data).first(cut))), crc32(data));
    EXPECT_EQ(crc32({}, crc32(data)), crc32(data)) << "and nothing more";
}

// FIPS 180-4's examples, and lengths around a block.
TEST(Checksum, Sha256OfTheStandardsExamples) {
    EXPECT_EQ(to_hex(sha256(bytes("abc"))),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(to_hex(sha256({})), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT_EQ(to_hex(sha256(bytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"))),
              "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    EXPECT_EQ(to_hex(sha256(std::vector<std::uint8_t>(1000000, 'a'))),
              "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Checksum, Sha256InPieces) {
    std::vector<std::uint8_t> data(300);
    for (std::size_t i = 0; i < data.size(); i++)
        data[i] = static_cast<std::uint8_t>(i * 7);
    for (std::size_t length = 0; length <= data.size(); length++) {
        Sha256 sum;
        for (std::size_t at = 0; at < length; at += 11)
            sum.add(std::span(data).subspan(at, std::min<std::size_t>(11, length - at)));
        EXPECT_EQ(sum.finish(), sha256(std::span(data).first(length))) << length;
    }
}

} // namespace
} // namespace btvm

// What must hold for every byte string: the length bounds, and that no byte is read that was not given. The
// bytes lie at the very end of a heap block, so that the sanitizer sees a read too far.
#include <cstring>
#include <gtest/gtest.h>
#include <memory>
#include <random>

#include "vmm/decode/instruction.hh"

namespace btvm {

namespace {

DecodeStatus decode_exactly(const u8* bytes, u32 count, CodeSize size, Instruction& out) {
    // new u8[0] is valid, and reading it is not.
    const std::unique_ptr<u8[]> block(new u8[count]);
    std::memcpy(block.get(), bytes, count);
    return decode(block.get(), count, size, out);
}

/// Bytes that often begin with prefixes and escapes, or most strings would be short instructions.
void fill(u8 (&bytes)[20], std::mt19937& random) {
    static constexpr u8 kFrequent[] = {0x66, 0x67, 0xf2, 0xf3, 0xf0, 0x2e, 0x0f, 0x0f,
                                       0x38, 0x3a, 0xc4, 0xc5, 0x62, 0x8f, 0x48};
    for (unsigned n = 0; n < sizeof bytes; ++n) {
        const bool frequent = random() % (n + 2) == 0;
        bytes[n] = frequent ? kFrequent[random() % sizeof kFrequent] : static_cast<u8>(random());
    }
}

class DecodeProperty : public testing::TestWithParam<CodeSize> {};

TEST_P(DecodeProperty, EveryStrictPrefixIsTruncated) {
    std::mt19937 random(3);
    unsigned valid = 0;
    for (unsigned round = 0; round < 60'000; ++round) {
        u8 bytes[20];
        fill(bytes, random);
        Instruction whole;
        if (decode_exactly(bytes, sizeof bytes, GetParam(), whole) != DecodeStatus::Ok) continue;
        ++valid;
        ASSERT_GE(whole.length, 1);
        ASSERT_LE(whole.length, kMaxInstructionLength);
        for (u32 count = 0; count < whole.length; ++count) {
            Instruction part;
            ASSERT_EQ(decode_exactly(bytes, count, GetParam(), part), DecodeStatus::Truncated)
                << count << " of " << int{whole.length} << " bytes of " << testing::PrintToString(bytes);
            ASSERT_LE(part.length, count);
        }
        Instruction exact;
        ASSERT_EQ(decode_exactly(bytes, whole.length, GetParam(), exact), DecodeStatus::Ok);
        ASSERT_EQ(exact.length, whole.length);
    }
    EXPECT_GT(valid, 15'000u);
}

TEST_P(DecodeProperty, LengthIsTheSumOfItsParts) {
    std::mt19937 random(4);
    for (unsigned round = 0; round < 60'000; ++round) {
        u8 bytes[20];
        fill(bytes, random);
        Instruction i;
        if (decode(bytes, sizeof bytes, GetParam(), i) != DecodeStatus::Ok) continue;
        const bool suffix = i.map == OpcodeMap::Amd3dNow;
        const unsigned behind = i.displacement_size + i.immediate_size + i.immediate2_size + (suffix ? 1 : 0);
        const unsigned at = i.length - behind - i.has_sib - i.has_modrm - (suffix ? 0 : 1);
        ASSERT_LT(at, i.length) << testing::PrintToString(bytes);
        ASSERT_EQ(i.opcode, bytes[suffix ? i.length - 1 : at]) << testing::PrintToString(bytes);
        if (i.has_sib) {
            ASSERT_EQ(i.sib, bytes[at + 2]);
        }
        ASSERT_FALSE(i.has_sib && !i.memory_operand());
    }
}

TEST_P(DecodeProperty, FailureHasNoClass) {
    std::mt19937 random(5);
    for (unsigned round = 0; round < 60'000; ++round) {
        u8 bytes[20];
        fill(bytes, random);
        Instruction i;
        const u32 count = random() % sizeof bytes;
        if (decode_exactly(bytes, count, GetParam(), i) == DecodeStatus::Ok) continue;
        ASSERT_EQ(i.cls, InstructionClass::Unrecognised);
        ASSERT_LE(i.length, count);
        ASSERT_LE(i.length, kMaxInstructionLength);
    }
}

TEST_P(DecodeProperty, FifteenBytesAndNoMore) {
    u8 bytes[20];
    std::memset(bytes, 0x66, sizeof bytes);
    Instruction i;
    EXPECT_EQ(decode(bytes, 20, GetParam(), i), DecodeStatus::TooLong);
    EXPECT_EQ(decode(bytes, 15, GetParam(), i), DecodeStatus::TooLong);
    EXPECT_EQ(decode(bytes, 14, GetParam(), i), DecodeStatus::Truncated);
    bytes[14] = 0x90;
    EXPECT_EQ(decode(bytes, 15, GetParam(), i), DecodeStatus::Ok);
    EXPECT_EQ(i.length, 15);
    bytes[14] = 0xb0; // mov al, imm8: the immediate would be the 16th byte
    EXPECT_EQ(decode(bytes, 20, GetParam(), i), DecodeStatus::TooLong);
    EXPECT_EQ(decode(bytes, 15, GetParam(), i), DecodeStatus::TooLong);
    EXPECT_EQ(decode(bytes, 0, GetParam(), i), DecodeStatus::Truncated);
    EXPECT_EQ(i.length, 0);
}

INSTANTIATE_TEST_SUITE_P(Modes, DecodeProperty,
                         testing::Values(CodeSize::Bits16, CodeSize::Bits32, CodeSize::Bits64),
                         [](const testing::TestParamInfo<CodeSize>& info) {
                             return info.param == CodeSize::Bits16   ? "Bits16"
                                    : info.param == CodeSize::Bits32 ? "Bits32"
                                                                     : "Bits64";
                         });

} // namespace

} // namespace btvm

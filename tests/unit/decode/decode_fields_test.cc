// What decode() says of single instructions, field by field; the encodings are worked out from the SDM by
// hand.
#include <gtest/gtest.h>
#include <vector>

#include "vmm/decode/instruction.hh"

namespace btvm {

namespace {

constexpr CodeSize k16 = CodeSize::Bits16;
constexpr CodeSize k32 = CodeSize::Bits32;
constexpr CodeSize k64 = CodeSize::Bits64;

/// Decodes bytes that must be one whole instruction.
Instruction whole(CodeSize size, const std::vector<u8>& bytes) {
    Instruction i;
    EXPECT_EQ(decode(bytes.data(), static_cast<u32>(bytes.size()), size, i), DecodeStatus::Ok);
    EXPECT_EQ(i.length, bytes.size());
    return i;
}

DecodeStatus status(CodeSize size, const std::vector<u8>& bytes) {
    Instruction i;
    return decode(bytes.data(), static_cast<u32>(bytes.size()), size, i);
}

TEST(DecodeFields, ImmediateFollowsOperandSize) {
    Instruction i = whole(k32, {0x05, 0x78, 0x56, 0x34, 0x12}); // add eax, 12345678h
    EXPECT_EQ(i.operand_size, 4);
    EXPECT_EQ(i.immediate_size, 4);
    EXPECT_EQ(i.immediate, 0x12345678u);
    i = whole(k32, {0x66, 0x05, 0x78, 0x56}); // add ax, 5678h
    EXPECT_EQ(i.operand_size, 2);
    EXPECT_EQ(i.immediate, 0x5678u);
    EXPECT_TRUE(i.operand_prefix);
    i = whole(k16, {0x66, 0x05, 0x78, 0x56, 0x34, 0x92});
    EXPECT_EQ(i.operand_size, 4);
    EXPECT_EQ(i.immediate, 0xffffffff92345678u); // sign-extended
    i = whole(k64, {0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8});
    EXPECT_EQ(i.operand_size, 8);
    EXPECT_EQ(i.immediate, 0x0807060504030201u);
    EXPECT_EQ(i.rex, 0x48);
    i = whole(k64, {0x48, 0x05, 0, 0, 0, 0x80}); // there is no 8-byte ADD immediate
    EXPECT_EQ(i.immediate, 0xffffffff80000000u);
}

TEST(DecodeFields, ByteImmediatesAreSignExtended) {
    const Instruction i = whole(k32, {0x83, 0xc4, 0xf0}); // add esp, -16
    EXPECT_EQ(i.immediate_size, 1);
    EXPECT_EQ(i.immediate, 0xfffffffffffffff0u);
    EXPECT_EQ(i.reg(), 0);
    EXPECT_EQ(i.rm(), Rsp);
    EXPECT_FALSE(i.memory_operand());
}

TEST(DecodeFields, SixteenBitAddressing) {
    Instruction i = whole(k16, {0x8b, 0x46, 0xfe}); // mov ax, [bp - 2]
    EXPECT_EQ(i.address_size, 2);
    EXPECT_EQ(i.displacement_size, 1);
    EXPECT_EQ(i.displacement, -2);
    EXPECT_FALSE(i.has_sib);
    i = whole(k16, {0x8b, 0x0e, 0x34, 0x92}); // mov cx, [9234h]
    EXPECT_EQ(i.displacement_size, 2);
    EXPECT_EQ(static_cast<u16>(i.displacement), 0x9234);
    i = whole(k16, {0x8b, 0x84, 0x34, 0x12}); // mov ax, [si + 1234h]: rm 4 is no SIB here
    EXPECT_FALSE(i.has_sib);
    EXPECT_EQ(i.displacement, 0x1234);
    i = whole(k32, {0x67, 0x8b, 0x07}); // mov eax, [bx]
    EXPECT_EQ(i.address_size, 2);
    EXPECT_TRUE(i.address_prefix);
}

TEST(DecodeFields, ThirtyTwoBitAddressing) {
    Instruction i = whole(k32, {0x8b, 0x44, 0x8d, 0x80}); // mov eax, [ebp + ecx * 4 - 80h]
    EXPECT_TRUE(i.has_sib);
    EXPECT_EQ(i.sib, 0x8d);
    EXPECT_EQ(i.displacement, -128);
    i = whole(k32, {0x8b, 0x04, 0x8d, 1, 0, 0, 0x80}); // mov eax, [ecx * 4 + 80000001h]: no base
    EXPECT_EQ(i.displacement_size, 4);
    EXPECT_EQ(static_cast<u32>(i.displacement), 0x80000001u);
    i = whole(k32, {0x8b, 0x05, 4, 3, 2, 1}); // mov eax, [1020304h]
    EXPECT_EQ(i.displacement, 0x01020304);
    i = whole(k16, {0x67, 0x66, 0x8b, 0x24, 0x24}); // mov esp, [esp]
    EXPECT_EQ(i.address_size, 4);
    EXPECT_EQ(i.operand_size, 4);
    EXPECT_EQ(i.sib, 0x24);
}

TEST(DecodeFields, AbsoluteAddressesAreZeroExtended) {
    Instruction i = whole(k32, {0xa1, 0, 0, 0, 0xf0});
    EXPECT_EQ(i.immediate_size, 4);
    EXPECT_EQ(i.immediate, 0xf0000000u);
    i = whole(k16, {0xa3, 0, 0xf0});
    EXPECT_EQ(i.immediate, 0xf000u);
    i = whole(k64, {0xa0, 1, 2, 3, 4, 5, 6, 7, 0xf8});
    EXPECT_EQ(i.immediate, 0xf807060504030201u);
}

TEST(DecodeFields, FarPointersAndEnter) {
    Instruction i = whole(k32, {0xea, 0x78, 0x56, 0x34, 0x12, 0x10, 0x00}); // jmp 10h:12345678h
    EXPECT_EQ(i.immediate, 0x12345678u);
    EXPECT_EQ(i.immediate2_size, 2);
    EXPECT_EQ(i.immediate2, 0x10);
    i = whole(k16, {0xea, 0x5b, 0xe0, 0x00, 0xf0}); // jmp F000h:E05Bh
    EXPECT_EQ(static_cast<u16>(i.immediate), 0xe05b);
    EXPECT_EQ(i.immediate2, 0xf000);
    i = whole(k32, {0xc8, 0x00, 0x01, 0x02}); // enter 100h, 2
    EXPECT_EQ(i.immediate, 0x100u);
    EXPECT_EQ(i.immediate2_size, 1);
    EXPECT_EQ(i.immediate2, 2);
}

TEST(DecodeFields, PrefixesInAnyOrderAndNumber) {
    Instruction i =
        whole(k32, {0x2e, 0xf3, 0x66, 0x65, 0x67, 0xa5}); // rep movsw with gs: the last override counts
    EXPECT_EQ(i.segment, Gs);
    EXPECT_EQ(i.rep, RepPrefix::Rep);
    EXPECT_EQ(i.operand_size, 2);
    EXPECT_EQ(i.address_size, 2);
    i = whole(k32, {0xf3, 0xf2, 0xa6});
    EXPECT_EQ(i.rep, RepPrefix::Repne);
    i = whole(k32, {0x66, 0x66, 0x66, 0x66, 0x90}); // 66 twice is 66
    EXPECT_EQ(i.operand_size, 2);
    i = whole(k32, {0xf0, 0x0f, 0xb1, 0x0b}); // lock cmpxchg [ebx], ecx
    EXPECT_TRUE(i.lock);
    EXPECT_EQ(i.map, OpcodeMap::Map0f);
    EXPECT_EQ(i.opcode, 0xb1);
    EXPECT_EQ(whole(k32, {0x90}).segment, kNoSegment);
}

TEST(DecodeFields, RexMustBeLast) {
    Instruction i = whole(k64, {0x48, 0x66, 0xb8, 0x34, 0x12}); // REX is void before 66
    EXPECT_EQ(i.rex, 0);
    EXPECT_EQ(i.operand_size, 2);
    i = whole(k64, {0x66, 0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8});
    EXPECT_EQ(i.operand_size, 8);
    EXPECT_EQ(whole(k32, {0x48}).opcode, 0x48); // dec eax
    EXPECT_EQ(whole(k64, {0x50}).operand_size, 8);
    EXPECT_EQ(whole(k64, {0xc3}).operand_size, 8);
}

TEST(DecodeFields, ControlRegistersIgnoreMod) {
    // 0F 22 with mod 0, rm 5 would otherwise have a 32-bit displacement.
    const Instruction i = whole(k32, {0x0f, 0x22, 0x05}); // mov cr0, ebp
    EXPECT_FALSE(i.memory_operand());
    EXPECT_EQ(i.rm(), Rbp);
    EXPECT_EQ(i.reg(), 0);
}

TEST(DecodeFields, MapsOfVectorEncodings) {
    EXPECT_EQ(whole(k32, {0xc5, 0xf8, 0x77}).map, OpcodeMap::Vex1);                    // vzeroupper
    EXPECT_EQ(whole(k32, {0xc4, 0xe2, 0x79, 0x18, 0x00}).map, OpcodeMap::Vex2);        // vbroadcastss
    EXPECT_EQ(whole(k32, {0xc4, 0xe3, 0x79, 0x04, 0xc0, 0x1b}).map, OpcodeMap::Vex3);  // vpermilps
    EXPECT_EQ(whole(k32, {0x62, 0xf1, 0x7c, 0x48, 0x58, 0xc0}).map, OpcodeMap::Evex1); // vaddps zmm
    EXPECT_EQ(whole(k32, {0x62, 0xf5, 0x7c, 0x48, 0x58, 0xc0}).map, OpcodeMap::Evex5); // vaddph zmm
    EXPECT_EQ(whole(k32, {0x8f, 0xe9, 0x78, 0x81, 0xc0}).map, OpcodeMap::Xop9);        // vfrczpd
    EXPECT_EQ(whole(k32, {0x0f, 0x0f, 0xc1, 0x9e}).map, OpcodeMap::Amd3dNow);          // pfadd
    EXPECT_EQ(whole(k32, {0x0f, 0x0f, 0x44, 0x8b, 0x10, 0x9e}).opcode, 0x9e);
    EXPECT_EQ(whole(k32, {0x66, 0x0f, 0x38, 0x00, 0xc1}).map, OpcodeMap::Map0f38);       // pshufb
    EXPECT_EQ(whole(k32, {0x66, 0x0f, 0x3a, 0x0f, 0xc1, 0x04}).map, OpcodeMap::Map0f3a); // palignr
    // EVEX disp8 stays one byte.
    EXPECT_EQ(whole(k32, {0x62, 0xf1, 0x7c, 0x48, 0x58, 0x40, 0x01}).displacement, 1);
}

TEST(DecodeFields, OldInstructionsSharedWithVectorPrefixes) {
    EXPECT_EQ(whole(k32, {0xc4, 0x06}).map, OpcodeMap::OneByte);          // les eax, [esi]
    EXPECT_EQ(whole(k32, {0xc5, 0x45, 0x08}).map, OpcodeMap::OneByte);    // lds eax, [ebp + 8]
    EXPECT_EQ(whole(k16, {0x62, 0x47, 0x02}).map, OpcodeMap::OneByte);    // bound ax, [bx + 2]
    EXPECT_EQ(whole(k32, {0x8f, 0x00}).map, OpcodeMap::OneByte);          // pop [eax]
    EXPECT_EQ(whole(k64, {0xc5, 0x78, 0x58, 0x00}).map, OpcodeMap::Vex1); // vaddps xmm8, xmm0, [rax]
    EXPECT_EQ(status(k64, {0xc5, 0x45, 0x08, 0x00}), DecodeStatus::Invalid);
}

TEST(DecodeFields, Undefined) {
    for (const auto& bytes : std::vector<std::vector<u8>>{
             {0x0f, 0xff - 0xf5},      // 0F 0A
             {0x0f, 0x24, 0xc0},       // mov from a test register
             {0x0f, 0x20, 0xc8},       // mov eax, cr1
             {0x8e, 0xc8},             // mov cs, eax
             {0x8c, 0xf0},             // mov eax, segment 6
             {0xf0, 0x90},             // lock nop
             {0xf0, 0x01, 0xc0},       // lock add eax, eax
             {0xf0, 0x38, 0x00},       // lock cmp
             {0xff, 0xf8},             // FF /7
             {0xff, 0xd8},             // far call through a register
             {0xfe, 0xd0},             // FE /2
             {0x8d, 0xc0},             // lea eax, eax
             {0xc7, 0xf8, 0, 0, 0, 0}, // xbegin: hidden
             {0xc6, 0xc8, 0},          // C6 /1
             {0x0f, 0xba, 0xc0, 0},    // BA /0
             {0x0f, 0xb8, 0xc0},       // POPCNT without F3
             {0xf3, 0x0f, 0x60, 0xc0}, // PUNPCKLBW has no F3 form
             {0xd9, 0xd1},             // between FNOP and FSTP
             {0xdb, 0x20},             // DB /4
             {0x66, 0xc5, 0xf8, 0x77}, // 66 before VEX
             {0xc5, 0xf0, 0x77},       // VZEROUPPER with vvvv
             {0x0f, 0x0f, 0xc1, 0x00}, // 3DNow! operation 0
             {0x0f, 0x01, 0xf8},       // SWAPGS outside 64-bit mode
             {0xf3, 0x0f, 0xae, 0xc0}, // RDFSBASE likewise
             {0x0f, 0x04},
         })
        EXPECT_EQ(status(k32, bytes), DecodeStatus::Invalid) << testing::PrintToString(bytes);
    for (const u8 opcode : {0x06, 0x0e, 0x16, 0x1f, 0x27, 0x37, 0x60, 0x82, 0x9a, 0xce, 0xd4, 0xd6, 0xea}) {
        EXPECT_EQ(status(k64, {opcode, 0, 0, 0, 0, 0, 0, 0}), DecodeStatus::Invalid) << int{opcode};
        EXPECT_EQ(status(k32, {opcode, 0, 0, 0, 0, 0, 0, 0}), DecodeStatus::Ok) << int{opcode};
    }
}

TEST(DecodeFields, BranchTargets) {
    Instruction i = whole(k32, {0xeb, 0xfe});
    EXPECT_EQ(branch_target(i, 0x1000), 0x1000u);
    i = whole(k32, {0xe8, 0xfb, 0xff, 0xff, 0xff});
    EXPECT_EQ(branch_target(i, 0), 0u);
    i = whole(k32, {0xe9, 0x00, 0x00, 0x00, 0x80});
    EXPECT_EQ(branch_target(i, 0x90000000), 0x10000005u); // wraps at 4 GiB
    i = whole(k32, {0x66, 0xe9, 0x02, 0x00});
    EXPECT_EQ(branch_target(i, 0x12345678), 0x567eu); // 66 cuts EIP to 16 bits
    i = whole(k16, {0x74, 0x10});
    EXPECT_EQ(branch_target(i, 0xfff8), 0x000au);
    i = whole(k64, {0x0f, 0x84, 0xfa, 0xff, 0xff, 0xff});
    EXPECT_EQ(branch_target(i, 0xffffffff80000000), 0xffffffff80000000u);
}

} // namespace

} // namespace btvm

// Whole small programs: the same work done by the guest and by the test.
#include <algorithm>
#include <gtest/gtest.h>
#include <random>

#include "tests/unit/interpret/guest_code.hh"
#include "tests/unit/interpret/machine.hh"

namespace btvm::test {
namespace {

constexpr u32 kData = 0x20000;

GUEST_CODE(bubble_sort, 32, R"(
    mov ecx, 199
1:  mov edx, ecx
    mov esi, 0x20000
2:  mov eax, [esi]
    cmp eax, [esi + 4]
    jle 3f
    xchg eax, [esi + 4]
    mov [esi], eax
3:  add esi, 4
    dec edx
    jnz 2b
    loop 1b
    hlt
)");

TEST(Program, Sort32) {
    Machine m;
    m.flat32(0x8000);
    const auto code = GUEST_BYTES(bubble_sort);
    std::memcpy(m.ram.data() + 0x8000, code.data(), code.size());
    std::mt19937 rng(5);
    std::vector<s32> expected(200);
    for (s32& v : expected)
        v = static_cast<s32>(rng());
    std::memcpy(m.ram.data() + kData, expected.data(), 800);
    std::sort(expected.begin(), expected.end());
    EXPECT_EQ(m.run(1000000), StepStatus::Halted);
    EXPECT_EQ(std::memcmp(m.ram.data() + kData, expected.data(), 800), 0);
}

GUEST_CODE(crc, 16, R"(
    mov ax, 0x2000
    mov ds, ax
    xor si, si
    mov ecx, 1000
    mov eax, 0xffffffff
    cld
1:  mov ebx, eax
    lodsb
    xor al, bl
    mov bl, al
    mov dl, 8
2:  shr ebx, 1
    jnc 3f
    xor ebx, 0xedb88320
3:  dec dl
    jnz 2b
    mov eax, ebx
    loop 1b
    not eax
    hlt
)");

TEST(Program, Crc16BitCode) {
    Machine m;
    m.real_mode(0x8000);
    const auto code = GUEST_BYTES(crc);
    std::memcpy(m.ram.data() + 0x8000, code.data(), code.size());
    u32 expected = 0xffffffff;
    for (u32 i = 0; i < 1000; i++) {
        const u8 byte = static_cast<u8>(i * i + 3);
        m.ram[kData + i] = byte;
        expected ^= byte;
        for (int k = 0; k < 8; k++)
            expected = expected >> 1 ^ (expected & 1 ? 0xedb88320 : 0);
    }
    EXPECT_EQ(m.run(1000000), StepStatus::Halted);
    EXPECT_EQ(m.cpu.gpr[Rax], ~expected);
}

GUEST_CODE(decimal, 16, R"(
    mov bx, 0x4000
    xor si, si
    mov cx, 10
    clc
1:  mov al, [bx + si]
    adc al, [bx + si + 16]
    daa
    mov [bx + si + 32], al
    inc si
    loop 1b
    mov ax, 0x0207
    mov bl, 9
    mul bl
    aam
    mov dx, ax
    aad
    hlt
)");

TEST(Program, DecimalAddition) {
    Machine m;
    m.real_mode(0x8000);
    const auto code = GUEST_BYTES(decimal);
    std::memcpy(m.ram.data() + 0x8000, code.data(), code.size());
    const char* a = "98765432109876543210";
    const char* b = "12345678909999999999";
    const char* sum = "11111111019876543209"; // 1 11111... without the last carry
    for (u32 i = 0; i < 10; i++) {
        const auto pair = [&](const char* s) {
            return static_cast<u8>((s[18 - 2 * i] - '0') << 4 | (s[19 - 2 * i] - '0'));
        };
        m.ram[0x4000 + i] = pair(a);
        m.ram[0x4010 + i] = pair(b);
    }
    EXPECT_EQ(m.run(), StepStatus::Halted);
    for (u32 i = 0; i < 10; i++)
        EXPECT_EQ(m.ram[0x4020 + i], (sum[18 - 2 * i] - '0') << 4 | (sum[19 - 2 * i] - '0')) << i;
    EXPECT_EQ(m.cpu.gpr[Rdx] & 0xffff, 0x0603u);
    EXPECT_EQ(m.cpu.gpr[Rax] & 0xffff, 63u);
}

GUEST_CODE(bits, 32, R"(
    # Sieve of Eratosthenes in a bit string, then a count of the bits by BSF.
    mov edi, 0x20000
    mov ecx, 320
    or eax, -1
    rep stosd
    btr dword ptr [0x20000], 0
    btr dword ptr [0x20000], 1
    mov ebx, 2
1:  mov eax, ebx
    mul ebx
    cmp eax, 10000
    jae 4f
2:  btr [0x20000], eax
    add eax, ebx
    cmp eax, 10000
    jb 2b
    inc ebx
    jmp 1b
4:  xor edx, edx
    xor esi, esi
5:  mov eax, [0x20000 + esi * 4]
6:  bsf ebx, eax
    jz 7f
    btr eax, ebx
    mov ecx, esi
    shl ecx, 5
    add ecx, ebx
    cmp ecx, 10000
    jae 7f
    inc edx
    jmp 6b
7:  inc esi
    cmp esi, 313
    jb 5b
    hlt
)");

TEST(Program, PrimesInABitString) {
    Machine m;
    m.flat32(0x8000);
    const auto code = GUEST_BYTES(bits);
    std::memcpy(m.ram.data() + 0x8000, code.data(), code.size());
    EXPECT_EQ(m.run(1000000), StepStatus::Halted);
    EXPECT_EQ(m.cpu.gpr[Rdx], 1229u) << "primes below 10000";
}

GUEST_CODE(recursion, 32, R"(
    mov esp, 0x70000
    push 15
    call 1f
    add esp, 4
    hlt
1:  enter 4, 0
    mov eax, [ebp + 8]
    cmp eax, 2
    jb 2f
    dec eax
    push eax
    call 1b
    mov [ebp - 4], eax
    pop eax
    dec eax
    push eax
    call 1b
    add eax, [ebp - 4]
2:  leave
    ret
)");

TEST(Program, RecursiveFibonacci) {
    Machine m;
    m.flat32(0x8000);
    const auto code = GUEST_BYTES(recursion);
    std::memcpy(m.ram.data() + 0x8000, code.data(), code.size());
    EXPECT_EQ(m.run(1000000), StepStatus::Halted);
    EXPECT_EQ(m.cpu.gpr[Rax], 610u);
    EXPECT_EQ(m.cpu.gpr[Rsp], 0x70000u);
}

GUEST_CODE(self_modifying, 16, R"(
    mov cx, 5
    xor ax, ax
1:  add ax, 1
    inc byte ptr cs:[0x8000 + 7] # the 1 of ADD
    loop 1b
    hlt
)");

TEST(Program, SelfModifyingCode) {
    Machine m;
    m.real_mode(0x8000);
    const auto code = GUEST_BYTES(self_modifying);
    std::memcpy(m.ram.data() + 0x8000, code.data(), code.size());
    EXPECT_EQ(m.run(), StepStatus::Halted);
    EXPECT_EQ(m.cpu.gpr[Rax], 1u + 2 + 3 + 4 + 5);
}

} // namespace
} // namespace btvm::test

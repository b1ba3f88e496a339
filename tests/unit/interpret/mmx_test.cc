// MMX: results, availability, and what it does to the x87 state. (Opcode by opcode it is compared with
// Unicorn.)
#include <gtest/gtest.h>

#include "tests/unit/interpret/machine.hh"

namespace btvm::test {
namespace {

class Mmx : public ::testing::Test {
protected:
    Mmx() { m.real_mode(0x8000); }
    void run(std::initializer_list<u8> code) {
        m.put(at, code);
        m.cpu.rip = at;
        ASSERT_EQ(m.step(), StepStatus::Completed);
        at += static_cast<u32>(code.size());
    }
    Machine m;
    u32 at{0x8000};
};

TEST_F(Mmx, AddsAndStores) {
    m.store<u64>(0x5000, 0x00ff7fff80000001);
    m.store<u64>(0x5008, 0x0001000180000002);
    run({0x0f, 0x6f, 0x06, 0x00, 0x50}); // movq mm0, [5000h]
    run({0x0f, 0xfd, 0x06, 0x08, 0x50}); // paddw mm0, [5008h]
    run({0x0f, 0x7f, 0x06, 0x10, 0x50}); // movq [5010h], mm0
    EXPECT_EQ(m.load<u64>(0x5010), 0x0100800000000003u);
    EXPECT_EQ(m.cpu.fpu.bytes[4], 0xff) << "all tags valid";
    run({0x0f, 0x71, 0xd0, 0x04}); // psrlw mm0, 4
    run({0x0f, 0x7e, 0xc3});       // movd ebx, mm0
    EXPECT_EQ(m.cpu.gpr[Rbx], 0u);
    run({0x0f, 0x77}); // emms
    EXPECT_EQ(m.cpu.fpu.bytes[4], 0);
}

TEST_F(Mmx, SharesTheX87Registers) {
    run({0xdb, 0xe3});       // fninit
    run({0xd9, 0xe8});       // fld1: register 7
    run({0x0f, 0x6f, 0xcf}); // movq mm1, mm7
    run({0x0f, 0x7f, 0x0e, 0x00, 0x50});
    EXPECT_EQ(m.load<u64>(0x5000), 0x8000000000000000u) << "the mantissa of 1.0";
    run({0xdd, 0x36, 0x00, 0x40}); // fnsave: TOP is 0 now
    EXPECT_EQ(m.load<u16>(0x4002) & 0x3800, 0);
    EXPECT_EQ(m.load<u16>(0x400e + 10 + 8), 0xffff) << "MM1's exponent";
}

TEST_F(Mmx, Availability) {
    m.cpu.cr0 |= cr0::kTs;
    run({0x0f, 0x77});
    EXPECT_EQ(m.cpu.rip, 0x6007u);
    m.cpu.cr0 |= cr0::kEm;
    run({0x0f, 0x77});
    EXPECT_EQ(m.cpu.rip, 0x6006u);
    m.cpu.cr0 = cr0::kReset;
    // A processor without SSE, on which the same bytes are undefined.
    m.cpu.features = CpuFeatures::on(~cpuid_feature::kSse, ~0u, 0xffff);
    run({0x66, 0x0f, 0xfd, 0xc1}); // paddw xmm0, xmm1: SSE2
    EXPECT_EQ(m.cpu.rip, 0x6006u);
    run({0x0f, 0xd4, 0xc1}); // paddq mm0, mm1: SSE2
    EXPECT_EQ(m.cpu.rip, 0x6006u);
    run({0x0f, 0x54, 0xc1}); // andps
    EXPECT_EQ(m.cpu.rip, 0x6006u);
    run({0x0f, 0xd7, 0xc1}); // pmovmskb eax, mm1
    EXPECT_EQ(m.cpu.rip, 0x6006u);
    m.cpu.features = CpuFeatures{};
    run({0x0f, 0xd4, 0xc1});
    EXPECT_EQ(m.cpu.rip, at) << "what SSE2 added to MMX needs no CR4.OSFXSR";
}

TEST_F(Mmx, KeepsTheHostState) {
    const double before = 3.5;
    double after;
    asm volatile("fldl %0" ::"m"(before));
    run({0x0f, 0xef, 0xc0}); // pxor mm0, mm0
    asm volatile("fstpl %0" : "=m"(after));
    EXPECT_EQ(after, before);
}

} // namespace
} // namespace btvm::test

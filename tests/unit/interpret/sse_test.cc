// SSE and SSE2: who may use them, what they raise, MXCSR, the FXSAVE image. (What they compute is compared
// with Unicorn, instruction by instruction.)
#include <gtest/gtest.h>

#include "tests/unit/interpret/machine.hh"

namespace btvm::test {
namespace {

constexpr u32 kAllMasked = 0x1f80;

class SseTest : public ::testing::Test {
protected:
    SseTest() {
        m.real_mode(0x8000);
        m.cpu.cr4 = cr4::kOsfxsr | cr4::kOsxmmexcpt;
    }
    /// Runs one instruction; the vector it raised, or -1.
    int run(std::initializer_list<u8> code) {
        m.put(at, code);
        m.cpu.rip = at;
        EXPECT_EQ(m.step(), StepStatus::Completed);
        at += static_cast<u32>(code.size());
        return m.cpu.rip == at ? -1 : static_cast<int>(m.cpu.rip) - 0x6000;
    }
    [[nodiscard]] u32 mxcsr() const {
        u32 v;
        std::memcpy(&v, m.cpu.fpu.bytes + 24, 4);
        return v;
    }
    void set_mxcsr(u32 v) { std::memcpy(m.cpu.fpu.bytes + 24, &v, 4); }
    template <class T>
    [[nodiscard]] T xmm(unsigned n, unsigned element = 0) const {
        T v;
        std::memcpy(&v, m.cpu.fpu.bytes + 160 + 16 * n + element * sizeof v, sizeof v);
        return v;
    }
    template <class T>
    void set_xmm(unsigned n, T v, unsigned element = 0) {
        std::memcpy(m.cpu.fpu.bytes + 160 + 16 * n + element * sizeof v, &v, sizeof v);
    }
    Machine m;
    u32 at{0x8000};
};

TEST_F(SseTest, ResetState) { EXPECT_EQ(mxcsr(), kAllMasked); }

TEST_F(SseTest, AsksTheControlRegisters) {
    EXPECT_EQ(run({0x0f, 0x57, 0xc0}), -1); // xorps xmm0, xmm0
    m.cpu.cr0 |= cr0::kTs;
    EXPECT_EQ(run({0x0f, 0x57, 0xc0}), 7);
    EXPECT_EQ(run({0x0f, 0xae, 0x1e, 0, 0x50}), 7) << "stmxcsr";
    m.cpu.cr0 |= cr0::kEm;
    EXPECT_EQ(run({0x0f, 0x57, 0xc0}), 6) << "EM before TS";
    m.cpu.cr0 &= ~(cr0::kEm | cr0::kTs);
    m.cpu.cr4 &= ~cr4::kOsfxsr;
    EXPECT_EQ(run({0x0f, 0x57, 0xc0}), 6);
    EXPECT_EQ(run({0x0f, 0xae, 0x16, 0, 0x50}), 6) << "ldmxcsr";
    EXPECT_EQ(run({0x0f, 0xae, 0xf8}), -1) << "sfence uses no register";
    EXPECT_EQ(run({0x0f, 0xc3, 0x06, 0, 0x50}), -1) << "nor does movnti";
}

TEST_F(SseTest, UnmaskedExceptions) {
    set_xmm<float>(0, 1);
    set_xmm<float>(1, 0);
    EXPECT_EQ(run({0xf3, 0x0f, 0x5e, 0xc1}), -1); // divss xmm0, xmm1
    EXPECT_EQ(mxcsr(), kAllMasked | 4) << "masked: only noted";
    EXPECT_EQ(xmm<u32>(0), 0x7f800000u);

    set_xmm<float>(0, 1);
    set_mxcsr(kAllMasked & ~0x200u); // ZM
    EXPECT_EQ(run({0xf3, 0x0f, 0x5e, 0xc1}), 19);
    EXPECT_EQ(xmm<float>(0), 1) << "the destination is as it was";
    EXPECT_EQ(mxcsr(), (kAllMasked & ~0x200u) | 4);
    m.cpu.cr4 &= ~cr4::kOsxmmexcpt;
    EXPECT_EQ(run({0xf3, 0x0f, 0x5e, 0xc1}), 6) << "without CR4.OSXMMEXCPT it is an undefined opcode";
    m.cpu.cr4 |= cr4::kOsxmmexcpt;

    set_mxcsr(kAllMasked & ~0x1000u); // PM
    set_xmm<float>(1, 3);
    EXPECT_EQ(run({0xf3, 0x0f, 0x5e, 0xc1}), 19) << "inexact";
    set_mxcsr(kAllMasked & ~0x80u); // IM
    set_xmm<u32>(1, 0x7f800001);
    m.cpu.rflags |= eflags::kCf | eflags::kZf;
    EXPECT_EQ(run({0x0f, 0x2e, 0xc1}), 19) << "ucomiss with a signalling NaN";
    EXPECT_TRUE(m.cpu.rflags & eflags::kZf);
    EXPECT_EQ(mxcsr() & 0x3f, 1u);
    EXPECT_EQ(run({0xf3, 0x0f, 0x2d, 0xc1}), 19) << "cvtss2si";
}

TEST_F(SseTest, RoundingAndFlushing) {
    set_xmm<float>(1, 2.5f);
    EXPECT_EQ(run({0xf3, 0x0f, 0x2d, 0xc1}), -1); // cvtss2si eax, xmm1
    EXPECT_EQ(m.cpu.gpr[Rax], 2u) << "to even";
    set_mxcsr(kAllMasked | 0x4000); // up
    EXPECT_EQ(run({0xf3, 0x0f, 0x2d, 0xc1}), -1);
    EXPECT_EQ(m.cpu.gpr[Rax], 3u);
    EXPECT_EQ(run({0xf3, 0x0f, 0x2c, 0xc1}), -1); // cvttss2si
    EXPECT_EQ(m.cpu.gpr[Rax], 2u);
    set_mxcsr(kAllMasked | 0x8000); // FTZ
    set_xmm<u32>(0, 0x00800000);    // the smallest normal number
    set_xmm<float>(1, 0.3f);
    EXPECT_EQ(run({0xf3, 0x0f, 0x59, 0xc1}), -1); // mulss
    EXPECT_EQ(xmm<u32>(0), 0u);
}

TEST_F(SseTest, ControlRegister) {
    m.store<u32>(0x5000, 0x9fff);
    EXPECT_EQ(run({0x0f, 0xae, 0x16, 0, 0x50}), -1);
    EXPECT_EQ(mxcsr(), 0x9fffu);
    EXPECT_EQ(run({0x0f, 0xae, 0x1e, 0x10, 0x50}), -1);
    EXPECT_EQ(m.load<u32>(0x5010), 0x9fffu);
    m.store<u32>(0x5000, 0x11f80);
    EXPECT_EQ(run({0x0f, 0xae, 0x16, 0, 0x50}), 13) << "a reserved bit";
    EXPECT_EQ(mxcsr(), 0x9fffu);
    m.cpu.features = CpuFeatures::on(~0u, ~0u, 0xffbf);
    m.store<u32>(0x5000, 0x1fc0);
    EXPECT_EQ(run({0x0f, 0xae, 0x16, 0, 0x50}), 13) << "DAZ, on a processor without it";
}

TEST_F(SseTest, Alignment) {
    EXPECT_EQ(run({0x0f, 0x28, 0x06, 0x00, 0x50}), -1) << "movaps";
    EXPECT_EQ(run({0x0f, 0x28, 0x06, 0x08, 0x50}), 13);
    EXPECT_EQ(run({0x0f, 0x10, 0x06, 0x08, 0x50}), -1) << "movups";
    EXPECT_EQ(run({0x0f, 0x58, 0x06, 0x08, 0x50}), 13) << "addps";
    EXPECT_EQ(run({0xf3, 0x0f, 0x58, 0x06, 0x09, 0x50}), -1) << "addss";
    EXPECT_EQ(run({0x66, 0x0f, 0xe7, 0x06, 0x08, 0x50}), 13) << "movntdq";
    EXPECT_EQ(run({0x0f, 0x28, 0x06, 0xf8, 0xff}), 13) << "beyond the limit";
}

TEST_F(SseTest, LoadsAcrossPages) {
    m.store<u64>(0x5ff8, 0x1122334455667788);
    m.store<u64>(0x6000, 0x99aabbccddeeff00);
    EXPECT_EQ(run({0x0f, 0x10, 0x1e, 0xf8, 0x5f}), -1); // movups xmm3, [5ff8h]
    EXPECT_EQ(xmm<u64>(3, 0), 0x1122334455667788u);
    EXPECT_EQ(xmm<u64>(3, 1), 0x99aabbccddeeff00u);
}

TEST_F(SseTest, MaskedStoreWritesOnlyWhatIsAsked) {
    set_xmm<u64>(0, 0x0706050403020100);
    set_xmm<u64>(0, 0x0f0e0d0c0b0a0908, 1);
    set_xmm<u64>(1, 0x80000000000000ff);
    set_xmm<u64>(1, 0x7f7f7f7f7f7f7f7f, 1);
    m.cpu.gpr[Rdi] = 0x5001;
    m.store<u64>(0x5000, ~0ull);
    EXPECT_EQ(run({0x66, 0x0f, 0xf7, 0xc1}), -1);
    EXPECT_EQ(m.load<u64>(0x5000), 0xffffffffffff00ffu);
    EXPECT_EQ(m.load<u8>(0x5008), 7);
    // Bytes that are not stored may lie beyond the limit; others not.
    m.cpu.seg[Ds].limit = 0x5008;
    EXPECT_EQ(run({0x66, 0x0f, 0xf7, 0xc1}), -1);
    m.cpu.gpr[Rdi] = 0x5002;
    m.store<u64>(0x5000, ~0ull);
    EXPECT_EQ(run({0x66, 0x0f, 0xf7, 0xc1}), 13);
    EXPECT_EQ(m.load<u64>(0x5000), ~0ull) << "nothing of it is stored then";
}

TEST_F(SseTest, SaveAndRestore) {
    set_xmm<u64>(7, 0x1234, 1);
    EXPECT_EQ(run({0x0f, 0xae, 0x06, 0x00, 0x50}), -1); // fxsave
    EXPECT_EQ(m.load<u32>(0x5018), kAllMasked);
    EXPECT_EQ(m.load<u32>(0x501c), m.cpu.features.mxcsr_mask);
    EXPECT_EQ(m.load<u64>(0x5000 + 160 + 7 * 16 + 8), 0x1234u);
    m.store<u64>(0x5000 + 160 + 7 * 16 + 8, 0x4321);
    EXPECT_EQ(run({0x0f, 0xae, 0x0e, 0x00, 0x50}), -1); // fxrstor
    EXPECT_EQ(xmm<u64>(7, 1), 0x4321u);
    m.store<u32>(0x5018, 0xffff0000);
    EXPECT_EQ(run({0x0f, 0xae, 0x0e, 0x00, 0x50}), 13) << "reserved bits of MXCSR";
    m.store<u32>(0x5018, kAllMasked);
    m.cpu.cr4 = 0;
    m.store<u64>(0x5000 + 160 + 7 * 16 + 8, 0x1111);
    EXPECT_EQ(run({0x0f, 0xae, 0x0e, 0x00, 0x50}), -1);
    EXPECT_EQ(xmm<u64>(7, 1), 0x4321u) << "without CR4.OSFXSR the XMM registers are left alone";
}

TEST_F(SseTest, CacheLineFlushIsARead) {
    EXPECT_EQ(run({0x0f, 0xae, 0x3e, 0x00, 0x50}), -1);
    m.cpu.seg[Ds].limit = 0x4fff;
    EXPECT_EQ(run({0x0f, 0xae, 0x3e, 0x00, 0x50}), 13);
    m.cpu.features = CpuFeatures::on(~cpuid_feature::kClflush, ~0u, 0xffff);
    EXPECT_EQ(run({0x0f, 0xae, 0x3e, 0x00, 0x50}), 6);
}

TEST_F(SseTest, LeavesTheHostsStateAlone) {
    const u32 before = __builtin_ia32_stmxcsr();
    set_mxcsr(kAllMasked | 0x6000);
    set_xmm<float>(1, 1);
    EXPECT_EQ(run({0x0f, 0x5e, 0xc9}), -1);
    EXPECT_EQ(__builtin_ia32_stmxcsr(), before);
}

TEST(Features, OfferedIsWhatTheHostHas) {
    EXPECT_EQ(CpuFeatures::on(~0u, ~0u, ~0u), CpuFeatures{});
    const CpuFeatures without_sse2 = CpuFeatures::on(~cpuid_feature::kSse2, ~0u, ~0u);
    EXPECT_FALSE(without_sse2.sse()) << "one without the other is no processor";
    EXPECT_TRUE(without_sse2.fxsr());
    EXPECT_FALSE(CpuFeatures::on(~cpuid_feature::kFxsr, ~0u, ~0u).sse());
    const CpuFeatures without_nx = CpuFeatures::on(~0u, ~cpuid_extended::kNx, ~0u);
    EXPECT_EQ(cpuid(without_nx, 0x80000001, 0).edx, 0u);
    EXPECT_EQ(cpuid(CpuFeatures{}, 0x80000001, 0).edx, cpuid_extended::kNx);
    EXPECT_EQ(cpuid(CpuFeatures{}, 1, 0).ebx >> 8 & 0xff, 8u) << "CLFLUSH's line, in quadwords";
}

class Msr : public SseTest {
protected:
    int write(u32 number, u64 value) {
        m.cpu.gpr[Rcx] = number;
        m.cpu.gpr[Rax] = value & 0xffffffff;
        m.cpu.gpr[Rdx] = value >> 32;
        return run({0x0f, 0x30});
    }
    int read(u32 number) {
        m.cpu.gpr[Rcx] = number;
        return run({0x0f, 0x32});
    }
    static constexpr u32 kEfer = 0xc0000080;
};

TEST_F(Msr, ExecuteDisable) {
    EXPECT_EQ(write(kEfer, efer::kNxe), -1);
    EXPECT_EQ(m.cpu.efer, efer::kNxe);
    EXPECT_TRUE(m.interpreter.translations_changed);
    EXPECT_EQ(read(kEfer), -1);
    EXPECT_EQ(m.cpu.gpr[Rax], efer::kNxe);
    EXPECT_EQ(write(kEfer, efer::kNxe | efer::kSce), 13) << "SYSCALL is not offered";
    EXPECT_EQ(write(kEfer, efer::kLme), 13) << "nor is long mode";
    EXPECT_EQ(m.cpu.efer, efer::kNxe);
    m.cpu.features = CpuFeatures::on(~0u, 0, ~0u);
    EXPECT_EQ(write(kEfer, 0), 13);
    EXPECT_EQ(read(kEfer), 13);
}

TEST_F(Msr, ArchitecturalCapabilities) {
    EXPECT_TRUE(cpuid(m.cpu.features, 7, 0).edx & cpuid_leaf7::kArchCapabilities);
    EXPECT_EQ(read(0x10a), -1);
    EXPECT_EQ(m.cpu.gpr[Rax], 1u) << "RDCL_NO";
    EXPECT_EQ(write(0x10a, 1), 13) << "read-only";
}

TEST_F(Msr, ResetKeepsTheFeatures) {
    m.cpu.features = CpuFeatures::on(~cpuid_feature::kSse, ~0u, 0xffbf);
    const CpuFeatures before = m.cpu.features;
    reset(m.cpu);
    EXPECT_EQ(m.cpu.features, before);
}

} // namespace
} // namespace btvm::test

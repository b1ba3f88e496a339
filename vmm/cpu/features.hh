// Which features the guest's processor has. They are chosen once, when the VM is made: what btvm models, less
// what the host's processor lacks, since guest code runs on that.
#pragma once

#include "vmm/base/types.hh"

namespace btvm {

/// Leaf 1 EDX, SDM Vol. 2A table 3-11.
namespace cpuid_feature {
inline constexpr u32 kFpu = 1u << 0;
inline constexpr u32 kDe = 1u << 2;
inline constexpr u32 kPse = 1u << 3;
inline constexpr u32 kTsc = 1u << 4;
inline constexpr u32 kMsr = 1u << 5;
inline constexpr u32 kPae = 1u << 6;
inline constexpr u32 kCx8 = 1u << 8;
inline constexpr u32 kApic = 1u << 9;
inline constexpr u32 kSep = 1u << 11;
inline constexpr u32 kPge = 1u << 13;
inline constexpr u32 kCmov = 1u << 15;
inline constexpr u32 kPat = 1u << 16;
inline constexpr u32 kClflush = 1u << 19;
inline constexpr u32 kMmx = 1u << 23;
inline constexpr u32 kFxsr = 1u << 24;
inline constexpr u32 kSse = 1u << 25;
inline constexpr u32 kSse2 = 1u << 26;
} // namespace cpuid_feature

/// Leaf 7 EDX.
namespace cpuid_leaf7 {
inline constexpr u32 kArchCapabilities = 1u << 29;
}

/// Leaf 80000001h EDX.
namespace cpuid_extended {
inline constexpr u32 kNx = 1u << 20;
}

struct CpuFeatures {
    /// Leaf 1 EDX. The interpreter answers #UD to the instructions of others (SYSENTER excepted, which needs
    /// its MSRs set up first).
    u32 basic{cpuid_feature::kFpu | cpuid_feature::kDe | cpuid_feature::kPse | cpuid_feature::kTsc |
              cpuid_feature::kMsr | cpuid_feature::kPae | cpuid_feature::kCx8 | cpuid_feature::kPge |
              cpuid_feature::kCmov | cpuid_feature::kPat | cpuid_feature::kClflush | cpuid_feature::kMmx |
              cpuid_feature::kFxsr | cpuid_feature::kSse | cpuid_feature::kSse2};
    u32 extended{cpuid_extended::kNx}; ///< Leaf 80000001h EDX.
    /// The bits of MXCSR that exist, as FXSAVE tells (SDM Vol. 1 11.6.6).
    u32 mxcsr_mask{0xffff};
    u32 reserved{};

    [[nodiscard]] constexpr bool fxsr() const { return basic & cpuid_feature::kFxsr; }
    /// Local and I/O APIC: none by default. It is the machine's, and not the host's, to have them.
    [[nodiscard]] constexpr bool apic() const { return basic & cpuid_feature::kApic; }
    /// SSE and SSE2 come together.
    [[nodiscard]] constexpr bool sse() const { return basic & cpuid_feature::kSse; }
    [[nodiscard]] constexpr bool clflush() const { return basic & cpuid_feature::kClflush; }
    [[nodiscard]] constexpr bool nx() const { return extended & cpuid_extended::kNx; }

    /// What a host's processor has of them: leaf 1 EDX and leaf 80000001h EDX of its CPUID, and its MXCSR
    /// mask.
    [[nodiscard]] static constexpr CpuFeatures on(u32 host_basic, u32 host_extended, u32 host_mxcsr_mask) {
        CpuFeatures f;
        f.basic &= host_basic;
        f.extended &= host_extended;
        f.mxcsr_mask &= host_mxcsr_mask;
        // One without the other, or without FXSAVE for their registers, would be a processor that never was.
        constexpr u32 kVector = cpuid_feature::kFxsr | cpuid_feature::kSse | cpuid_feature::kSse2;
        if ((f.basic & kVector) != kVector) f.basic &= ~(cpuid_feature::kSse | cpuid_feature::kSse2);
        return f;
    }
    constexpr bool operator==(const CpuFeatures&) const = default;
};

} // namespace btvm

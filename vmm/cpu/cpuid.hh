// What CPUID tells the guest: one table for the interpreter, the monitor and the tests. A processor of the
// Pentium Pro family, less everything this machine does not model (local APIC, MTRRs, machine checks).
#pragma once

#include "vmm/base/types.hh"

namespace btvm {

struct CpuidResult {
    u32 eax{}, ebx{}, ecx{}, edx{};
};

/// Leaf 1 EDX, SDM Vol. 2A table 3-11.
namespace cpuid_feature {
inline constexpr u32 kFpu = 1u << 0;
inline constexpr u32 kDe = 1u << 2;
inline constexpr u32 kPse = 1u << 3;
inline constexpr u32 kTsc = 1u << 4;
inline constexpr u32 kMsr = 1u << 5;
inline constexpr u32 kPae = 1u << 6;
inline constexpr u32 kCx8 = 1u << 8;
inline constexpr u32 kSep = 1u << 11;
inline constexpr u32 kPge = 1u << 13;
inline constexpr u32 kCmov = 1u << 15;
inline constexpr u32 kPat = 1u << 16;
inline constexpr u32 kMmx = 1u << 23;
inline constexpr u32 kFxsr = 1u << 24;
inline constexpr u32 kSse = 1u << 25;
} // namespace cpuid_feature

/// Leaf 1 EAX: what reset() leaves in EDX must be the same (SDM Vol. 3A table 9-1).
inline constexpr u32 kCpuSignature = 0x0611;

/// The features offered. The interpreter answers #UD to the instructions of others (SYSENTER excepted, which
/// needs its MSRs set up first).
inline constexpr u32 kCpuFeatures = cpuid_feature::kFpu | cpuid_feature::kDe | cpuid_feature::kPse |
                                    cpuid_feature::kTsc | cpuid_feature::kMsr | cpuid_feature::kPae |
                                    cpuid_feature::kCx8 | cpuid_feature::kPge | cpuid_feature::kCmov |
                                    cpuid_feature::kPat | cpuid_feature::kMmx | cpuid_feature::kFxsr;

/// Physical address bits: 36, as every PAE processor of that time.
inline constexpr unsigned kPhysicalAddressBits = 36;

/// CPUID with EAX = leaf and ECX = subleaf. A leaf above the highest gives the highest basic leaf's data, as
/// Intel processors do (SDM Vol. 2A, CPUID).
[[nodiscard]] CpuidResult cpuid(u32 leaf, u32 subleaf);

} // namespace btvm

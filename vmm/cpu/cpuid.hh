// What CPUID tells the guest: one table for the interpreter, the monitor and the tests. A Pentium M, the last
// processor that is 32-bit and has SSE2 and execute-disable, less everything this machine does not model
// (MTRRs, machine checks; local APIC only where the machine is made with one) and what the host's processor
// lacks.
#pragma once

#include "vmm/cpu/features.hh"

namespace btvm {

struct CpuidResult {
    u32 eax{}, ebx{}, ecx{}, edx{};
};

/// Leaf 1 EAX, 06_0Dh: what reset() leaves in EDX is the same (SDM Vol. 3A table 9-1).
inline constexpr u32 kCpuSignature = 0x06d8;

/// The length of a cache line as CLFLUSH knows it, in bytes.
inline constexpr u32 kCacheLine = 64;

/// Physical address bits: 36, as every PAE processor of that time.
inline constexpr unsigned kPhysicalAddressBits = 36;

/// CPUID with EAX = leaf and ECX = subleaf. A leaf above the highest gives the highest basic leaf's data, as
/// Intel processors do (SDM Vol. 2A, CPUID).
[[nodiscard]] CpuidResult cpuid(const CpuFeatures& features, u32 leaf, u32 subleaf);

} // namespace btvm

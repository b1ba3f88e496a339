#include "vmm/cpu/cpuid.hh"

namespace btvm {

namespace {

constexpr u32 kMaxBasic = 7;
constexpr u32 kMaxExtended = 0x80000004;
constexpr char kVendor[13] = "GenuineIntel";
constexpr char kBrand[48] = "btvm virtual CPU";

constexpr u32 four(const char* text) {
    u32 v = 0;
    for (unsigned i = 0; i < 4; i++)
        v |= static_cast<u32>(static_cast<u8>(text[i])) << (8 * i);
    return v;
}

constexpr CpuidResult brand(u32 part) {
    const char* text = kBrand + 16 * part;
    return {four(text), four(text + 4), four(text + 8), four(text + 12)};
}

} // namespace

CpuidResult cpuid(const CpuFeatures& features, u32 leaf, u32 subleaf) {
    switch (leaf) {
    case 0: return {kMaxBasic, four(kVendor), four(kVendor + 8), four(kVendor + 4)};
    case 1: return {kCpuSignature, features.clflush() ? kCacheLine / 8 << 8 : 0, 0, features.basic};
    case 2:
        // The cache and TLB descriptors of a Pentium Pro with 256 KiB of L2 (SDM Vol. 2A table 3-12).
        return {0x03020101, 0, 0, 0x06040a42};
    case 3: // no serial number
    case 4: // leaf 2 has the caches
    case 5: // no MONITOR
    case 6: // no thermal sensor
        return {};
    case 0x80000000: return {kMaxExtended, 0, 0, 0};
    case 0x80000001: return {0, 0, 0, features.extended};
    case 0x80000002:
    case 0x80000003:
    case 0x80000004: return brand(leaf - 0x80000002);
    default:
        // Leaf 7, and what is above: IA32_ARCH_CAPABILITIES exists.
        return {0, 0, 0, subleaf ? 0 : cpuid_leaf7::kArchCapabilities};
    }
}

} // namespace btvm

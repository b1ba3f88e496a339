// What DR6 and DR7 say (SDM Vol. 3B 17.2).
#pragma once

#include "vmm/base/types.hh"

namespace btvm {

namespace dr6 {
inline constexpr u64 kBreakpoints = 0xf;    ///< B0 to B3.
inline constexpr u64 kNoBusLock = 1u << 11; ///< Clear: the #DB tells of a bus lock.
inline constexpr u64 kSingleStep = 1u << 14;
} // namespace dr6

namespace dr7 {

inline constexpr unsigned kBreakpoints = 4;
inline constexpr u64 kFixed = 0x400;
inline constexpr u64 kEnables = 0xff; ///< L0 to G3.
inline constexpr u64 kGeneralDetect = 1u << 13;

/// The field R/Wn: what breakpoint n is met by.
enum BreakOn : unsigned { kExecute = 0, kWriteData = 1, kPort = 2, kAccessData = 3 };
inline constexpr unsigned kOnMemory = 1u << kExecute | 1u << kWriteData | 1u << kAccessData;

[[nodiscard]] constexpr bool enabled(u64 dr7, unsigned n) { return dr7 >> (2 * n) & 3; }
[[nodiscard]] constexpr unsigned kind_of(u64 dr7, unsigned n) { return dr7 >> (16 + 4 * n) & 3; }
/// In bytes. The code 2 is undefined on 32-bit processors, and 8 on those that have it.
[[nodiscard]] constexpr u32 length_of(u64 dr7, unsigned n) {
    const unsigned code = dr7 >> (18 + 4 * n) & 3;
    return code == 2 ? 8 : code + 1;
}
/// The breakpoints that are enabled and of one of `kinds`, a set with bit 1 << BreakOn for each: bits 0 to 3.
[[nodiscard]] constexpr u32 enabled_of(u64 dr7, unsigned kinds) {
    u32 found = 0;
    for (unsigned n = 0; n < kBreakpoints; n++)
        if (enabled(dr7, n) && (kinds >> kind_of(dr7, n) & 1)) found |= 1u << n;
    return found;
}

} // namespace dr7

} // namespace btvm

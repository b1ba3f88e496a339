// How an instruction of the guest is run.
#pragma once

#include "vmm/cpu/state.hh"

namespace btvm::native {

/// Whether a processor has nothing to check of a segment's limit and rights but what the ring and paging
/// allow anyway. Emulated processors check no more than that (World::lax_segments): others are the
/// interpreter's.
[[nodiscard]] constexpr bool is_whole(const Segment& s) {
    const AccessRights a = s.access;
    return s.limit == 0xffffffff && !a.expand_down() && (a.is_code() ? a.readable() : a.writable());
}

enum class Way : u8 {
    Interpret,
    Trace, ///< Natively at ring 3 under a breakpoint plan: flat 32-bit kernel code.
    Direct ///< Natively at ring 3, where the guest believes it is too, with nothing in between.
};

/// The way of the next instruction. `lax_segments`: the processor does not check segments in full, so code
/// that relies on the checks is interpreted (World::lax_segments). `traced_segments`: code with these
/// segments has been traced before. `room_for_breakpoints`: the guest's own can be in the debug registers
/// beside what tracing needs there. An interrupt shadow is the caller's matter.
[[nodiscard]] Way way(const CpuState& cpu, bool lax_segments = true, bool traced_segments = false,
                      bool room_for_breakpoints = true);

} // namespace btvm::native

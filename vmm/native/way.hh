// How an instruction of the guest is run.
#pragma once

#include "vmm/cpu/state.hh"

namespace btvm::native {

/// Whether a processor has nothing to check of a segment's limit and rights but what the ring and paging
/// allow anyway. Emulated processors check no more than that (World::lax_segments): accesses through others
/// are the interpreter's.
[[nodiscard]] constexpr bool is_whole(const Segment& s) {
    const AccessRights a = s.access;
    return a.present() && s.limit == 0xffffffff && !a.expand_down() &&
           (a.is_code() ? a.readable() : a.writable());
}

enum class Way : u8 {
    Interpret,
    Trace, ///< Natively at ring 3 under a breakpoint plan: 32-bit kernel code whose CS and SS begin at 0.
    Direct ///< Natively at ring 3, where the guest believes it is too, with nothing in between.
};

/// What the way depends on beside the guest's processor.
struct Circumstances {
    /// The processor does not check segments in full, so what relies on the checks is interpreted
    /// (World::lax_segments).
    bool lax_segments{true};
    /// Code with these segments has been traced before.
    bool traced_segments{};
    /// The guest's own breakpoints can be in the debug registers beside what tracing needs there.
    bool room_for_breakpoints{true};
    /// Of these segment registers every access of traced code traps (CodeCache::guard()).
    SegmentSet guarded{};
};

/// The way of the next instruction. An interrupt shadow is the caller's matter.
[[nodiscard]] Way way(const CpuState& cpu, const Circumstances& on);

/// What must be guarded besides for kernel code to be traced by a processor that does not check segments: FS,
/// GS, or both; empty: guarding does not help, or need not. Kernels keep a few bytes of their own there, by a
/// segment of just that size (Linux 2.6.30 to 5.12 its stack protector's canary, OpenBSD its CPU's state).
[[nodiscard]] SegmentSet to_guard(const CpuState& cpu, SegmentSet guarded);

} // namespace btvm::native

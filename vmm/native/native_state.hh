// Between the guest's processor as it believes it is (CpuState) and as it really runs at ring 3: registers in
// the trap frame, segments in one of two pairs of descriptor tables (monitor/switch_context.h), a plan in the
// debug registers.
#pragma once

#include "vmm/native/breakpoints.hh"
#include "vmm/native/way.hh"
#include "vmm/world.hh"

namespace btvm::native {

/// The flags that traced code computes by itself: the same at every ring. All others are virtual.
inline constexpr u64 kFlags = eflags::kArithmetic | eflags::kDf;

/// Whether the segments are those that were traced last.
[[nodiscard]] inline bool has_stored_segments(const World& world) {
#pragma GCC unroll 6
    for (unsigned i = 0; i < kSegRegCount; i++)
        if (!(world.native.stored[i] == world.cpu.seg[i])) return false;
    return true;
}

/// Whether kernel code runs in execute-only copies: without breakpoints of ours in the debug registers.
[[nodiscard]] inline bool traces_by_copies(const World& world) {
    return world.config.flags & BTVM_CONFIG_EXECUTE_ONLY;
}

[[nodiscard]] inline Way way(const World& world) {
    return way(world.cpu, {.lax_segments = world.lax_segments,
                           .traced_segments = world.cpu.cpl() == 0 && has_stored_segments(world),
                           .room_for_breakpoints = traces_by_copies(world) || free_registers(world.cpu),
                           .guarded = world.code.guarded()});
}

/// Whether what came out of native execution last, or is in it, is guest user code.
[[nodiscard]] inline bool from_user(const World& world) { return world.native.way == Way::Direct; }

/// Prepares Way::Trace: our segments with the guest's bases; its own breakpoints in the debug registers, and
/// `plan` beside them if it is not null; its registers in the frame. `extra_flags`: RF or TF.
void enter_kernel(World& world, View& view, const Plan* plan, u64 extra_flags);

/// Brings the descriptors that user code may use up to date. False: a segment register holds what no load can
/// give it, or EIP is beyond the segment; the next instruction must be interpreted.
[[nodiscard]] bool prepare_user(World& world, View& view);
/// Prepares Way::Direct, after prepare_user(): the guest's own selectors, flags and breakpoints.
void enter_user(World& world, View& view);

/// Takes the guest's registers, whichever way it ran, back into World::cpu. Segment registers that user code
/// loaded are rebuilt from the descriptors it loaded. EFLAGS.RF is what an interrupt here would push.
void leave_native(World& world, View& view);

/// Takes the registers of guest kernel code out of the trap frame.
void load_registers(CpuState& cpu, const btvm_trap_frame& frame);
/// Puts them there for ring 3. `extra_flags`: RF or TF.
void store_registers(const CpuState& cpu, btvm_trap_frame& frame, u64 extra_flags);

/// Makes our GDT's guest segments and control registers those of the guest, and in the guest world loads the
/// data segments that changed, or all.
void store_segments(const CpuState& cpu, btvm_switch_context& context, bool reload_all = false);

/// Makes the bits of CR4 that guest code can tell by what faults those of the guest.
void store_control_registers(const CpuState& cpu, btvm_switch_context& context);

} // namespace btvm::native

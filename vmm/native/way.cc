#include "vmm/native/way.hh"

#include "vmm/native/data_segments.hh"

namespace btvm::native {

namespace {

constexpr u32 kFlatLimit = 0xffffffff;

/// 32-bit code and a 32-bit stack where offsets are linear addresses.
constexpr bool linear_code(const Segment& s) {
    return s.base == 0 && s.access.default_big() && s.access.is_code();
}
constexpr bool linear_stack(const Segment& s) {
    return s.base == 0 && s.access.default_big() && s.access.writable();
}
constexpr bool flat_code(const Segment& s) { return linear_code(s) && s.limit == kFlatLimit; }
constexpr bool flat_stack(const Segment& s) { return linear_stack(s) && is_whole(s); }

/// The data segments whose checks a lax processor leaves out. A null DS or ES is checked as little. FS and GS
/// are null in many a kernel that never uses them, so they may be.
SegmentSet unchecked_segments(const CpuState& cpu) {
    SegmentSet set = 0;
    for (const SegReg r : kDataSegments) {
        const Segment& s = cpu.seg[r];
        if (s.null() ? r == Ds || r == Es : !s.access.writable() || !is_whole(s)) set |= only(r);
    }
    return set;
}

bool whole_data_segments(const CpuState& cpu) { return !unchecked_segments(cpu); }

/// Whether the data segments can be loaded at all: userland may have given any (BTVM_SET_SREGS).
bool loadable_data_segments(const CpuState& cpu) {
    for (const SegReg r : kDataSegments) {
        const Segment& s = cpu.seg[r];
        if (!s.null() && (!s.access.is_code_or_data() || !s.access.readable())) return false;
    }
    return true;
}

bool traceable(const CpuState& cpu, const Circumstances& on) {
    const Segment& cs = cpu.seg[Cs];
    const Segment& ss = cpu.seg[Ss];
    if (on.lax_segments) return flat_code(cs) && flat_stack(ss) && !(unchecked_segments(cpu) & ~on.guarded);
    return linear_code(cs) && linear_stack(ss) && loadable_data_segments(cpu);
}

/// Ring 3 must behave as CPL 3 would without us: its IOPL and IF are ours. (TF and the debug registers work
/// as they should: nothing of ours steps or breaks there.) A 16-bit stack is left out, since
/// IRET there restores SP alone and ESP's upper half would show the monitor's (SDM Vol. 3A 6.14.3).
bool direct(const CpuState& cpu, bool lax_segments) {
    const Segment& cs = cpu.seg[Cs];
    const Segment& ss = cpu.seg[Ss];
    if ((cpu.rflags & (eflags::kIf | eflags::kIopl)) != eflags::kIf) return false;
    if ((cs.selector & 3) != 3 || (ss.selector & 3) != 3) return false;
    // The processor's CR0.AM is the host's, which is set; the emulator that checks no limits raises no #AC.
    if ((cpu.rflags & eflags::kAc) && lax_segments == ((cpu.cr0 & cr0::kAm) != 0)) return false;
    if (lax_segments)
        return flat_code(cs) && cs.access.readable() && flat_stack(ss) && whole_data_segments(cpu);
    return cs.access.is_code() && ss.access.writable() && ss.access.default_big();
}

} // namespace

Way way(const CpuState& cpu, const Circumstances& on) {
    // Only userland can say so (BTVM_SET_SREGS): IRET would fault.
    if (cpu.seg[Cs].null() || cpu.seg[Ss].null()) return Way::Interpret;
    if (!cpu.protected_mode() || cpu.v86()) return Way::Interpret;
    switch (cpu.cpl()) {
    case 0:
        if ((cpu.rflags & eflags::kTf) || !on.room_for_breakpoints) return Way::Interpret;
        // The IRET down to ring 3 would fault at ring 0 (SDM Vol. 2A, IRET).
        if (cpu.rip > cpu.seg[Cs].limit) return Way::Interpret;
        return on.traced_segments || traceable(cpu, on) ? Way::Trace : Way::Interpret;
    case 3: return direct(cpu, on.lax_segments) ? Way::Direct : Way::Interpret;
    default: return Way::Interpret;
    }
}

SegmentSet to_guard(const CpuState& cpu, SegmentSet guarded) {
    constexpr SegmentSet kGuardable = only(Fs) | only(Gs);
    if (!cpu.protected_mode() || cpu.v86() || cpu.cpl() != 0) return 0;
    if (!flat_code(cpu.seg[Cs]) || !flat_stack(cpu.seg[Ss])) return 0;
    const SegmentSet unchecked = unchecked_segments(cpu);
    return unchecked & ~kGuardable ? 0 : unchecked & ~guarded;
}

} // namespace btvm::native

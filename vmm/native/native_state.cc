#include "vmm/native/native_state.hh"

#include "vmm/base/platform.hh"

namespace btvm::native {

namespace {

constexpr u32 kFlatLimit = 0xffffffff;
// The flags that user-level code computes by itself: the same at every ring. All others are virtual.
constexpr u64 kNativeFlags = eflags::kArithmetic | eflags::kDf;

/// The guest's descriptor with DPL 3, as ring 3 needs it.
constexpr u64 ring3_descriptor(const Segment& s) {
    const bool pages = s.limit > 0xfffff;
    const u64 limit = pages ? s.limit >> 12 : s.limit;
    u64 access = s.access.value | 0x60 | 1; // DPL 3, accessed: the processor has nothing to write back
    access = (access & ~u64{0xa000}) | (pages ? 0x8000 : 0); // G by the limit's size, never a 64-bit segment
    return (limit & 0xffff) | (s.base & 0xffffff) << 16 | (access & 0xf0ff) << 40 |
           (limit >> 16 & 0xf) << 48 | (s.base >> 24 & 0xff) << 56;
}

bool set_descriptor(btvm_switch_context& context, u16 selector, u64 value) {
    btvm_u64& entry = context.world_gdt[selector >> 3];
    if (entry == value) return false;
    entry = value;
    return true;
}

enum class DataSegment : u8 { Ds, Es, Fs, Gs };

void load_selector([[maybe_unused]] DataSegment which, [[maybe_unused]] u16 selector) {
#if defined(BTVM_MONITOR)
    const u32 value = selector;
    switch (which) {
    case DataSegment::Ds: asm volatile("mov %0, %%ds" ::"r"(value)); break;
    case DataSegment::Es: asm volatile("mov %0, %%es" ::"r"(value)); break;
    case DataSegment::Fs: asm volatile("mov %0, %%fs" ::"r"(value)); break;
    case DataSegment::Gs: asm volatile("mov %0, %%gs" ::"r"(value)); break;
    }
#endif
}

void store_data_segment(const Segment& s, btvm_switch_context& context, u16 slot, btvm_u16& current,
                        DataSegment which) {
    // A null or unusable segment stays null: the access faults at ring 3, and the interpreter raises the
    // guest's fault.
    const bool changed = !s.null() && set_descriptor(context, slot, ring3_descriptor(s));
    const u16 selector = s.null() ? 0 : slot;
    if (!changed && current == selector) return;
    current = selector;
    load_selector(which, selector);
}

} // namespace

bool eligible(const CpuState& cpu) {
    const Segment& cs = cpu.seg[Cs];
    const Segment& ss = cpu.seg[Ss];
    // Only userland can say so (BTVM_SET_SREGS): IRET would fault.
    if (cs.null() || ss.null()) return false;
    if (!cpu.protected_mode() || cpu.paging() || cpu.cpl() != 0 || (cpu.rflags & (eflags::kVm | eflags::kTf)))
        return false;
    if (cs.base != 0 || cs.limit != kFlatLimit || !cs.access.default_big() || !cs.access.is_code())
        return false;
    if (ss.base != 0 || ss.limit != kFlatLimit || !ss.access.default_big() || !ss.access.writable() ||
        ss.access.expand_down())
        return false;
    // Segments that emulated processors do not check in full (limits, rights, a null DS or ES) are left to
    // the interpreter. FS and GS are null in many a kernel that never uses them, so they may be.
    constexpr SegReg kData[] = {Ds, Es, Fs, Gs};
    for (const SegReg r : kData) {
        const Segment& s = cpu.seg[r];
        if (s.null() ? r == Ds || r == Es
                     : s.limit != kFlatLimit || !s.access.writable() || s.access.expand_down())
            return false;
    }
    constexpr u64 kDr7Enables = 0xff;
    return !(cpu.dr[7] & kDr7Enables);
}

void load_registers(CpuState& cpu, const btvm_trap_frame& frame) {
    for (unsigned i = 0; i < 8; i++)
        if (i != Rsp) cpu.gpr[i] = frame.gpr[i] & 0xffffffff;
    cpu.gpr[Rsp] = frame.rsp & 0xffffffff;
    cpu.rip = frame.rip & 0xffffffff;
    cpu.rflags = (cpu.rflags & ~kNativeFlags) | (frame.rflags & kNativeFlags);
}

void store_registers(const CpuState& cpu, btvm_trap_frame& frame, u64 extra_flags) {
    for (unsigned i = 0; i < 16; i++)
        frame.gpr[i] = i < 8 ? cpu.gpr[i] : 0;
    frame.rip = cpu.rip;
    frame.rsp = cpu.gpr[Rsp];
    frame.rflags = (cpu.rflags & kNativeFlags) | eflags::kFixed1 | eflags::kIf | extra_flags;
    frame.cs = BTVM_SEL_GUEST_CS;
    frame.ss = BTVM_SEL_GUEST_SS;
}

void store_segments(const CpuState& cpu, btvm_switch_context& context) {
    // CS and SS are loaded by IRET each time.
    set_descriptor(context, BTVM_SEL_GUEST_CS, ring3_descriptor(cpu.seg[Cs]));
    set_descriptor(context, BTVM_SEL_GUEST_SS, ring3_descriptor(cpu.seg[Ss]));
    store_data_segment(cpu.seg[Ds], context, BTVM_SEL_GUEST_DS, context.ds, DataSegment::Ds);
    store_data_segment(cpu.seg[Es], context, BTVM_SEL_GUEST_ES, context.es, DataSegment::Es);
    store_data_segment(cpu.seg[Fs], context, BTVM_SEL_GUEST_FS, context.fs, DataSegment::Fs);
    store_data_segment(cpu.seg[Gs], context, BTVM_SEL_GUEST_GS, context.gs, DataSegment::Gs);
}

void store_breakpoints(const Plan& plan, btvm_switch_context& context) {
    constexpr u64 kDr7Fixed = 0x400;
    u64 dr7 = kDr7Fixed; // every R/W and LEN field 0: execution breakpoints
    bool placed[kMaxBreakpoints]{};
    // What already stands somewhere stays there.
    for (unsigned reg = 0; reg < kMaxBreakpoints; reg++)
        for (unsigned i = 0; i < plan.count; i++)
            if (!placed[i] && context.dr[reg] == plan.address[i]) {
                placed[i] = true;
                dr7 |= u64{1} << (2 * reg);
                break;
            }
    for (unsigned i = 0; i < plan.count; i++) {
        if (placed[i]) continue;
        unsigned reg = 0;
        while (dr7 & u64{1} << (2 * reg))
            reg++;
        context.dr[reg] = plan.address[i];
        platform::write_breakpoint(reg, plan.address[i]);
        dr7 |= u64{1} << (2 * reg);
    }
    if (context.dr7 != dr7) {
        context.dr7 = dr7;
        platform::write_dr7(dr7);
    }
}

} // namespace btvm::native

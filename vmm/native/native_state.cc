#include "vmm/native/native_state.hh"

#include "vmm/base/platform.hh"
#include "vmm/native/breakpoints.hh"
#include "vmm/native/data_segments.hh"

namespace btvm::native {

namespace {

/// The guest's descriptor with DPL 3, as ring 3 needs it.
constexpr u64 ring3_descriptor(Segment s) {
    s.access.value |= 0x60;
    return descriptor_of(s);
}

bool set_descriptor(btvm_switch_context& context, u16 selector, u64 value) {
    btvm_u64& entry = context.world_gdt[selector >> 3];
    if (entry == value) return false;
    entry = value;
    return true;
}

constexpr u16 slot_of(SegReg which) {
    switch (which) {
    case Ds: return BTVM_SEL_GUEST_DS;
    case Es: return BTVM_SEL_GUEST_ES;
    case Fs: return BTVM_SEL_GUEST_FS;
    default: return BTVM_SEL_GUEST_GS;
    }
}

void store_data_segment(const CpuState& cpu, btvm_switch_context& context, SegReg which, bool reload) {
    const Segment& s = cpu.seg[which];
    const u16 slot = slot_of(which);
    btvm_u16& current = selector_of(context, which);
    // A null or unusable segment stays null: the access faults at ring 3, and the interpreter raises the
    // guest's fault.
    const bool changed = !s.null() && set_descriptor(context, slot, ring3_descriptor(s));
    const u16 selector = s.null() ? 0 : slot;
    if (!changed && !reload && current == selector) return;
    current = selector;
    load_selector(which, selector);
}

} // namespace

void load_registers(CpuState& cpu, const btvm_trap_frame& frame) {
#pragma GCC unroll 8
    for (unsigned i = 0; i < 8; i++)
        if (i != Rsp) cpu.gpr[i] = frame.gpr[i] & 0xffffffff;
    cpu.gpr[Rsp] = frame.rsp & 0xffffffff;
    cpu.rip = frame.rip & 0xffffffff;
    cpu.rflags = (cpu.rflags & ~kFlags) | (frame.rflags & kFlags);
}

void store_registers(const CpuState& cpu, btvm_trap_frame& frame, u64 extra_flags) {
#pragma GCC unroll 16
    for (unsigned i = 0; i < 16; i++)
        frame.gpr[i] = i < 8 ? cpu.gpr[i] : 0;
    frame.rip = cpu.rip;
    frame.rsp = cpu.gpr[Rsp];
    frame.rflags = (cpu.rflags & kFlags) | eflags::kFixed1 | eflags::kIf | extra_flags;
    frame.cs = BTVM_SEL_GUEST_CS;
    frame.ss = BTVM_SEL_GUEST_SS;
}

void store_segments(const CpuState& cpu, btvm_switch_context& context, bool reload_all) {
    // CS and SS are loaded by IRET each time.
    set_descriptor(context, BTVM_SEL_GUEST_CS, ring3_descriptor(cpu.seg[Cs]));
    set_descriptor(context, BTVM_SEL_GUEST_SS, ring3_descriptor(cpu.seg[Ss]));
    for (const SegReg which : kDataSegments)
        store_data_segment(cpu, context, which, reload_all);
}

void store_control_registers(const CpuState& cpu, btvm_switch_context& context) {
    const u64 wanted = cpu.cr4 & BTVM_CR4_GUEST;
    if (context.guest_cr4 == wanted) return;
    context.guest_cr4 = wanted;
    context.world_cr4 = (context.world_cr4 & ~u64{BTVM_CR4_GUEST}) | wanted;
    platform::write_cr4(context.world_cr4);
}

void enter_kernel(World& world, View& view, const Plan* plan, u64 extra_flags) {
    btvm_switch_context& context = *view.context;
    const bool from_user_tables = context.user_tables;
    if (from_user_tables) {
        platform::load_gdt_then_idt(&context.world_gdtr, &context.world_idtr);
        // User code can have written PKRU.
        if (traces_by_copies(world)) platform::write_pkru(BTVM_PKRU);
        context.user_tables = 0;
        for (btvm_u64& hidden : context.hidden_part)
            hidden = 0;
    }
    store_control_registers(world.cpu, context);
    if (from_user_tables || !has_stored_segments(world)) {
        store_segments(world.cpu, context, from_user_tables);
        for (unsigned i = 0; i < kSegRegCount; i++)
            world.native.stored[i] = world.cpu.seg[i];
    }
    store_breakpoints(world.cpu, plan, context);
    store_registers(world.cpu, context.frame, extra_flags | enter_resume_flag(world, context, extra_flags));
    world.native.way = Way::Trace;
}

} // namespace btvm::native

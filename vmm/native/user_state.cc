// Guest user code at ring 3: its own selectors, its own flags.
#include "vmm/base/platform.hh"
#include "vmm/native/breakpoints.hh"
#include "vmm/native/data_segments.hh"
#include "vmm/native/native_state.hh"

namespace btvm::native {

namespace {

// The flags that user code sees and changes by itself when IOPL is 0; the others are what Way::Direct asks
// for.
constexpr u64 kUserFlags =
    eflags::kArithmetic | eflags::kDf | eflags::kTf | eflags::kNt | eflags::kAc | eflags::kId;

constexpr bool null_selector(u16 selector) { return !(selector & 0xfffc); }

/// Whether two segments are the same to whoever uses them: the accessed bit is not, nor is L without long
/// mode.
constexpr bool same_segment(const Segment& a, const Segment& b) {
    constexpr u16 kIgnored = 0x2001;
    return a.base == b.base && a.limit == b.limit && !((a.access.value ^ b.access.value) & ~kIgnored);
}

/// Whether ring 0 can load a data segment register from `d` and write nothing to the table, and the IRET to
/// ring 3 leaves it there (SDM Vol. 2A, IRET: a segment of an inner ring becomes null, but SYSEXIT leaves
/// any).
bool loads_quietly(Descriptor d) {
    const AccessRights a = d.access();
    return a.present() && a.is_code_or_data() && a.readable() && (a.type() & 1) &&
           (a.conforming() || a.dpl() == 3) && !a.long_mode();
}

/// What the descriptor gives that IRET loads CS or SS from.
bool is_as_loaded(World& world, View& view, SegReg which) {
    const Segment& s = world.cpu.seg[which];
    const Descriptor d = world.user_tables.find(world.cpu, view.memory, *view.user_tables, s.selector);
    return d.access().present() && (d.access().type() & 1) && same_segment(d.segment(s.selector), s);
}

/// The descriptor to load a data segment register from, 0 for a null selector. `stale`: it is not the one in
/// the guest's table now. False: no load gives the register what it holds.
bool find_hidden_part(World& world, View& view, SegReg which, u64& descriptor, bool& stale) {
    const Segment& s = world.cpu.seg[which];
    descriptor = 0;
    stale = false;
    // A null selector gives a register without a segment, and nothing else does.
    if (s.null() || null_selector(s.selector)) return s.null() && null_selector(s.selector);
    Descriptor d = world.user_tables.find(world.cpu, view.memory, *view.user_tables, s.selector);
    stale = !loads_quietly(d) || !same_segment(d.segment(s.selector), s);
    if (stale) d.raw = descriptor_of(s);
    descriptor = d.raw;
    const bool ours = (s.selector & 0xfffc) == BTVM_SEL_LAST_CS;
    return !ours && loads_quietly(d) && same_segment(d.segment(s.selector), s);
}

/// Finds what the data segment registers are loaded from, in context->hidden_part: nothing if all of it is in
/// the tables. What is not there must trap when user code loads it itself.
bool prepare_data_segments(World& world, View& view) {
    btvm_switch_context& context = *view.context;
    const CpuState& cpu = world.cpu;
    bool stale[4];
    bool any = false;
    for (unsigned i = 0; i < 4; i++) {
        const SegReg which = kDataSegments[i];
        if (!find_hidden_part(world, view, which, context.hidden_part[i], stale[i])) return false;
        any = any || stale[i];
    }
    for (unsigned i = 0; i < 4; i++) {
        if (!any) context.hidden_part[i] = 0;
        if (!stale[i]) continue;
        const u16 selector = cpu.seg[kDataSegments[i]].selector;
        // IRET needs the table's own descriptor there.
        if (!((selector ^ cpu.seg[Cs].selector) & 0xfffc) || !((selector ^ cpu.seg[Ss].selector) & 0xfffc))
            return false;
        world.user_tables.make_load_trap(*view.user_tables, selector);
    }
    return true;
}

void load_data_segment(View& view, SegReg which, u64 hidden) {
    btvm_switch_context& context = *view.context;
    const u16 selector = selector_of(context, which);
    if (!hidden) return load_selector(which, selector);
    btvm_u64& entry = UserTables::place(*view.user_tables, selector);
    const u64 kept = entry;
    entry = hidden;
    load_selector(which, selector);
    entry = kept;
}

/// The register that holds `selector` since user code loaded it.
void take_segment(World& world, View& view, SegReg which, u16 selector) {
    Segment& s = world.cpu.seg[which];
    if (s.selector == selector) return;
    if (null_selector(selector)) {
        constexpr u16 kPresent = 0x80;
        s.selector = selector;
        s.access.value &= static_cast<u16>(~kPresent);
    } else {
        s = Descriptor{UserTables::place(*view.user_tables, selector)}.segment(selector);
    }
}

void take_user_registers(World& world, View& view) {
    CpuState& cpu = world.cpu;
    btvm_switch_context& context = *view.context;
    const btvm_trap_frame& frame = context.frame;
    for (unsigned i = 0; i < 8; i++)
        if (i != Rsp) cpu.gpr[i] = frame.gpr[i] & 0xffffffff;
    cpu.gpr[Rsp] = frame.rsp & 0xffffffff;
    cpu.rip = frame.rip & 0xffffffff;
    cpu.rflags = (cpu.rflags & ~kUserFlags) | (frame.rflags & kUserFlags);
    take_segment(world, view, Cs, static_cast<u16>(frame.cs));
    take_segment(world, view, Ss, static_cast<u16>(frame.ss));
    for (unsigned i = 0; i < 4; i++) {
        take_segment(world, view, kDataSegments[i], selector_of(context, kDataSegments[i]));
        world.native.loaded[i] = cpu.seg[kDataSegments[i]];
    }
}

} // namespace

bool prepare_user(World& world, View& view) {
    const CpuState& cpu = world.cpu;
    world.user_tables.refresh(cpu, view.memory, *view.user_tables);
    // IRET faults at ring 0 if EIP is outside of the segment (SDM Vol. 2A, IRET).
    if (cpu.rip > cpu.seg[Cs].limit) return false;
    if (!is_as_loaded(world, view, Cs) || !is_as_loaded(world, view, Ss)) return false;
    return prepare_data_segments(world, view);
}

void enter_user(World& world, View& view) {
    const CpuState& cpu = world.cpu;
    Segment(&loaded)[4] = world.native.loaded;
    btvm_switch_context& context = *view.context;
    const bool other_tables = !context.user_tables;
    if (other_tables) {
        context.user_tables = 1;
        platform::load_idt_then_gdt(&context.user_idtr, &context.user_gdtr);
    }
    for (unsigned i = 0; i < 4; i++) {
        const Segment& s = cpu.seg[kDataSegments[i]];
        if (!other_tables && s == loaded[i] && selector_of(context, kDataSegments[i]) == s.selector) continue;
        loaded[i] = s;
        selector_of(context, kDataSegments[i]) = s.selector;
        load_data_segment(view, kDataSegments[i], context.hidden_part[i]);
    }
    store_control_registers(cpu, context);
    store_breakpoints(cpu, nullptr, context);
    btvm_trap_frame& frame = context.frame;
    for (unsigned i = 0; i < 16; i++)
        frame.gpr[i] = i < 8 ? cpu.gpr[i] : 0;
    frame.rip = cpu.rip;
    frame.rsp = cpu.gpr[Rsp];
    frame.rflags =
        (cpu.rflags & kUserFlags) | eflags::kFixed1 | eflags::kIf | enter_resume_flag(world, context);
    frame.cs = cpu.seg[Cs].selector;
    frame.ss = cpu.seg[Ss].selector;
    world.native.way = Way::Direct;
}

void leave_native(World& world, View& view) {
    if (from_user(world))
        take_user_registers(world, view);
    else
        load_registers(world.cpu, view.context->frame);
    leave_resume_flag(world, *view.context);
    take_late_breakpoints(world, *view.context);
}

} // namespace btvm::native

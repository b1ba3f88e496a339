#include "vmm/native/breakpoints.hh"

#include "vmm/base/platform.hh"
#include "vmm/native/native_state.hh"

namespace btvm::native {

namespace {

constexpr u64 enabling_bits(unsigned n) { return u64{3} << (2 * n); }
constexpr u64 condition_bits(unsigned n) { return u64{0xf} << (16 + 4 * n); }

void store_address(btvm_switch_context& context, unsigned n, u64 address) {
    if (context.dr[n] == address) return;
    context.dr[n] = address;
    platform::write_breakpoint(n, address);
}

void store_dr7(btvm_switch_context& context, u64 value) {
    if (context.dr7 == value) return;
    context.dr7 = value;
    platform::write_dr7(value);
}

/// Whether the frame of this vector shows EFLAGS.RF as it is. For faults the processor sets it in the image
/// (SDM Vol. 3B 17.3.1.1); an emulated one does not.
constexpr bool shows_resume_flag(u64 vector) {
    constexpr u64 kFirstInterrupt = 32;
    switch (static_cast<Vector>(vector)) {
    case Vector::Debug:
    case Vector::Nmi:
    case Vector::Breakpoint:
    case Vector::MachineCheck: return true;
    default: return vector >= kFirstInterrupt;
    }
}

} // namespace

void store_breakpoints(const Plan& plan, btvm_switch_context& context) {
    u64 control = dr7::kFixed; // every R/W and LEN field 0: execution breakpoints
    bool placed[kMaxBreakpoints]{};
    // What already stands somewhere stays there.
    for (unsigned reg = 0; plan.count && reg < kMaxBreakpoints; reg++)
        for (unsigned i = 0; i < plan.count; i++)
            if (!placed[i] && context.dr[reg] == plan.address[i]) {
                placed[i] = true;
                control |= u64{1} << (2 * reg);
                break;
            }
    for (unsigned i = 0; i < plan.count; i++) {
        if (placed[i]) continue;
        unsigned reg = 0;
        while (dr7::enabled(control, reg))
            reg++;
        store_address(context, reg, plan.address[i]);
        control |= u64{1} << (2 * reg);
    }
    store_dr7(context, control);
}

void store_guest_breakpoints(const CpuState& cpu, btvm_switch_context& context) {
    u64 control = dr7::kFixed;
    const u64 wanted = cpu.dr[7];
    for (unsigned n = 0; cpu.has_breakpoints() && n < dr7::kBreakpoints; n++) {
        const unsigned kind = dr7::kind_of(wanted, n);
        if (!dr7::enabled(wanted, n) || kind == dr7::kPort) continue;
        control |= wanted & enabling_bits(n);
        // The length of an instruction is not to be told: 0.
        if (kind != dr7::kExecute) control |= wanted & condition_bits(n);
        store_address(context, n, cpu.dr[n] & 0xffffffff);
    }
    store_dr7(context, control);
}

void remove_breakpoints(btvm_switch_context& context) { store_dr7(context, dr7::kFixed); }

u64 breakpoint_hits(const btvm_switch_context& context, u64 dr6) {
    u64 code = 0, data = 0;
    for (unsigned n = 0; n < dr7::kBreakpoints; n++) {
        const u64 bit = u64{1} << n;
        // A processor may set the bits of those that are not enabled too (SDM Vol. 3B 17.2.3).
        if (!(dr6 & bit) || !dr7::enabled(context.dr7, n)) continue;
        (dr7::kind_of(context.dr7, n) == dr7::kExecute ? code : data) |= bit;
    }
    return data || (dr6 & dr6::kSingleStep) ? data : code;
}

u64 enter_resume_flag(World& world, const btvm_switch_context& context, u64 extra_flags) {
    NativeState& native = world.native;
    const CpuState& cpu = world.cpu;
    native.resume_flag = cpu.rflags & eflags::kRf;
    native.resume_rip = cpu.rip;
    native.resume_flag_ours = extra_flags & eflags::kRf;
    native.resume_flag_native = native.resume_flag && cpu.has_breakpoints() && (context.dr7 & dr7::kEnables);
    return native.resume_flag_native ? eflags::kRf : 0;
}

void leave_resume_flag(World& world, const btvm_switch_context& context) {
    NativeState& native = world.native;
    const btvm_trap_frame& frame = context.frame;
    // Cleared when the first instruction is done. One that leads to itself, without a breakpoint, is taken
    // for not done.
    const bool still = native.resume_flag && frame.rip == native.resume_rip;
    bool set = still;
    if (shows_resume_flag(frame.vector) && !native.resume_flag_ours)
        // Within a repeated string instruction it is set whatever it was before.
        set = (frame.rflags & eflags::kRf) || (still && !native.resume_flag_native);
    world.cpu.rflags = (world.cpu.rflags & ~u64{eflags::kRf}) | (set ? eflags::kRf : 0);
    native.resume_flag = false;
}

void take_late_breakpoints(World& world, btvm_switch_context& context) {
    if (!context.late_dr6) return;
    constexpr u8 kShadowOfMovSs = 3; // CpuState::interrupt_shadow
    const u64 late = context.late_dr6;
    context.late_dr6 = 0;
    if (context.frame.vector == static_cast<u64>(Vector::Debug)) {
        context.trap_dr6 |= late;
        return;
    }
    const u64 hits = breakpoint_hits(context, late);
    if (!hits || !from_user(world)) return;
    world.cpu.debug_pending = static_cast<u8>(hits);
    world.cpu.interrupt_shadow = kShadowOfMovSs;
}

} // namespace btvm::native

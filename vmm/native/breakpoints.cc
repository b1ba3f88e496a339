#include "vmm/native/breakpoints.hh"

#include "vmm/base/platform.hh"
#include "vmm/native/native_state.hh"

namespace btvm::native {

namespace {

constexpr u64 enabling_bits(unsigned n) { return u64{3} << (2 * n); }
constexpr u64 local_bit(unsigned n) { return u64{1} << (2 * n); }
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

/// Returns what DR7 has to say of them.
u64 store_guest_breakpoints(const CpuState& cpu, btvm_switch_context& context) {
    u64 control = 0;
    const u32 guests = guest_breakpoints(cpu);
    for (unsigned n = 0; n < dr7::kBreakpoints; n++) {
        if (!(guests >> n & 1)) continue;
        control |= cpu.dr[7] & enabling_bits(n);
        // The length of an instruction is not to be told: 0.
        if (dr7::kind_of(cpu.dr[7], n) != dr7::kExecute) control |= cpu.dr[7] & condition_bits(n);
        store_address(context, n, cpu.dr[n] & 0xffffffff);
    }
    return control;
}

/// Puts the plan's into registers that `taken` does not enable. Returns what DR7 has to say of them.
u64 store_plan(const Plan& plan, u64 taken, btvm_switch_context& context) {
    u64 control = 0;
    bool placed[kMaxBreakpoints]{};
    // What already stands somewhere stays there.
    for (unsigned n = 0; n < dr7::kBreakpoints; n++)
        for (unsigned i = 0; i < plan.count && !dr7::enabled(taken, n); i++)
            if (!placed[i] && context.dr[n] == plan.address[i]) {
                placed[i] = true;
                control |= local_bit(n);
                break;
            }
    unsigned n = 0;
    for (unsigned i = 0; i < plan.count; i++) {
        if (placed[i]) continue;
        while (dr7::enabled(taken | control, n))
            n++;
        store_address(context, n, plan.address[i]);
        control |= local_bit(n);
    }
    return control;
}

} // namespace

void store_breakpoints(const CpuState& cpu, const Plan* plan, btvm_switch_context& context) {
    u64 control = dr7::kFixed;
    if (cpu.has_breakpoints()) control |= store_guest_breakpoints(cpu, context);
    // R/W and LEN are 0 for those of the plan: execution breakpoints.
    if (plan && plan->count) control |= store_plan(*plan, control, context);
    store_dr7(context, control);
}

void remove_breakpoints(btvm_switch_context& context) { store_dr7(context, dr7::kFixed); }

u64 breakpoint_hits(const CpuState& cpu, u64 dr6) {
    // A processor may set the bits of those that are not enabled too (SDM Vol. 3B 17.2.3), and a plan's are
    // not the guest's.
    const u64 hits = dr6 & guest_breakpoints(cpu);
    const u64 code = hits & dr7::enabled_of(cpu.dr[7], 1u << dr7::kExecute);
    const u64 data = hits & ~code;
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
    if (shows_resume_flag(frame.vector) && (!native.resume_flag_ours || native.resume_flag_native))
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
    const u64 hits = breakpoint_hits(world.cpu, late);
    if (!hits || !from_user(world)) return;
    world.cpu.debug_pending = static_cast<u8>(hits);
    world.cpu.interrupt_shadow = kShadowOfMovSs;
}

} // namespace btvm::native

// The tracer with the first breakpoint provider: guest kernel code runs under plans (vmm/plan) in the debug
// registers, beside breakpoints of the guest's own.
#include "vmm/hypervisor/tracer.hh"
#include "vmm/native/native_state.hh"
#include "vmm/plan/planner.hh"

namespace btvm {

namespace {

constexpr u64 linear_pc(const CpuState& cpu) { return (cpu.seg[Cs].base + cpu.rip) & 0xffffffff; }

} // namespace

const Plan* Tracer::find_plan() {
    const u64 pc = linear_pc(cpu_);
    PlannerOptions options;
    const u32 free = native::free_registers(cpu_);
    const u32 wanted = world_.config.breakpoints;
    options.breakpoints = static_cast<u8>(wanted < free ? wanted : free);
    if (world_.config.flags & BTVM_CONFIG_LOOKAHEAD) options.kind = PlannerKind::Lookahead;
    options.leave_one_out = world_.config.flags & BTVM_CONFIG_TEST_PLANNER_BUG;
    const CodeTranslation translation = this->translation();
    const PlanKey key{pc, cpu_.a20_mask_off, CodeSize::Bits32, options.breakpoints, options.kind};
    const bool cached = !(world_.config.flags & BTVM_CONFIG_PLAN_CACHE_OFF);
    if (cached) {
        if (const Plan* plan =
                world_.plans.lookup(key, world_.code, translation, world_.shadow.translation_epoch)) {
            world_.stats.plan_cache_hits++;
            return plan;
        }
    }
    CodeView code{world_.code, view_.memory, translation, CodeSize::Bits32};
    Plan& fresh = world_.native.fresh;
    make_plan(code, pc, options, fresh);
    world_.stats.plans_made++;
    if (world_.config.flags & BTVM_CONFIG_VERIFY) note_violation(check_plan(code, fresh), pc);
    world_.trace.add(BTVM_TRACE_PLAN, pc, fresh.count, fresh.address[0], fresh.address[1]);
    if (cached) world_.plans.insert(key, fresh, world_.shadow.translation_epoch);
    return &fresh;
}

/// Whether the next instruction meets a breakpoint of the guest's that only the interpreter shows for
/// certain: to pass one of a plan's there the processor would have to be told to pass all.
bool Tracer::meets_own_breakpoint() const {
    return cpu_.has_breakpoints() && !traces_by_copies() && !(cpu_.rflags & eflags::kRf) &&
           cpu_.breakpoints_at(static_cast<u32>(linear_pc(cpu_)));
}

/// Notes what stands where the running plan has stopped, if that must be emulated whatever the next plan
/// says.
void Tracer::note_stop() {
    const Plan& plan = running_plan();
    for (u32 i = 0; i < plan.count; i++) {
        if (plan.address[i] != cpu_.rip) continue;
        const InstructionClass cls = plan.cls[i];
        if (cls == InstructionClass::PointerBranch || cls == InstructionClass::Sensitive) stopped_at_ = cls;
        return;
    }
}

// A plan stays where it is while it runs: the cache replaces entries only when the next plan is made. Its
// place is kept as a distance, which is the same in both worlds.
const Plan& Tracer::running_plan() const {
    return *reinterpret_cast<const Plan*>(reinterpret_cast<const u8*>(&world_) + world_.native.plan_offset);
}

void Tracer::run_plan(const Plan& plan) {
    NativeState& native = world_.native;
    native.plan_offset =
        static_cast<u64>(reinterpret_cast<const u8*>(&plan) - reinterpret_cast<const u8*>(&world_));
    native.plan_valid = true;
    native.verify_stepped = false;
}

bool Tracer::verified() {
    NativeState& native = world_.native;
    const u64 pc = linear_pc(cpu_);
    const u64 previous = native.verify_stepped ? native.verify_from : kNoPreviousPc;
    const CodeTranslation translation = this->translation();
    const CodeView code{world_.code, view_.memory, translation, CodeSize::Bits32};
    const Violation violation = check_step(code, previous, pc, running_plan());
    native.verify_stepped = false;
    native.verify_from = pc;
    note_violation(violation, pc);
    return !world_.error.suberror;
}

Verdict Tracer::resume() {
    if (!prepare_native(ShadowSide::Kernel)) return leave(HostRequest::Fpu);
    const Plan& plan = running_plan();
    u64 flags = plan.needs_rf && plan.pc == linear_pc(cpu_) ? eflags::kRf : 0;
    if (world_.config.flags & BTVM_CONFIG_VERIFY) {
        if (!verified()) return leave(HostRequest::Error);
        flags |= eflags::kTf | eflags::kRf;
    }
    native::enter_kernel(world_, view_, &plan, flags);
    world_.request = HostRequest::None;
    return Verdict::Resume;
}

} // namespace btvm

#include "vmm/hypervisor/tracer.hh"

#include "vmm/base/platform.hh"
#include "vmm/decode/fpu_use.hh"
#include "vmm/mmu/guest_walk.hh"
#include "vmm/native/native_state.hh"

namespace btvm {

namespace {

// The monitor runs with the host's interrupts off: after this long it lets the host world run (DESIGN: no
// host interrupt waits more than about 100 us).
constexpr u64 kMonitorBudgetNs = 50'000;
constexpr u32 kStepsBetweenClockReads = 16;

constexpr u64 linear_pc(const CpuState& cpu) { return (cpu.seg[Cs].base + cpu.rip) & 0xffffffff; }

/// Whether an instruction that begins with this byte has to be decoded to tell: prefixes, 0Fh and the x87
/// escapes.
constexpr bool may_use_fpu(u8 first) {
    switch (first) {
    case 0x0f:
    case 0x26:
    case 0x2e:
    case 0x36:
    case 0x3e:
    case 0x62: // EVEX
    case 0x64:
    case 0x65:
    case 0x66:
    case 0x67:
    case 0x8f: // XOP
    case 0x9b:
    case 0xc4: // VEX
    case 0xc5:
    case 0xf0:
    case 0xf2:
    case 0xf3: return true;
    default: return (first & 0xf8) == 0xd8;
    }
}

} // namespace

Tracer::Tracer(World& world, View& view)
    : world_(world), view_(view), cpu_(world.cpu),
      ports_(world.pic, world.pit, world.port_request, world.port_counters),
      controllers_(world.controllers()),
      interpreter_(world.cpu, view.memory, ports_, world.interpreter_counters),
      began_tsc_(platform::read_tsc()) {
    interpreter_.cache = &world.instructions;
    interpreter_.translations = &world.translations;
    interpreter_.no_fpu = platform::kInGuestWorld;
    world.translations.follow(world.shadow.translation_epoch);
    ports_.pm_timer = &world.pm_timer;
    ports_.post_port = world.config.flags & BTVM_CONFIG_POST_PORT;
    if (controllers_.have_apics()) interpreter_.controllers = &controllers_;
    constexpr u32 kRepSliceWithInterruptsOff = 32;
    if (platform::kInGuestWorld) interpreter_.rep_slice = kRepSliceWithInterruptsOff;
    update_time();
}

void Tracer::update_time() {
    const u64 tsc = platform::read_tsc();
    const u64 now = world_.clock.at(tsc);
    interpreter_.tsc = tsc + cpu_.tsc_offset;
    ports_.now_ns = controllers_.now_ns = now;
    if (now >= world_.next_timer_ns) {
        const auto ticks = controllers_.owe(world_.owed_ticks, world_.pit.collect_ticks(now));
        world_.owed_ticks = ticks.owed;
        world_.stats.lost_timer_ticks += ticks.lost;
        world_.stats.lost_timer_ticks += controllers_.follow_time();
        world_.next_timer_ns = next_timer_ns();
    }
    give_owed_tick();
}

void Tracer::give_owed_tick() {
    if (!world_.owes_tick_now()) return;
    world_.owed_ticks--;
    controllers_.pulse_irq(0);
}

u64 Tracer::next_timer_ns() const {
    const u64 pit = world_.pit.next_irq_ns(ports_.now_ns);
    const u64 apic = controllers_.next_timer_ns();
    return pit < apic ? pit : apic;
}

/// After a timer may have been programmed, or its interrupt taken.
void Tracer::follow_timers() {
    controllers_.timer_moved = false;
    world_.stats.lost_timer_ticks += controllers_.follow_time();
    world_.next_timer_ns = next_timer_ns();
    // The one before may have been taken just now, and a guest that halts next would sleep over this one.
    if (controllers_.have_apics()) give_owed_tick();
}

/// Only the host world can have the host's timer end the stay here in time. Kernels that program the local
/// APIC's timer for each of their own timers depend on it; for the 8254, which is programmed once, the host's
/// next interrupt is soon enough.
bool Tracer::must_arm_timer() const {
    return platform::kInGuestWorld && controllers_.have_apics() && world_.next_timer_ns < world_.armed_ns;
}

Verdict Tracer::leave(HostRequest why) {
    world_.request = why;
    return Verdict::Leave;
}

/// After the interpreter wrote: decoded code that was hit is dropped, tables that were hit have changed.
void Tracer::note_written_pages() {
    GuestMemory& memory = view_.memory;
    if (!memory.watched_hits) return;
    memory.watched_hits = 0;
    if (memory.watched_writes <= GuestMemory::kWatchedWrites) {
        for (u32 i = 0; i < memory.watched_writes; i++)
            world_.shadow.table_written(memory, memory.watched_write[i].first >> kPageShift);
    } else {
        // Nobody knows where the writes were.
        world_.shadow.purge(view_.shadow, memory);
    }
    const u32 dropped = world_.code.drop_written(memory);
    if (!dropped) return;
    world_.stats.code_pages_dropped += dropped;
    world_.native.plan_valid = false;
    world_.trace.add(BTVM_TRACE_CODE_DROP, linear_pc(cpu_), dropped);
}

/// After the interpreter changed how linear addresses translate.
void Tracer::note_translation_changes() {
    if (interpreter_.translations_changed) {
        interpreter_.translations_changed = false;
        interpreter_.page_invalidated = false;
        world_.shadow.flush(view_.shadow, view_.memory, cpu_);
    } else if (interpreter_.page_invalidated) {
        interpreter_.page_invalidated = false;
        world_.shadow.flush_page(view_.shadow, view_.memory, cpu_,
                                 GuestLinear(interpreter_.invalidated_linear));
    }
}

void Tracer::protect_new_code() {
    CodeCache& code = world_.code;
    if (code.newly_watched_overflow()) {
        world_.shadow.purge(view_.shadow, view_.memory);
    } else {
        for (u32 i = 0; i < code.newly_watched_count(); i++)
            world_.shadow.write_protect(view_.shadow, view_.memory, code.newly_watched(i));
    }
    code.clear_newly_watched();
}

/// Whether the next instruction uses the x87, MMX or vector registers.
bool Tracer::next_uses_fpu() const {
    const u64 pc = linear_pc(cpu_);
    GuestWalk walk;
    const PageAccess fetch{.write = false, .user = cpu_.cpl() == 3, .fetch = true};
    // Where a fetch faults there is nothing to execute.
    if (!guest_walk(cpu_, view_.memory, GuestLinear(pc), fetch, WalkMark::No, walk)) return false;
    const u8* first = view_.memory.readable(walk.address, 1);
    if (first && !may_use_fpu(*first)) return false;
    Instruction instruction;
    const CodeSize size = cpu_.code32() ? CodeSize::Bits32 : CodeSize::Bits16;
    return world_.code.fetch(view_.memory, translation(), pc, size, instruction) != CodeStatus::Ok ||
           uses_fpu(instruction);
}

Tracer::Stepped Tracer::step() {
    u32 one;
    return stretch(1, one);
}

/// Up to `most` instructions, one after the other as long as nothing happens that has to be looked at.
Tracer::Stepped Tracer::stretch(u32 most, u32& steps) {
    const u64 pc = linear_pc(cpu_);
    const u64 exceptions_before = world_.interpreter_counters.exceptions;
    const u64 core_ports_before = world_.port_counters.in_core;
    world_.native.plan_valid = false;
    const StepStatus status = interpreter_.run(world_.trace.enabled ? 1 : most, steps); // the trace has each
    world_.trace.add(BTVM_TRACE_EMULATE, pc, static_cast<u32>(status), cpu_.rip, cpu_.gpr[Rax]);
    if (world_.interpreter_counters.exceptions != exceptions_before) note_delivery(~0u, 0);
    controllers_.follow_pic();
    // The access may have programmed a timer.
    if (world_.port_counters.in_core != core_ports_before || controllers_.timer_moved) follow_timers();
    note_written_pages();
    note_translation_changes();
    switch (status) {
    case StepStatus::Completed: return Stepped::On;
    case StepStatus::Io: world_.request = HostRequest::Io; return Stepped::Leave;
    case StepStatus::Halted: world_.request = HostRequest::Halt; return Stepped::Leave;
    case StepStatus::Shutdown: world_.request = HostRequest::Shutdown; return Stepped::Leave;
    case StepStatus::NeedsFpu: world_.request = HostRequest::Interpret; return Stepped::Leave;
    }
    return Stepped::Leave;
}

void Tracer::note_delivery(u32 vector, u32 error) {
    world_.trace.add(BTVM_TRACE_EVENT, linear_pc(cpu_), vector, error);
}

// While userland's answer to a port access waits, the instruction that asked comes first: an interrupt in
// between would make it ask, and the device act, a second time.
bool Tracer::between_instructions() const {
    return !cpu_.interrupt_shadow && world_.port_request.phase == PortRequest::Phase::Idle;
}

bool Tracer::takes_nmi() const { return cpu_.nmi_pending && !cpu_.nmi_blocked && between_instructions(); }

bool Tracer::takes_interrupt() const {
    return (cpu_.rflags & eflags::kIf) && between_instructions() && controllers_.pending();
}

Tracer::Stepped Tracer::take_events() {
    Event event;
    if (takes_nmi()) {
        cpu_.nmi_pending = 0;
        event.kind = Event::Kind::Nmi;
        event.vector = static_cast<u8>(Vector::Nmi);
    } else if (takes_interrupt()) {
        event.kind = Event::Kind::External;
        event.vector = controllers_.acknowledge();
        if (controllers_.timer_moved) follow_timers();
        world_.stats.interrupts_delivered++;
    } else {
        return Stepped::On;
    }
    world_.native.plan_valid = false;
    const StepStatus status = interpreter_.deliver(event);
    note_delivery(event.vector, 0);
    note_written_pages();
    note_translation_changes();
    if (status == StepStatus::Shutdown) {
        world_.request = HostRequest::Shutdown;
        return Stepped::Leave;
    }
    return Stepped::On;
}

Verdict Tracer::proceed() {
    bool repeating = false;
    for (u32 steps = 0;; steps++) {
        // A step that leaves the program counter where it is was a slice of a REP: as long as many others.
        if (repeating || (steps && steps % kStepsBetweenClockReads == 0)) {
            update_time();
            if (world_.clock.at(platform::read_tsc()) - world_.clock.at(began_tsc_) > kMonitorBudgetNs)
                return leave(HostRequest::Budget);
        }
        if (take_events() == Stepped::Leave) return Verdict::Leave;
        if (must_arm_timer()) return leave(HostRequest::Budget);
        if (cpu_.activity == Activity::Halted) return leave(HostRequest::Halt);
        if (cpu_.activity == Activity::Shutdown) return leave(HostRequest::Shutdown);
        const native::Way way = native::way(world_);
        if (way == native::Way::Interpret) return leave(HostRequest::ModeSwitch);
        if (way == native::Way::Direct) {
            // The instruction after STI or MOV SS must finish before an interrupt is taken: that is one step.
            if (!cpu_.interrupt_shadow && native::prepare_user(world_, view_)) return resume_user();
            world_.stats.interpreted_instructions++;
            if (step() == Stepped::Leave) return Verdict::Leave;
            continue;
        }
        review_guards();
        if (meets_own_breakpoint()) {
            stopped_at_ = InstructionClass::Plain;
            if (step() == Stepped::Leave) return Verdict::Leave;
            continue;
        }
        if (world_.native.plan_valid) return resume();

        if (stopped_at_ == InstructionClass::PointerBranch && resolve_branch())
            stopped_at_ = InstructionClass::Plain;
        InstructionClass what = stopped_at_;
        if (what == InstructionClass::Plain && !cpu_.interrupt_shadow && traces_by_copies()) {
            if (covered(what)) return resume_copies();
            if (what == InstructionClass::PointerBranch && resolve_branch()) continue;
        } else if (what == InstructionClass::Plain && !cpu_.interrupt_shadow) {
            const Plan* plan = find_plan();
            if (!plan->stop_at_pc) {
                run_plan(*plan);
                return resume();
            }
            what = plan->stop_class;
        }
        stopped_at_ = InstructionClass::Plain;
        count_emulated(what);
        const u64 pc = cpu_.rip;
        if (step() == Stepped::Leave) return Verdict::Leave;
        repeating = cpu_.rip == pc;
    }
}

/// The branch at cpu_.rip, whose target is in an operand. False: it would fault, or may meet a breakpoint of
/// the guest's, and nothing is done.
bool Tracer::resolve_branch() {
    if (cpu_.interrupt_shadow || cpu_.has_breakpoints() || !interpreter_.pointer_branch()) return false;
    count_emulated(InstructionClass::PointerBranch);
    note_written_pages();
    return true;
}

/// While FERR# is asserted only the interpreter runs x87 instructions: natively FNCLEX would end it unseen. A
/// guest that uses SSE has CR0.NE set and no use for FERR#.
bool Tracer::x87_is_interpreted() const { return world_.pic.fpu_error().ferr && !(cpu_.cr4 & cr4::kOsfxsr); }

/// What comes before native code of either side. False: the host world must change the FPU's state first.
bool Tracer::prepare_native(ShadowSide side) {
    if (world_.native.fpu_wanted && ((cpu_.cr0 & (cr0::kTs | cr0::kEm)) || x87_is_interpreted())) {
        // The guest has just asked for #NM, or every x87 instruction shall trap: the processor's own CR0 must
        // say so, and the world switch loads that.
        world_.native.fpu_wanted = false;
        if (platform::kInGuestWorld) return false;
    }
    if (traces_by_copies()) drop_lost_copies();
    protect_new_code();
    world_.shadow.settle(view_.shadow, view_.memory);
    world_.shadow.load(view_.shadow, view_.memory, cpu_, side);
    forget_stale_translations();
    return true;
}

void Tracer::forget_stale_translations() {
    StaleTranslations& stale = world_.shadow.stale;
    if (stale.all()) {
        world_.stats.world_tlb_flushes++;
        platform::invalidate_all();
    }
    for (u32 i = 0; i < stale.count(); i++)
        platform::invalidate_page(stale.page(i));
    world_.stats.world_tlb_pages += stale.count();
    stale.clear();
}

Verdict Tracer::resume_user() {
    if (!prepare_native(ShadowSide::User)) return leave(HostRequest::Fpu);
    native::enter_user(world_, view_);
    world_.native.plan_valid = false;
    world_.request = HostRequest::None;
    return Verdict::Resume;
}

void Tracer::count_emulated(InstructionClass what) {
    switch (what) {
    case InstructionClass::ConditionalBranch:
    case InstructionClass::UnconditionalBranch:
    case InstructionClass::PointerBranch: world_.stats.branches_resolved++; break;
    default: world_.stats.emulated_instructions++; break;
    }
}

void Tracer::note_violation(Violation violation, u64 pc) {
    if (violation == Violation::None) return;
    world_.stats.verify_violations++;
    world_.error = {
        .suberror = BTVM_ERROR_VERIFY, .vector = 0, .code = static_cast<u64>(violation), .rip = pc, .cr2 = 0};
}

void Tracer::interpret(u32 steps, u64 until_ns) {
    u32 until_clock = 0;
    bool first = true;
    while (steps) {
        if (!until_clock) {
            update_time();
            if (!first && ports_.now_ns >= until_ns) return;
            until_clock = kStepsBetweenClockReads;
            first = false;
        }
        if (take_events() == Stepped::Leave) return;
        if (cpu_.activity != Activity::Running) return;
        if (native::way(world_) != native::Way::Interpret && !(world_.config.flags & BTVM_CONFIG_INTERPRET))
            return;
        const SegmentSet guardable = to_guard();
        u32 done = 0;
        const Stepped stepped = stretch(steps < until_clock ? steps : until_clock, done);
        note_guardable(guardable, done);
        world_.stats.interpreted_instructions += done;
        if (stepped == Stepped::Leave) return;
        steps -= done;
        until_clock -= done;
    }
}

} // namespace btvm

#include "vmm/hypervisor/host_turn.hh"

#include "vmm/hypervisor/tracer.hh"
#include "vmm/native/native_state.hh"
#include "vmm/plan/check.hh"

namespace btvm {

namespace {

// How long the host interprets before it looks at signals and the scheduler: some 100 us, on an emulated
// machine milliseconds. Userland's deadline is kept more closely: its devices' transfers advance by it.
constexpr u32 kInterpretedSteps = 1024;

int exit_with(World& world, btvm_run& run, u32 reason) {
    run.exit_reason = reason;
    world.trace.add(BTVM_TRACE_EXIT, world.cpu.rip, reason);
    return BTVM_TURN_EXIT;
}

int exit_io(World& world, btvm_run& run) {
    const PortRequest& request = world.port_request;
    run.io.direction = request.write ? BTVM_EXIT_IO_OUT : BTVM_EXIT_IO_IN;
    run.io.size = request.size;
    run.io.port = request.port;
    run.io.count = request.count;
    run.io.data_offset = sizeof(btvm_run);
    static_assert(sizeof(btvm_run) + PortRequest::kMostBytes == kPageSize);
    __builtin_memcpy(reinterpret_cast<u8*>(&run) + sizeof(btvm_run), request.data, request.bytes());
    return exit_with(world, run, BTVM_EXIT_IO);
}

template <unsigned N>
void put_text(btvm_run& run, const char (&text)[N]) {
    static_assert(N <= sizeof run.internal.text);
    __builtin_memcpy(run.internal.text, text, N);
}

/// The line for a human.
void describe(const FatalError& error, btvm_run& run) {
    switch (error.suberror) {
    case BTVM_ERROR_MONITOR_FAULT: return put_text(run, "the monitor faulted: this is a bug of btvm");
    case BTVM_ERROR_VERIFY:
        if (static_cast<Violation>(error.code) == Violation::Sensitive)
            return put_text(run, "verify: a sensitive instruction was about to run untrapped (I1)");
        return put_text(run, "verify: control left the decoded code unseen (I2)");
    default: return put_text(run, "unknown");
    }
}

int exit_error(World& world, btvm_run& run) {
    const FatalError& error = world.error;
    run.internal.suberror = error.suberror;
    run.internal.vector = error.vector;
    run.internal.error_code = error.code;
    run.internal.rip = error.rip;
    run.internal.cr2 = error.cr2;
    const bool in_monitor = error.suberror == BTVM_ERROR_MONITOR_FAULT;
    const btvm_u64* gpr = in_monitor ? world.host.context->fault_frame.gpr : world.cpu.gpr;
    for (unsigned i = 0; i < kGprCount; i++)
        run.internal.gpr[i] = gpr[i];
    describe(error, run);
    return exit_with(world, run, BTVM_EXIT_INTERNAL_ERROR);
}

bool can_wake(const World& world) { return (world.cpu.rflags & eflags::kIf) || world.cpu.nmi_pending; }

int halt(World& world, btvm_run& run) {
    if (!can_wake(world)) return exit_with(world, run, BTVM_EXIT_HALTED);
    return BTVM_TURN_HALT;
}

void count_leaving(World& world, HostRequest why) {
    btvm_stats& stats = world.stats;
    switch (why) {
    case HostRequest::Io: stats.leave_userland_io++; break;
    case HostRequest::ModeSwitch: stats.leave_mode_switch++; break;
    case HostRequest::Budget: stats.leave_budget++; break;
    default: stats.leave_other++; break;
    }
}

/// A turn in which the tracer has the guest: prepares the way into the guest world.
int traced_turn(World& world, Tracer& tracer, btvm_core_turn& turn, btvm_run& run) {
    if (tracer.proceed() == Verdict::Resume) {
        turn.fpu = world.native.fpu_wanted;
        world.stats.world_switches++;
        world.trace.add(BTVM_TRACE_ENTER, world.cpu.rip);
        return BTVM_TURN_ENTER;
    }
    switch (world.request) {
    case HostRequest::Io: return exit_io(world, run);
    case HostRequest::Halt: world.stats.halts++; return halt(world, run);
    default: return BTVM_TURN_AGAIN;
    }
}

} // namespace

int host_turn(World& world, btvm_core_turn& turn, btvm_run& run) {
    world.clock = {turn.tsc, turn.guest_ns, turn.ns_per_tsc_32};
    turn.fpu = 0;
    Tracer tracer(world, world.host);
    const auto finish = [&](int result) {
        turn.next_event_ns = world.armed_ns = world.next_timer_ns;
        return result;
    };
    if (world.error.suberror) return finish(exit_error(world, run));
    if (world.cpu.activity == Activity::Shutdown) return finish(exit_with(world, run, BTVM_EXIT_SHUTDOWN));
    if (world.port_request.phase == PortRequest::Phase::Asked) return finish(exit_io(world, run));

    const HostRequest pending = world.request;
    world.request = HostRequest::None;
    if (pending == HostRequest::Interpret) tracer.interpret_one();

    const bool tracer_has_it = !(world.config.flags & BTVM_CONFIG_INTERPRET) &&
                               world.cpu.activity == Activity::Running &&
                               native::way(world) != native::Way::Interpret;
    if (tracer_has_it) return finish(traced_turn(world, tracer, turn, run));

    world.native.fpu_wanted = false;
    tracer.interpret(kInterpretedSteps, run.deadline_ns);
    switch (world.request) {
    case HostRequest::Io: return finish(exit_io(world, run));
    case HostRequest::Halt: world.stats.halts++; break;
    default: break;
    }
    if (world.cpu.activity == Activity::Halted) return finish(halt(world, run));
    return finish(BTVM_TURN_AGAIN);
}

void after_guest_world(World& world) {
    btvm_switch_context& context = *world.host.context;
    const btvm_trap_frame& frame = context.frame;
    constexpr u64 kNmi = static_cast<u64>(Vector::Nmi);
    constexpr u64 kMachineCheck = static_cast<u64>(Vector::MachineCheck);
    constexpr u64 kFirstInterrupt = 32;
    world.trace.add(BTVM_TRACE_LEAVE, frame.rip, static_cast<u32>(context.leave_reason), frame.vector);

    switch (context.leave_reason) {
    case BTVM_LEAVE_MONITOR: count_leaving(world, world.request); return;
    case BTVM_LEAVE_NMI_PENDING:
        native::leave_native(world, world.host);
        world.stats.trap_nmi++;
        return;
    case BTVM_LEAVE_MONITOR_FAULT: {
        const btvm_trap_frame& fault = context.fault_frame;
        world.error = {.suberror = BTVM_ERROR_MONITOR_FAULT,
                       .vector = static_cast<u32>(fault.vector),
                       .code = fault.error,
                       .rip = fault.rip,
                       .cr2 = context.fault_cr2};
        return;
    }
    default: break;
    }

    if (frame.vector >= kFirstInterrupt || frame.vector == kNmi || frame.vector == kMachineCheck) {
        native::leave_native(world, world.host);
        if (frame.vector >= kFirstInterrupt) {
            world.stats.trap_host_interrupt++;
            world.stats.leave_host_interrupt++;
        } else {
            world.stats.trap_nmi++;
        }
        return;
    }
    // monitor=off: the same handlers, in this world.
    world.stats.handled_in_host++;
    Tracer tracer(world, world.host);
    if (tracer.trap() == Verdict::Leave) return;
    // The next turn goes on from the processor state: the plan stands, nothing is lost.
}

} // namespace btvm

// What traps out of natively running guest code mean, and how each is answered.
#include "vmm/base/platform.hh"
#include "vmm/hypervisor/tracer.hh"
#include "vmm/mmu/guest_walk.hh"
#include "vmm/native/native_state.hh"

namespace btvm {

namespace {

constexpr u64 kDr6Breakpoints = 0xf;
constexpr u64 kDr6SingleStep = 1u << 14;

constexpr bool is(u64 vector, Vector v) { return vector == static_cast<u64>(v); }

} // namespace

Verdict Tracer::trap() {
    const btvm_trap_frame& frame = view_.context->frame;
    native::load_registers(cpu_, frame);
    const u64 pc = cpu_.rip;
    const bool debug = is(frame.vector, Vector::Debug);
    const bool page_fault = is(frame.vector, Vector::PageFault);
    world_.trace.add(BTVM_TRACE_TRAP, pc, static_cast<u32>(frame.vector), frame.error,
                     debug        ? view_.context->trap_dr6
                     : page_fault ? view_.context->trap_cr2
                                  : 0);
    if (debug) return on_debug();
    if (page_fault) return on_page_fault();
    if (is(frame.vector, Vector::GeneralProtection)) {
        world_.stats.trap_privileged++;
        return emulate_and_proceed();
    }
    world_.stats.trap_exception++;
    // The guest world starts without the guest's FPU registers: the first use of them brings them in.
    if (is(frame.vector, Vector::DeviceNotAvailable) && !(cpu_.cr0 & (cr0::kTs | cr0::kEm))) {
        world_.native.fpu_wanted = true;
        return leave(HostRequest::Fpu);
    }
    if (is(frame.vector, Vector::X87Error) || is(frame.vector, Vector::SimdError)) {
        // Computed by the guest's own FPU state: nothing to find out by executing it again.
        Event event;
        event.vector = static_cast<u8>(frame.vector);
        world_.native.plan_valid = false;
        if (interpreter_.deliver(event) == StepStatus::Shutdown) return leave(HostRequest::Shutdown);
        return proceed();
    }
    return emulate_and_proceed();
}

Verdict Tracer::emulate_and_proceed() {
    // Whatever refused to run at ring 3 is executed once by the interpreter as ring 0 would: it completes, or
    // raises the guest's own exception with the guest's own error code.
    world_.stats.emulated_instructions++;
    if (step() == Stepped::Leave) return Verdict::Leave;
    return proceed();
}

Verdict Tracer::on_debug() {
    const u64 dr6 = view_.context->trap_dr6;
    if ((dr6 & kDr6SingleStep) && (world_.config.flags & BTVM_CONFIG_VERIFY)) return on_single_step();
    if (dr6 & kDr6Breakpoints) world_.stats.trap_breakpoint++;
    world_.native.plan_valid = false;
    return proceed();
}

Verdict Tracer::on_single_step() {
    world_.stats.trap_single_step++;
    world_.stats.verify_steps++;
    world_.stats.traced_instructions++;
    world_.native.verify_stepped = true;
    // Stepping comes before breakpoints at the same place: at the end of a plan it stands in for them.
    if (running_plan().has(cpu_.rip)) {
        world_.native.plan_valid = false;
        return proceed();
    }
    if (takes_nmi() || takes_interrupt()) return proceed();
    // On with the next step: the frame and the debug registers are as this one left them, TF included.
    return verified() ? Verdict::Resume : leave(HostRequest::Error);
}

/// A fault of the shadow page tables is hidden or true (paper section 3.4.2): the guest's own tables tell.
Verdict Tracer::on_page_fault() {
    world_.stats.trap_page_fault++;
    const btvm_switch_context& context = *view_.context;
    GuestMemory& memory = view_.memory;
    const GuestLinear at{context.trap_cr2 & 0xffffffff};
    const bool write = context.frame.error & pf_error::kWrite;
    const ShadowSide side = ShadowSide::Kernel;
    const PageAccess access{.write = write,
                            .user = side == ShadowSide::User,
                            .fetch = (context.frame.error & pf_error::kFetch) != 0};
    GuestWalk walk;
    if (!guest_walk(cpu_, memory, at, access, WalkMark::Yes, walk)) {
        world_.stats.true_page_faults++;
        deliver_page_fault(static_cast<u32>(at.value), walk.error);
        return cpu_.activity == Activity::Shutdown ? leave(HostRequest::Shutdown) : proceed();
    }
    const MemorySlot* slot = memory.find(walk.address);
    // No memory there, or a write that must not simply land: the interpreter does what the bus would.
    if (!slot || !slot->host_frames || (write && slot->read_only)) return emulate_and_proceed();
    const u64 frame = walk.address.frame();
    u8& state = slot->state[frame - (slot->first >> kPageShift)];
    if (write) {
        if (state & page_state::kCode) return emulate_and_proceed();
        // From here until the guest flushes its TLB its writes to this table need no trap.
        world_.shadow.table_written(memory, frame);
        state |= page_state::kDirty;
    }
    const u64 epoch = world_.shadow.translation_epoch;
    world_.shadow.map(view_.shadow, memory, cpu_, side, at, walk);
    if (world_.shadow.translation_epoch != epoch) world_.native.plan_valid = false;
    world_.stats.hidden_page_faults++;
    return proceed();
}

void Tracer::deliver_page_fault(u32 linear, u32 error) {
    cpu_.cr2 = linear;
    Event event;
    event.vector = static_cast<u8>(Vector::PageFault);
    event.has_error = true;
    event.error = error;
    world_.native.plan_valid = false;
    (void)interpreter_.deliver(event);
    note_delivery(event.vector, error);
    note_written_pages();
    note_translation_changes();
}

} // namespace btvm

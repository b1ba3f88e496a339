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

Verdict Tracer::on_page_fault() {
    world_.stats.trap_page_fault++;
    const btvm_switch_context& context = *view_.context;
    const bool write = context.frame.error & pf_error::kWrite;
    const GuestLinear at{context.trap_cr2 & 0xffffffff};
    const GuestPhysical physical = bus_address(cpu_, at.value);
    const MemorySlot* slot = view_.memory.find(physical);
    // No memory there, or a write that must not simply land: the interpreter does what the bus would.
    if (!slot || !slot->host_frames || (write && slot->read_only)) return emulate_and_proceed();
    const u64 page = (physical.value - slot->first) >> kPageShift;
    const bool watched = slot->state[page] & (page_state::kCode | page_state::kTable);
    if (write && watched) return emulate_and_proceed();

    if (write) slot->state[page] |= page_state::kDirty;
    // What is dirty already need not fault again to be found dirty.
    const bool writable = !slot->read_only && !watched && (slot->state[page] & page_state::kDirty);
    world_.shadow.map(view_.shadow, at.page(), slot->host_frames[page], writable);
    world_.stats.hidden_page_faults++;
    world_.stats.shadow_pages = world_.shadow.pages_in_use();
    return proceed();
}

} // namespace btvm

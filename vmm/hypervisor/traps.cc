// What traps out of natively running guest code mean, and how each is answered.
#include "vmm/base/platform.hh"
#include "vmm/hypervisor/tracer.hh"
#include "vmm/mmu/guest_walk.hh"
#include "vmm/native/breakpoints.hh"
#include "vmm/native/native_state.hh"

namespace btvm {

namespace {

constexpr bool is(u64 vector, Vector v) { return vector == static_cast<u64>(v); }

} // namespace

Verdict Tracer::trap() {
    const btvm_trap_frame& frame = view_.context->frame;
    native::leave_native(world_, view_);
    const u64 pc = cpu_.rip;
    const bool debug = is(frame.vector, Vector::Debug);
    const bool page_fault = is(frame.vector, Vector::PageFault);
    world_.trace.add(BTVM_TRACE_TRAP, pc, static_cast<u32>(frame.vector), frame.error,
                     debug        ? view_.context->trap_dr6
                     : page_fault ? view_.context->trap_cr2
                                  : 0);
    if (debug) return on_debug();
    if (page_fault) return on_page_fault();
    if (is(frame.vector, Vector::Breakpoint) && traces_by_copies() && !native::from_user(world_))
        return on_int3();
    const auto vector = static_cast<Vector>(frame.vector);
    if (faults_for_itself(vector)) {
        world_.stats.trap_exception++;
        Event event;
        event.vector = static_cast<u8>(vector);
        event.has_error = true;
        event.error = static_cast<u32>(frame.error);
        return deliver_and_proceed(event);
    }
    if (vector == Vector::GeneralProtection) {
        world_.stats.trap_privileged++;
        return emulate_and_proceed();
    }
    world_.stats.trap_exception++;
    // The guest world starts without the guest's FPU registers: the first use of them brings them in.
    if (is(frame.vector, Vector::DeviceNotAvailable) && !(cpu_.cr0 & (cr0::kTs | cr0::kEm))) {
        if (x87_is_interpreted()) return emulate_and_proceed();
        world_.native.fpu_wanted = true;
        return leave(HostRequest::Fpu);
    }
    // With CR0.NE clear it is FERR# and an interrupt instead, which the interpreter knows.
    const bool external = is(frame.vector, Vector::X87Error) && !(cpu_.cr0 & cr0::kNe);
    if (!external && (is(frame.vector, Vector::X87Error) || is(frame.vector, Vector::SimdError))) {
        // Computed by the guest's own FPU state: nothing to find out by executing it again.
        Event event;
        event.vector = static_cast<u8>(frame.vector);
        return deliver_and_proceed(event);
    }
    return emulate_and_proceed();
}

/// What the processor says of user code's vector instructions is true, since it runs them at the guest's own
/// privilege level; and some the interpreter does not have (SSE3 and later). Other instructions may have met
/// one of our limits.
bool Tracer::faults_for_itself(Vector vector) const {
    return native::from_user(world_) &&
           (vector == Vector::GeneralProtection || vector == Vector::StackFault ||
            vector == Vector::AlignmentCheck) &&
           next_uses_fpu();
}

/// Delivers what native execution raised, at the present instruction.
Verdict Tracer::deliver_and_proceed(const Event& event) {
    world_.native.plan_valid = false;
    const StepStatus status = interpreter_.deliver(event);
    note_delivery(event.vector, event.error);
    note_written_pages();
    note_translation_changes();
    return status == StepStatus::Shutdown ? leave(HostRequest::Shutdown) : proceed();
}

Verdict Tracer::emulate_and_proceed() {
    // Whatever refused to run at ring 3 is executed once by the interpreter as ring 0 would: it completes, or
    // raises the guest's own exception with the guest's own error code.
    world_.stats.emulated_instructions++;
    if (step() == Stepped::Leave) return Verdict::Leave;
    return proceed();
}

/// A debug exception that is the guest's own; `dr6` says of what, with nothing in it of INT1.
Verdict Tracer::on_guest_debug(u64 dr6) {
    Event event;
    event.vector = static_cast<u8>(Vector::Debug);
    native::remove_breakpoints(*view_.context);
    // What the guest does not clear stays (SDM Vol. 3B 17.2.3).
    cpu_.dr[6] |= dr6;
    if (!dr6) event.kind = Event::Kind::Icebp;
    world_.stats.trap_exception++;
    return deliver_and_proceed(event);
}

Verdict Tracer::on_debug() {
    const u64 dr6 = view_.context->trap_dr6;
    const u64 step = dr6 & dr6::kSingleStep;
    const bool user = native::from_user(world_);
    const u64 hits = native::breakpoint_hits(cpu_, dr6);
    // A host that looks for bus locks is told of one in user code by a #DB that says nothing else (SDM Vol.
    // 3B 17.3.1.6). Elsewhere the bit, active low, is always set, and no other #DB says nothing but INT1's.
    if (user && !(step | hits) && !(dr6 & dr6::kNoBusLock)) {
        world_.stats.trap_exception++;
        return proceed();
    }
    if (user) return on_guest_debug(step | hits);
    const bool verifies = step && (world_.config.flags & BTVM_CONFIG_VERIFY);
    if (hits) {
        world_.stats.trap_single_step += verifies;
        return on_guest_debug(hits);
    }
    if (verifies) return on_single_step();
    if (dr6 & dr6::kBreakpoints) world_.stats.trap_breakpoint++;
    if (world_.native.plan_valid) note_stop();
    world_.native.plan_valid = false;
    return proceed();
}

Verdict Tracer::on_single_step() {
    world_.stats.trap_single_step++;
    world_.stats.verify_steps++;
    world_.stats.traced_instructions++;
    if (traces_by_copies()) return proceed();
    world_.native.verify_stepped = true;
    // Stepping comes before breakpoints at the same place: at the end of a plan it stands in for them.
    if (running_plan().has(cpu_.rip)) {
        world_.native.plan_valid = false;
        return proceed();
    }
    if (takes_nmi() || takes_interrupt() || native::way(world_) != native::Way::Trace) return proceed();
    // On with the next step: the frame and the debug registers are as this one left them, TF included.
    return verified() ? Verdict::Resume : leave(HostRequest::Error);
}

/// A fault of the shadow page tables is hidden or true (paper section 3.4.2): the guest's own tables tell.
Verdict Tracer::on_page_fault() {
    world_.stats.trap_page_fault++;
    const btvm_switch_context& context = *view_.context;
    // Beyond 4 GiB lie the tables of user code, read-only: the processor tried to set a descriptor's accessed
    // bit, which belongs into the guest's own table. Below, emulated processors make a supervisor's accesses
    // for the far returns of user code, and meet SMAP.
    const bool implicit = !(context.frame.error & pf_error::kUser);
    if (context.trap_cr2 >> 32) return emulate_and_proceed();
    if (implicit) {
        // Or a KVM below the host's Linux says so that it fetches a page: the host world must know at once.
        world_.stats.emulated_instructions++;
        return step() == Stepped::Leave ? Verdict::Leave : leave(HostRequest::Budget);
    }
    GuestMemory& memory = view_.memory;
    const GuestLinear at{context.trap_cr2 & 0xffffffff};
    const bool write = context.frame.error & pf_error::kWrite;
    const ShadowSide side = native::from_user(world_) ? ShadowSide::User : ShadowSide::Kernel;
    const PageAccess access{.write = write,
                            .user = side == ShadowSide::User,
                            .fetch = (context.frame.error & pf_error::kFetch) != 0};
    if (traces_by_copies()) {
        if (side == ShadowSide::User && (context.frame.error & pf_error::kProtectionKey)) {
            // WRPKRU is anyone's: user code has locked itself out, as no guest of ours can (CPUID has no
            // PKU).
            platform::write_pkru(BTVM_PKRU);
            return proceed();
        }
        if (side == ShadowSide::Kernel && access.fetch) return proceed();
        if (side == ShadowSide::Kernel && meets_copy(at)) {
            world_.stats.copy_data_accesses++;
            return emulate_and_proceed();
        }
    }
    // Emulated processors read before they write even where one instruction does both, so its rights, error
    // code and accessed bit are for the interpreter to find.
    if (world_.lax_segments && !write && !access.fetch && !next_uses_fpu()) return read_and_proceed(at, side);
    GuestWalk walk;
    if (!guest_walk(cpu_, memory, at, access, WalkMark::Yes, walk)) {
        world_.stats.true_page_faults++;
        cpu_.cr2 = at.value;
        Event event;
        event.vector = static_cast<u8>(Vector::PageFault);
        event.has_error = true;
        event.error = walk.error;
        return deliver_and_proceed(event);
    }
    const MemorySlot* slot = memory.find(walk.address);
    // No memory there, or a write that must not simply land: the interpreter does what the bus would.
    if (!slot || !slot->host_frames || (write && slot->read_only)) return emulate_and_proceed();
    const u64 frame = walk.address.frame();
    u8& state = slot->state[frame - (slot->first >> kPageShift)];
    if (write) {
        if (state & page_state::kCode) {
            if (side == ShadowSide::Kernel) return emulate_and_proceed();
            // User code may store by instructions that the interpreter does not have (SSE3 and later); and a
            // page that it writes holds no code of the kernel any more.
            world_.stats.code_pages_dropped += world_.code.drop(memory, frame);
        }
        // From here until the guest flushes its TLB its writes to this table need no trap.
        world_.shadow.table_written(memory, frame);
        state |= page_state::kDirty;
    }
    const u64 epoch = world_.shadow.translation_epoch;
    world_.shadow.map(view_.shadow, memory, cpu_, side, at, walk, copy_bits(side, at, walk));
    if (world_.shadow.translation_epoch != epoch) world_.native.plan_valid = false;
    world_.stats.hidden_page_faults++;
    return proceed();
}

/// Interprets the instruction that met a page missing at `at`, and maps the page if it was read.
Verdict Tracer::read_and_proceed(GuestLinear at, ShadowSide side) {
    GuestMemory& memory = view_.memory;
    const PageAccess access{.write = false, .user = side == ShadowSide::User, .fetch = false};
    GuestWalk walk;
    if (!guest_walk(cpu_, memory, at, access, WalkMark::No, walk)) world_.stats.true_page_faults++;
    world_.stats.emulated_instructions++;
    if (step() == Stepped::Leave) return Verdict::Leave;
    const bool same_side = (cpu_.cpl() == 3) == access.user;
    if (!same_side || !guest_walk(cpu_, memory, at, access, WalkMark::No, walk) || !walk.accessed())
        return proceed();
    const MemorySlot* slot = memory.find(walk.address);
    if (slot && slot->host_frames) {
        world_.shadow.load(view_.shadow, memory, cpu_, side);
        world_.shadow.map(view_.shadow, memory, cpu_, side, at, walk, copy_bits(side, at, walk));
        world_.stats.hidden_page_faults++;
    }
    return proceed();
}

} // namespace btvm

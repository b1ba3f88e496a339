// Delivering interrupts and exceptions: through the real-mode vector table or the IDT, stack switches
// included (SDM Vol. 3A chapter 6, Vol. 2A INT n), and what happens when that faults in turn.
#include "vmm/interpret/execution.hh"

namespace btvm {

namespace {

enum GateType : u8 {
    kTaskGate = 5,
    kInterruptGate16 = 6,
    kTrapGate16 = 7,
    kInterruptGate32 = 14,
    kTrapGate32 = 15,
};

/// Exceptions of SDM Vol. 3A table 6-5. Interrupts are benign whatever their vector.
enum class Severity : u8 { Benign, Contributory, PageFault, DoubleFault };

Severity severity(const Event& e) {
    if (e.kind != Event::Kind::Exception) return Severity::Benign;
    switch (Vector{e.vector}) {
    case Vector::DivideError:
    case Vector::InvalidTss:
    case Vector::SegmentNotPresent:
    case Vector::StackFault:
    case Vector::GeneralProtection: return Severity::Contributory;
    case Vector::PageFault: return Severity::PageFault;
    case Vector::DoubleFault: return Severity::DoubleFault;
    default: return Severity::Benign;
    }
}

bool makes_double_fault(const Event& first, const Event& second) {
    const Severity a = severity(first), b = severity(second);
    return (a == Severity::Contributory && b == Severity::Contributory) ||
           (a == Severity::PageFault && (b == Severity::Contributory || b == Severity::PageFault));
}

} // namespace

/// Raises `event` at the current RIP, whatever becomes of it.
StepStatus Execution::raise(Event event) {
    // The chain ends at a double fault that cannot be delivered. Benign exceptions can chain only by a guest
    // whose exception frames raise exceptions themselves (#AC on its own stack): such a guest is lost as
    // well.
    constexpr unsigned kMaxChain = 8;
    eventful_ = true;
    for (unsigned i = 0; i < kMaxChain; i++) {
        if (event.kind == Event::Kind::Exception) counters_.exceptions++;
        if (enter_handler(event, static_cast<u32>(cpu_.rip))) {
            cpu_.rip = next_ip_;
            cpu_.interrupt_shadow = 0;
            cpu_.debug_pending = 0;
            cpu_.activity = Activity::Running;
            return StepStatus::Completed;
        }
        const Severity s = severity(fault_);
        if (severity(event) == Severity::DoubleFault && s != Severity::Benign) break;
        if (makes_double_fault(event, fault_))
            fault_ = {Event::Kind::Exception, static_cast<u8>(Vector::DoubleFault), true, 0};
        event = fault_;
    }
    cpu_.activity = Activity::Shutdown;
    return StepStatus::Shutdown;
}

StepStatus Execution::deliver(const Event& event) {
    if (cpu_.activity == Activity::Shutdown) return StepStatus::Shutdown;
    cpu_.activity = Activity::Running;
    cpu_.interrupt_shadow = 0;
    if (event.kind == Event::Kind::Nmi) cpu_.nmi_blocked = 1;
    return raise(event);
}

/// Enters the handler of `event` with `return_ip` in the frame; the new place is in next_ip_. False: nothing
/// changed, and fault_ is what the attempt raised.
bool Execution::enter_handler(const Event& event, u32 return_ip) {
    const bool debug = event.vector == static_cast<u8>(Vector::Debug) && event.kind == Event::Kind::Exception;
    if (!(cpu_.protected_mode() ? enter_protected(event, return_ip) : enter_real(event, return_ip)))
        return false;
    // So that the handler itself can use the debug registers (SDM Vol. 3B 17.2.4).
    if (debug) cpu_.dr[7] &= ~dr7::kGeneralDetect;
    return true;
}

bool Execution::enter_real(const Event& event, u32 return_ip) {
    const u32 at = event.vector * 4u;
    if (at + 3 > cpu_.idtr.limit) return general_protection(event.vector * 8u + 2);
    u32 entry = 0;
    if (!read_system(static_cast<u32>(cpu_.idtr.base) + at, 4, &entry)) return false;
    PushBatchOf<3> batch(*this, cpu_.seg[Ss], stack_pointer(), 0, 0);
    if (!batch.push(static_cast<u32>(cpu_.rflags), 2) || !batch.push(cpu_.seg[Cs].selector, 2) ||
        !batch.push(return_ip, 2))
        return false;
    if ((entry & 0xffff) > cpu_.seg[Cs].limit) return general_protection();
    batch.commit();
    set_stack_pointer(batch.sp());
    cpu_.rflags &= ~(eflags::kIf | eflags::kTf | eflags::kAc | eflags::kRf);
    cpu_.seg[Cs] = real_segment(Cs, static_cast<u16>(entry >> 16));
    next_ip_ = entry & 0xffff;
    return true;
}

bool Execution::enter_protected(const Event& event, u32 return_ip) {
    const bool software = event.kind == Event::Kind::Software || event.kind == Event::Kind::SoftwareException;
    const u32 ext = software ? 0 : 1;
    const u32 at = event.vector * 8u;
    const u32 idt_error = at + 2; // bit 1: the index is of the IDT
    if (at + 7 > cpu_.idtr.limit) return general_protection(idt_error | ext);
    Descriptor gate;
    if (!read_system(static_cast<u32>(cpu_.idtr.base) + at, 8, &gate.raw)) return false;
    const AccessRights a = gate.access();
    const u8 type = a.type();
    if (a.is_code_or_data() || (type != kTaskGate && (type & 6) != 6))
        return general_protection(idt_error | ext);
    if (software && a.dpl() < cpu_.cpl()) return general_protection(idt_error | ext);
    if (!a.present()) return fault(Vector::SegmentNotPresent, idt_error | ext);
    if (type != kTaskGate) return enter_gate(event, return_ip, gate, ext);

    const u16 selector = static_cast<u16>(gate.raw >> 16);
    const u32 error = (selector & 0xfffcu) | ext;
    Descriptor d;
    u32 linear;
    if (selector & 4) return general_protection(error);
    if (!read_descriptor(selector, d, linear, Vector::GeneralProtection, error)) return false;
    if (d.access().is_code_or_data() || (d.access().type() & 7) != 1) return general_protection(error);
    if (!d.access().present()) return fault(Vector::SegmentNotPresent, error);
    return switch_task(selector, d, linear, TaskReason::Event, return_ip, ext, &event);
}

/// The EFLAGS image of the frame. RF is set for faults, so that returning to the instruction does not hit its
/// breakpoint again (SDM Vol. 3B 17.3.1.1).
u32 Execution::pushed_flags(const Event& event) const {
    const bool is_fault =
        event.kind == Event::Kind::Exception && event.vector != static_cast<u8>(Vector::Debug);
    return static_cast<u32>(cpu_.rflags | (is_fault ? eflags::kRf : 0));
}

/// The stack for an inner level, from the current TSS.
bool Execution::inner_stack(unsigned cpl, u32 ext, Segment& ss, u32& sp) {
    const bool big = cpu_.tr.access.type() & 8;
    const u32 at = big ? cpl * 8 + 4 : cpl * 4 + 2;
    const u32 bytes = big ? 6 : 4;
    if (at + bytes - 1 > cpu_.tr.limit) return fault(Vector::InvalidTss, (cpu_.tr.selector & 0xfffcu) | ext);
    u8 raw[6]{};
    if (!read_system(static_cast<u32>(cpu_.tr.base) + at, bytes, raw)) return false;
    u16 selector;
    sp = 0;
    __builtin_memcpy(&sp, raw, big ? 4 : 2);
    __builtin_memcpy(&selector, raw + (big ? 4 : 2), 2);
    return prepare_stack_segment(selector, cpl, Vector::InvalidTss, ext, ss);
}

/// Through an interrupt or trap gate.
bool Execution::enter_gate(const Event& event, u32 return_ip, const Descriptor& gate, u32 ext) {
    const u16 selector = static_cast<u16>(gate.raw >> 16);
    const u32 error = (selector & 0xfffcu) | ext;
    const bool big = gate.access().type() & 8;
    const u32 size = big ? 4 : 2;
    const u32 offset =
        static_cast<u32>(gate.raw & 0xffff) | (big ? static_cast<u32>(gate.raw >> 32 & 0xffff0000) : 0);
    const unsigned cpl = cpu_.cpl();
    const bool v86 = cpu_.v86();

    Descriptor code;
    u32 at;
    if (!(selector & 0xfffc)) return general_protection(ext);
    if (!read_descriptor(selector, code, at, Vector::GeneralProtection, error)) return false;
    const AccessRights a = code.access();
    if (!a.is_code() || a.dpl() > cpl) return general_protection(error);
    if (!a.present()) return fault(Vector::SegmentNotPresent, error);
    const bool inner = !a.conforming() && a.dpl() < cpl;
    // From v86 a handler runs at level 0 or not at all.
    if (v86 && (!inner || a.dpl() != 0)) return general_protection(error);

    const unsigned new_cpl = inner ? a.dpl() : cpl;
    Segment ss = cpu_.seg[Ss];
    u32 sp = stack_pointer();
    if (inner && !inner_stack(new_cpl, ext, ss, sp)) return false;
    PushBatchOf<10> batch(*this, ss, sp, new_cpl, inner ? (ss.selector & 0xfffcu) | ext : ext);
    if (v86) {
        constexpr SegReg kOrder[] = {Gs, Fs, Ds, Es};
        // The frame is written with protected-mode rules: VM is still set while it is being checked.
        for (SegReg s : kOrder)
            if (!batch.push(cpu_.seg[s].selector, size)) return false;
    }
    if (inner &&
        (!batch.push(cpu_.seg[Ss].selector, size) || !batch.push(static_cast<u32>(cpu_.gpr[Rsp]), size)))
        return false;
    if (!batch.push(pushed_flags(event), size) || !batch.push(cpu_.seg[Cs].selector, size) ||
        !batch.push(return_ip, size))
        return false;
    if (event.has_error && !batch.push(event.error, size)) return false;
    if (offset > code.limit()) return general_protection(ext);
    if (!set_accessed(code, at)) return false;
    batch.commit();

    const bool interrupt_gate = !(gate.access().type() & 1);
    cpu_.rflags &=
        ~(eflags::kTf | eflags::kVm | eflags::kRf | eflags::kNt | (interrupt_gate ? eflags::kIf : 0));
    cpu_.seg[Cs] = code.segment(static_cast<u16>((selector & 0xfffc) | new_cpl));
    cpu_.seg[Ss] = ss;
    set_stack_pointer(batch.sp());
    if (v86) {
        constexpr SegReg kData[] = {Es, Ds, Fs, Gs};
        for (SegReg s : kData)
            cpu_.seg[s] = Segment{};
    }
    next_ip_ = offset;
    return true;
}

} // namespace btvm

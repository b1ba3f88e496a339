// Far JMP and CALL: to code segments, through call gates, and to tasks (SDM Vol. 3A 5.8 and 7.3).
#include "vmm/interpret/execution.hh"

namespace btvm {

namespace {

/// System descriptor types, SDM Vol. 3A table 3-2.
enum SystemType : u8 {
    kTss16Available = 1,
    kCallGate16 = 4,
    kTaskGate = 5,
    kTss32Available = 9,
    kCallGate32 = 12,
};

/// The fields of a gate descriptor.
constexpr u16 gate_selector(const Descriptor& g) { return static_cast<u16>(g.raw >> 16); }
constexpr u32 gate_offset(const Descriptor& g) {
    const u32 low = g.raw & 0xffff;
    return g.access().type() & 8 ? low | static_cast<u32>(g.raw >> 32 & 0xffff0000) : low;
}

} // namespace

bool Execution::jump_far(const FarPointer& to) {
    if (!cpu_.real_addressing()) return far_by_descriptor(to, false);
    if (to.offset > cpu_.seg[Cs].limit) return general_protection();
    cpu_.seg[Cs] = real_segment(Cs, to.selector);
    next_ip_ = to.offset;
    return true;
}

bool Execution::call_far(const FarPointer& to) {
    if (!cpu_.real_addressing()) return far_by_descriptor(to, true);
    if (to.offset > cpu_.seg[Cs].limit) return general_protection();
    PushBatchOf<2> batch(*this, cpu_.seg[Ss], stack_pointer(), cpu_.cpl(), 0);
    if (!batch.push(cpu_.seg[Cs].selector, in_.operand_size) || !batch.push(next_ip_, in_.operand_size))
        return false;
    batch.commit();
    set_stack_pointer(batch.sp());
    cpu_.seg[Cs] = real_segment(Cs, to.selector);
    next_ip_ = to.offset;
    return true;
}

/// In protected mode the descriptor decides what kind of transfer it is.
bool Execution::far_by_descriptor(const FarPointer& to, bool call) {
    if (!(to.selector & 0xfffc)) return general_protection();
    Descriptor d;
    u32 at;
    if (!read_descriptor(to.selector, d, at)) return false;
    if (d.access().is_code()) return far_to_code(to, d, at, call);
    if (d.access().is_code_or_data()) return general_protection(to.selector & 0xfffc);
    switch (d.access().type()) {
    case kCallGate16:
    case kCallGate32: return far_through_gate(to, d, call);
    case kTss16Available:
    case kTss32Available:
    case kTaskGate: return far_to_task(to, d, at, call);
    default: return general_protection(to.selector & 0xfffc);
    }
}

/// A direct far transfer: the privilege level does not change.
bool Execution::far_to_code(const FarPointer& to, Descriptor d, u32 at, bool call) {
    const u32 error = to.selector & 0xfffcu;
    const AccessRights a = d.access();
    const unsigned cpl = cpu_.cpl();
    if (a.conforming() ? a.dpl() > cpl : ((to.selector & 3u) > cpl || a.dpl() != cpl))
        return general_protection(error);
    if (!a.present()) return fault(Vector::SegmentNotPresent, error);
    return far_same_level(to, d, at, call ? in_.operand_size : u8{0});
}

/// The end of a transfer that keeps the privilege level. A CALL pushes two fields of `return_size` bytes, a
/// JMP, for which it is 0, nothing.
bool Execution::far_same_level(const FarPointer& to, Descriptor d, u32 at, u8 return_size) {
    const unsigned cpl = cpu_.cpl();
    PushBatchOf<2> batch(*this, cpu_.seg[Ss], stack_pointer(), cpl, 0);
    if (return_size &&
        (!batch.push(cpu_.seg[Cs].selector, return_size) || !batch.push(next_ip_, return_size)))
        return false;
    if (to.offset > d.limit()) return general_protection();
    if (!set_accessed(d, at)) return false;
    if (return_size) {
        batch.commit();
        set_stack_pointer(batch.sp());
    }
    cpu_.seg[Cs] = d.segment(static_cast<u16>((to.selector & 0xfffcu) | cpl));
    next_ip_ = to.offset;
    return true;
}

/// Through a call gate: the gate gives the address, and a CALL may go to an inner level.
bool Execution::far_through_gate(const FarPointer& to, Descriptor gate, bool call) {
    const u32 gate_error = to.selector & 0xfffcu;
    const unsigned cpl = cpu_.cpl();
    if (gate.access().dpl() < cpl || gate.access().dpl() < (to.selector & 3))
        return general_protection(gate_error);
    if (!gate.access().present()) return fault(Vector::SegmentNotPresent, gate_error);

    const u16 selector = gate_selector(gate);
    const u32 error = selector & 0xfffcu;
    Descriptor d;
    u32 at;
    if (!error) return general_protection();
    if (!read_descriptor(selector, d, at)) return false;
    const AccessRights a = d.access();
    if (!a.is_code() || a.dpl() > cpl) return general_protection(error);
    if (!call && !a.conforming() && a.dpl() != cpl) return general_protection(error);
    if (!a.present()) return fault(Vector::SegmentNotPresent, error);
    if (call && !a.conforming() && a.dpl() < cpl) return call_inner(d, selector, at, gate);

    const u8 return_size = gate.access().type() & 8 ? 4 : 2;
    return far_same_level({selector, gate_offset(gate)}, d, at, call ? return_size : u8{0});
}

/// A call to an inner level: a new stack from the TSS, the old SS:ESP and the gate's parameters copied to it.
bool Execution::call_inner(Descriptor code, u16 selector, u32 at, const Descriptor& gate) {
    const unsigned cpl = code.access().dpl();
    const u32 size = gate.access().type() & 8 ? 4 : 2;
    const unsigned parameters = gate.raw >> 32 & 31;
    Segment ss;
    u32 sp;
    if (!inner_stack(cpl, 0, ss, sp)) return false;

    PushBatchOf<31 + 4> batch(*this, ss, sp, cpl, ss.selector & 0xfffc);
    if (!batch.push(cpu_.seg[Ss].selector, size) || !batch.push(static_cast<u32>(cpu_.gpr[Rsp]), size))
        return false;
    for (unsigned i = parameters; i-- > 0;) {
        u32 value;
        if (!peek(i * size, size, value) || !batch.push(value, size)) return false;
    }
    if (!batch.push(cpu_.seg[Cs].selector, size) || !batch.push(next_ip_, size)) return false;
    const u32 offset = gate_offset(gate);
    if (offset > code.limit()) return general_protection();
    if (!set_accessed(code, at)) return false;
    batch.commit();
    cpu_.seg[Cs] = code.segment(static_cast<u16>((selector & 0xfffc) | cpl));
    cpu_.seg[Ss] = ss;
    set_stack_pointer(batch.sp());
    next_ip_ = offset;
    return true;
}

/// A far transfer to a TSS, directly or through a task gate.
bool Execution::far_to_task(const FarPointer& to, Descriptor d, u32 at, bool call) {
    u16 selector = to.selector;
    if (d.access().dpl() < cpu_.cpl() || d.access().dpl() < (selector & 3))
        return general_protection(selector & 0xfffcu);
    if (d.access().type() == kTaskGate) {
        if (!d.access().present()) return fault(Vector::SegmentNotPresent, selector & 0xfffcu);
        selector = gate_selector(d);
        const u32 error = selector & 0xfffcu;
        if (selector & 4) return general_protection(error); // a TSS lies in the GDT
        if (!read_descriptor(selector, d, at)) return false;
        const u8 type = d.access().type();
        if (d.access().is_code_or_data() || (type != kTss16Available && type != kTss32Available))
            return general_protection(error);
    } else if (selector & 4) {
        return general_protection(selector & 0xfffcu);
    }
    if (!d.access().present()) return fault(Vector::SegmentNotPresent, selector & 0xfffcu);
    return switch_task(selector, d, at, call ? TaskReason::Call : TaskReason::Jump, next_ip_, 0);
}

} // namespace btvm

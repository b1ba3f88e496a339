// Far RET and IRET: to the same level, to outer levels, to v86, and back from a nested task.
#include "vmm/interpret/execution.hh"

namespace btvm {

/// Checks the code segment a far return or IRET goes back to. Its level is the selector's RPL.
bool Execution::prepare_return_code(u16 selector, u32 offset, Segment& out) {
    const u32 error = selector & 0xfffcu;
    const unsigned rpl = selector & 3;
    if (!error) return general_protection();
    Descriptor d;
    u32 at;
    if (!read_descriptor(selector, d, at)) return false;
    const AccessRights a = d.access();
    if (!a.is_code() || rpl < cpu_.cpl()) return general_protection(error);
    if (a.conforming() ? a.dpl() > rpl : a.dpl() != rpl) return general_protection(error);
    if (!a.present()) return fault(Vector::SegmentNotPresent, error);
    if (offset > d.limit()) return general_protection();
    if (!set_accessed(d, at)) return false;
    out = d.segment(selector);
    return true;
}

/// RETF, and RETF imm16 which releases `release` bytes more (on both stacks when the level changes).
bool Execution::return_far(u32 release) {
    const u32 size = in_.operand_size;
    u32 offset, raw;
    if (!peek(0, size, offset) || !peek(size, size, raw)) return false;
    const u16 selector = static_cast<u16>(raw);
    if (cpu_.real_addressing()) {
        if (offset > cpu_.seg[Cs].limit) return general_protection();
        cpu_.seg[Cs] = real_segment(Cs, selector);
    } else {
        if ((selector & 3u) > cpu_.cpl())
            return return_outer(selector, offset, 2 * size + release, release, size);
        Segment code;
        if (!prepare_return_code(selector, offset, code)) return false;
        cpu_.seg[Cs] = code;
    }
    set_stack_pointer(stack_pointer() + 2 * size + release);
    next_ip_ = offset;
    return true;
}

/// The part RETF and IRET share when they go to an outer level: SS:ESP lie `skip` bytes up the stack.
bool Execution::return_outer(u16 selector, u32 offset, u32 skip, u32 release, u32 size) {
    const unsigned cpl = selector & 3;
    Segment code, stack;
    u32 sp, ss;
    if (!peek(skip, size, sp) || !peek(skip + size, size, ss)) return false;
    if (!prepare_return_code(selector, offset, code)) return false;
    if (!prepare_stack_segment(static_cast<u16>(ss), cpl, Vector::GeneralProtection, 0, stack)) return false;
    cpu_.seg[Cs] = code;
    cpu_.seg[Ss] = stack;
    // On a 16-bit stack only SP is loaded.
    set_stack_pointer(sp + release);
    drop_outer_segments(cpl);
    next_ip_ = offset;
    return true;
}

bool Execution::interrupt_return() {
    const u32 size = in_.operand_size;
    if (cpu_.v86() && iopl() < 3) return general_protection();
    if (!cpu_.real_addressing() && flag(eflags::kNt)) return return_from_task();

    u32 offset, raw, flags;
    if (!peek(0, size, offset) || !peek(size, size, raw) || !peek(2 * size, size, flags)) return false;
    const u16 selector = static_cast<u16>(raw);
    const unsigned cpl = cpu_.cpl();
    const bool from_v86 = cpu_.v86();
    if (cpu_.real_addressing()) {
        if (offset > cpu_.seg[Cs].limit) return general_protection();
        cpu_.seg[Cs] = real_segment(Cs, selector);
        set_stack_pointer(stack_pointer() + 3 * size);
        next_ip_ = offset;
    } else if (size == 4 && (flags & eflags::kVm) && cpl == 0) {
        return return_to_v86(offset, selector, flags);
    } else if ((selector & 3u) > cpl) {
        if (!return_outer(selector, offset, 3 * size, 0, size)) return false;
    } else {
        Segment code;
        if (!prepare_return_code(selector, offset, code)) return false;
        cpu_.seg[Cs] = code;
        set_stack_pointer(stack_pointer() + 3 * size);
        next_ip_ = offset;
    }
    write_flags(flags, size, cpl, from_v86);
    if (size == 4) alu::set_flag(cpu_.rflags, eflags::kRf, flags & eflags::kRf);
    keep_resume_ = true;
    cpu_.nmi_blocked = 0;
    return true;
}

/// IRET from CPL 0 with VM set in the image: all segments come from the stack, as paragraph numbers.
bool Execution::return_to_v86(u32 offset, u16 selector, u32 flags) {
    if (offset > 0xffff) return general_protection();
    u32 sp;
    u32 selectors[kSegRegCount];
    selectors[Cs] = selector;
    constexpr SegReg kOrder[] = {Ss, Es, Ds, Fs, Gs};
    if (!peek(12, 4, sp)) return false;
    for (unsigned i = 0; i < 5; i++)
        if (!peek(16 + 4 * i, 4, selectors[kOrder[i]])) return false;
    cpu_.rflags = (flags & eflags::kAll) | eflags::kFixed1;
    for (unsigned s = 0; s < kSegRegCount; s++)
        cpu_.seg[s] = real_segment(SegReg(s), static_cast<u16>(selectors[s]));
    cpu_.gpr[Rsp] = sp;
    next_ip_ = offset;
    keep_resume_ = true;
    cpu_.nmi_blocked = 0;
    return true;
}

/// IRET with NT set: back to the task whose selector the current TSS links to.
bool Execution::return_from_task() {
    u16 link = 0;
    if (!read_system(static_cast<u32>(cpu_.tr.base), 2, &link)) return false;
    const u32 error = link & 0xfffcu;
    Descriptor d;
    u32 at;
    if (!error || (link & 4)) return fault(Vector::InvalidTss, error);
    if (!read_descriptor(link, d, at, Vector::InvalidTss, error)) return false;
    // It must be a busy TSS, of either size.
    if (d.access().is_code_or_data() || (d.access().type() & 7) != 3) return fault(Vector::InvalidTss, error);
    if (!d.access().present()) return fault(Vector::SegmentNotPresent, error);
    if (!switch_task(link, d, at, TaskReason::Return, next_ip_, 0)) return false;
    cpu_.nmi_blocked = 0;
    return true;
}

} // namespace btvm

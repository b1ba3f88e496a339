// PUSH, POP and their relatives. The stack pointer moves only when nothing can fault any more.
#include "vmm/interpret/execution.hh"

namespace btvm {

bool PushBatch::push(u32 value, u32 size) {
    const u32 at = (sp_ - size) & mask_;
    if (!x_.check_segment(ss_, at, size, Execution::Mode::Write, Vector::StackFault, error_)) return false;
    const u32 linear = static_cast<u32>(ss_.base) + at;
    if (user_ && x_.alignment_checked() && (linear & (size - 1))) return x_.fault(Vector::AlignmentCheck, 0);
    Entry& e = entries_[count_];
    if (!x_.resolve(linear, size, Execution::Mode::Write, user_, e.ref)) return false;
    e.value = value;
    count_++;
    sp_ = (sp_ & ~mask_) | at;
    return true;
}

void PushBatch::commit() {
    for (unsigned i = 0; i < count_; i++)
        x_.store(entries_[i].ref, entries_[i].value);
}

bool Execution::push(u32 value, u32 size) {
    const u32 sp = (stack_pointer() - size) & stack_mask();
    MemoryRef ref;
    if (!data_ref(Ss, sp, size, Mode::Write, ref)) return false;
    store(ref, value);
    set_stack_pointer(sp);
    return true;
}

bool Execution::peek(u32 skip, u32 size, u32& out) {
    return read_data(Ss, (stack_pointer() + skip) & stack_mask(), size, out);
}

bool Execution::pop(u32 size, u32& out) {
    if (!peek(0, size, out)) return false;
    set_stack_pointer(stack_pointer() + size);
    return true;
}

/// POP r/m: an address that uses ESP sees it after the pop (SDM Vol. 2B, POP).
bool Execution::pop_rm() {
    const u32 size = in_.operand_size;
    u32 value;
    if (!peek(0, size, value)) return false;
    const u64 before = cpu_.gpr[Rsp];
    set_stack_pointer(stack_pointer() + size);
    if (write_rm(size, value)) return true;
    cpu_.gpr[Rsp] = before;
    return false;
}

bool Execution::push_all() {
    const u32 size = in_.operand_size;
    PushBatchOf<8> batch(*this, cpu_.seg[Ss], stack_pointer(), cpu_.cpl(), 0);
    for (unsigned i = 0; i < 8; i++)
        if (!batch.push(reg(i, size), size)) return false;
    batch.commit();
    set_stack_pointer(batch.sp());
    return true;
}

bool Execution::pop_all() {
    const u32 size = in_.operand_size;
    u32 values[8];
    for (unsigned i = 0; i < 8; i++)
        if (!peek(i * size, size, values[i])) return false;
    set_stack_pointer(stack_pointer() + 8 * size);
    for (unsigned i = 0; i < 8; i++)
        if (7 - i != Rsp) set_reg(7 - i, size, values[i]);
    return true;
}

bool Execution::push_flags() {
    if (cpu_.v86() && iopl() < 3) return general_protection();
    // The image never shows VM and RF.
    return push(static_cast<u32>(cpu_.rflags & ~(eflags::kVm | eflags::kRf)), in_.operand_size);
}

/// SDM Vol. 2B, POPF and Vol. 3A 2.3: IOPL changes at CPL 0 only, IF at CPL <= IOPL, VM and the virtual
/// interrupt flags never.
void Execution::write_flags(u32 value, u32 size, unsigned cpl, bool from_v86) {
    u64 writable = eflags::kArithmetic | eflags::kTf | eflags::kDf | eflags::kNt;
    if (size == 4) writable |= eflags::kAc | eflags::kId;
    if (from_v86 || cpl <= iopl()) writable |= eflags::kIf;
    if (!from_v86 && cpl == 0) writable |= eflags::kIopl;
    cpu_.rflags = (cpu_.rflags & ~writable) | (value & writable) | eflags::kFixed1;
}

bool Execution::pop_flags() {
    if (cpu_.v86() && iopl() < 3) return general_protection();
    u32 value;
    if (!pop(in_.operand_size, value)) return false;
    write_flags(value, in_.operand_size, cpu_.cpl(), cpu_.v86());
    cpu_.rflags &= ~eflags::kRf;
    return true;
}

/// ENTER: SDM Vol. 2A. Its last step checks that the new stack top is writable.
bool Execution::enter() {
    const u32 size = in_.operand_size;
    const u32 local = static_cast<u16>(in_.immediate);
    const unsigned level = in_.immediate2 & 31;
    PushBatchOf<32> batch(*this, cpu_.seg[Ss], stack_pointer(), cpu_.cpl(), 0);
    if (!batch.push(reg(Rbp, size), size)) return false;
    // The frame pointer takes all of ESP even on a 16-bit stack.
    const u32 frame = (static_cast<u32>(cpu_.gpr[Rsp]) & ~stack_mask()) | batch.sp();
    u32 bp = static_cast<u32>(cpu_.gpr[Rbp]);
    for (unsigned i = 1; i < level; i++) {
        bp -= size;
        u32 value;
        if (!read_data(Ss, bp & stack_mask(), size, value)) return false;
        if (!batch.push(value, size)) return false;
    }
    if (level > 0 && !batch.push(frame, size)) return false;
    const u32 top = (batch.sp() - local) & stack_mask();
    MemoryRef probe;
    if (!data_ref(Ss, top, size, Mode::Write, probe)) return false;
    batch.commit();
    set_reg(Rbp, size, frame);
    set_stack_pointer(top);
    return true;
}

bool Execution::leave() {
    const u32 size = in_.operand_size;
    const u32 frame = static_cast<u32>(cpu_.gpr[Rbp]) & stack_mask();
    u32 value;
    if (!read_data(Ss, frame, size, value)) return false;
    set_stack_pointer(frame + size);
    set_reg(Rbp, size, value);
    return true;
}

/// With a 32-bit operand the processor moves ESP by 4 but writes the selector's 2 bytes only (SDM Vol. 2B,
/// PUSH).
bool Execution::push_segment(SegReg s) {
    const u32 sp = (stack_pointer() - in_.operand_size) & stack_mask();
    MemoryRef ref;
    if (!data_ref(Ss, sp, 2, Mode::Write, ref)) return false;
    store(ref, cpu_.seg[s].selector);
    set_stack_pointer(sp);
    return true;
}

bool Execution::pop_segment(SegReg s) {
    u32 selector;
    // 2 bytes are read, whatever the operand size.
    if (!peek(0, 2, selector)) return false;
    const u32 sp = stack_pointer() + in_.operand_size;
    const u32 stack = stack_mask(); // as before the load, which may be of SS
    if (!load_segment(s, static_cast<u16>(selector))) return false;
    set_reg(Rsp, stack == 0xffff ? 2 : 4, sp);
    if (s == Ss) shadow_ = debug_shadow_ = true;
    return true;
}

} // namespace btvm

// Near jumps, calls and returns, loops, and INT n. Offsets are checked against CS before anything moves.
#include "vmm/interpret/execution.hh"

namespace btvm {

bool Execution::jump_near(u32 target) {
    if (in_.operand_size == 2) target &= 0xffff;
    if (target > cpu_.seg[Cs].limit) return general_protection();
    next_ip_ = target;
    return true;
}

bool Execution::jump_relative() { return jump_near(static_cast<u32>(branch_target(in_, cpu_.rip))); }

bool Execution::call_near(u32 target) {
    const u32 back = next_ip_;
    if (!jump_near(target)) return false;
    return push(back, in_.operand_size);
}

/// RET, and RET imm16 which releases `release` bytes more.
bool Execution::return_near(u32 release) {
    u32 target;
    if (!peek(0, in_.operand_size, target) || !jump_near(target)) return false;
    set_stack_pointer(stack_pointer() + in_.operand_size + release);
    return true;
}

/// LOOPNE, LOOPE, LOOP, JCXZ (E0 to E3). The counter's width is the address size.
bool Execution::loop() {
    const unsigned size = in_.address_size;
    u32 count = reg(Rcx, size);
    bool taken = count == 0; // JCXZ
    if (in_.opcode != 0xe3) {
        count = (count - 1) & alu::mask(size);
        taken = count != 0;
        if (in_.opcode == 0xe0) taken = taken && !flag(eflags::kZf);
        if (in_.opcode == 0xe1) taken = taken && flag(eflags::kZf);
    }
    if (taken && !jump_relative()) return false;
    if (in_.opcode != 0xe3) set_reg(Rcx, size, count);
    return true;
}

bool Execution::software_interrupt(Event::Kind kind, u8 vector) {
    // INT n is sensitive to IOPL in v86; INT3, INTO and INT1 are not (SDM Vol. 3B 20.3).
    if (kind == Event::Kind::Software && cpu_.v86() && iopl() < 3) return general_protection();
    Event event;
    event.kind = kind;
    event.vector = vector;
    if (!enter_handler(event, next_ip_)) return false;
    no_single_step_ = true;
    return true;
}

} // namespace btvm

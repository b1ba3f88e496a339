// The step: breakpoints, fetch, decode, execute, commit, traps. In this order, as SDM Vol. 3A table 6-2 ranks
// them.
#include "vmm/decode/fpu_use.hh"
#include "vmm/interpret/execution.hh"

namespace btvm {

namespace {

constexpr u8 kShadowInterrupts = 1;
constexpr u8 kShadowDebug = 3;

/// Has the same effect at every privilege: touches no mode, segment, system register or port.
constexpr bool same_everywhere(const Instruction& i) { return i.cls <= InstructionClass::PointerBranch; }
static_assert(InstructionClass::PointerBranch < InstructionClass::Sensitive);

} // namespace

StepStatus Interpreter::step() { return Execution(cpu_, memory_, ports_, *this, counters_).step(); }

StepStatus Interpreter::run(u32 most, u32& steps) {
    return Execution(cpu_, memory_, ports_, *this, counters_).run(most, steps);
}

bool Interpreter::pointer_branch() {
    return Execution(cpu_, memory_, ports_, *this, counters_).pointer_branch();
}

StepStatus Interpreter::deliver(const Event& event) {
    return Execution(cpu_, memory_, ports_, *this, counters_).deliver(event);
}

/// The memory that holds the code at `linear`, to the end of its page, or null if there is none. For the rest
/// of a stretch the page is found without translating.
const u8* Execution::code_at(u32 linear, GuestPhysical at) {
    const u32 offset = linear & static_cast<u32>(kPageMask);
    const GuestPhysical page(at.value - offset);
    const u8* code = memory_.readable(page, static_cast<u32>(kPageSize));
    if (!code) return nullptr;
    window_linear_ = linear - offset;
    window_physical_ = page;
    window_ = code;
    return code + offset;
}

/// Brings the instruction at CS:RIP into in_.
bool Execution::fetch() {
    const Segment& cs = cpu_.seg[Cs];
    const u32 ip = static_cast<u32>(cpu_.rip);
    if (ip > cs.limit) return general_protection();
    const u32 linear = static_cast<u32>(cs.base) + ip;
    const u32 offset = linear & static_cast<u32>(kPageMask);
    const u32 room = cs.limit - ip; // one less than the bytes up to the limit
    const PageAccess access{.write = false, .user = user_access(), .fetch = true};
    GuestPhysical at;
    const u8* code;
    bool marked = true;
    if (linear - offset == window_linear_) [[likely]] {
        at = GuestPhysical(window_physical_.value + offset);
        code = window_ + offset;
    } else {
        if (!translate(linear, access, at, marked)) return false;
        if (!marked) mark(linear, access);
        code = code_at(linear, at);
    }

    const CodeSize size = cpu_.code32() ? CodeSize::Bits32 : CodeSize::Bits16;
    InstructionCache::Entry* entry = nullptr;
    u64 key = 0;
    if (owner_.cache && code && offset <= kPageSize - InstructionCache::kBytes &&
        room >= kMaxInstructionLength - 1) {
        key = InstructionCache::key(at.value, size);
        entry = &owner_.cache->entry(at.value);
        if (InstructionCache::matches(*entry, key, code)) {
            in_ = entry->instruction;
            return true;
        }
    }
    u32 count = static_cast<u32>(kPageSize) - offset;
    if (count > kMaxInstructionLength) count = kMaxInstructionLength;
    if (count - 1 > room) count = room + 1;
    u8 copy[kMaxInstructionLength];
    if (!code) [[unlikely]] {
        memory_.read(at, copy, count);
        code = copy;
    }
    switch (decode(code, count, size, in_)) {
    case DecodeStatus::Ok:
        if (entry) InstructionCache::fill(*entry, key, code, in_);
        return true;
    case DecodeStatus::TooLong: return general_protection();
    case DecodeStatus::Invalid: return undefined();
    case DecodeStatus::Truncated: break;
    }
    if (count == kMaxInstructionLength || count - 1 == room) return general_protection();

    // The instruction crosses into the next page.
    u8 bytes[kMaxInstructionLength];
    __builtin_memcpy(bytes, code, count);
    u32 more = kMaxInstructionLength - count;
    if (more > room + 1 - count) more = room + 1 - count;
    const u32 next = linear + count;
    marked = true;
    if (!translate(next, access, at, marked)) return false;
    if (!marked) mark(next, access);
    memory_.read(at, bytes + count, more);
    switch (decode(bytes, count + more, size, in_)) {
    case DecodeStatus::Ok: return true;
    case DecodeStatus::Invalid: return undefined();
    default: return general_protection(); // over 15 bytes, or beyond the limit
    }
}

/// LOCK is legal only before instructions that read and write memory (SDM Vol. 2A, LOCK).
bool Execution::lock_allowed() const {
    if (!in_.memory_operand()) return false;
    const u8 op = in_.opcode;
    const unsigned r = in_.reg();
    if (in_.map == OpcodeMap::OneByte) {
        if (op < 0x38) return (op & 7) < 2;
        if (op >= 0x80 && op <= 0x83) return r != 7;
        if (op == 0x86 || op == 0x87) return true;
        if (op == 0xf6 || op == 0xf7) return r == 2 || r == 3;
        return (op == 0xfe || op == 0xff) && r < 2;
    }
    if (in_.map != OpcodeMap::Map0f) return false;
    switch (op) {
    case 0xab:
    case 0xb0:
    case 0xb1:
    case 0xb3:
    case 0xbb:
    case 0xc0:
    case 0xc1: return true;
    case 0xba: return r >= 5;
    case 0xc7: return r == 1;
    default: return false;
    }
}

bool Execution::execute() {
    if (in_.lock && !lock_allowed()) return undefined();
    switch (in_.map) {
    case OpcodeMap::OneByte: return execute_one_byte();
    case OpcodeMap::Map0f: return execute_two_byte();
    default: return undefined(); // CPUID offers nothing of the other maps
    }
}

StepStatus Execution::step() {
    if (cpu_.activity != Activity::Running)
        return cpu_.activity == Activity::Halted ? StepStatus::Halted : StepStatus::Shutdown;
    count();
    const bool single_step = flag(eflags::kTf);
    debug_hits_ = cpu_.debug_pending;
    if (cpu_.has_breakpoints() && !flag(eflags::kRf) && cpu_.interrupt_shadow != kShadowDebug &&
        !code_breakpoint())
        return raise(fault_);
    return instruction(single_step);
}

StepStatus Execution::instruction(bool single_step) {
    if (!fetch()) return raise(fault_);
    if (owner_.no_fpu && uses_fpu(in_)) return StepStatus::NeedsFpu;
    next_ip_ = static_cast<u32>(cpu_.rip) + in_.length;
    if (!execute()) {
        if (io_) return StepStatus::Io;
        return raise(fault_);
    }
    return finish_traps(single_step);
}

/// Whether the instruction that is done has changed nothing that anybody looks at between two of them. What
/// uses the FPU can drive an interrupt line (FERR#), and a REP that is not through was as long as many
/// others.
bool Execution::plain() const {
    return same_everywhere(in_) && !eventful_ && !again_ && !memory_.watched_hits && !uses_fpu(in_);
}

StepStatus Execution::run(u32 most, u32& steps) {
    // These are for the owner, or differ, from one instruction to the next.
    const bool alone =
        flag(eflags::kTf) || cpu_.interrupt_shadow || cpu_.debug_pending || cpu_.has_breakpoints();
    StepStatus status = step();
    for (steps = 1; !alone && steps < most && status == StepStatus::Completed && plain(); steps++) {
        count();
        status = instruction(false);
    }
    return status;
}

bool Execution::pointer_branch() {
    if (!fetch() || in_.cls != InstructionClass::PointerBranch) return false;
    next_ip_ = static_cast<u32>(cpu_.rip) + in_.length;
    // What faults has changed nothing: step() finds the fault again, and raises it.
    if (!execute()) return false;
    count();
    cpu_.rip = next_ip_;
    cpu_.rflags &= ~u64{eflags::kRf};
    return true;
}

/// Commits the instruction pointer and raises the traps that follow an instruction.
StepStatus Execution::finish_traps(bool single_step) {
    // Nearly all end here: there is nothing to raise, and no shadow to begin or end.
    if (same_everywhere(in_) && !(single_step || debug_hits_ || again_ || stalled_ || cpu_.interrupt_shadow))
        [[likely]] {
        cpu_.rip = next_ip_;
        cpu_.rflags &= ~u64{eflags::kRf};
        return StepStatus::Completed;
    }
    if (!again_ && !stalled_) cpu_.rip = next_ip_;
    // While a REP is not through, RF keeps its instruction breakpoint from hitting again, and is what an
    // interrupt pushes (SDM Vol. 3B 17.3.1.1).
    if (!keep_resume_) alu::set_flag(cpu_.rflags, eflags::kRf, again_);
    cpu_.interrupt_shadow = debug_shadow_ ? kShadowDebug : shadow_ ? kShadowInterrupts : 0;
    // The load of SS holds its data breakpoints back; its single step is lost (SDM Vol. 3A 6.8.3).
    cpu_.debug_pending = debug_shadow_ ? static_cast<u8>(debug_hits_) : 0;
    if (single_step && !no_single_step_) debug_hits_ |= static_cast<u32>(dr6::kSingleStep);
    if (debug_hits_ && !debug_shadow_) [[unlikely]] {
        cpu_.dr[6] |= debug_hits_;
        Event trap;
        trap.vector = static_cast<u8>(Vector::Debug);
        return raise(trap);
    }
    return cpu_.activity == Activity::Halted ? StepStatus::Halted : StepStatus::Completed;
}

} // namespace btvm

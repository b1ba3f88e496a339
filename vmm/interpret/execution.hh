// One instruction's execution. An Execution lives for one step of the Interpreter: it fetches and decodes,
// and runs the instruction's handler. The handlers are grouped by file, as the manual groups the
// instructions.
//
// Every handler and every helper that can fault returns bool: true, done; false, nothing permanent has
// changed and `fault_` says what to raise (or `io_` that userland must answer a port access first). So
// handlers check everything, then change the state. Invariant I3 rests on this rule.
#pragma once

#include "vmm/cpu/cpuid.hh"
#include "vmm/interpret/alu.hh"
#include "vmm/interpret/interpreter.hh"
#include "vmm/interpret/sse_native.hh"
#include "vmm/mmu/guest_walk.hh"

namespace btvm {

/// Memory whose translation and rights have been checked: reading or writing it cannot fail. May span two
/// pages.
struct MemoryRef {
    u32 linear{};
    u32 size{};
    u32 first_bytes{}; ///< How many of `size` lie in the first page.
    bool user{};       ///< Whose access it is, for the accessed and dirty bits.
    bool marked{};     ///< Those are set already.
    GuestPhysical first{};
    GuestPhysical second{}; ///< The second page, if first_bytes < size.
};

/// The destination or source that ModRM names, opened: a register, or checked memory.
struct Operand {
    bool memory{};
    u8 reg{};
    MemoryRef ref{};
};

/// A far pointer.
struct FarPointer {
    u16 selector{};
    u32 offset{};
};

class PushBatch;

class Execution {
public:
    Execution(CpuState& cpu, GuestMemory& memory, PortBus& ports, Interpreter& owner,
              InterpreterCounters& counters)
        : cpu_(cpu), memory_(memory), ports_(ports), owner_(owner), counters_(counters) {}

    [[nodiscard]] StepStatus step();
    [[nodiscard]] StepStatus run(u32 most, u32& steps);
    [[nodiscard]] bool pointer_branch();
    [[nodiscard]] StepStatus deliver(const Event& event);

private:
    friend class PushBatch;
    friend class TaskSwitch;

    enum class Mode : u8 { Read, Write };

    // Faults
    bool fault(Vector v) {
        fault_ = {Event::Kind::Exception, static_cast<u8>(v), false, 0};
        return false;
    }
    bool fault(Vector v, u32 error) {
        fault_ = {Event::Kind::Exception, static_cast<u8>(v), true, error};
        return false;
    }
    bool undefined() { return fault(Vector::InvalidOpcode); }
    bool general_protection(u32 error = 0) { return fault(Vector::GeneralProtection, error); }

    // Registers
    [[nodiscard]] u32 reg(unsigned n, unsigned size) const {
        if (size == 4) return static_cast<u32>(cpu_.gpr[n]);
        if (size == 2) return static_cast<u16>(cpu_.gpr[n]);
        return static_cast<u8>(n < 4 ? cpu_.gpr[n] : cpu_.gpr[n - 4] >> 8);
    }
    void set_reg(unsigned n, unsigned size, u32 v) {
        if (size == 4)
            cpu_.gpr[n] = v;
        else if (size == 2)
            cpu_.gpr[n] = (cpu_.gpr[n] & 0xffff0000) | (v & 0xffff);
        else if (n < 4)
            cpu_.gpr[n] = (cpu_.gpr[n] & 0xffffff00) | (v & 0xff);
        else
            cpu_.gpr[n - 4] = (cpu_.gpr[n - 4] & 0xffff00ff) | (v & 0xff) << 8;
    }
    [[nodiscard]] bool flag(u64 f) const { return cpu_.rflags & f; }
    [[nodiscard]] unsigned iopl() const { return cpu_.rflags >> eflags::kIoplShift & 3; }
    [[nodiscard]] u32 stack_mask() const { return cpu_.stack32() ? 0xffffffffu : 0xffffu; }
    [[nodiscard]] u32 stack_pointer() const { return static_cast<u32>(cpu_.gpr[Rsp]) & stack_mask(); }
    void set_stack_pointer(u32 v) { set_reg(Rsp, cpu_.stack32() ? 4 : 2, v); }
    /// The size of the operand whose opcode has the usual w bit.
    [[nodiscard]] unsigned wide(unsigned w) const { return w & 1 ? in_.operand_size : 1; }

    // Memory (memory_access.cc)
    [[nodiscard]] bool check_segment(const Segment& s, u32 offset, u32 size, Mode mode, Vector v, u32 error);
    [[nodiscard]] bool resolve(u32 linear, u32 size, Mode mode, bool user, MemoryRef& out);
    [[nodiscard]] bool data_ref(SegReg s, u32 offset, u32 size, Mode mode, MemoryRef& out);
    /// `marked` becomes false if the accessed and dirty bits are still to be set.
    [[nodiscard]] bool translate(u32 linear, PageAccess access, GuestPhysical& out, bool& marked) {
        if (!cpu_.paging()) {
            out = bus_address(cpu_, linear);
            return true;
        }
        if (owner_.translations && owner_.translations->find(linear, access, out)) return true;
        marked = false;
        return walk(linear, access, out);
    }
    [[nodiscard]] bool walk(u32 linear, PageAccess access, GuestPhysical& out);
    void mark(u32 linear, PageAccess access);
    void mark_accessed(const MemoryRef& ref, bool write);
    void watch_data(u32 linear, u32 size, bool write);
    void bus_read(GuestPhysical at, void* out, u32 bytes);
    void bus_write(GuestPhysical at, const void* in, u32 bytes);
    void load_bytes(const MemoryRef& ref, void* out);
    void store_bytes(const MemoryRef& ref, const void* in);
    [[nodiscard]] u32 load(const MemoryRef& ref) {
        u32 v = 0;
        load_bytes(ref, &v);
        return v;
    }
    void store(const MemoryRef& ref, u32 v) { store_bytes(ref, &v); }
    [[nodiscard]] bool read_data(SegReg s, u32 offset, u32 size, u32& out) {
        MemoryRef ref;
        if (!data_ref(s, offset, size, Mode::Read, ref)) return false;
        out = load(ref);
        return true;
    }
    /// Implicit supervisor reads and writes of descriptor tables and task-state segments.
    [[nodiscard]] bool read_system(u32 linear, u32 size, void* out);
    [[nodiscard]] bool write_system(u32 linear, u32 size, const void* in);
    [[nodiscard]] bool user_access() const { return cpu_.cpl() == 3; }
    [[nodiscard]] bool alignment_checked() const {
        return (cpu_.cr0 & cr0::kAm) && flag(eflags::kAc) && cpu_.cpl() == 3;
    }

    // Operands (operand.cc)
    [[nodiscard]] u32 effective_offset(SegReg& segment) const;
    [[nodiscard]] SegReg override_or(SegReg s) const {
        return in_.segment == kNoSegment ? s : SegReg(in_.segment);
    }
    [[nodiscard]] bool memory_ref(u32 size, Mode mode, MemoryRef& out, u32 displacement = 0);
    [[nodiscard]] bool open_rm(u32 size, Mode mode, Operand& out);
    [[nodiscard]] bool read_rm(u32 size, u32& out);
    [[nodiscard]] bool write_rm(u32 size, u32 value);
    [[nodiscard]] u32 get(const Operand& o, u32 size) { return o.memory ? load(o.ref) : reg(o.reg, size); }
    void put(const Operand& o, u32 size, u32 v) {
        if (o.memory)
            store(o.ref, v);
        else
            set_reg(o.reg, size, v);
    }
    [[nodiscard]] bool read_far_pointer(FarPointer& out);

    // Fetch and dispatch (step.cc, one_byte.cc, two_byte.cc)
    [[nodiscard]] bool fetch();
    [[nodiscard]] const u8* code_at(u32 linear, GuestPhysical at);
    [[nodiscard]] bool plain() const;
    [[nodiscard]] StepStatus instruction(bool single_step);
    void count() {
        counters_.instructions++;
        owner_.tsc++;
    }
    [[nodiscard]] bool lock_allowed() const;
    [[nodiscard]] bool execute();
    [[nodiscard]] bool execute_one_byte();
    [[nodiscard]] bool execute_two_byte();
    [[nodiscard]] StepStatus raise(Event event);
    [[nodiscard]] StepStatus finish_traps(bool single_step);

    // Arithmetic (arithmetic.cc, bit_operations.cc, decimal.cc)
    [[nodiscard]] bool alu_rm_reg(unsigned operation);
    [[nodiscard]] bool alu_reg_rm(unsigned operation);
    [[nodiscard]] bool alu_accumulator(unsigned operation);
    [[nodiscard]] bool group1();
    [[nodiscard]] bool group2(u32 count);
    [[nodiscard]] bool group3();
    [[nodiscard]] bool group4_5();
    [[nodiscard]] bool inc_dec_rm(unsigned size);
    [[nodiscard]] bool multiply(unsigned size, bool is_signed);
    [[nodiscard]] bool divide(unsigned size, bool is_signed);
    [[nodiscard]] bool imul_reg(bool with_immediate);
    [[nodiscard]] bool exchange();
    [[nodiscard]] bool test_rm_reg();
    [[nodiscard]] bool bit_test(unsigned operation, bool immediate);
    [[nodiscard]] bool bit_scan(bool reverse);
    [[nodiscard]] bool double_shift();
    [[nodiscard]] bool compare_exchange();
    [[nodiscard]] bool compare_exchange8b();
    [[nodiscard]] bool exchange_add();
    [[nodiscard]] bool bound();
    void decimal_adjust(bool subtract);
    void ascii_adjust(bool subtract);
    [[nodiscard]] bool ascii_adjust_multiply();
    void ascii_adjust_divide();

    // Stack (stack.cc)
    [[nodiscard]] bool push(u32 value, u32 size);
    /// Reads the stack slot `skip` bytes above the top without moving the stack pointer.
    [[nodiscard]] bool peek(u32 skip, u32 size, u32& out);
    [[nodiscard]] bool pop(u32 size, u32& out);
    [[nodiscard]] bool pop_rm();
    [[nodiscard]] bool push_all();
    [[nodiscard]] bool pop_all();
    [[nodiscard]] bool push_flags();
    [[nodiscard]] bool pop_flags();
    [[nodiscard]] bool enter();
    [[nodiscard]] bool leave();
    [[nodiscard]] bool push_segment(SegReg s);
    [[nodiscard]] bool pop_segment(SegReg s);
    /// Writes the flags a POPF or IRET at this privilege may change.
    void write_flags(u32 value, u32 size, unsigned cpl, bool from_v86);

    // String instructions and ports (string.cc, port_io.cc)
    [[nodiscard]] bool string_instruction();
    [[nodiscard]] bool string_iteration(unsigned size);
    [[nodiscard]] u32 bulk_iterations(unsigned size, u32 wanted);
    [[nodiscard]] bool string_in(unsigned size);
    [[nodiscard]] bool string_out(unsigned size);
    [[nodiscard]] bool uses_userland_port(unsigned size) const;
    [[nodiscard]] u32 port_block(unsigned size, u32 left);
    [[nodiscard]] u32 block_room(unsigned size, u32 left, const Segment& segment, u32 offset) const;
    void advance(Gpr r, unsigned size);
    void count_down(u32 n);
    [[nodiscard]] bool io_allowed(u16 port, unsigned size);
    [[nodiscard]] bool port_read(u16 port, unsigned size, u32& value);
    [[nodiscard]] bool port_write(u16 port, unsigned size, u32 value);
    [[nodiscard]] bool in_out();

    // Near control transfers (control.cc)
    [[nodiscard]] bool jump_near(u32 target);
    [[nodiscard]] bool jump_relative();
    [[nodiscard]] bool call_near(u32 target);
    [[nodiscard]] bool return_near(u32 release);
    [[nodiscard]] bool loop();
    [[nodiscard]] bool software_interrupt(Event::Kind kind, u8 vector);

    // Segments (segment_load.cc)
    [[nodiscard]] bool read_descriptor(u16 selector, Descriptor& out, u32& linear, Vector v, u32 error);
    [[nodiscard]] bool read_descriptor(u16 selector, Descriptor& out, u32& linear,
                                       Vector v = Vector::GeneralProtection) {
        return read_descriptor(selector, out, linear, v, selector & 0xfffcu);
    }
    [[nodiscard]] bool set_accessed(Descriptor& d, u32 linear);
    [[nodiscard]] bool prepare_data_segment(u16 selector, Segment& out);
    [[nodiscard]] bool prepare_stack_segment(u16 selector, unsigned cpl, Vector v, u32 ext, Segment& out);
    [[nodiscard]] bool prepare_segment(SegReg s, u16 selector, Segment& out);
    [[nodiscard]] bool load_segment(SegReg s, u16 selector);
    [[nodiscard]] Segment real_segment(SegReg s, u16 selector) const;
    [[nodiscard]] bool load_far(SegReg s);
    [[nodiscard]] bool move_to_segment();
    void drop_outer_segments(unsigned cpl);
    void set_cpl_of_code(Segment& code, unsigned cpl) {
        code.selector = static_cast<u16>((code.selector & ~3) | cpl);
    }

    // Far transfers (far_transfer.cc, far_return.cc)
    [[nodiscard]] bool jump_far(const FarPointer& to);
    [[nodiscard]] bool call_far(const FarPointer& to);
    [[nodiscard]] bool prepare_code(const Descriptor& d, u16 selector, unsigned cpl, bool far_jump);
    [[nodiscard]] bool far_by_descriptor(const FarPointer& to, bool call);
    [[nodiscard]] bool far_to_code(const FarPointer& to, Descriptor d, u32 at, bool call);
    [[nodiscard]] bool far_same_level(const FarPointer& to, Descriptor d, u32 at, u8 return_size);
    [[nodiscard]] bool far_through_gate(const FarPointer& to, Descriptor gate, bool call);
    [[nodiscard]] bool call_inner(Descriptor code, u16 selector, u32 at, const Descriptor& gate);
    [[nodiscard]] bool far_to_task(const FarPointer& to, Descriptor d, u32 at, bool call);
    [[nodiscard]] bool return_far(u32 release);
    [[nodiscard]] bool return_outer(u16 selector, u32 offset, u32 skip, u32 release, u32 size);
    [[nodiscard]] bool prepare_return_code(u16 selector, u32 offset, Segment& out);
    [[nodiscard]] bool interrupt_return();
    [[nodiscard]] bool return_to_v86(u32 offset, u16 selector, u32 flags);
    [[nodiscard]] bool return_from_task();

    // Events (event_delivery.cc)
    [[nodiscard]] bool enter_handler(const Event& event, u32 return_ip);
    [[nodiscard]] bool enter_real(const Event& event, u32 return_ip);
    [[nodiscard]] bool enter_protected(const Event& event, u32 return_ip);
    [[nodiscard]] bool enter_gate(const Event& event, u32 return_ip, const Descriptor& gate, u32 ext);
    [[nodiscard]] u32 pushed_flags(const Event& event) const;
    [[nodiscard]] bool inner_stack(unsigned cpl, u32 ext, Segment& ss, u32& sp);

    // Tasks (task_switch.cc)
    enum class TaskReason : u8 { Jump, Call, Return, Event };
    [[nodiscard]] bool switch_task(u16 selector, Descriptor d, u32 at, TaskReason reason, u32 return_ip,
                                   u32 ext, const Event* event = nullptr);

    // System (system.cc, system_registers.cc, debug.cc)
    [[nodiscard]] bool privileged() {
        if (cpu_.cpl() == 0) return true;
        return general_protection();
    }
    [[nodiscard]] bool set_interrupt_flag(bool on);
    [[nodiscard]] bool halt();
    [[nodiscard]] bool group_0f00();
    [[nodiscard]] bool group_0f01();
    [[nodiscard]] bool store_word(u16 value);
    [[nodiscard]] bool load_ldt(u16 selector);
    [[nodiscard]] bool load_task_register(u16 selector);
    [[nodiscard]] bool verify(bool write);
    [[nodiscard]] bool load_access_or_limit(bool limit);
    [[nodiscard]] bool adjust_rpl();
    [[nodiscard]] bool store_table(const TableRegister& t);
    [[nodiscard]] bool load_table(TableRegister& t);
    [[nodiscard]] bool move_control();
    [[nodiscard]] bool write_cr0(u32 v);
    [[nodiscard]] bool write_cr3(u32 v);
    [[nodiscard]] bool write_cr4(u32 v);
    [[nodiscard]] bool move_debug();
    [[nodiscard]] bool read_msr();
    [[nodiscard]] bool write_msr();
    [[nodiscard]] bool read_tsc();
    void do_cpuid();
    [[nodiscard]] bool system_enter();
    [[nodiscard]] bool system_exit();
    [[nodiscard]] bool code_breakpoint();
    void watch_port(u16 port, unsigned size);
    void watch_range(u32 first, u32 size, unsigned kinds);
    [[nodiscard]] bool invalidate_page();
    void invalidate_translations() {
        owner_.translations_changed = true;
        if (owner_.translations) owner_.translations->flush();
    }

    // Floating point (x87.cc, x87_environment.cc, mmx.cc)
    [[nodiscard]] bool x87();
    [[nodiscard]] bool wait();
    [[nodiscard]] bool group_0fae();
    [[nodiscard]] bool extended_image(Mode mode, MemoryRef& ref);
    [[nodiscard]] u32 extended_size() const;
    [[nodiscard]] bool x87_save_extended();
    [[nodiscard]] bool x87_restore_extended();
    [[nodiscard]] bool flush_line();
    [[nodiscard]] bool mmx();
    [[nodiscard]] bool mmx_extension();
    [[nodiscard]] bool x87_pending();
    void x87_release_ferr();
    [[nodiscard]] bool x87_memory();
    [[nodiscard]] bool x87_register();
    [[nodiscard]] bool x87_store_environment(bool with_registers);
    [[nodiscard]] bool x87_load_environment(bool with_registers);
    void x87_note_pointers(bool memory);

    // SSE and SSE2 (sse.cc, sse_move.cc, sse_shuffle.cc)
    [[nodiscard]] VectorPrefix vector_prefix() const;
    [[nodiscard]] u8* xmm(unsigned n);
    [[nodiscard]] u32 mxcsr() const;
    void set_mxcsr(u32 v);
    [[nodiscard]] bool sse_usable();
    [[nodiscard]] bool vector_ref(u32 size, Mode mode, bool aligned, MemoryRef& out);
    [[nodiscard]] bool read_xmm_operand(u32 size, bool aligned, u8 (&out)[16]);
    [[nodiscard]] bool simd_exceptions(u32 raised);
    [[nodiscard]] bool sse();
    [[nodiscard]] bool sse_arithmetic(VectorPrefix prefix, u32 size);
    [[nodiscard]] bool sse_compare_to_mask(VectorPrefix prefix);
    [[nodiscard]] bool sse_compare_to_flags(VectorPrefix prefix);
    [[nodiscard]] bool sse_convert_to_integer(VectorPrefix prefix);
    [[nodiscard]] bool sse_control(bool store);
    [[nodiscard]] bool sse_move(VectorPrefix prefix);
    [[nodiscard]] bool sse_move_general();
    [[nodiscard]] bool sse_move_mmx(bool to_xmm);
    [[nodiscard]] bool sse_move_registers(VectorPrefix prefix);
    [[nodiscard]] bool store_masked(const u8* data, const u8* mask, u32 size);
    [[nodiscard]] bool sse_shuffle(VectorPrefix prefix);
    [[nodiscard]] bool sse_shift();
    [[nodiscard]] bool sse_shuffle_integers(VectorPrefix prefix);
    [[nodiscard]] bool sse_shuffle_floats(bool doubles);
    [[nodiscard]] bool sse_signs(u32 element_size);

    CpuState& cpu_;
    GuestMemory& memory_;
    PortBus& ports_;
    Interpreter& owner_;
    InterpreterCounters& counters_;

    Instruction in_;
    u32 next_ip_{};         ///< Where execution goes on once the instruction is done.
    Event fault_;           ///< Valid after a handler returned false, unless io_ or again_.
    u32 debug_hits_{};      ///< DR6 bits to raise as a debug trap after the instruction.
    bool io_{};             ///< The instruction waits for userland.
    bool again_{};          ///< A REP is not through: RIP stays.
    bool stalled_{};        ///< An x87 exception is on its way as IRQ 13: RIP stays.
    bool shadow_{};         ///< STI, MOV SS, POP SS: hold interrupts for one instruction.
    bool debug_shadow_{};   ///< MOV SS, POP SS: hold debug exceptions as well.
    bool keep_resume_{};    ///< IRET and task switches set RF themselves.
    bool no_single_step_{}; ///< The instruction entered a handler or task: no trap for the TF it began with.
    bool eventful_{};       ///< A handler was entered, or a device's register used.

    /// The page of code of this stretch, which no plain instruction can take away; 0 is a page, 1 is none.
    u32 window_linear_{1};
    GuestPhysical window_physical_{};
    const u8* window_{};
};

/// Several pushes that happen together or not at all: the frames of far calls, gates, interrupts and PUSHA.
/// Each push is checked when it is added; commit() writes them in order and cannot fail. PushBatchOf holds
/// the entries.
class PushBatch {
public:
    struct Entry {
        MemoryRef ref;
        u32 value;
    };

    [[nodiscard]] bool push(u32 value, u32 size);
    void commit();
    /// The stack pointer after the pushes so far, masked to the stack's size.
    [[nodiscard]] u32 sp() const { return sp_ & mask_; }

protected:
    PushBatch(Execution& x, const Segment& ss, u32 sp, unsigned cpl, u32 error, Entry* entries)
        : x_(x), ss_(ss), sp_(sp), mask_(ss.access.default_big() ? 0xffffffffu : 0xffffu), error_(error),
          user_(cpl == 3), entries_(entries) {}

private:
    Execution& x_;
    const Segment& ss_;
    u32 sp_;
    const u32 mask_;
    const u32 error_;
    const bool user_;
    unsigned count_{};
    Entry* const entries_;
};

/// A batch of at most kMax pushes.
template <unsigned kMax>
class PushBatchOf : public PushBatch {
public:
    /// Pushes below ss:sp. Limit violations raise #SS with `error`. `cpl` is the level whose rights count.
    PushBatchOf(Execution& x, const Segment& ss, u32 sp, unsigned cpl, u32 error)
        : PushBatch(x, ss, sp, cpl, error, storage_) {}

private:
    Entry storage_[kMax];
};

} // namespace btvm

// x87 instructions. Arithmetic, loads and stores run on the real FPU in the guest's state; what shows
// addresses or decides about exceptions is done here.
#include "vmm/interpret/execution.hh"
#include "vmm/interpret/x87_image.hh"
#include "vmm/interpret/x87_native.hh"

namespace btvm {

namespace {

/// Control instructions that do not look at pending exceptions (SDM Vol. 1 8.3.11): FNSTENV, FNSTCW, FNENI,
/// FNDISI, FNCLEX, FNINIT, FNSETPM, FNSAVE, FNSTSW.
bool waits(const Instruction& i) {
    if (i.memory_operand()) {
        if (i.opcode == 0xd9) return i.reg() < 6;
        return i.opcode != 0xdd || i.reg() < 6;
    }
    if (i.opcode == 0xdb) return i.modrm < 0xe0 || i.modrm > 0xe4;
    return !(i.opcode == 0xdf && i.modrm == 0xe0);
}

/// With IGNNE# an instruction runs although an exception is pending: it is kept from the real FPU, which
/// would raise it, and is pending again after. What the instruction itself raises is answered as if masked.
class PendingSetAside {
public:
    explicit PendingSetAside(FxsaveArea& area) : image_(area), control_(image_.control()) {
        if (!image_.pending()) return;
        image_.set_control(control_ | 0x3f);
        image_.update_summary();
        aside_ = true;
    }
    ~PendingSetAside() {
        if (!aside_) return;
        image_.set_control(control_);
        image_.update_summary();
    }
    PendingSetAside(const PendingSetAside&) = delete;
    PendingSetAside& operator=(const PendingSetAside&) = delete;

private:
    X87Image image_;
    u16 control_;
    bool aside_{};
};

} // namespace

/// True if the instruction must not go on: an exception is pending. With CR0.NE it is #MF. Without, FERR# is
/// driven, and the processor stands still until the interrupt that the board makes of it, or goes on when the
/// board answers with IGNNE# (SDM Vol. 1 appendix D.2).
bool Execution::x87_pending() {
    const X87Image image(cpu_.fpu);
    if (!image.pending()) return false;
    if (cpu_.cr0 & cr0::kNe) {
        (void)fault(Vector::X87Error);
        return true;
    }
    ports_.set_ferr(true);
    stalled_ = !ports_.ignne();
    return stalled_;
}

bool Execution::wait() {
    constexpr u64 kBoth = cr0::kMp | cr0::kTs;
    if ((cpu_.cr0 & kBoth) == kBoth) return fault(Vector::DeviceNotAvailable);
    return !x87_pending() || stalled_;
}

bool Execution::x87() {
    if (cpu_.cr0 & (cr0::kEm | cr0::kTs)) return fault(Vector::DeviceNotAvailable);
    if (waits(in_) && x87_pending()) return stalled_;
    const bool done = in_.memory_operand() ? x87_memory() : x87_register();
    if (done) x87_release_ferr();
    return done;
}

/// FERR# falls with the exception that drove it.
void Execution::x87_release_ferr() {
    if (!X87Image(cpu_.fpu).pending()) ports_.set_ferr(false);
}

/// FOP, FIP and FCS (and the data pointer, set by the memory forms) are those of the last non-control
/// instruction.
void Execution::x87_note_pointers(bool memory) {
    X87Image image(cpu_.fpu);
    image.set_opcode(static_cast<u16>((in_.opcode & 7) << 8 | in_.modrm));
    image.set_code_pointer(static_cast<u32>(cpu_.rip), cpu_.seg[Cs].selector);
    if (!memory) return;
    SegReg segment;
    const u32 offset = effective_offset(segment);
    image.set_data_pointer(offset, cpu_.seg[segment].selector);
}

bool Execution::x87_register() {
    X87Image image(cpu_.fpu);
    if (in_.opcode == 0xdb && in_.modrm >= 0xe0 && in_.modrm <= 0xe4) {
        if (in_.modrm == 0xe2) // FNCLEX
            image.set_status(image.status() & 0x7f00);
        if (in_.modrm == 0xe3) image.initialise();
        return true; // FNENI, FNDISI, FNSETPM do nothing since the 80387
    }
    if (in_.opcode == 0xdf && in_.modrm == 0xe0) { // FNSTSW AX
        set_reg(Rax, 2, image.status());
        return true;
    }
    {
        const PendingSetAside aside(cpu_.fpu);
        if (!x87_run_register(cpu_.fpu, in_.opcode, in_.modrm, cpu_.rflags)) return undefined();
    }
    if (!(in_.opcode == 0xd9 && in_.modrm == 0xd0)) x87_note_pointers(false); // FNOP is no operation
    return true;
}

bool Execution::x87_memory() {
    X87Image image(cpu_.fpu);
    const unsigned r = in_.reg();
    u32 value;
    if (in_.opcode == 0xd9 && r >= 4) {
        switch (r) {
        case 4: return x87_load_environment(false);
        case 5: // FLDCW
            if (!read_rm(2, value)) return false;
            image.set_control(static_cast<u16>(value));
            image.update_summary();
            return true;
        case 6: return x87_store_environment(false);
        default: return write_rm(2, image.control()); // FNSTCW
        }
    }
    if (in_.opcode == 0xdd && r >= 4) {
        switch (r) {
        case 4: return x87_load_environment(true);
        case 6: return x87_store_environment(true);
        case 7: return write_rm(2, image.status()); // FNSTSW
        default: return undefined();
        }
    }
    const X87MemoryForm form = x87_memory_form(in_.opcode, static_cast<u8>(r));
    if (!form.size) return undefined();
    MemoryRef ref;
    if (!memory_ref(form.size, form.store ? Mode::Write : Mode::Read, ref)) return false;
    alignas(16) u8 operand[16]{};
    // A store begins with what is there: an unmasked exception may leave the destination alone.
    load_bytes(ref, operand);
    {
        const PendingSetAside aside(cpu_.fpu);
        x87_run_memory(cpu_.fpu, in_.opcode, static_cast<u8>(r), operand);
    }
    if (form.store) store_bytes(ref, operand);
    x87_note_pointers(true);
    return true;
}

} // namespace btvm

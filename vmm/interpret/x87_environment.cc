// FSTENV, FSAVE, FLDENV, FRSTOR with their four layouts (SDM Vol. 1 figures 8-9 to 8-12), FXSAVE and FXRSTOR.
#include "vmm/interpret/execution.hh"
#include "vmm/interpret/x87_image.hh"

namespace btvm {

namespace {

constexpr u32 kRegistersSize = 80;
constexpr u32 kFxsaveSize = 512;
constexpr u32 kFxsaveX87 = 160;    ///< Header and ST registers.
constexpr u32 kFxsaveXmmEnd = 288; ///< XMM0 to XMM7 follow.
constexpr u32 kMxcsr = 24;

/// The environment as its seven fields: 2 bytes each in 16-bit form, 4 in 32-bit form.
struct Environment {
    u32 field[7];

    void to_bytes(u8* out, u32 width) const {
        for (unsigned i = 0; i < 7; i++)
            __builtin_memcpy(out + i * width, &field[i], width);
    }
    void from_bytes(const u8* in, u32 width) {
        for (unsigned i = 0; i < 7; i++) {
            field[i] = 0;
            __builtin_memcpy(&field[i], in + i * width, width);
        }
    }
};

} // namespace

/// FNSTENV, FNSAVE.
bool Execution::x87_store_environment(bool with_registers) {
    const u32 width = in_.operand_size;
    const u32 size = 7 * width + (with_registers ? kRegistersSize : 0);
    MemoryRef ref;
    if (!memory_ref(size, Mode::Write, ref)) return false;

    X87Image image(cpu_.fpu);
    Environment e{};
    const u32 upper = width == 4 ? 0xffff0000 : 0;
    e.field[0] = image.control() | upper;
    e.field[1] = image.status() | upper;
    e.field[2] = image.full_tags() | upper;
    if (cpu_.real_addressing()) {
        // Linear addresses, the part above 16 bits in the upper 4 (16 in 32-bit form) bits of the next field.
        const u32 ip = (u32{image.cs()} << 4) + image.ip();
        const u32 dp = (u32{image.ds()} << 4) + image.dp();
        e.field[3] = (ip & 0xffff) | upper;
        e.field[4] = image.opcode() | (ip >> 16) << 12;
        e.field[5] = (dp & 0xffff) | upper;
        e.field[6] = (dp >> 16) << 12;
    } else {
        e.field[3] = image.ip();
        e.field[4] = image.cs() | (width == 4 ? u32{image.opcode()} << 16 : 0);
        e.field[5] = image.dp();
        e.field[6] = image.ds() | upper;
    }
    u8 bytes[28 + kRegistersSize];
    e.to_bytes(bytes, width);
    if (with_registers) {
        for (unsigned i = 0; i < 8; i++)
            __builtin_memcpy(bytes + 7 * width + 10 * i, image.st(i), 10);
        image.initialise();
    } else {
        image.set_control(image.control() | 0x3f);
        image.update_summary();
    }
    store_bytes(ref, bytes);
    return true;
}

/// FLDENV, FRSTOR.
bool Execution::x87_load_environment(bool with_registers) {
    const u32 width = in_.operand_size;
    const u32 size = 7 * width + (with_registers ? kRegistersSize : 0);
    MemoryRef ref;
    if (!memory_ref(size, Mode::Read, ref)) return false;
    u8 bytes[28 + kRegistersSize];
    load_bytes(ref, bytes);
    Environment e;
    e.from_bytes(bytes, width);

    X87Image image(cpu_.fpu);
    image.set_control(static_cast<u16>(e.field[0]));
    image.set_top(e.field[1] >> 11 & 7);
    image.set_status(static_cast<u16>(e.field[1]));
    image.set_full_tags(static_cast<u16>(e.field[2]));
    if (cpu_.real_addressing()) {
        image.set_opcode(static_cast<u16>(e.field[4]));
        image.set_code_pointer((e.field[3] & 0xffff) | (e.field[4] >> 12) << 16, 0);
        image.set_data_pointer((e.field[5] & 0xffff) | (e.field[6] >> 12) << 16, 0);
    } else {
        if (width == 4) image.set_opcode(static_cast<u16>(e.field[4] >> 16));
        image.set_code_pointer(e.field[3], static_cast<u16>(e.field[4]));
        image.set_data_pointer(e.field[5], static_cast<u16>(e.field[6]));
    }
    image.update_summary();
    for (unsigned i = 0; with_registers && i < 8; i++)
        __builtin_memcpy(image.st(i), bytes + 7 * width + 10 * i, 10);
    return true;
}

/// FXSAVE, FXRSTOR, LDMXCSR, STMXCSR, CLFLUSH and the fences.
bool Execution::group_0fae() {
    const unsigned r = in_.reg();
    if (vector_prefix() != VectorPrefix::None) return undefined();
    if (!in_.memory_operand()) return cpu_.features.sse() && r >= 5 ? true : undefined(); // fences
    switch (r) {
    case 0: return x87_save_extended();
    case 1: return x87_restore_extended();
    case 2:
    case 3: return sse_control(r == 3);
    case 7: return cpu_.features.clflush() ? flush_line() : undefined();
    default: return undefined();
    }
}

/// CLFLUSH: checked like a read of one byte; there is no cache to be seen.
bool Execution::flush_line() {
    MemoryRef ref;
    if (!memory_ref(1, Mode::Read, ref)) return false;
    u8 byte;
    load_bytes(ref, &byte);
    return true;
}

/// The image that FXSAVE and FXRSTOR work on.
bool Execution::extended_image(Mode mode, MemoryRef& ref) {
    if (!cpu_.features.fxsr()) return undefined();
    if (cpu_.cr0 & (cr0::kEm | cr0::kTs)) return fault(Vector::DeviceNotAvailable);
    if (!memory_ref(kFxsaveSize, mode, ref)) return false;
    return !(ref.linear & 15) || general_protection();
}

/// How much of it is in use: the XMM registers belong to it once the system says that it knows them.
u32 Execution::extended_size() const {
    return cpu_.features.sse() && (cpu_.cr4 & cr4::kOsfxsr) ? kFxsaveXmmEnd : kFxsaveX87;
}

bool Execution::x87_save_extended() {
    MemoryRef ref;
    if (!extended_image(Mode::Write, ref)) return false;
    FxsaveArea area;
    load_bytes(ref, area.bytes); // reserved and unused parts keep what memory holds
    __builtin_memcpy(area.bytes, cpu_.fpu.bytes, extended_size());
    const u32 shown[2] = {mxcsr(), cpu_.features.mxcsr_mask};
    constexpr u32 kNothing[2] = {};
    __builtin_memcpy(area.bytes + kMxcsr, cpu_.features.sse() ? shown : kNothing, sizeof shown);
    store_bytes(ref, area.bytes);
    return true;
}

bool Execution::x87_restore_extended() {
    MemoryRef ref;
    if (!extended_image(Mode::Read, ref)) return false;
    FxsaveArea area;
    load_bytes(ref, area.bytes);
    if (cpu_.features.sse()) {
        u32 wanted;
        __builtin_memcpy(&wanted, area.bytes + kMxcsr, 4);
        if (wanted & ~cpu_.features.mxcsr_mask) return general_protection();
    } else {
        __builtin_memcpy(area.bytes + kMxcsr, cpu_.fpu.bytes + kMxcsr, 8);
    }
    __builtin_memcpy(cpu_.fpu.bytes, area.bytes, extended_size());
    X87Image image(cpu_.fpu);
    image.update_summary();
    image.set_opcode(image.opcode());
    x87_release_ferr();
    return true;
}

} // namespace btvm

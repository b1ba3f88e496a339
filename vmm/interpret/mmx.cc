// MMX: moves and shifts by immediate here, packed arithmetic on the real processor.
#include "vmm/interpret/execution.hh"
#include "vmm/interpret/mmx_native.hh"
#include "vmm/interpret/x87_image.hh"

namespace btvm {

namespace {

constexpr u16 word(u64 v, unsigned i) { return static_cast<u16>(v >> (16 * (i & 3))); }

constexpr u64 with_word(u64 v, unsigned i, u16 w) {
    const unsigned at = 16 * (i & 3);
    return (v & ~(u64{0xffff} << at)) | u64{w} << at;
}

} // namespace

/// What SSE added to MMX beside arithmetic: PSHUFW, PINSRW, PEXTRW, PMOVMSKB, MOVNTQ, MASKMOVQ.
bool Execution::mmx_extension() {
    const u8 op = in_.opcode;
    const bool memory = in_.memory_operand();
    const bool registers_only = op == 0xc5 || op == 0xd7 || op == 0xf7;
    if (!cpu_.features.sse() || (memory ? registers_only : op == 0xe7)) return undefined();
    if (cpu_.cr0 & cr0::kEm) return undefined();
    if (cpu_.cr0 & cr0::kTs) return fault(Vector::DeviceNotAvailable);
    if (x87_pending()) return stalled_;

    X87Image image(cpu_.fpu);
    const FxsaveArea before = cpu_.fpu;
    const auto order = static_cast<u8>(in_.immediate);
    MemoryRef ref;
    u64 source = 0;
    u32 value = 0;
    if (op == 0xc4) {
        if (!read_rm(2, value)) return false;
    } else if (memory) {
        if (!memory_ref(8, op == 0xe7 ? Mode::Write : Mode::Read, ref)) return false;
        if (op != 0xe7) load_bytes(ref, &source);
    }
    image.enter_mmx();
    if (!memory) source = image.mm(in_.rm());
    u64 target = image.mm(in_.reg());
    switch (op) {
    case 0x70: // PSHUFW
        target = 0;
        for (unsigned i = 0; i < 4; i++)
            target = with_word(target, i, word(source, order >> (2 * i)));
        break;
    case 0xc4: target = with_word(target, order, static_cast<u16>(value)); break;
    case 0xc5: set_reg(in_.reg(), 4, word(source, order)); return true;
    case 0xd7: // PMOVMSKB
        value = 0;
        for (unsigned i = 0; i < 8; i++)
            value |= static_cast<u32>(source >> (8 * i + 7) & 1) << i;
        set_reg(in_.reg(), 4, value);
        return true;
    case 0xe7: store_bytes(ref, &target); return true;
    default: { // MASKMOVQ
        u8 data[8], mask[8];
        __builtin_memcpy(data, &target, 8);
        __builtin_memcpy(mask, &source, 8);
        if (store_masked(data, mask, 8)) return true;
        cpu_.fpu = before;
        return false;
    }
    }
    image.set_mm(in_.reg(), target);
    return true;
}

bool Execution::mmx() {
    const u8 op = in_.opcode;
    if (in_.operand_prefix || in_.rep != RepPrefix::None) return sse();
    if (op == 0x70 || op == 0xd7 || op == 0xe7 || op == 0xf7) return mmx_extension();
    const bool shift = op >= 0x71 && op <= 0x73;
    const bool move = op == 0x6e || op == 0x6f || op == 0x7e || op == 0x7f;
    const u8 shift_opcode = shift ? mmx_shift_by_register(op, in_.reg()) : u8{0};
    if (shift ? in_.mod() != 3 || !shift_opcode : !move && op != 0x77 && !mmx_known(op)) return undefined();
    if (mmx_needs_sse(op) && !cpu_.features.sse()) return undefined();
    if (cpu_.cr0 & cr0::kEm) return undefined();
    if (cpu_.cr0 & cr0::kTs) return fault(Vector::DeviceNotAvailable);
    if (x87_pending()) return stalled_;

    X87Image image(cpu_.fpu);
    if (op == 0x77) { // EMMS
        image.enter_mmx();
        image.set_tags(0);
        return true;
    }
    // Moves and unpacks of low halves touch 4 bytes of memory, all others 8.
    const u32 size = op == 0x6e || op == 0x7e || (op >= 0x60 && op <= 0x62) ? 4 : 8;
    const bool store = op == 0x7e || op == 0x7f;
    MemoryRef ref;
    u64 source = 0;
    if (in_.memory_operand()) {
        if (!memory_ref(size, store ? Mode::Write : Mode::Read, ref)) return false;
        if (!store) load_bytes(ref, &source);
    }
    image.enter_mmx();
    if (store) {
        const u64 value = image.mm(in_.reg());
        if (in_.memory_operand())
            store_bytes(ref, &value);
        else if (op == 0x7e)
            set_reg(in_.rm(), 4, static_cast<u32>(value));
        else
            image.set_mm(in_.rm(), value);
        return true;
    }
    if (shift) {
        u64 value = image.mm(in_.rm());
        mmx_run(shift_opcode, value, static_cast<u8>(in_.immediate));
        image.set_mm(in_.rm(), value);
        return true;
    }
    if (!in_.memory_operand()) source = op == 0x6e ? reg(in_.rm(), 4) : image.mm(in_.rm());
    u64 value = source;
    if (!move) {
        value = image.mm(in_.reg());
        mmx_run(op, value, source);
    }
    image.set_mm(in_.reg(), value);
    return true;
}

} // namespace btvm

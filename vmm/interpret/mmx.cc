// MMX: moves and shifts by immediate here, packed arithmetic on the real processor.
#include "vmm/interpret/execution.hh"
#include "vmm/interpret/mmx_native.hh"
#include "vmm/interpret/x87_image.hh"

namespace btvm {

namespace {

/// The register-count form (0F D1...) of a shift by immediate (0F 71 to 73), or 0.
u8 shift_by_register(u8 opcode, unsigned r) {
    const u8 column = opcode - 0x70; // 1: words, 2: dwords, 3: qwords
    switch (r) {
    case 2: return static_cast<u8>(0xd0 + column);
    case 4: return column == 3 ? 0 : static_cast<u8>(0xe0 + column);
    case 6: return static_cast<u8>(0xf0 + column);
    default: return 0;
    }
}

} // namespace

bool Execution::mmx() {
    const u8 op = in_.opcode;
    // With 66, F2 or F3 these are SSE instructions.
    if (in_.operand_prefix || in_.rep != RepPrefix::None) return undefined();
    const bool shift = op >= 0x71 && op <= 0x73;
    const bool move = op == 0x6e || op == 0x6f || op == 0x7e || op == 0x7f;
    const u8 shift_opcode = shift ? shift_by_register(op, in_.reg()) : u8{0};
    if (shift ? in_.mod() != 3 || !shift_opcode : !move && op != 0x77 && !mmx_known(op)) return undefined();
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

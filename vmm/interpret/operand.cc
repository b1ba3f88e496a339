// ModRM operands: effective addresses (SDM Vol. 2A tables 2-1 to 2-3) and access to the register or memory
// they name.
#include "vmm/interpret/execution.hh"

namespace btvm {

/// The offset of the memory operand, wrapped to the address size; `segment` becomes the one it lies in.
u32 Execution::effective_offset(SegReg& segment) const {
    segment = Ds;
    u32 at = static_cast<u32>(in_.displacement);
    if (in_.address_size == 2) {
        switch (in_.rm()) {
        case 0: at += reg(Rbx, 2) + reg(Rsi, 2); break;
        case 1: at += reg(Rbx, 2) + reg(Rdi, 2); break;
        case 2:
            at += reg(Rbp, 2) + reg(Rsi, 2);
            segment = Ss;
            break;
        case 3:
            at += reg(Rbp, 2) + reg(Rdi, 2);
            segment = Ss;
            break;
        case 4: at += reg(Rsi, 2); break;
        case 5: at += reg(Rdi, 2); break;
        case 6:
            if (in_.mod() != 0) {
                at += reg(Rbp, 2);
                segment = Ss;
            }
            break;
        default: at += reg(Rbx, 2); break;
        }
        at &= 0xffff;
    } else if (in_.rm() == 4) {
        const unsigned base = in_.sib & 7;
        const unsigned index = in_.sib >> 3 & 7;
        if (base != 5 || in_.mod() != 0) {
            at += reg(base, 4);
            if (base == Rsp || base == Rbp) segment = Ss;
        }
        if (index != Rsp) at += reg(index, 4) << (in_.sib >> 6);
    } else if (in_.rm() != 5 || in_.mod() != 0) {
        at += reg(in_.rm(), 4);
        if (in_.rm() == Rbp) segment = Ss;
    }
    segment = override_or(segment);
    return at;
}

/// Checks `size` bytes of the memory operand, `displacement` bytes into it.
bool Execution::memory_ref(u32 size, Mode mode, MemoryRef& out, u32 displacement) {
    SegReg segment;
    u32 offset = effective_offset(segment) + displacement;
    if (in_.address_size == 2) offset &= 0xffff;
    return data_ref(segment, offset, size, mode, out);
}

bool Execution::open_rm(u32 size, Mode mode, Operand& out) {
    out.memory = in_.mod() != 3;
    out.reg = in_.rm();
    return !out.memory || memory_ref(size, mode, out.ref);
}

bool Execution::read_rm(u32 size, u32& out) {
    if (in_.mod() == 3) {
        out = reg(in_.rm(), size);
        return true;
    }
    MemoryRef ref;
    if (!memory_ref(size, Mode::Read, ref)) return false;
    out = load(ref);
    return true;
}

bool Execution::write_rm(u32 size, u32 value) {
    Operand o;
    if (!open_rm(size, Mode::Write, o)) return false;
    put(o, size, value);
    return true;
}

/// A far pointer in memory: offset of the operand size, then the selector.
bool Execution::read_far_pointer(FarPointer& out) {
    MemoryRef ref;
    if (!memory_ref(in_.operand_size + 2u, Mode::Read, ref)) return false;
    u8 bytes[6]{};
    load_bytes(ref, bytes);
    out.offset = 0;
    __builtin_memcpy(&out.offset, bytes, in_.operand_size);
    __builtin_memcpy(&out.selector, bytes + in_.operand_size, 2);
    return true;
}

} // namespace btvm

// String instructions. A REP runs in slices, each iteration complete in itself, so that interrupts are never
// held off for long and a fault leaves the registers at the iteration that raised it.
#include "vmm/interpret/execution.hh"

namespace btvm {

/// Moves SI or DI to the next element.
void Execution::advance(Gpr r, unsigned size) {
    const u32 step = flag(eflags::kDf) ? 0u - size : size;
    set_reg(r, in_.address_size, reg(r, in_.address_size) + step);
}

void Execution::count_down(u32 n) { set_reg(Rcx, in_.address_size, reg(Rcx, in_.address_size) - n); }

bool Execution::string_instruction() {
    const unsigned size = wide(in_.opcode);
    if (in_.rep == RepPrefix::None) return string_iteration(size);

    // With TF set each iteration is followed by its trap (SDM Vol. 3B 17.3.1.4).
    u32 slice = flag(eflags::kTf) || !owner_.rep_slice ? 1 : owner_.rep_slice;
    bool progress = false;
    const bool compares = (in_.opcode & 0xf6) == 0xa6; // CMPS, SCAS: stop on ZF
    const bool userland = uses_userland_port(size);
    while (u32 left = reg(Rcx, in_.address_size)) {
        // What needs userland again ends the step first, so that there is a boundary at which an interrupt
        // may come: nothing has been asked for yet.
        if (!slice || (userland && progress)) {
            again_ = true;
            return true;
        }
        if (userland) {
            const u32 done = port_block(size, left);
            if (io_) return false;
            if (done) {
                count_down(done);
                progress = true;
                continue;
            }
        }
        if (const u32 done = bulk_iterations(size, left < slice ? left : slice)) {
            count_down(done);
            slice -= done;
            continue;
        }
        if (!string_iteration(size)) return false;
        progress = true;
        count_down(1);
        slice--;
        if (compares && flag(eflags::kZf) != (in_.rep == RepPrefix::Rep)) return true;
        if (debug_hits_) { // a data breakpoint traps after the iteration
            again_ = left != 1;
            return true;
        }
    }
    return true;
}

bool Execution::string_iteration(unsigned size) {
    const u32 si = reg(Rsi, in_.address_size);
    const u32 di = reg(Rdi, in_.address_size);
    const SegReg source = override_or(Ds);
    u32 a, b;
    MemoryRef to;
    switch (in_.opcode) {
    case 0x6c:
    case 0x6d: return string_in(size);
    case 0x6e:
    case 0x6f: return string_out(size);
    case 0xa4:
    case 0xa5: // MOVS
        if (!read_data(source, si, size, a) || !data_ref(Es, di, size, Mode::Write, to)) return false;
        store(to, a);
        advance(Rsi, size);
        advance(Rdi, size);
        return true;
    case 0xa6:
    case 0xa7: // CMPS
        if (!read_data(source, si, size, a) || !read_data(Es, di, size, b)) return false;
        alu::sub(a, b, 0, size, cpu_.rflags);
        advance(Rsi, size);
        advance(Rdi, size);
        return true;
    case 0xaa:
    case 0xab: // STOS
        if (!data_ref(Es, di, size, Mode::Write, to)) return false;
        store(to, reg(Rax, size));
        advance(Rdi, size);
        return true;
    case 0xac:
    case 0xad: // LODS
        if (!read_data(source, si, size, a)) return false;
        set_reg(Rax, size, a);
        advance(Rsi, size);
        return true;
    default: // SCAS
        if (!read_data(Es, di, size, b)) return false;
        alu::sub(reg(Rax, size), b, 0, size, cpu_.rflags);
        advance(Rdi, size);
        return true;
    }
}

/// Does up to `wanted` iterations of an upward MOVS or STOS at once if nothing can come between them: no
/// end of a page, no breakpoints, no wrap, no limit reached, no overlap that a copy would see differently.
/// Returns how many it did; 0 leaves the work, and any fault, to string_iteration().
u32 Execution::bulk_iterations(unsigned size, u32 wanted) {
    const bool moves = (in_.opcode | 1) == 0xa5;
    if (!moves && (in_.opcode | 1) != 0xab) return 0;
    if (cpu_.has_breakpoints() || flag(eflags::kDf) || wanted < 2) return 0;
    if (alignment_checked() || cpu_.a20_mask_off)
        return 0; // with A20 masked, distinct addresses may be the same byte
    u8 buffer[256];
    u32 count = sizeof buffer / size;
    if (wanted < count) count = wanted;

    const u32 si = reg(Rsi, in_.address_size);
    const u32 di = reg(Rdi, in_.address_size);
    const u32 top = alu::mask(in_.address_size);
    const auto fit = [&](u32 offset) {
        const u32 room = (top - offset) / size;
        if (room < count) count = room;
    };
    fit(di);
    if (moves) fit(si);
    const Segment& from_segment = cpu_.seg[override_or(Ds)];
    const Segment& to_segment = cpu_.seg[Es];
    const u32 to_linear = static_cast<u32>(to_segment.base) + di;
    const u32 from_linear = static_cast<u32>(from_segment.base) + si;
    if (cpu_.paging()) {
        const auto stay_in_page = [&](u32 linear) {
            const u32 room = (static_cast<u32>(kPageSize) - (linear & kPageMask)) / size;
            if (room < count) count = room;
        };
        stay_in_page(to_linear);
        if (moves) stay_in_page(from_linear);
    }
    if (count < 2) return 0;
    const u32 bytes = count * size;

    const Event before = fault_;
    if (!check_segment(to_segment, di, bytes, Mode::Write, Vector::GeneralProtection, 0) ||
        (moves && !check_segment(from_segment, si, bytes, Mode::Read, Vector::GeneralProtection, 0))) {
        fault_ = before;
        return 0;
    }
    MemoryRef from, to;
    if (moves && !resolve(from_linear, bytes, Mode::Read, user_access(), from)) return 0;
    if (!resolve(to_linear, bytes, Mode::Write, user_access(), to)) return 0;
    if (moves) {
        // A later element must not be one that an earlier iteration writes.
        if (to_linear - from_linear < bytes) return 0;
        if (cpu_.paging() && to.first.value - from.first.value < bytes) return 0;
        load_bytes(from, buffer);
    } else {
        const u32 value = reg(Rax, size);
        for (u32 i = 0; i < bytes; i += size)
            __builtin_memcpy(buffer + i, &value, size);
    }
    store_bytes(to, buffer);
    set_reg(Rdi, in_.address_size, di + bytes);
    if (moves) set_reg(Rsi, in_.address_size, si + bytes);
    return count;
}

} // namespace btvm

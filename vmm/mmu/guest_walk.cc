#include "vmm/mmu/guest_walk.hh"

#include "vmm/cpu/cpuid.hh"

namespace btvm {

namespace {

/// Bits of page-directory and page-table entries, SDM Vol. 3A tables 4-4 to 4-11.
constexpr u64 kPresent = 1 << 0;
constexpr u64 kWritable = 1 << 1;
constexpr u64 kUser = 1 << 2;
constexpr u64 kAccessed = 1 << 5;
constexpr u64 kDirty = 1 << 6;
constexpr u64 kLarge = 1 << 7;
constexpr u64 kGlobal = 1 << 8;
constexpr u64 kExecuteDisable = u64{1} << 63;
constexpr u64 kTable32 = 0xfffff000;
constexpr u64 kTablePae = ((u64{1} << kPhysicalAddressBits) - 1) & ~kPageMask;
/// Above the physical address width, XD excepted.
constexpr u64 kReservedHigh = ~((u64{1} << kPhysicalAddressBits) - 1) & ~kExecuteDisable;
/// PDPTEs: bits 1-2, 5-8 and the high ones.
constexpr u64 kReservedPdpte = 0x1e6 | kReservedHigh | kExecuteDisable;
/// Without PSE-36 a 4 MiB page has bits 13 to 21 reserved; a 2 MiB page 13 to 20.
constexpr u64 kReserved4M = 0x3fe000;
constexpr u64 kReserved2M = 0x1fe000;

class Walker {
public:
    Walker(const CpuState& cpu, GuestMemory& memory, u32 linear, PageAccess access, GuestWalk& out)
        : cpu_(cpu), memory_(memory), linear_(linear), access_(access), out_(out), pae_(cpu.cr4 & cr4::kPae),
          nx_(pae_ && (cpu.efer & efer::kNxe)) {}

    bool run(WalkMark mark) {
        out_.entry_size = pae_ ? 8 : 4;
        out_.writable = out_.user = out_.executable = true;
        if (!(pae_ ? descend_pae() : descend_32()) || !(allowed() || fail(pf_error::kPresent))) {
            // What leads to the refusing entry was used for the translation all the same (SDM Vol. 3A 4.8).
            if (mark == WalkMark::Yes && out_.levels == 2) memory_.set_table_bits(out_.entry[0], kAccessed);
            return false;
        }
        out_.global = (out_.leaf & kGlobal) && (cpu_.cr4 & cr4::kPge);
        if (mark == WalkMark::Yes) set_bits();
        out_.dirty = out_.leaf & kDirty;
        return true;
    }

private:
    bool fail(u32 why) {
        // Bit 4 tells of a fetch only where execute-disable is on (SDM Vol. 3A 4.7).
        out_.error = why | (access_.write ? pf_error::kWrite : 0) | (access_.user ? pf_error::kUser : 0) |
                     (access_.fetch && nx_ ? pf_error::kFetch : 0);
        return false;
    }

    /// Reads one entry and combines its rights; false on a page fault.
    bool read_entry(u64 physical, u64 reserved, u64 reserved_large) {
        const GuestPhysical at = bus_address(cpu_, physical);
        const u64 e = pae_ ? memory_.load<u64>(at) : memory_.load<u32>(at);
        out_.entry[out_.levels++] = at;
        out_.leaf = e;
        if (out_.levels == 1) out_.directory = e;
        if (!(e & kPresent)) return fail(0);
        const bool large = out_.levels == 1 && (e & kLarge) && (pae_ || (cpu_.cr4 & cr4::kPse));
        if (e & (reserved | (large ? reserved_large : 0)))
            return fail(pf_error::kPresent | pf_error::kReserved);
        out_.writable = out_.writable && (e & kWritable);
        out_.user = out_.user && (e & kUser);
        out_.executable = out_.executable && !(e & kExecuteDisable);
        return true;
    }

    bool descend_32() {
        if (!read_entry((cpu_.cr3 & kTable32) + (linear_ >> 22) * 4, 0, kReserved4M)) return false;
        if ((out_.leaf & kLarge) && (cpu_.cr4 & cr4::kPse)) return finish(0xffc00000, 4u << 20);
        if (!read_entry((out_.leaf & kTable32) + (linear_ >> 12 & 0x3ff) * 4, 0, 0)) return false;
        return finish(kTable32, kPageSize);
    }

    bool descend_pae() {
        const u64 pdpte = cpu_.pae_pdpte[linear_ >> 30];
        if (!(pdpte & kPresent)) return fail(0);
        const u64 reserved = kReservedHigh | (nx_ ? 0 : kExecuteDisable);
        if (!read_entry((pdpte & kTablePae) + (linear_ >> 21 & 0x1ff) * 8, reserved, kReserved2M))
            return false;
        if (out_.leaf & kLarge) return finish(kTablePae & ~u64{0x1fffff}, 2u << 20);
        if (!read_entry((out_.leaf & kTablePae) + (linear_ >> 12 & 0x1ff) * 8, reserved, 0)) return false;
        return finish(kTablePae, kPageSize);
    }

    bool finish(u64 frame_mask, u32 size) {
        out_.page_size = size;
        out_.address = bus_address(cpu_, (out_.leaf & frame_mask) | (linear_ & (size - 1)));
        return true;
    }

    /// SDM Vol. 3A 4.6.
    [[nodiscard]] bool allowed() const {
        if (access_.user && !out_.user) return false;
        if (access_.write && !out_.writable && (access_.user || (cpu_.cr0 & cr0::kWp))) return false;
        return !(access_.fetch && nx_ && !out_.executable);
    }

    void set_bits() {
        for (unsigned i = 0; i < out_.levels; i++) {
            const bool leaf = i + 1u == out_.levels;
            const u64 wanted = kAccessed | (leaf && access_.write ? kDirty : 0);
            // The low byte holds both bits; only it is written, so nothing else of the entry can be lost.
            memory_.set_table_bits(out_.entry[i], static_cast<u8>(wanted));
            if (leaf) out_.leaf |= wanted;
            if (i == 0) out_.directory |= wanted;
        }
    }

    const CpuState& cpu_;
    GuestMemory& memory_;
    const u32 linear_;
    const PageAccess access_;
    GuestWalk& out_;
    const bool pae_;
    const bool nx_;
};

} // namespace

bool guest_walk(const CpuState& cpu, GuestMemory& memory, GuestLinear linear, PageAccess access,
                WalkMark mark, GuestWalk& out) {
    out = GuestWalk{};
    if (!cpu.paging()) {
        out.address = bus_address(cpu, linear.value & 0xffffffff);
        out.page_size = kPageSize;
        out.writable = out.user = out.executable = out.dirty = true;
        return true;
    }
    return Walker(cpu, memory, static_cast<u32>(linear.value), access, out).run(mark);
}

bool valid_pdpte(u64 entry) { return !(entry & kPresent) || !(entry & kReservedPdpte); }

bool read_pdptes(const CpuState& cpu, const GuestMemory& memory, u64 cr3, u64 (&out)[4]) {
    u64 entries[4];
    for (unsigned i = 0; i < 4; i++) {
        entries[i] = memory.load<u64>(bus_address(cpu, (cr3 & 0xffffffe0) + 8 * i));
        if (!valid_pdpte(entries[i])) return false;
    }
    for (unsigned i = 0; i < 4; i++)
        out[i] = entries[i];
    return true;
}

} // namespace btvm

// The descriptors that guest code at CPL 3 may use, copied from the guest's GDT and LDT to the same places of
// two tables of ours: user code loads, reads and tests selectors natively.
//
// What is copied: code and data descriptors that CPL 3 can load, or see by LAR, LSL, VERR and VERW. System
// descriptors never, since they mean other things in long mode. A load of what is not there faults, and the
// interpreter does it. A data segment whose accessed bit is clear is copied so; the processor then faults as
// it tries to set the bit, because it sees the tables read-only, and the interpreter sets the guest's. The
// first 64 entries of each table are always there; others from when they are first asked for (find()).
#pragma once

#include "monitor/switch_context.h"
#include "vmm/cpu/state.hh"
#include "vmm/memory/guest_memory.hh"

namespace btvm::native {

class UserTables {
public:
    static constexpr u32 kAlways = 64;
    static constexpr u32 kLate = 64;

    /// The processor does not check segments in full (World::lax_segments): segments that rely on it must not
    /// be loaded natively. Their descriptors are there to be looked at only.
    bool only_whole_segments{};

    /// Makes `tables` agree with the guest's tables as they are now.
    void refresh(const CpuState& cpu, GuestMemory& memory, btvm_user_tables& tables);

    /// The descriptor that `selector` names in `tables`, 0 if it names none that user code may use. One
    /// beyond the first 64 is copied now, and stays at least until the next refresh(), before which no more
    /// than one for each segment register is asked for. refresh() came before.
    [[nodiscard]] Descriptor find(const CpuState& cpu, GuestMemory& memory, btvm_user_tables& tables,
                                  u16 selector);

    /// Clears the accessed bit in our copy until the next refresh: the guest's next load of it will trap.
    void make_load_trap(btvm_user_tables& tables, u16 selector);

    /// Where the descriptor of `selector` lies in `tables`.
    [[nodiscard]] static btvm_u64& place(btvm_user_tables& tables, u16 selector) {
        const u32 index = selector >> 3;
        return selector & kLocal ? tables.ldt[index] : tables.gdt[index];
    }
    /// What user code may use of a descriptor: itself or 0.
    [[nodiscard]] static u64 usable(u64 raw, bool only_whole_segments = false);

private:
    static constexpr u16 kLocal = 4;
    static constexpr u32 kTrapping = 4; ///< One for each data segment register.

    /// The beginning of one of the guest's tables.
    struct Beginning {
        u64 seen[kAlways]{}; ///< As last read from the guest.
        u32 count{};         ///< How many of them are inside the limit.
    };
    struct Late {
        u64 seen{};
        u64 found_in{}; ///< The turn in which it was last asked for.
        u16 selector{}; ///< RPL 0
    };

    class Reader;

    void refresh_beginning(Reader& reader, Beginning& beginning, btvm_u64* table);
    [[nodiscard]] u64 ours(u64 raw) const { return usable(raw, only_whole_segments); }
    void update(btvm_user_tables& tables, u16 selector, u64 raw) const {
        place(tables, selector) = ours(raw);
    }

    Beginning gdt_{};
    Beginning ldt_{};
    Late late_[kLate]{};
    u64 turn_{};      ///< Counts refresh().
    u32 late_next_{}; ///< The oldest, when all are in use.
    u32 late_count_{};
    u16 trapping_[kTrapping]{}; ///< Selectors, RPL 0
    u32 trapping_count_{};
};

} // namespace btvm::native

// Shadow page tables: what the processor walks while guest code runs natively.
//
// Entries are made when native code faults on them (hidden faults, paper section 3.4.2), from a walk of the
// guest's own tables that has just set the accessed and dirty bits as the processor would. A present entry of
// ours therefore means that the guest's entry has A set, and a writable one that it has D set.
//
// Changes of the guest's tables are noticed as the paper says: a page that serves as a table is
// write-protected when the guest flushes its TLB; the first write to it takes the protection off and marks it
// changed; and the next flush looks only at what is marked. The processor's own TLB may be as stale as that,
// so no guest can tell. The paper compares the root page with a copy of it; here each entry of a changed
// table, root or not, is compared with what it was made from, which needs no copy. INVLPG looks at one entry
// on the way that the loaded space leads; a shadow page that was off that way is compared when something
// leads to it again, for by then the guest may rely on the flush.
//
// Shadow pages are shared between address spaces by their key (ShadowKey), so a CR3 load finds again what an
// earlier one made, and what all processes share (the kernel) exists once.
#pragma once

#include "vmm/cpu/state.hh"
#include "vmm/mmu/guest_walk.hh"
#include "vmm/mmu/shadow_pool.hh"
#include "vmm/mmu/stale_translations.hh"

namespace btvm {

/// Switches for measurements.
struct ShadowOptions {
    bool no_tracking{}; ///< Drop everything at each TLB flush instead of only what changed.
    bool no_compare{};  ///< Drop all of a changed directory instead of comparing its entries.
    /// Not for measurements: the kernel side can fetch from execute-only copies alone (vmm/provider), and its
    /// shadow pages serve one linear address each, since copies do.
    bool execute_only{};
    /// For tests, in place of ShadowMmu::kMostWork in the monitor; 0: that.
    u32 most_work{};
};

class ShadowMmu {
public:
    struct Counters {
        u64 flushes{};         ///< The guest's TLB flushes.
        u64 changed_tables{};  ///< Tables that were written between two flushes.
        u64 entries_kept{};    ///< Entries of changed tables that still held.
        u64 entries_dropped{}; ///< Those that did not.
        u64 spaces_loaded{};   ///< Changes of address space or side.
    };
    Counters counters{};
    ShadowOptions options{};
    /// Counts whatever may change where a linear address leads.
    u64 translation_epoch{1};

    void initialise(const ShadowView& view, u32 pages) { pool_.initialise(view, pages); }

    /// Entries that the monitor, which runs with interrupts off, looks at between two entries into native
    /// code. What a guest makes it do beyond that is given up, and everything dropped, which takes less.
    static constexpr u32 kMostWork = 65536;

    /// Drops every mapping.
    void purge(const ShadowView& view, GuestMemory& memory);
    /// Before native code runs: drops everything if something was given up.
    void settle(const ShadowView& view, GuestMemory& memory) {
        if (given_up_) purge(view, memory);
        work_ = 0;
    }

    /// Makes the root lead to the address space of `cpu`, as `side` may see it.
    void load(const ShadowView& view, GuestMemory& memory, const CpuState& cpu, ShadowSide side);

    /// Maps the page of `linear` as `walk`, which has succeeded and marked, says. There must be memory at
    /// walk.address, with host frames. The space of (cpu, side) must be the loaded one. `copy`: the bits of
    /// an execute-only copy to map in place of the page, or 0.
    void map(const ShadowView& view, GuestMemory& memory, const CpuState& cpu, ShadowSide side,
             GuestLinear linear, const GuestWalk& walk, u64 copy = 0);

    /// The entry that maps `linear` in the loaded space, 0: none.
    [[nodiscard]] static u64 entry(const ShadowView& view, GuestLinear linear) {
        u64 e = view.page(ShadowPool::kRoot)[linear.value >> 30 & 3];
        if (!(e & shadow_entry::kPresent)) return 0;
        e = view.page(ShadowPool::pointed_to(e))[linear.value >> 21 & (kShadowEntries - 1)];
        if (!(e & shadow_entry::kPresent)) return 0;
        return view.page(ShadowPool::pointed_to(e))[linear.value >> kPageShift & (kShadowEntries - 1)];
    }
    /// Drops every mapping of an execute-only copy of a guest page.
    void drop_copies(const ShadowView& view, GuestMemory& memory, u64 guest_frame);

    /// Takes write access from every mapping of a guest page.
    void write_protect(const ShadowView& view, GuestMemory& memory, u64 guest_frame);

    /// A write to a page with page_state::kTable was made, or is about to be let through.
    void table_written(const GuestMemory& memory, u64 guest_frame);

    /// The guest has flushed its TLB, or changed how it translates.
    void flush(const ShadowView& view, GuestMemory& memory, const CpuState& cpu);
    /// The guest has flushed one page from its TLB (INVLPG).
    void flush_page(const ShadowView& view, GuestMemory& memory, const CpuState& cpu, GuestLinear linear);

    /// What was changed in a way that the processor's TLB must forget. Whoever makes it forget clears this.
    StaleTranslations stale{};

    [[nodiscard]] u32 pages_in_use() const { return pool_.in_use() + 1; }
    [[nodiscard]] u32 pages_peak() const { return pool_.counters.peak + 1; }
    [[nodiscard]] u32 pages_limit() const { return pool_.capacity(); }
    [[nodiscard]] u64 pages_evicted() const { return pool_.counters.evicted; }

private:
    static constexpr u32 kChanged = 64; ///< Changed tables remembered by name.

    struct Directory {
        ShadowKey key;
        bool present;
    };
    [[nodiscard]] Directory directory_key(const CpuState& cpu, ShadowSide side, u32 gib) const;
    [[nodiscard]] static bool child_key(const CpuState& cpu, const ShadowKey& directory, u64 entry, u32 place,
                                        ShadowKey& child);
    [[nodiscard]] static u64 guest_entry(const CpuState& cpu, const GuestMemory& memory, const ShadowKey& key,
                                         u32 place);
    void guard_table(const ShadowView& view, GuestMemory& memory, const ShadowKey& key);
    void point(const ShadowView& view, GuestMemory& memory, u32 page, u32 place, u32 to);
    [[nodiscard]] u32 link(const ShadowView& view, GuestMemory& memory, const CpuState& cpu, u32 from,
                           u32 place, const ShadowKey& key);
    void sync_page(const ShadowView& view, GuestMemory& memory, const CpuState& cpu, u32 page);
    void sync_frame(const ShadowView& view, GuestMemory& memory, const CpuState& cpu, u32 frame);
    void sync_entry(const ShadowView& view, GuestMemory& memory, const CpuState& cpu, u32 page, u32 place);
    void sync_all_changed(const ShadowView& view, GuestMemory& memory, const CpuState& cpu);
    [[nodiscard]] bool spend(u32 entries);
    void drop(const ShadowView& view, GuestMemory& memory, u32 page, u32 place);
    void note_stale(const ShadowView& view, u32 page, u32 place);

    ShadowPool pool_{};
    bool changed_overflow_{};
    bool given_up_{}; ///< Entries may not be as they should: everything must be dropped.
    bool loaded_{};
    ShadowSide side_{};
    u32 mode_{}; ///< How the guest translated at the last flush: see translation_mode().
    u32 work_{}; ///< Entries looked at since settle().
    u32 changed_count_{};
    u32 changed_[kChanged]{};
};

} // namespace btvm

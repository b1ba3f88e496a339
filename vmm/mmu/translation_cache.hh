// The interpreter's translation look-aside buffer: what a marked walk of the guest's tables has found, kept
// until the guest flushes its own (SDM Vol. 3A 4.10). An entry for an access says that the access is allowed
// and that its accessed and dirty bits are set, so nothing is left to do for it.
//
// Plain data in memory shared between worlds; all zeroes is an empty cache.
#pragma once

#include "vmm/mmu/guest_walk.hh"

namespace btvm {

class TranslationCache {
public:
    static constexpr u32 kEntries = 256;

    /// Forgets everything. Due whenever the processor would: MOV to CR0, CR3, CR4, EFER, INVLPG, address
    /// line 20.
    void flush() { generation_++; }

    /// Whether the cache belongs to `epoch`, a number that changes with every flush its owner knows of; if
    /// not, it is flushed first.
    void follow(u64 epoch) {
        if (epoch == epoch_) return;
        epoch_ = epoch;
        flush();
    }

    /// Finds where `access` to `linear` goes. False: not known.
    [[nodiscard]] bool find(u32 linear, PageAccess access, GuestPhysical& out) const {
        const Entry& e = entry(linear);
        if (e.tag != tag(linear) || !(e.rights & right(access))) return false;
        out = GuestPhysical(e.page | (linear & kPageMask));
        return true;
    }

    /// Keeps what a walk with WalkMark::Yes for `access` to `linear` has found.
    void keep(u32 linear, PageAccess access, GuestPhysical at) {
        Entry& e = entry(linear);
        const u64 page = at.value & ~kPageMask;
        if (e.tag != tag(linear) || e.page != page) e = {.tag = tag(linear), .page = page, .rights = 0};
        e.rights |= right(access);
    }

private:
    struct Entry {
        u64 tag;
        u64 page; ///< Guest-physical address of the page.
        u64 rights;
    };

    [[nodiscard]] static constexpr u64 right(PageAccess access) {
        return u64{1} << ((access.fetch ? 2 : access.write ? 1 : 0) + (access.user ? 3 : 0));
    }
    [[nodiscard]] u64 tag(u32 linear) const { return generation_ << 20 | linear >> kPageShift; }
    [[nodiscard]] const Entry& entry(u32 linear) const { return entries_[(linear >> kPageShift) % kEntries]; }
    [[nodiscard]] Entry& entry(u32 linear) { return entries_[(linear >> kPageShift) % kEntries]; }

    u64 generation_{};
    u64 epoch_{};
    Entry entries_[kEntries]{};
};

} // namespace btvm

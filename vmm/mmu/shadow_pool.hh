// The pages that shadow page tables are made of: found by key, taken when needed, and taken back from those
// who have not used them for longest.
#pragma once

#include "vmm/mmu/entry_chains.hh"

namespace btvm {

/// Plain data, shared between worlds; what needs addresses comes with each call.
class ShadowPool {
public:
    /// Page 0 is the root: the page-directory-pointer table of guest-linear 0 to 4 GiB.
    static constexpr u32 kRoot = 0;
    /// "No page".
    static constexpr u32 kNone = 0;

    struct Counters {
        u64 taken{};
        u64 evicted{}; ///< Taken from another use.
        u32 peak{};    ///< The most in use at once.
    };
    Counters counters{};

    /// Empties everything. `pages`: how many there are.
    void initialise(const ShadowView& view, u32 pages);
    /// Empties everything, and the guest pages' chains with it.
    void clear(const ShadowView& view, GuestMemory& memory);

    /// The page with this key, or kNone.
    [[nodiscard]] u32 find(const ShadowView& view, const ShadowKey& key) const;
    /// The first page made of this guest frame, whatever its kind, and the ones after it; kNone ends.
    [[nodiscard]] u32 first_of_frame(const ShadowView& view, u32 frame) const;
    [[nodiscard]] u32 next_of_frame(const ShadowView& view, u32 page) const;

    /// An empty page with this key, which nothing has yet. Never `keep`, which is in use just now.
    [[nodiscard]] u32 take(const ShadowView& view, GuestMemory& memory, const ShadowKey& key, u32 keep);
    /// Empties a page, clears every entry that points to it and frees it.
    void release(const ShadowView& view, GuestMemory& memory, u32 page);

    /// Clears one entry, present or not.
    void clear_entry(const ShadowView& view, GuestMemory& memory, u32 page, u32 place);
    /// Makes a free entry point to a shadow page.
    void set_pointer(const ShadowView& view, GuestMemory& memory, u32 page, u32 place, u32 to);
    /// Makes a free entry map a guest page.
    void set_leaf(const ShadowView& view, GuestMemory& memory, u32 page, u32 place, u64 entry,
                  u32 guest_frame);
    /// The shadow page that a present pointer entry points to.
    [[nodiscard]] static u32 pointed_to(u64 entry) {
        using namespace shadow_entry;
        const u64 low = entry >> kPageLowShift & ((1u << kPageLowBits) - 1);
        const u64 high = entry >> kPageHighShift & 7;
        return static_cast<u32>(high << kPageLowBits | low);
    }

    [[nodiscard]] u32 in_use() const { return in_use_; }
    [[nodiscard]] u32 capacity() const { return capacity_; }

private:
    static constexpr u32 kBuckets = 4096;
    [[nodiscard]] static u32 bucket(u32 frame) { return (frame ^ frame >> 12) % kBuckets; }
    [[nodiscard]] u32 victim(const ShadowView& view, u32 keep);

    u32 capacity_{};
    u32 in_use_{};
    u32 free_{};
    u32 hand_{};
    u32 buckets_[kBuckets]{};
};

} // namespace btvm

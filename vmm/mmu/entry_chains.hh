// The reverse map: from a guest page to every shadow entry that maps it, and from a shadow page to every
// entry that points to it. Each chain is doubly linked through one EntryLinks for each entry there can be, so
// nothing is ever allocated.
#pragma once

#include "vmm/memory/guest_memory.hh"
#include "vmm/mmu/shadow_view.hh"

namespace btvm {

class EntryChains {
public:
    EntryChains(const ShadowView& view, GuestMemory& memory) : view_(view), memory_(memory) {}

    /// Number of an entry: 512 * page + place.
    using EntryId = u32;

    void link_to_guest_page(EntryId id, u32 guest_frame);
    void link_to_shadow_page(EntryId id, u32 page);
    void unlink(EntryId id);

    /// The first entry that maps a guest page, plus one; 0: none does. `after` gives the ones behind it.
    [[nodiscard]] u32 first_of_guest_page(u32 guest_frame) const;
    [[nodiscard]] u32 first_of_shadow_page(u32 page) const { return view_.notes[page].parents; }
    [[nodiscard]] u32 after(EntryId id) const { return view_.links[id].next; }

private:
    [[nodiscard]] u32* head_of_guest_page(u32 guest_frame) const;
    [[nodiscard]] u32* head(u32 reference) const;
    void link(EntryId id, u32 reference);

    const ShadowView& view_;
    GuestMemory& memory_;
};

} // namespace btvm

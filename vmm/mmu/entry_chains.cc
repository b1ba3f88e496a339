#include "vmm/mmu/entry_chains.hh"

namespace btvm {

namespace {

// `previous` of the first entry in a chain names the chain's head instead: a guest frame or a shadow page.
constexpr u32 kHead = 1u << 31;
constexpr u32 kHeadOfShadowPage = kHead | 1u << 30;
constexpr u32 kHeadNumber = (1u << 30) - 1;

} // namespace

u32* EntryChains::head_of_guest_page(u32 guest_frame) const {
    const GuestPhysical at(u64{guest_frame} << kPageShift);
    const MemorySlot* slot = memory_.find(at);
    return slot && slot->mappings ? &slot->mappings[(at.value - slot->first) >> kPageShift] : nullptr;
}

u32* EntryChains::head(u32 reference) const {
    const u32 number = reference & kHeadNumber;
    if ((reference & kHeadOfShadowPage) == kHeadOfShadowPage) return &view_.notes[number].parents;
    return head_of_guest_page(number);
}

u32 EntryChains::first_of_guest_page(u32 guest_frame) const {
    const u32* first = head_of_guest_page(guest_frame);
    return first ? *first : 0;
}

void EntryChains::link(EntryId id, u32 reference) {
    u32* first = head(reference);
    view_.links[id] = {*first, reference};
    if (*first) view_.links[*first - 1].previous = id;
    *first = id + 1;
}

void EntryChains::link_to_guest_page(EntryId id, u32 guest_frame) { link(id, kHead | guest_frame); }

void EntryChains::link_to_shadow_page(EntryId id, u32 page) { link(id, kHeadOfShadowPage | page); }

void EntryChains::unlink(EntryId id) {
    const EntryLinks links = view_.links[id];
    if (links.next) view_.links[links.next - 1].previous = links.previous;
    if (links.previous & kHead)
        *head(links.previous) = links.next;
    else
        view_.links[links.previous].next = links.next;
}

} // namespace btvm

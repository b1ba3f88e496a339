#include "vmm/mmu/shadow_pool.hh"

namespace btvm {

namespace {

using namespace shadow_entry;

constexpr u64 kPointerFlags = kPresent | kWritable | kUser | kAccessed;

constexpr u64 pointer_entry(u64 host_frame, u32 page) {
    const u64 low = page & ((1u << shadow_entry::kPageLowBits) - 1);
    const u64 high = page >> shadow_entry::kPageLowBits;
    return host_frame << kPageShift | low << kPageLowShift | high << kPageHighShift | kPointerFlags;
}

constexpr EntryChains::EntryId entry_id(u32 page, u32 place) { return page * kShadowEntries + place; }

constexpr u8 kTableStates = page_state::kTable | page_state::kTableChanged;

u8* state_of(GuestMemory& memory, u32 frame) {
    const GuestPhysical at(u64{frame} << kPageShift);
    const MemorySlot* slot = memory.find(at);
    return slot && slot->state ? &slot->state[(at.value - slot->first) >> kPageShift] : nullptr;
}

/// Whether its contents come from a table of the guest, whose changes must be noticed.
constexpr bool has_guest_table(const ShadowKey& key) { return key.paging && key.kind != ShadowKind::Direct; }

} // namespace

void ShadowPool::initialise(const ShadowView& view, u32 pages) {
    capacity_ = pages < kMostPages ? pages : kMostPages;
    in_use_ = 0;
    hand_ = 0;
    __builtin_memset(buckets_, 0, sizeof buckets_);
    __builtin_memset(view.page(kRoot), 0, kPageSize);
    for (u32 p = 0; p < capacity_; p++)
        view.notes[p] = {.next = p + 1 < capacity_ ? p + 1 : 0};
    free_ = capacity_ > 1 ? 1 : 0;
}

void ShadowPool::clear(const ShadowView& view, GuestMemory& memory) {
    // All chains at once: to take their entries out one by one would take as long as there are entries.
    for (u32 p = 1; p < capacity_; p++) {
        const ShadowNote& note = view.notes[p];
        if (!note.used || !has_guest_table(note.key)) continue;
        if (u8* state = state_of(memory, note.key.frame)) *state &= static_cast<u8>(~kTableStates);
    }
    for (u32 i = 0; i < memory.slot_count; i++) {
        const MemorySlot& slot = memory.slots[i];
        if (slot.mappings) __builtin_memset(slot.mappings, 0, (slot.size >> kPageShift) * sizeof(u32));
    }
    initialise(view, capacity_);
}

u32 ShadowPool::first_of_frame(const ShadowView& view, u32 frame) const {
    u32 p = buckets_[bucket(frame)];
    while (p && view.notes[p].key.frame != frame)
        p = view.notes[p].next;
    return p;
}

u32 ShadowPool::next_of_frame(const ShadowView& view, u32 page) const {
    u32 p = view.notes[page].next;
    while (p && view.notes[p].key.frame != view.notes[page].key.frame)
        p = view.notes[p].next;
    return p;
}

u32 ShadowPool::find(const ShadowView& view, const ShadowKey& key) const {
    for (u32 p = buckets_[bucket(key.frame)]; p; p = view.notes[p].next)
        if (view.notes[p].key == key) {
            view.notes[p].touched = 1;
            return p;
        }
    return kNone;
}

u32 ShadowPool::victim(const ShadowView& view, u32 keep) {
    for (;;) {
        hand_ = hand_ + 1 < capacity_ ? hand_ + 1 : 1;
        ShadowNote& note = view.notes[hand_];
        if (hand_ == keep || !note.used) continue;
        if (!note.touched) return hand_;
        note.touched = 0;
    }
}

u32 ShadowPool::take(const ShadowView& view, GuestMemory& memory, const ShadowKey& key, u32 keep) {
    if (!free_) {
        release(view, memory, victim(view, keep));
        counters.evicted++;
    }
    const u32 page = free_;
    free_ = view.notes[page].next;
    __builtin_memset(view.page(page), 0, kPageSize);
    u32& chain = buckets_[bucket(key.frame)];
    view.notes[page] = {.key = key, .next = chain, .used = 1, .touched = 1};
    chain = page;
    in_use_++;
    if (in_use_ > counters.peak) counters.peak = in_use_;
    counters.taken++;
    return page;
}

void ShadowPool::release(const ShadowView& view, GuestMemory& memory, u32 page) {
    EntryChains chains(view, memory);
    ShadowNote& note = view.notes[page];
    while (const u32 parent = chains.first_of_shadow_page(page))
        clear_entry(view, memory, (parent - 1) / kShadowEntries, (parent - 1) % kShadowEntries);
    for (u32 i = 0; note.mapped && i < kShadowEntries; i++)
        clear_entry(view, memory, page, i);

    const ShadowKey key = note.key;
    u32* link = &buckets_[bucket(key.frame)];
    while (*link != page)
        link = &view.notes[*link].next;
    *link = note.next;
    note = {.next = free_};
    free_ = page;
    in_use_--;

    if (!has_guest_table(key)) return;
    for (u32 p = first_of_frame(view, key.frame); p; p = next_of_frame(view, p))
        if (has_guest_table(view.notes[p].key)) return;
    if (u8* state = state_of(memory, key.frame)) *state &= static_cast<u8>(~kTableStates);
}

void ShadowPool::clear_entry(const ShadowView& view, GuestMemory& memory, u32 page, u32 place) {
    u64& entry = view.page(page)[place];
    if (!(entry & kPresent)) return;
    EntryChains(view, memory).unlink(entry_id(page, place));
    entry = 0;
    view.notes[page].mapped--;
}

void ShadowPool::set_pointer(const ShadowView& view, GuestMemory& memory, u32 page, u32 place, u32 to) {
    view.page(page)[place] = pointer_entry(view.host_frames[to], to);
    view.notes[page].mapped++;
    EntryChains(view, memory).link_to_shadow_page(entry_id(page, place), to);
}

void ShadowPool::set_leaf(const ShadowView& view, GuestMemory& memory, u32 page, u32 place, u64 entry,
                          u32 guest_frame) {
    view.page(page)[place] = entry;
    view.notes[page].mapped++;
    EntryChains(view, memory).link_to_guest_page(entry_id(page, place), guest_frame);
}

} // namespace btvm

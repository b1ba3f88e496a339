// Which pages of a slot were written since somebody last asked: page_state::kDirty, gathered and cleared.
#pragma once

#include "vmm/memory/guest_memory.hh"

namespace btvm {

/// Takes the dirty marks of a slot: bit n of `bitmap` (64 pages a word, the first page lowest) becomes 1 for
/// a marked page and 0 for others, its mark goes, and `taken` is called with the page's number in the slot.
/// The bitmap has whole words.
template <class F>
void take_dirty(const MemorySlot& slot, u64* bitmap, F&& taken) {
    const u64 pages = slot.size >> kPageShift;
    // Eight states at once: most pages are clean.
    constexpr u64 kEight = 0x0101010101010101u * page_state::kDirty;
    for (u64 word = 0; word < (pages + 63) / 64; word++) {
        u64 bits = 0;
        for (u64 page = word * 64; page < word * 64 + 64 && page < pages;) {
            if (page % 8 == 0 && page + 8 <= pages) {
                u64 states;
                __builtin_memcpy(&states, slot.state + page, sizeof states);
                if (!(states & kEight)) {
                    page += 8;
                    continue;
                }
            }
            if (slot.state[page] & page_state::kDirty) {
                slot.state[page] &= static_cast<u8>(~page_state::kDirty);
                bits |= u64{1} << page % 64;
                taken(page);
            }
            page++;
        }
        bitmap[word] = bits;
    }
}

} // namespace btvm

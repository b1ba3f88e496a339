#include "vmm/memory/guest_memory.hh"

namespace btvm {

namespace {

/// Word by word: the compiler's own choice is REP MOVSB, which emulated processors do byte by byte.
void copy_run(u8* to, const u8* from, u32 bytes) {
    for (; bytes >= sizeof(u64); bytes -= sizeof(u64), to += sizeof(u64), from += sizeof(u64))
        __builtin_memcpy(to, from, sizeof(u64));
    for (; bytes; bytes--)
        *to++ = *from++;
}

/// Copies at most one page. Power-of-two sizes go as one access, so that a guest sees them whole.
void copy(void* to, const void* from, u32 bytes) {
    switch (bytes) {
    case 1: __builtin_memcpy(to, from, 1); break;
    case 2: __builtin_memcpy(to, from, 2); break;
    case 4: __builtin_memcpy(to, from, 4); break;
    case 8: __builtin_memcpy(to, from, 8); break;
    default: copy_run(static_cast<u8*>(to), static_cast<const u8*>(from), bytes); break;
    }
}

constexpr u32 in_page(GuestPhysical at, u32 bytes) {
    const u32 room = static_cast<u32>(kPageSize) - at.page_offset();
    return bytes < room ? bytes : room;
}

} // namespace

const u8* GuestMemory::readable(GuestPhysical at, u32 bytes) const {
    const MemorySlot* slot = find(at);
    if (!slot || in_page(at, bytes) != bytes) return nullptr;
    return slot->memory + (at.value - slot->first);
}

void GuestMemory::read(GuestPhysical at, void* out, u32 bytes) const {
    auto* to = static_cast<u8*>(out);
    while (bytes) {
        const u32 part = in_page(at, bytes);
        if (const MemorySlot* slot = find(at))
            copy(to, slot->memory + (at.value - slot->first), part);
        else
            __builtin_memset(to, 0xff, part);
        to += part;
        at = at + part;
        bytes -= part;
    }
}

void GuestMemory::log_watched(u64 first, u32 bytes) {
    if (watched_writes > kWatchedWrites) return;
    if (watched_writes) {
        WatchedWrite& last = watched_write[watched_writes - 1];
        if (last.first >> kPageShift == first >> kPageShift) {
            const u64 end = first + bytes;
            const u64 last_end = last.first + last.bytes;
            if (first <= last_end && end >= last.first) {
                last.first = first < last.first ? first : last.first;
                last.bytes = static_cast<u32>((end > last_end ? end : last_end) - last.first);
                return;
            }
        }
    }
    if (watched_writes < kWatchedWrites) watched_write[watched_writes] = {.first = first, .bytes = bytes};
    watched_writes++;
}

void GuestMemory::note_write(const MemorySlot& slot, u64 offset, u32 bytes, u8 watched) {
    u8& state = slot.state[offset >> kPageShift];
    state |= page_state::kDirty;
    if (state & watched) {
        state |= page_state::kWatchedHit;
        watched_hits++;
        log_watched(slot.first + offset, bytes);
    }
}

void GuestMemory::write(GuestPhysical at, const void* in, u32 bytes) {
    const auto* from = static_cast<const u8*>(in);
    while (bytes) {
        const u32 part = in_page(at, bytes);
        const MemorySlot* slot = find(at);
        if (slot && !slot->read_only) {
            const u64 offset = at.value - slot->first;
            copy(slot->memory + offset, from, part);
            if (slot->state) note_write(*slot, offset, part, page_state::kCode | page_state::kTable);
        }
        from += part;
        at = at + part;
        bytes -= part;
    }
}

void GuestMemory::set_table_bits(GuestPhysical at, u8 bits) {
    const MemorySlot* slot = find(at);
    if (!slot || slot->read_only) return;
    const u64 offset = at.value - slot->first;
    u8& byte = slot->memory[offset];
    if ((byte & bits) == bits) return;
    byte |= bits;
    if (slot->state) note_write(*slot, offset, 1, page_state::kCode);
}

} // namespace btvm

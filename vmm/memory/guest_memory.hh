// Guest-physical memory as the core sees it: a few slots, each a run of host memory that is mapped where this
// build of the core runs. The monitor, the module and hosted programs each hold their own GuestMemory with
// their own pointers; the page states are shared.
#pragma once

#include "vmm/base/types.hh"

namespace btvm {

inline constexpr u32 kMaxMemorySlots = 16;

/// What is known of one guest page; bits of PageState bytes.
namespace page_state {
inline constexpr u8 kCode = 1u << 0;  ///< Decoded code: a write must drop what was decoded.
inline constexpr u8 kDirty = 1u << 1; ///< Written since take_dirty() (vmm/memory/dirty_log.hh).
inline constexpr u8 kTable = 1u << 2; ///< In use as a guest page table: a write must mark the shadow entries.
inline constexpr u8 kWatchedHit =
    1u << 3; ///< A kCode or kTable page was written since its owner last looked.
inline constexpr u8 kTableChanged =
    1u
    << 4; ///< A kTable page was written since the guest last flushed its TLB; until then writes need no trap.
} // namespace page_state

struct MemorySlot {
    u64 first{};              ///< Guest-physical, page aligned.
    u64 size{};               ///< Bytes, a multiple of the page size.
    u8* memory{};             ///< Where this build of the core sees the slot.
    u8* state{};              ///< One page_state byte a page, or null: not tracked.
    const u64* host_frames{}; ///< The host page-frame number of each page, or null in hosted builds.
    u32* mappings{}; ///< One word a page, for the shadow page tables' reverse map; null in hosted builds.
    u8 read_only{};  ///< ROM: writes are dropped, as on the bus.
    u8 reserved[7]{};
};

/// Bytes of one watched page that were written.
struct WatchedWrite {
    u64 first{}; ///< Guest-physical.
    u32 bytes{};
    u32 reserved{};
};

/// Reads of what no slot covers give all ones, writes to it or to a read-only slot vanish: an ISA bus with no
/// one home. Accesses may cross pages and slots. Address line 20 is applied by whoever makes the address (see
/// guest_walk).
class GuestMemory {
public:
    u32 slot_count{};
    /// Counts writes that hit a page with page_state::kCode or kTable; each such page has kWatchedHit set.
    /// Whoever owns decoded code or shadow tables looks here after each instruction, drops what is stale and
    /// sets it to 0.
    u32 watched_hits{};
    /// Where those writes were, as long as kWatchedWrites runs hold it; a write that goes on where the last
    /// one began or ended only makes its run longer. More: `watched_writes` is kWatchedWrites + 1, and the
    /// page states alone tell. CodeCache::drop_written() empties it.
    static constexpr u32 kWatchedWrites = 8;
    u32 watched_writes{};
    WatchedWrite watched_write[kWatchedWrites]{};
    MemorySlot slots[kMaxMemorySlots]{};

    /// The slot that holds `at`, or null.
    [[nodiscard]] const MemorySlot* find(GuestPhysical at) const {
        for (u32 i = 0; i < slot_count; i++)
            if (at.value - slots[i].first < slots[i].size) return &slots[i];
        return nullptr;
    }
    /// A pointer to `bytes` consecutive bytes within one page for reading, or null if none are there.
    [[nodiscard]] const u8* readable(GuestPhysical at, u32 bytes) const;

    void read(GuestPhysical at, void* out, u32 bytes) const;
    void write(GuestPhysical at, const void* in, u32 bytes);

    /// Sets bits in one byte of a page-table entry, as the processor does for accessed and dirty: to whoever
    /// shadows the table that is no change.
    void set_table_bits(GuestPhysical at, u8 bits);

    template <class T>
    [[nodiscard]] T load(GuestPhysical at) const {
        T v;
        read(at, &v, sizeof v);
        return v;
    }
    template <class T>
    void store(GuestPhysical at, T v) {
        write(at, &v, sizeof v);
    }

private:
    void note_write(const MemorySlot& slot, u64 offset, u32 bytes, u8 watched);
    void log_watched(u64 first, u32 bytes);
};

} // namespace btvm

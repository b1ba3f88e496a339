// Where one build of the core sees the shadow pages and the notes about them.
#pragma once

#include "vmm/mmu/shadow_key.hh"

namespace btvm {

/// An x86-64 page-table entry of ours (SDM Vol. 3A 4.5).
namespace shadow_entry {
inline constexpr u64 kPresent = 1u << 0;
inline constexpr u64 kWritable = 1u << 1;
inline constexpr u64 kUser = 1u << 2;
inline constexpr u64 kAccessed = 1u << 5;
inline constexpr u64 kDirty = 1u << 6;
inline constexpr u64 kFrameMask = 0x000ffffffffff000;
inline constexpr u64 kProtectionKeys = u64{15} << 59;
/// Keys 1 and up are those of execute-only copies (vmm/provider): PKRU denies all data accesses with them.
inline constexpr unsigned kProtectionKeyShift = 59;
inline constexpr u64 kExecuteDisable = u64{1} << 63;
// An entry that points to a table also tells the table's number in the pool, in bits the processor ignores
// there: 52-62 and 9-11 (SDM Vol. 3A table 4-19). So a walk needs no map from host frames back to pool pages.
inline constexpr unsigned kPageLowShift = 52;
inline constexpr unsigned kPageLowBits = 11;
inline constexpr unsigned kPageHighShift = 9;
inline constexpr u32 kMostPages = 1u << (kPageLowBits + 3);
} // namespace shadow_entry

inline constexpr u32 kShadowEntries = 512; ///< Of one page.

/// The note about one shadow page.
struct ShadowNote {
    ShadowKey key{};
    u32 next{};    ///< In its hash chain, or the chain of free pages; 0 ends it.
    u32 parents{}; ///< The first of the entries that point to this page (see EntryChains).
    u32 mapped{};  ///< Entries present.
    u8 used{};     ///< It is in use: has a key.
    u8 touched{};  ///< Since the clock hand last passed.
    u8 reserved[6]{};
};
static_assert(sizeof(ShadowNote) == 32);

/// The two neighbours of a present entry among those that map the same thing.
struct EntryLinks {
    u32 next{};
    u32 previous{};
};

struct ShadowView {
    u64* entries{};           ///< Entry n of page p is entries[512 * p + n].
    const u64* host_frames{}; ///< Host page-frame number of each page.
    ShadowNote* notes{};      ///< One a page...
    EntryLinks* links{};      ///< ... and one an entry.

    [[nodiscard]] u64* page(u32 p) const { return entries + u64{kShadowEntries} * p; }
};

/// Bytes of the notes and links of `pages` pages: the notes first.
[[nodiscard]] constexpr u64 shadow_notes_size(u32 pages) {
    return u64{pages} * (sizeof(ShadowNote) + kShadowEntries * sizeof(EntryLinks));
}

} // namespace btvm

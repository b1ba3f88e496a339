// The pool of execute-only copies: found by guest frame and linear page, taken when guest kernel code first
// executes a page, taken back from those that have not trapped for longest.
//
// A copy belongs to one linear page, so the targets of its branches are known; and to one frame, whose bytes
// it holds. The shadow page tables map it nowhere else (ShadowOptions::execute_only).
#pragma once

#include "vmm/mmu/shadow_view.hh"
#include "vmm/provider/copy_view.hh"

namespace btvm {

/// An entry that maps a copy tells which. Bits 52-58 and 9-11 are the software's (SDM Vol. 3A table 4-20);
/// what they cannot hold is in the key.
namespace copy_entry {
inline constexpr unsigned kLowShift = 52;
inline constexpr unsigned kLowBits = 7;
inline constexpr unsigned kHighShift = 9;
inline constexpr unsigned kHighBits = 3;
inline constexpr unsigned kKeyShift = shadow_entry::kProtectionKeyShift;
inline constexpr u32 kLowMask = (1u << kLowBits) - 1;
inline constexpr u32 kHighMask = (1u << kHighBits) - 1;
inline constexpr u32 kKeyMask = 15;
} // namespace copy_entry

/// Plain data, shared between worlds; what needs addresses comes with each call.
class CodeCopies {
public:
    /// There is no use for more copies than decoded pages.
    static constexpr u32 kMost = CodeCache::kPages;
    static constexpr u32 kFewest = 256;
    /// How many a guest with so many pages of RAM gets.
    static constexpr u32 for_ram(u64 pages) {
        const u64 copies = pages / 8;
        return static_cast<u32>(copies < kFewest ? kFewest : copies > kMost ? kMost : copies);
    }
    static constexpr u32 kNone = ~u32{0};

    struct Counters {
        u64 taken{};
        u64 dropped{};
        u64 evicted{};
        u64 covered{};   ///< Instructions.
        u64 uncovered{}; ///< Instructions taken back because control may arrive in their middle.
        u64 resets{};    ///< Times that all copies went because there were too many targets.
    };
    Counters counters{};

    /// Empties the pool. `copies`: how many there are, 0 if this provider is not in use.
    void initialise(const CopyView& view, u32 copies);
    [[nodiscard]] u32 capacity() const { return capacity_; }

    /// The copy of `frame` at `linear_page`, or kNone.
    [[nodiscard]] u32 find(const CopyView& view, u32 frame, u32 linear_page) const;
    /// Any copy of `frame`, or kNone.
    [[nodiscard]] u32 find_any(const CopyView& view, u32 frame) const;
    [[nodiscard]] bool full() const { return free_ == 0; }
    /// A copy in use that has not trapped for long: the one to drop when the pool is full.
    [[nodiscard]] u32 victim(const CopyView& view);
    /// A new copy, all INT3, marked where branches of other pages lead. The pool is not full.
    [[nodiscard]] u32 take(const CopyView& view, u32 frame, u32 linear_page, const CodePageId& code);
    /// Frees a copy that nothing maps any more. The targets of its branches stay marked.
    void release(const CopyView& view, u32 copy);

    /// Says that control may arrive at `offset` of `copy`: an instruction covered across it is taken back.
    void mark_entry(const CopyView& view, u32 copy, u32 offset);
    /// Says that a branch of another page leads to `linear`, whatever frame lies there. False: no room, all
    /// copies must go first.
    [[nodiscard]] bool mark_target(const CopyView& view, GuestLinear linear);
    /// Says that a true instruction is to be in the copy; write_covered() puts it there.
    void cover(const CopyView& view, u32 copy, u32 offset, u32 length);
    /// Makes bytes `begin` to `end` - 1 of the copy what its marks say. `page`: the true ones. One pass over
    /// many instructions: an emulated processor looks for code that it has translated at each store.
    static void write_covered(const CopyView& view, u32 copy, const u8* page, u32 begin, u32 end);

    /// The bits of a shadow entry that maps `copy`.
    [[nodiscard]] static u64 entry_bits(const CopyView& view, u32 copy);
    [[nodiscard]] static bool is_copy(u64 entry) {
        return (entry & shadow_entry::kPresent) && (entry & shadow_entry::kProtectionKeys);
    }
    /// Which copy a shadow entry maps.
    [[nodiscard]] static u32 mapped_copy(u64 entry) {
        using namespace copy_entry;
        const u64 low = entry >> kLowShift & kLowMask;
        const u64 high = entry >> kHighShift & kHighMask;
        const u64 key = entry >> kKeyShift & kKeyMask;
        return static_cast<u32>((key - 1) << (kLowBits + kHighBits) | high << kLowBits | low);
    }

private:
    static constexpr u32 kBuckets = 2048;
    [[nodiscard]] static u32 bucket(u32 page) { return (page ^ page >> 10) % kBuckets; }
    [[nodiscard]] u32 target_page(const CopyView& view, u32 linear_page) const;
    void uncover(const CopyView& view, u32 copy, u32 offset);

    u32 capacity_{};
    u32 free_{}; ///< Index + 1.
    u32 hand_{};
    u32 target_count_{};
    u32 by_frame_[kBuckets]{}; ///< Index + 1; 0: none.
    u32 by_linear_[kBuckets]{};
    u32 targets_[kBuckets]{};
};

} // namespace btvm

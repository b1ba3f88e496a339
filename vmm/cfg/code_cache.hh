// Decoded guest code, kept by guest-physical page: where instructions begin, how long they are and what class
// they have.
//
// The cache is plain data in memory that several worlds see at different addresses, so it stores indices,
// never pointers, and gets the caller's own GuestMemory with each call. All zeroes is an empty cache.
//
// A page with an entry here has page_state::kCode set. The owner of the guest's mappings keeps every mapping
// of such a page write-protected; any write to it must end in drop() or drop_written() before guest code runs
// again.
#pragma once

#include "vmm/base/types.hh"
#include "vmm/cfg/code_translation.hh"
#include "vmm/cpu/segment.hh"
#include "vmm/decode/instruction.hh"
#include "vmm/memory/guest_memory.hh"

namespace btvm {

struct CodeCacheCounters {
    u64 decoded{}; ///< Instructions decoded, those that cross a page (never kept) included.
    u64 hits{};    ///< Instructions found decoded.
    u64 dropped{}; ///< Pages dropped because they were written.
    u64 evicted{}; ///< Pages dropped to make room.
    u64 spared{};  ///< Writes to decoded pages that hit none of their instructions.
};

enum class CodeStatus : u8 {
    Ok,
    Untranslated, ///< The page of the instruction, or of its tail, has no translation: a fetch there faults.
    Unwatchable   ///< No memory is there, or memory whose writes nobody tracks: only the interpreter may run
                  ///< it.
};

/// Names one decoded state of one page. `generation` is never used twice, so a number kept in a plan goes
/// stale by itself when the page is dropped.
struct CodePageId {
    u64 generation{};
    u16 slot{};

    constexpr bool operator==(const CodePageId&) const = default;
};

/// One instruction as the walker needs it.
struct CodeAt {
    CodeStatus status{CodeStatus::Unwatchable};
    InstructionClass cls{InstructionClass::Unrecognised};
    u8 length{};
    bool crosses{};         ///< Its last byte lies in the next linear page.
    bool fresh{};           ///< It had to be decoded.
    CodePageId page{};      ///< Valid on Ok.
    CodePageId next_page{}; ///< Valid when `crosses`.
};

/// Where a walk is: saves translating and looking up the page for each instruction of it.
struct CodeCursor {
    u64 linear_page{~u64{0}};
    CodePageId id{};
};

class CodeCache {
public:
    static constexpr u32 kPages = 2048;
    static constexpr u32 kNewlyWatched = 32;

    CodeCacheCounters counters;

    /// Tells what lies at `pc` (linear), decoding it if it must.
    [[nodiscard]] CodeAt classify(GuestMemory& memory, const CodeTranslation& translation, u64 pc,
                                  CodeSize size, CodeCursor& cursor);

    /// Decodes the instruction at `pc` in full, past the cache and without watching its pages.
    [[nodiscard]] CodeStatus fetch(const GuestMemory& memory, const CodeTranslation& translation, u64 pc,
                                   CodeSize size, Instruction& out) const;

    /// The class that tracing goes by: the decoder's, or Sensitive for what must not run natively although
    /// other instructions of its kind may.
    [[nodiscard]] InstructionClass class_of(const Instruction& i) const;

    /// From now on instructions that name one of these segments by a prefix are Sensitive. Everything decoded
    /// is dropped if that is a change.
    void guard(GuestMemory& memory, SegmentSet segments);
    [[nodiscard]] SegmentSet guarded() const { return guarded_; }

    /// Whether what `id` named is still decoded and watched; marks the page as used.
    [[nodiscard]] bool current(const CodePageId& id);
    /// Whether `id` is current and stands for guest frame number `frame`.
    [[nodiscard]] bool holds(const CodePageId& id, u64 frame) const {
        return id.slot < kPages && id.generation != 0 && pages_[id.slot].generation == id.generation &&
               pages_[id.slot].frame == frame;
    }

    struct Known {
        u8 length;
        InstructionClass cls;
    };
    /// What was kept of the instruction at `pc`, whose page `id` (current) names. False: nothing was.
    [[nodiscard]] bool peek(const CodePageId& id, u64 pc, Known& known) const {
        const u8 info = pages_[id.slot].info[pc & kPageMask];
        known = {static_cast<u8>(info & 0xf), static_cast<InstructionClass>(info >> 4)};
        return info != 0;
    }

    /// Watches a page before anything in it is decoded: `id` names it then.
    [[nodiscard]] CodeStatus watch(GuestMemory& memory, u64 frame, CodeSize size, CodePageId& id) {
        return enter(memory, frame, size, id);
    }
    /// Keeps an instruction that the caller has decoded, whole in the page that `id` (current) names.
    void keep(const CodePageId& id, u32 offset, u32 length, InstructionClass cls) {
        pages_[id.slot].info[offset] = static_cast<u8>(length | static_cast<u32>(cls) << 4);
    }

    /// Drops what is known of guest frame number `frame`. Returns whether anything was.
    bool drop(GuestMemory& memory, u64 frame);
    /// The same, unless none of the `bytes` written at `offset` of the page belongs to an instruction decoded
    /// there: small guests keep their variables beside their code.
    bool drop_overwritten(GuestMemory& memory, u64 frame, u32 offset, u32 bytes);
    /// Does that for all writes that `memory` has noted since the last call, and clears the marks of the
    /// pages (page_state::kWatchedHit), but not of page tables: their owner, who must look after this call,
    /// clears those. Returns how many pages were dropped. Call it where the writes were made: each world's
    /// memory has its own notes.
    u32 drop_written(GuestMemory& memory);
    void drop_all(GuestMemory& memory);

    /// Frames that became watched since clear_newly_watched(): their mappings must lose write permission
    /// before the guest runs. More than kNewlyWatched: `newly_watched_overflow`, all mappings must.
    [[nodiscard]] u32 newly_watched_count() const { return newly_watched_count_; }
    [[nodiscard]] u64 newly_watched(u32 i) const { return newly_watched_[i]; }
    [[nodiscard]] bool newly_watched_overflow() const { return newly_watched_overflow_; }
    void clear_newly_watched() {
        newly_watched_count_ = 0;
        newly_watched_overflow_ = 0;
    }

    /// Frames of pages that were dropped or evicted since clear_lost(), for whoever keeps what was made from
    /// them. More than kLost: `lost_overflow`, any may have been.
    static constexpr u32 kLost = 16;
    [[nodiscard]] u32 lost_count() const { return lost_count_; }
    [[nodiscard]] u64 lost(u32 i) const { return lost_[i]; }
    [[nodiscard]] bool lost_overflow() const { return lost_count_ > kLost; }
    void clear_lost() { lost_count_ = 0; }

    /// Entries in use.
    [[nodiscard]] u32 live() const { return live_; }

private:
    struct Fetched {
        CodeStatus status;
        bool crosses;
        u64 next_frame; ///< Valid when `crosses`.
    };

    // info[]: 0 = not decoded, else the length in bits 0-3 and the class in bits 4-6.
    static constexpr u32 kBuckets = 2048;

    struct Page {
        u64 frame;
        u64 generation; ///< 0: free.
        u64 last_used;
        u16 next; ///< In the hash chain, index + 1; 0 ends it.
        CodeSize size;
        u8 head; ///< So many bytes at its beginning are tails of instructions that cross into it (never
                 ///< kept)...
        u8 tail; ///< ... and so many at its end begin instructions that cross out of it.
        u8 padding[3];
        u8 info[kPageSize];
    };

    [[nodiscard]] static u32 bucket(u64 frame) { return static_cast<u32>(frame ^ frame >> 8) % kBuckets; }
    [[nodiscard]] u32 find(u64 frame, CodeSize size) const;
    [[nodiscard]] CodeStatus enter(GuestMemory& memory, u64 frame, CodeSize size, CodePageId& id);
    [[nodiscard]] u32 take_slot(GuestMemory& memory);
    void remove(GuestMemory& memory, u32 slot);
    [[nodiscard]] bool has_frame(u64 frame) const;
    [[nodiscard]] static bool overlaps(const Page& page, u32 offset, u32 bytes);
    u32 drop_marked(GuestMemory& memory);
    [[nodiscard]] Fetched decode_at(const GuestMemory& memory, const CodeTranslation& translation, u64 pc,
                                    u64 frame, CodeSize size, Instruction& out) const;
    void note_watched(u64 frame);

    u64 clock_;      ///< Counts uses, for least-recently-used replacement.
    u64 generation_; ///< Last given.
    u32 live_;
    u32 newly_watched_count_;
    u64 newly_watched_[kNewlyWatched];
    u64 lost_[kLost];
    u32 lost_count_; ///< kLost + 1: more than that.
    u8 newly_watched_overflow_;
    SegmentSet guarded_;
    [[maybe_unused]] u8 padding_[2];
    u16 buckets_[kBuckets]; ///< Index + 1 of the first page in the chain; 0: none.
    Page pages_[kPages];
};

} // namespace btvm

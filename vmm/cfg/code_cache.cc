#include "vmm/cfg/code_cache.hh"

#include <type_traits>

namespace btvm {

static_assert(std::is_trivially_copyable_v<CodeCache>, "plain data, shared between worlds");
static_assert(CodeCache::kPages < 0xffff, "indices + 1 are 16 bits");
static_assert(static_cast<u8>(InstructionClass::Unrecognised) < 8, "three bits of info[]");

namespace {

constexpr u32 kNone = ~u32{0};

u8* state_of(GuestMemory& memory, u64 frame) {
    const GuestPhysical at(frame << kPageShift);
    const MemorySlot* slot = memory.find(at);
    if (!slot || !slot->state) return nullptr;
    return &slot->state[(at.value - slot->first) >> kPageShift];
}

/// The linear page after `page`, or false where the address space of `size` ends (SDM Vol. 3A 5.3: a fetch
/// that wraps there faults).
bool following_page(u64 page, CodeSize size, u64& next) {
    next = page + 1;
    return size == CodeSize::Bits64 || next <= 0xffffffff >> kPageShift;
}

/// REP INS and OUTS may do no port access at all when the count is 0, and then fall through instead of
/// faulting (SDM Vol. 2B, REP: the count is tested before the string operation). So they do not trap by
/// themselves for sure.
bool may_skip_its_fault(const Instruction& i) {
    return i.cls == InstructionClass::Privileged && i.map == OpcodeMap::OneByte && i.rep != RepPrefix::None &&
           i.opcode >= 0x6c && i.opcode <= 0x6f;
}

} // namespace

InstructionClass CodeCache::class_of(const Instruction& i) const {
    if (may_skip_its_fault(i)) return InstructionClass::Sensitive;
    const bool guarded = i.segment != kNoSegment && (guarded_ & only(static_cast<SegReg>(i.segment)));
    return guarded && i.cls == InstructionClass::Plain ? InstructionClass::Sensitive : i.cls;
}

void CodeCache::guard(GuestMemory& memory, SegmentSet segments) {
    if (segments == guarded_) return;
    drop_all(memory);
    guarded_ = segments;
}

/// Decodes at `pc`, whose page is guest frame `frame`. The second page is looked at only when the instruction
/// goes on there, as the processor does: a last instruction of a page must not fault because of the next one.
CodeCache::Fetched CodeCache::decode_at(const GuestMemory& memory, const CodeTranslation& translation, u64 pc,
                                        u64 frame, CodeSize size, Instruction& out) const {
    u8 bytes[kMaxInstructionLength];
    const u32 offset = static_cast<u32>(pc & kPageMask);
    const u32 room = static_cast<u32>(kPageSize) - offset;
    const u32 here = room < kMaxInstructionLength ? room : kMaxInstructionLength;
    const GuestPhysical at((frame << kPageShift) + offset);
    const u8* first = memory.readable(at, here);
    if (!first) return {CodeStatus::Unwatchable, false, 0};
    __builtin_memcpy(bytes, first, here);

    DecodeStatus status = decode(bytes, here, size, out);
    bool crosses = false;
    u64 next_frame = 0;
    if (status == DecodeStatus::Truncated && here < kMaxInstructionLength) {
        u64 next_page;
        if (!following_page(pc >> kPageShift, size, next_page) ||
            !translation.translate(next_page, next_frame))
            return {CodeStatus::Untranslated, false, 0};
        const u32 rest = kMaxInstructionLength - here;
        const u8* second = memory.readable(GuestPhysical(next_frame << kPageShift), rest);
        if (!second) return {CodeStatus::Unwatchable, false, 0};
        __builtin_memcpy(bytes + here, second, rest);
        status = decode(bytes, kMaxInstructionLength, size, out);
        crosses = true;
    }
    if (status != DecodeStatus::Ok) {
        out.cls = InstructionClass::Unrecognised;
        if (out.length == 0 || out.length > kMaxInstructionLength) out.length = 1;
    }
    out.cls = class_of(out);
    return {CodeStatus::Ok, crosses, next_frame};
}

CodeAt CodeCache::classify(GuestMemory& memory, const CodeTranslation& translation, u64 pc, CodeSize size,
                           CodeCursor& cursor) {
    CodeAt at;
    const u64 linear_page = pc >> kPageShift;
    if (cursor.linear_page == linear_page && pages_[cursor.id.slot].generation == cursor.id.generation &&
        pages_[cursor.id.slot].size == size) {
        at.page = cursor.id;
    } else {
        u64 frame;
        if (!translation.translate(linear_page, frame)) {
            at.status = CodeStatus::Untranslated;
            return at;
        }
        at.status = enter(memory, frame, size, at.page);
        if (at.status != CodeStatus::Ok) return at;
        cursor = {linear_page, at.page};
    }

    Page& page = pages_[at.page.slot];
    u8& info = page.info[pc & kPageMask];
    if (info) {
        counters.hits++;
        at.status = CodeStatus::Ok;
        at.length = info & 0xf;
        at.cls = static_cast<InstructionClass>(info >> 4);
        return at;
    }

    Instruction instruction;
    const Fetched fetched = decode_at(memory, translation, pc, page.frame, size, instruction);
    counters.decoded++;
    at.fresh = true;
    at.status = fetched.status;
    if (fetched.status != CodeStatus::Ok) return at;
    at.length = instruction.length;
    at.cls = instruction.cls;
    at.crosses = fetched.crosses;
    if (!fetched.crosses) {
        info = static_cast<u8>(at.length | static_cast<u8>(at.cls) << 4);
        return at;
    }
    // Not kept: its two pages come and go one without the other. Both are watched all the same.
    at.status = enter(memory, fetched.next_frame, size, at.next_page);
    if (at.status != CodeStatus::Ok) return at;
    const u8 here = static_cast<u8>(kPageSize - (pc & kPageMask));
    const u8 there = static_cast<u8>(at.length - here);
    Page& next = pages_[at.next_page.slot];
    if (page.tail < here) page.tail = here;
    if (next.head < there) next.head = there;
    return at;
}

CodeStatus CodeCache::fetch(const GuestMemory& memory, const CodeTranslation& translation, u64 pc,
                            CodeSize size, Instruction& out) const {
    u64 frame;
    if (!translation.translate(pc >> kPageShift, frame)) return CodeStatus::Untranslated;
    return decode_at(memory, translation, pc, frame, size, out).status;
}

bool CodeCache::current(const CodePageId& id) {
    if (id.slot >= kPages || id.generation == 0 || pages_[id.slot].generation != id.generation) return false;
    pages_[id.slot].last_used = ++clock_;
    return true;
}

u32 CodeCache::find(u64 frame, CodeSize size) const {
    for (u32 i = buckets_[bucket(frame)]; i; i = pages_[i - 1].next)
        if (pages_[i - 1].frame == frame && pages_[i - 1].size == size) return i - 1;
    return kNone;
}

bool CodeCache::has_frame(u64 frame) const {
    for (u32 i = buckets_[bucket(frame)]; i; i = pages_[i - 1].next)
        if (pages_[i - 1].frame == frame) return true;
    return false;
}

CodeStatus CodeCache::enter(GuestMemory& memory, u64 frame, CodeSize size, CodePageId& id) {
    u32 slot = find(frame, size);
    if (slot == kNone) {
        const MemorySlot* backing = memory.find(GuestPhysical(frame << kPageShift));
        if (!backing || (!backing->state && !backing->read_only)) return CodeStatus::Unwatchable;
        slot = take_slot(memory);
        Page& page = pages_[slot];
        page.frame = frame;
        page.generation = ++generation_;
        page.size = size;
        page.head = 0;
        page.tail = 0;
        __builtin_memset(page.info, 0, sizeof page.info);
        page.next = buckets_[bucket(frame)];
        buckets_[bucket(frame)] = static_cast<u16>(slot + 1);
        live_++;
        // Set before the first byte is read: a write that comes after the read is then always noticed.
        if (u8* state = state_of(memory, frame); state && !(*state & page_state::kCode)) {
            *state |= page_state::kCode;
            note_watched(frame);
        }
    }
    pages_[slot].last_used = ++clock_;
    id = {pages_[slot].generation, static_cast<u16>(slot)};
    return CodeStatus::Ok;
}

void CodeCache::note_watched(u64 frame) {
    if (newly_watched_count_ < kNewlyWatched)
        newly_watched_[newly_watched_count_++] = frame;
    else
        newly_watched_overflow_ = 1;
}

u32 CodeCache::take_slot(GuestMemory& memory) {
    // True least-recently-used, not a clock: the pages of the plan being made are then never the victim. The
    // scan is short beside the decoding that a new page brings.
    u32 oldest = 0;
    for (u32 i = 0; i < kPages; i++) {
        if (pages_[i].generation == 0) return i;
        if (pages_[i].last_used < pages_[oldest].last_used) oldest = i;
    }
    remove(memory, oldest);
    counters.evicted++;
    return oldest;
}

void CodeCache::remove(GuestMemory& memory, u32 slot) {
    Page& page = pages_[slot];
    u16* link = &buckets_[bucket(page.frame)];
    while (*link != slot + 1)
        link = &pages_[*link - 1].next;
    *link = page.next;
    page.generation = 0;
    live_--;
    if (lost_count_ < kLost) lost_[lost_count_] = page.frame;
    if (lost_count_ <= kLost) lost_count_++;
    // The same frame may be decoded for another code size still.
    if (has_frame(page.frame)) return;
    if (u8* state = state_of(memory, page.frame)) *state &= static_cast<u8>(~page_state::kCode);
}

bool CodeCache::drop(GuestMemory& memory, u64 frame) {
    bool any = false;
    for (u32 i = buckets_[bucket(frame)]; i;) {
        const u32 slot = i - 1;
        i = pages_[slot].next;
        if (pages_[slot].frame != frame) continue;
        remove(memory, slot);
        counters.dropped++;
        any = true;
    }
    return any;
}

bool CodeCache::overlaps(const Page& page, u32 offset, u32 bytes) {
    if (offset < page.head || offset + bytes > kPageSize - page.tail) return true;
    u32 at = offset < kMaxInstructionLength ? 0 : offset - (kMaxInstructionLength - 1);
    for (; at < offset + bytes; at++)
        if (page.info[at] && at + (page.info[at] & 0xf) > offset) return true;
    return false;
}

bool CodeCache::drop_overwritten(GuestMemory& memory, u64 frame, u32 offset, u32 bytes) {
    bool decoded = false;
    for (u32 i = buckets_[bucket(frame)]; i; i = pages_[i - 1].next) {
        if (pages_[i - 1].frame != frame) continue;
        decoded = true;
        if (overlaps(pages_[i - 1], offset, bytes)) return drop(memory, frame);
    }
    counters.spared += decoded;
    return false;
}

u32 CodeCache::drop_written(GuestMemory& memory) {
    const u32 writes = memory.watched_writes;
    memory.watched_writes = 0;
    if (writes == 0 || writes > GuestMemory::kWatchedWrites) return drop_marked(memory);
    u32 count = 0;
    for (u32 i = 0; i < writes; i++) {
        const WatchedWrite& write = memory.watched_write[i];
        const GuestPhysical at(write.first);
        count += drop_overwritten(memory, at.frame(), at.page_offset(), write.bytes);
        if (u8* state = state_of(memory, at.frame()); state && !(*state & page_state::kTable))
            *state &= static_cast<u8>(~page_state::kWatchedHit);
    }
    return count;
}

/// Nobody knows where the writes were: every marked page goes.
u32 CodeCache::drop_marked(GuestMemory& memory) {
    u32 count = 0;
    for (u32 i = 0; i < kPages; i++) {
        if (pages_[i].generation == 0) continue;
        const u64 frame = pages_[i].frame;
        u8* state = state_of(memory, frame);
        if (!state || !(*state & page_state::kWatchedHit)) continue;
        // Of two code sizes both go: drop() takes all entries of the frame, so the mark may go at once.
        drop(memory, frame);
        count++;
        if (!(*state & page_state::kTable)) *state &= static_cast<u8>(~page_state::kWatchedHit);
    }
    return count;
}

void CodeCache::drop_all(GuestMemory& memory) {
    for (u32 i = 0; i < kPages; i++)
        if (pages_[i].generation) remove(memory, i);
}

} // namespace btvm

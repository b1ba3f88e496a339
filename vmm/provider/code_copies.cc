#include "vmm/provider/code_copies.hh"

namespace btvm {

namespace {

using namespace code_mark;

static_assert((CodeCopies::kMost - 1) >> (copy_entry::kLowBits + copy_entry::kHighBits) <
              copy_entry::kKeyMask);

} // namespace

void CodeCopies::initialise(const CopyView& view, u32 copies) {
    capacity_ = copies < kMost ? copies : kMost;
    hand_ = 0;
    target_count_ = 0;
    __builtin_memset(by_frame_, 0, sizeof by_frame_);
    __builtin_memset(by_linear_, 0, sizeof by_linear_);
    __builtin_memset(targets_, 0, sizeof targets_);
    for (u32 i = 0; i < capacity_; i++) {
        view.notes[i].used = 0;
        view.notes[i].next_of_frame = i + 1 < capacity_ ? i + 2 : 0;
    }
    free_ = capacity_ ? 1 : 0;
}

u32 CodeCopies::find(const CopyView& view, u32 frame, u32 linear_page) const {
    for (u32 i = by_frame_[bucket(frame)]; i; i = view.notes[i - 1].next_of_frame)
        if (view.notes[i - 1].frame == frame && view.notes[i - 1].linear_page == linear_page) return i - 1;
    return kNone;
}

u32 CodeCopies::find_any(const CopyView& view, u32 frame) const {
    for (u32 i = by_frame_[bucket(frame)]; i; i = view.notes[i - 1].next_of_frame)
        if (view.notes[i - 1].frame == frame) return i - 1;
    return kNone;
}

u32 CodeCopies::victim(const CopyView& view) {
    for (;;) {
        hand_ = hand_ + 1 < capacity_ ? hand_ + 1 : 0;
        CopyNote& note = view.notes[hand_];
        if (!note.used) continue;
        if (!note.touched) return hand_;
        note.touched = 0;
    }
}

u32 CodeCopies::target_page(const CopyView& view, u32 linear_page) const {
    for (u32 i = targets_[bucket(linear_page)]; i; i = view.targets[i - 1].next)
        if (view.targets[i - 1].linear_page == linear_page) return i - 1;
    return kNone;
}

u32 CodeCopies::take(const CopyView& view, u32 frame, u32 linear_page, const CodePageId& code) {
    const u32 copy = free_ - 1;
    CopyNote& note = view.notes[copy];
    free_ = note.next_of_frame;
    u32& frame_chain = by_frame_[bucket(frame)];
    u32& linear_chain = by_linear_[bucket(linear_page)];
    note.frame = frame;
    note.linear_page = linear_page;
    note.next_of_frame = frame_chain;
    note.next_of_linear = linear_chain;
    note.code = code;
    note.used = 1;
    note.touched = 1;
    frame_chain = copy + 1;
    linear_chain = copy + 1;
    __builtin_memset(view.page(copy), kInt3, kPageSize);
    __builtin_memset(note.marks, 0, sizeof note.marks);
    if (const u32 known = target_page(view, linear_page); known != kNone)
        for (u32 word = 0; word < kPageSize / 64; word++)
            for (u64 bits = view.targets[known].bits[word]; bits; bits &= bits - 1)
                note.marks[word * 64 + static_cast<u32>(__builtin_ctzll(bits))] = kEntry;
    counters.taken++;
    return copy;
}

void CodeCopies::release(const CopyView& view, u32 copy) {
    CopyNote& note = view.notes[copy];
    u32* link = &by_frame_[bucket(note.frame)];
    while (*link != copy + 1)
        link = &view.notes[*link - 1].next_of_frame;
    *link = note.next_of_frame;
    link = &by_linear_[bucket(note.linear_page)];
    while (*link != copy + 1)
        link = &view.notes[*link - 1].next_of_linear;
    *link = note.next_of_linear;
    note.used = 0;
    note.next_of_frame = free_;
    free_ = copy + 1;
    counters.dropped++;
}

void CodeCopies::cover(const CopyView& view, u32 copy, u32 offset, u32 length) {
    u8* marks = view.notes[copy].marks;
    marks[offset] |= static_cast<u8>(kStart | length);
    for (u32 i = 1; i < length; i++)
        marks[offset + i] = kBody;
    counters.covered++;
}

void CodeCopies::write_covered(const CopyView& view, u32 copy, const u8* page, u32 begin, u32 end) {
    const u8* marks = view.notes[copy].marks;
    u8* there = view.page(copy);
    for (u32 at = begin & ~7u; at < end; at += 8) {
        u8 bytes[8];
        for (u32 i = 0; i < 8; i++)
            bytes[i] = marks[at + i] & (kStart | kBody) ? page[at + i] : kInt3;
        if (__builtin_memcmp(there + at, bytes, sizeof bytes) != 0)
            __builtin_memcpy(there + at, bytes, sizeof bytes);
    }
}

/// Takes the instruction back that has its body at `offset`.
void CodeCopies::uncover(const CopyView& view, u32 copy, u32 offset) {
    u8* marks = view.notes[copy].marks;
    while (!(marks[offset] & kStart))
        offset--;
    const u32 length = marks[offset] & kLength;
    __builtin_memset(view.page(copy) + offset, kInt3, length);
    for (u32 i = 0; i < length; i++)
        marks[offset + i] &= kEntry;
    counters.uncovered++;
}

void CodeCopies::mark_entry(const CopyView& view, u32 copy, u32 offset) {
    u8& mark = view.notes[copy].marks[offset];
    if (mark & kEntry) return;
    if (mark & kBody) uncover(view, copy, offset);
    mark |= kEntry;
}

bool CodeCopies::mark_target(const CopyView& view, GuestLinear linear) {
    const u32 page = static_cast<u32>(linear.value >> kPageShift);
    const u32 offset = linear.page_offset();
    u32 known = target_page(view, page);
    if (known == kNone) {
        if (target_count_ == capacity_ * kTargetsPerCopy) return false;
        known = target_count_++;
        u32& chain = targets_[bucket(page)];
        view.targets[known] = {.linear_page = page, .next = chain};
        chain = known + 1;
    }
    u64& word = view.targets[known].bits[offset / 64];
    const u64 bit = u64{1} << offset % 64;
    if (word & bit) return true;
    word |= bit;
    for (u32 i = by_linear_[bucket(page)]; i; i = view.notes[i - 1].next_of_linear)
        if (view.notes[i - 1].linear_page == page) mark_entry(view, i - 1, offset);
    return true;
}

u64 CodeCopies::entry_bits(const CopyView& view, u32 copy) {
    using namespace copy_entry;
    const u64 low = copy & kLowMask;
    const u64 high = copy >> kLowBits & kHighMask;
    const u64 key = 1 + (copy >> (kLowBits + kHighBits));
    return view.host_frames[copy] << kPageShift | low << kLowShift | high << kHighShift | key << kKeyShift;
}

} // namespace btvm

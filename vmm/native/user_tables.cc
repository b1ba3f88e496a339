#include "vmm/native/user_tables.hh"

#include "vmm/mmu/guest_walk.hh"
#include "vmm/native/way.hh"

namespace btvm::native {

namespace {

constexpr u64 kAccessed = u64{1} << 40;
constexpr u64 kLong = u64{1} << 53;

} // namespace

/// Reads a descriptor table of the guest, through the guest's paging, page by page.
class UserTables::Reader {
public:
    Reader(const CpuState& cpu, GuestMemory& memory, bool local) : cpu_(cpu), memory_(memory) {
        const bool none = local && cpu.ldtr.null();
        base_ = static_cast<u32>(local ? cpu.ldtr.base : cpu.gdtr.base);
        // A limit below 7 leaves no room for a descriptor.
        const u64 limit = local ? cpu.ldtr.limit : cpu.gdtr.limit;
        count_ = none ? 0 : static_cast<u32>(((limit < 0xffff ? limit : 0xffff) + 1) / sizeof(Descriptor));
        first_ = local ? 0 : 1; // the GDT's first entry is the null descriptor
    }

    /// How many entries the limit lets in.
    [[nodiscard]] u32 count() const { return count_; }

    /// The first `count` entries as they lie in memory, if that is in one page; else null.
    [[nodiscard]] const u8* first_entries(u32 count) {
        const bool one_page = (base_ & kPageMask) + count * sizeof(Descriptor) <= kPageSize;
        const u8* page = count && one_page ? find_page(base_) : nullptr;
        return page ? page + (base_ & kPageMask) : nullptr;
    }

    /// The descriptor, or 0 where there is none. Where the guest's tables map nothing, loading it would be a
    /// page fault: the interpreter's.
    [[nodiscard]] u64 read(u32 index) {
        if (index >= count_ || index < first_) return 0;
        const u32 at = base_ + index * static_cast<u32>(sizeof(Descriptor));
        u64 raw;
        if ((at & kPageMask) <= kPageSize - sizeof raw) {
            const u8* page = find_page(at);
            if (!page) return 0;
            __builtin_memcpy(&raw, page + (at & kPageMask), sizeof raw);
            return raw;
        }
        u8 bytes[sizeof raw];
        for (u32 i = 0; i < sizeof raw; i++) {
            const u8* page = find_page(at + i);
            if (!page) return 0;
            bytes[i] = page[(at + i) & kPageMask];
        }
        __builtin_memcpy(&raw, bytes, sizeof raw);
        return raw;
    }

private:
    const u8* find_page(u32 linear) {
        const u32 wanted = linear & ~static_cast<u32>(kPageMask);
        if (known_ && wanted == linear_) return page_;
        known_ = true;
        linear_ = wanted;
        GuestWalk walk;
        page_ = guest_walk(cpu_, memory_, GuestLinear(wanted), {}, WalkMark::No, walk)
                    ? memory_.readable(walk.address, static_cast<u32>(kPageSize))
                    : nullptr;
        return page_;
    }

    const CpuState& cpu_;
    GuestMemory& memory_;
    u32 base_{};
    u32 count_{};
    u32 first_{};
    bool known_{};
    u32 linear_{};
    const u8* page_{};
};

u64 UserTables::usable(u64 raw, bool only_whole_segments) {
    const AccessRights a = Descriptor{raw}.access();
    if (!a.is_code_or_data() || (a.dpl() != 3 && !a.conforming())) return 0;
    // A processor need not write the accessed bit when CS is loaded (QEMU's does not): such a load must
    // fault.
    if (a.is_code() && a.present() && !(raw & kAccessed)) return 0;
    if (only_whole_segments && a.present() && !is_whole(Descriptor{raw}.segment(0))) {
        if (a.is_code()) return 0;
        raw &= ~kAccessed;
    }
    return raw & ~kLong; // there are no 64-bit segments outside long mode
}

void UserTables::refresh_beginning(Reader& reader, Beginning& beginning, btvm_u64* table) {
    const u32 count = reader.count() < kAlways ? reader.count() : kAlways;
    // This is done before each entry to user mode, and mostly finds nothing new.
    const u8* const entries = reader.first_entries(count);
    for (u32 i = 0; i < count; i++) {
        u64 raw;
        if (entries && i)
            __builtin_memcpy(&raw, entries + i * sizeof raw, sizeof raw);
        else
            raw = reader.read(i);
        if (raw == beginning.seen[i]) continue;
        beginning.seen[i] = raw;
        table[i] = ours(raw);
    }
    for (u32 i = count; i < beginning.count; i++)
        beginning.seen[i] = table[i] = 0;
    beginning.count = count;
}

void UserTables::refresh(const CpuState& cpu, GuestMemory& memory, btvm_user_tables& tables) {
    turn_++;
    Reader gdt(cpu, memory, false);
    Reader ldt(cpu, memory, true);
    for (u32 i = 0; i < trapping_count_; i++) {
        const u16 selector = trapping_[i];
        const u32 index = selector >> 3;
        if (index < kAlways) update(tables, selector, (selector & kLocal ? ldt_ : gdt_).seen[index]);
        for (u32 k = 0; k < late_count_; k++)
            if (late_[k].selector == selector) update(tables, selector, late_[k].seen);
    }
    trapping_count_ = 0;
    refresh_beginning(gdt, gdt_, tables.gdt);
    refresh_beginning(ldt, ldt_, tables.ldt);
    for (u32 k = 0; k < late_count_; k++) {
        Late& late = late_[k];
        const u64 raw = (late.selector & kLocal ? ldt : gdt).read(late.selector >> 3);
        if (raw == late.seen) continue;
        late.seen = raw;
        update(tables, late.selector, raw);
    }
}

Descriptor UserTables::find(const CpuState& cpu, GuestMemory& memory, btvm_user_tables& tables,
                            u16 selector) {
    const u16 name = selector & 0xfffc;
    if (name == BTVM_SEL_LAST_CS) return {}; // ours stands there
    if (name >> 3 < kAlways) return {place(tables, name)};
    for (u32 k = 0; k < late_count_; k++) {
        if (late_[k].selector != name) continue;
        late_[k].found_in = turn_;
        return {place(tables, name)};
    }
    Reader reader(cpu, memory, name & kLocal);
    const u64 raw = reader.read(name >> 3);
    if (!ours(raw)) return {};
    // What was found since refresh() will be loaded together, so nothing of it gives way. It is six at most.
    while (late_next_ < late_count_ && late_[late_next_].found_in == turn_)
        late_next_ = (late_next_ + 1) % kLate;
    Late& late = late_[late_next_];
    late_next_ = (late_next_ + 1) % kLate;
    if (late_count_ < kLate)
        late_count_++;
    else
        place(tables, late.selector) = 0;
    late = {.seen = raw, .found_in = turn_, .selector = name};
    update(tables, name, raw);
    return {place(tables, name)};
}

void UserTables::make_load_trap(btvm_user_tables& tables, u16 selector) {
    const u16 name = selector & 0xfffc;
    if (trapping_count_ == kTrapping) return;
    trapping_[trapping_count_++] = name;
    btvm_u64& entry = place(tables, name);
    entry = Descriptor{entry}.access().is_data() ? entry & ~kAccessed : 0;
}

} // namespace btvm::native

#include "vmm/mmu/shadow_page_table.hh"

#include "vmm/base/platform.hh"

namespace btvm {

namespace {

constexpr u32 kEntriesPerPage = 512;
constexpr unsigned kBitsPerLevel = 9;
constexpr u64 kTableFlags =
    ShadowEntry::kPresent | ShadowEntry::kWritable | ShadowEntry::kUser | ShadowEntry::kAccessed;

// An entry that points to a table also tells the table's index in the pool, in bits the processor ignores
// there: 52-62 and 9-11 (SDM Vol. 3A table 4-19). So a walk needs no map from host frames back to pool pages.
constexpr unsigned kIndexLowShift = 52;
constexpr unsigned kIndexLowBits = 11;
constexpr unsigned kIndexHighShift = 9;
constexpr u32 kMaxPoolPages = 1u << (kIndexLowBits + 3);

constexpr u64 table_entry(u64 host_frame, u32 index) {
    const u64 low = index & ((1u << kIndexLowBits) - 1);
    const u64 high = index >> kIndexLowBits;
    return host_frame << kPageShift | low << kIndexLowShift | high << kIndexHighShift | kTableFlags;
}

constexpr u32 table_index(u64 entry) {
    const u64 low = entry >> kIndexLowShift & ((1u << kIndexLowBits) - 1);
    const u64 high = entry >> kIndexHighShift & 7;
    return static_cast<u32>(high << kIndexLowBits | low);
}

constexpr u32 entry_number(GuestLinear at, unsigned level) {
    return static_cast<u32>(at.value >> (kPageShift + kBitsPerLevel * (level - 1))) % kEntriesPerPage;
}

u64* pool_page(const ShadowPoolView& pool, u32 index) { return pool.pages + u64{kEntriesPerPage} * index; }

} // namespace

void ShadowPageTable::initialise(const ShadowPoolView& pool, u32 pages) {
    capacity_ = pages < kMaxPoolPages ? pages : kMaxPoolPages;
    flush(pool);
}

void ShadowPageTable::flush(const ShadowPoolView& pool) {
    __builtin_memset(pool_page(pool, kRootPage), 0, kPageSize);
    used_ = kRootPage + 1;
    platform::invalidate_all();
}

u64* ShadowPageTable::find(const ShadowPoolView& pool, GuestLinear at) const {
    u64* table = pool_page(pool, kRootPage);
    for (unsigned level = 3; level > 1; level--) {
        const u64 entry = table[entry_number(at, level)];
        if (!(entry & ShadowEntry::kPresent)) return nullptr;
        table = pool_page(pool, table_index(entry));
    }
    return &table[entry_number(at, 1)];
}

u64* ShadowPageTable::make(const ShadowPoolView& pool, GuestLinear at) {
    u64* table = pool_page(pool, kRootPage);
    for (unsigned level = 3; level > 1; level--) {
        u64& entry = table[entry_number(at, level)];
        if (!(entry & ShadowEntry::kPresent)) {
            if (used_ == capacity_) return nullptr;
            __builtin_memset(pool_page(pool, used_), 0, kPageSize);
            entry = table_entry(pool.host_frames[used_], used_);
            used_++;
        }
        table = pool_page(pool, table_index(entry));
    }
    return &table[entry_number(at, 1)];
}

void ShadowPageTable::map(const ShadowPoolView& pool, GuestLinear at, u64 host_frame, bool writable) {
    u64* entry = make(pool, at);
    if (!entry) {
        flush(pool);
        entry = make(pool, at);
    }
    *entry = host_frame << kPageShift | ShadowEntry::kPresent | ShadowEntry::kUser | ShadowEntry::kAccessed |
             (writable ? ShadowEntry::kWritable | ShadowEntry::kDirty : 0);
    platform::invalidate_page(at);
}

void ShadowPageTable::write_protect(const ShadowPoolView& pool, GuestLinear at) {
    u64* entry = find(pool, at);
    if (!entry || !(*entry & ShadowEntry::kPresent)) return;
    *entry &= ~(ShadowEntry::kWritable | ShadowEntry::kDirty);
    platform::invalidate_page(at);
}

} // namespace btvm

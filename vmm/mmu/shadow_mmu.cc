#include "vmm/mmu/shadow_mmu.hh"

#include "vmm/base/platform.hh"

namespace btvm {

namespace {

using namespace shadow_entry;

/// Bits of the guest's entries, SDM Vol. 3A tables 4-4 to 4-11.
constexpr u64 kGuestPresent = 1u << 0;
constexpr u64 kGuestWritable = 1u << 1;
constexpr u64 kGuestUser = 1u << 2;
constexpr u64 kGuestAccessed = 1u << 5;
constexpr u64 kGuestDirty = 1u << 6;
constexpr u64 kGuestLarge = 1u << 7;
constexpr u64 kGuestFrame32 = 0xfffff000;
constexpr u64 kGuestFramePae = ((u64{1} << 36) - 1) & ~kPageMask;
constexpr u32 kPagesPerRegion = 512; ///< Of 2 MiB.
constexpr unsigned kRegionShift = 21;
constexpr u16 kByLinear = 0x8000; ///< In ShadowKey::linear: it tells something.

constexpr u32 gib_of(GuestLinear at) { return static_cast<u32>(at.value >> 30) & 3; }
constexpr u32 directory_place(GuestLinear at) { return static_cast<u32>(at.value >> 21) % kShadowEntries; }
constexpr u32 table_place(GuestLinear at) {
    return static_cast<u32>(at.value >> kPageShift) % kShadowEntries;
}

/// What decides how tables are read, beside CR3 and CR0.WP.
u32 translation_mode(const CpuState& cpu) {
    return (cpu.cr0 & cr0::kPg ? 1 : 0) | (cpu.cr4 & cr4::kPae ? 2 : 0) | (cpu.cr4 & cr4::kPse ? 4 : 0) |
           (cpu.efer & efer::kNxe ? 8 : 0) | (cpu.a20_mask_off ? 16 : 0);
}

u32 bus_frame(const CpuState& cpu, u64 physical) {
    return static_cast<u32>(bus_address(cpu, physical).value >> kPageShift);
}

/// The page state of a guest page and its host frame; false: no memory to map.
bool look_up(const GuestMemory& memory, u64 guest_frame, u8*& state, u64& host_frame, bool& read_only) {
    const GuestPhysical at(guest_frame << kPageShift);
    const MemorySlot* slot = memory.find(at);
    if (!slot || !slot->host_frames || !slot->state) return false;
    const u64 page = (at.value - slot->first) >> kPageShift;
    state = &slot->state[page];
    host_frame = slot->host_frames[page];
    read_only = slot->read_only;
    return true;
}

/// Whether a write to a page may simply land.
constexpr bool writes_land(u8 state) {
    const bool table_guarded = (state & page_state::kTable) && !(state & page_state::kTableChanged);
    return (state & page_state::kDirty) && !(state & page_state::kCode) && !table_guarded;
}

} // namespace

ShadowMmu::Directory ShadowMmu::directory_key(const CpuState& cpu, ShadowSide side, u32 gib) const {
    ShadowKey key{.kind = ShadowKind::Directory, .side = side, .writable = true, .executable = true};
    if (options.execute_only) key.linear = static_cast<u16>(kByLinear | gib);
    if (!cpu.paging()) {
        key.frame = gib;
        if (!options.execute_only) key.side = ShadowSide::Kernel; // both sides see the same
        return {key, true};
    }
    key.paging = true;
    key.pae = cpu.cr4 & cr4::kPae;
    key.large_pages = key.pae || (cpu.cr4 & cr4::kPse);
    key.write_protect = side == ShadowSide::User || (cpu.cr0 & cr0::kWp);
    if (key.pae) {
        const u64 pdpte = cpu.pae_pdpte[gib];
        key.frame = bus_frame(cpu, pdpte & kGuestFramePae);
        return {key, (pdpte & kGuestPresent) != 0};
    }
    key.frame = bus_frame(cpu, cpu.cr3 & kGuestFrame32);
    key.part = static_cast<u8>(gib);
    return {key, true};
}

u64 ShadowMmu::guest_entry(const CpuState& cpu, const GuestMemory& memory, const ShadowKey& key, u32 place) {
    const u64 table = u64{key.frame} << kPageShift;
    if (key.pae) return memory.load<u64>(bus_address(cpu, table + place * 8));
    const u32 entry =
        key.kind == ShadowKind::Directory ? key.part * 256u + place / 2 : key.part * 512u + place;
    return memory.load<u32>(bus_address(cpu, table + entry * 4));
}

/// The key of what a directory's guest entry leads to; false: to nothing that may be mapped.
bool ShadowMmu::child_key(const CpuState& cpu, const ShadowKey& directory, u64 entry, u32 place,
                          ShadowKey& child) {
    child = directory;
    child.part = 0;
    if (directory.linear) child.linear = static_cast<u16>(kByLinear | (directory.linear & 3) << 9 | place);
    if (!directory.paging) {
        child.kind = ShadowKind::Direct;
        child.frame = directory.frame * (kPagesPerRegion * kShadowEntries) + place * kPagesPerRegion;
        return true;
    }
    if (!(entry & kGuestPresent) || !(entry & kGuestAccessed)) return false;
    if (directory.side == ShadowSide::User && !(entry & kGuestUser)) return false;
    child.writable = (entry & kGuestWritable) || !directory.write_protect;
    child.executable = !(entry & kExecuteDisable);
    const u64 frame_mask = directory.pae ? kGuestFramePae : kGuestFrame32;
    if (directory.large_pages && (entry & kGuestLarge)) {
        child.kind = ShadowKind::Direct;
        child.writable = child.writable && (entry & kGuestDirty);
        constexpr u64 kRegion = u64{kPagesPerRegion} << kPageShift;
        u64 base = entry & frame_mask & ~(kRegion - 1);
        if (!directory.pae) base = (base & ~(2 * kRegion - 1)) + (place & 1) * kRegion;
        child.frame = static_cast<u32>(base >> kPageShift);
        return true;
    }
    child.kind = ShadowKind::Table;
    child.frame = bus_frame(cpu, entry & frame_mask);
    if (!directory.pae) child.part = place & 1;
    return true;
}

void ShadowMmu::drop(const ShadowView& view, GuestMemory& memory, u32 page, u32 place) {
    pool_.clear_entry(view, memory, page, place);
    note_stale(view, page, place);
}

/// An entry was taken away, or write access from it. The processor may hold it if it can be reached from the
/// root; a page that was cut off from there has made everything stale when that happened.
void ShadowMmu::note_stale(const ShadowView& view, u32 page, u32 place) {
    const ShadowKey& key = view.notes[page].key;
    if (page == ShadowPool::kRoot || key.kind == ShadowKind::Directory || !(key.linear & kByLinear)) {
        stale.add_all();
        return;
    }
    const GuestLinear at(u64{key.linear & ~u32{kByLinear}} << kRegionShift | u64{place} << kPageShift);
    const u64 directory = view.page(ShadowPool::kRoot)[gib_of(at)];
    if (!(directory & kPresent)) return;
    const u64 table = view.page(ShadowPool::pointed_to(directory))[directory_place(at)];
    if ((table & kPresent) && ShadowPool::pointed_to(table) == page) stale.add(at);
}

void ShadowMmu::purge(const ShadowView& view, GuestMemory& memory) {
    pool_.clear(view, memory);
    changed_count_ = 0;
    changed_overflow_ = false;
    given_up_ = false;
    loaded_ = false;
    stale.add_all();
    translation_epoch++;
}

/// Whether the work is too much. The host world has the time for all of it.
bool ShadowMmu::spend(u32 entries) {
    work_ += entries;
    const u32 most = options.most_work ? options.most_work : platform::kInGuestWorld ? kMostWork : ~u32{0};
    if (work_ > most) given_up_ = true;
    return given_up_;
}

/// Makes an entry point to a shadow page, and to nothing else.
void ShadowMmu::point(const ShadowView& view, GuestMemory& memory, u32 page, u32 place, u32 to) {
    const u64 entry = view.page(page)[place];
    if (entry & kPresent) {
        if (to && ShadowPool::pointed_to(entry) == to) return;
        drop(view, memory, page, place);
    }
    if (to) pool_.set_pointer(view, memory, page, place, to);
}

void ShadowMmu::load(const ShadowView& view, GuestMemory& memory, const CpuState& cpu, ShadowSide side) {
    const bool same_for_both = !cpu.paging() && !options.execute_only;
    if (loaded_ && (side_ == side || same_for_both)) return;
    loaded_ = true;
    side_ = side;
    counters.spaces_loaded++;
    for (u32 gib = 0; gib < 4; gib++) {
        const Directory directory = directory_key(cpu, side, gib);
        point(view, memory, ShadowPool::kRoot, gib,
              directory.present ? pool_.find(view, directory.key) : ShadowPool::kNone);
    }
    stale.add_all();
}

/// Makes an entry point to the shadow page with this key, which is made if there is none, and guards the
/// guest's table. Returns the page.
u32 ShadowMmu::link(const ShadowView& view, GuestMemory& memory, const CpuState& cpu, u32 from, u32 place,
                    const ShadowKey& key) {
    u32 page = pool_.find(view, key);
    if (!page) {
        const u64 evicted = pool_.counters.evicted;
        page = pool_.take(view, memory, key, from);
        if (pool_.counters.evicted != evicted) stale.add_all();
    } else if (const u64 entry = view.page(from)[place];
               !(entry & kPresent) || ShadowPool::pointed_to(entry) != page) {
        // INVLPG reaches what the loaded space leads to (flush_page()). This page was out of its reach.
        sync_page(view, memory, cpu, page);
    }
    guard_table(view, memory, key);
    point(view, memory, from, place, page);
    return page;
}

void ShadowMmu::map(const ShadowView& view, GuestMemory& memory, const CpuState& cpu, ShadowSide side,
                    GuestLinear linear, const GuestWalk& walk, u64 copy) {
    const ShadowKey directory_wanted = directory_key(cpu, side, gib_of(linear)).key;
    const u32 directory = link(view, memory, cpu, ShadowPool::kRoot, gib_of(linear), directory_wanted);
    const u32 region = directory_place(linear);
    ShadowKey table_wanted;
    if (!child_key(cpu, directory_wanted, walk.directory, region, table_wanted)) return;
    const u32 table = link(view, memory, cpu, directory, region, table_wanted);

    u8* state;
    u64 host_frame;
    bool read_only;
    const u64 guest_frame = walk.address.value >> kPageShift;
    if (!look_up(memory, guest_frame, state, host_frame, read_only)) return;
    const bool allowed = walk.writable || !directory_wanted.write_protect;
    const bool writable = allowed && walk.dirty && !read_only && writes_land(*state);
    const bool executable = walk.executable && !(options.execute_only && side == ShadowSide::Kernel);
    u64 entry = host_frame << kPageShift | kPresent | kUser | kAccessed |
                (writable ? kWritable | kDirty : 0) | (executable ? 0 : kExecuteDisable);
    if (copy) entry = copy | kPresent | kUser | kAccessed;
    const u32 place = table_place(linear);
    u64& present = view.page(table)[place];
    if (present == entry) return;
    if (present & kPresent) {
        pool_.clear_entry(view, memory, table, place);
        stale.add(linear);
    }
    pool_.set_leaf(view, memory, table, place, entry, static_cast<u32>(guest_frame));
}

/// A page that has become a table of the guest: from now on its writes must be seen. If it has changed since
/// the last flush, so has what is made of it now: nothing else may rely on it.
void ShadowMmu::guard_table(const ShadowView& view, GuestMemory& memory, const ShadowKey& key) {
    if (!key.paging || key.kind == ShadowKind::Direct) return;
    u8* state;
    u64 host_frame;
    bool read_only;
    if (!look_up(memory, key.frame, state, host_frame, read_only)) return;
    if (*state & page_state::kTableChanged) translation_epoch++;
    if (*state & page_state::kTable) return;
    *state |= page_state::kTable;
    write_protect(view, memory, key.frame);
}

void ShadowMmu::write_protect(const ShadowView& view, GuestMemory& memory, u64 guest_frame) {
    EntryChains chains(view, memory);
    for (u32 next = chains.first_of_guest_page(static_cast<u32>(guest_frame)); next;
         next = chains.after(next - 1)) {
        if (spend(1)) return;
        u64& entry = view.entries[next - 1];
        if (!(entry & kWritable)) continue;
        entry &= ~(kWritable | kDirty);
        note_stale(view, (next - 1) / kShadowEntries, (next - 1) % kShadowEntries);
    }
}

void ShadowMmu::drop_copies(const ShadowView& view, GuestMemory& memory, u64 guest_frame) {
    EntryChains chains(view, memory);
    u32 next = chains.first_of_guest_page(static_cast<u32>(guest_frame));
    while (next) {
        // Nobody may find a copy that is gone, not even before the next entry into native code.
        if (spend(1)) return purge(view, memory);
        const u32 id = next - 1;
        next = chains.after(id);
        if (view.entries[id] & kProtectionKeys) drop(view, memory, id / kShadowEntries, id % kShadowEntries);
    }
}

void ShadowMmu::table_written(const GuestMemory& memory, u64 guest_frame) {
    u8* state;
    u64 host_frame;
    bool read_only;
    if (!look_up(memory, guest_frame, state, host_frame, read_only)) return;
    if ((*state & (page_state::kTable | page_state::kTableChanged)) != page_state::kTable) return;
    *state |= page_state::kTableChanged;
    counters.changed_tables++;
    if (changed_count_ < kChanged)
        changed_[changed_count_++] = static_cast<u32>(guest_frame);
    else
        changed_overflow_ = true;
}

/// Drops an entry unless the guest's entry still says what it was made from.
void ShadowMmu::sync_entry(const ShadowView& view, GuestMemory& memory, const CpuState& cpu, u32 page,
                           u32 place) {
    const u64 entry = view.page(page)[place];
    if (!(entry & kPresent)) return;
    const ShadowKey& key = view.notes[page].key;
    const u64 guest = guest_entry(cpu, memory, key, place);
    bool holds = false;
    if (key.kind == ShadowKind::Directory) {
        ShadowKey child;
        holds = !options.no_compare && child_key(cpu, key, guest, place, child) &&
                view.notes[ShadowPool::pointed_to(entry)].key == child;
    } else {
        u8* state;
        u64 host_frame;
        bool read_only;
        const u64 mask = key.pae ? kGuestFramePae : kGuestFrame32;
        const bool writable = (key.writable && (guest & kGuestWritable)) || !key.write_protect;
        // A copy's entry is cheap to make again.
        holds = !(entry & kProtectionKeys) && (guest & kGuestPresent) && (guest & kGuestAccessed) &&
                (key.side == ShadowSide::Kernel || (guest & kGuestUser)) &&
                look_up(memory, bus_frame(cpu, guest & mask), state, host_frame, read_only) &&
                (entry & kFrameMask) == host_frame << kPageShift &&
                (!(entry & kWritable) || (writable && (guest & kGuestDirty))) &&
                ((entry & kExecuteDisable) || !(guest & kExecuteDisable) || !key.pae);
    }
    if (holds) {
        counters.entries_kept++;
        return;
    }
    counters.entries_dropped++;
    drop(view, memory, page, place);
}

/// Brings one shadow page up to date, if the guest's table that it was made from has changed.
void ShadowMmu::sync_page(const ShadowView& view, GuestMemory& memory, const CpuState& cpu, u32 page) {
    const ShadowNote& note = view.notes[page];
    if (!note.key.paging || note.key.kind == ShadowKind::Direct) return;
    u8* state;
    u64 host_frame;
    bool read_only;
    if (look_up(memory, note.key.frame, state, host_frame, read_only) &&
        !(*state & page_state::kTableChanged))
        return;
    if (spend(note.mapped)) return;
    for (u32 place = 0, left = note.mapped; left && place < kShadowEntries; place++) {
        if (!(view.page(page)[place] & kPresent)) continue;
        left--;
        sync_entry(view, memory, cpu, page, place);
    }
}

/// Brings everything made from one guest table up to date, and guards the table again.
void ShadowMmu::sync_frame(const ShadowView& view, GuestMemory& memory, const CpuState& cpu, u32 frame) {
    u8* state;
    u64 host_frame;
    bool read_only;
    if (!look_up(memory, frame, state, host_frame, read_only)) return;
    if (!(*state & page_state::kTableChanged)) return;
    bool serves = false;
    for (u32 page = pool_.first_of_frame(view, frame), next; page; page = next) {
        next = pool_.next_of_frame(view, page);
        if (spend(1)) return;
        const ShadowNote& note = view.notes[page];
        if (!note.key.paging || note.key.kind == ShadowKind::Direct) continue;
        sync_page(view, memory, cpu, page);
        // Nothing leads through it any more: most likely the page is no table now.
        if (!note.mapped && !note.parents) {
            pool_.release(view, memory, page);
            continue;
        }
        serves = true;
    }
    *state &= static_cast<u8>(~page_state::kTableChanged);
    if (serves) write_protect(view, memory, frame);
}

void ShadowMmu::sync_all_changed(const ShadowView& view, GuestMemory& memory, const CpuState& cpu) {
    for (u32 page = 1; page < pool_.capacity() && !given_up_; page++)
        if (view.notes[page].used && view.notes[page].key.paging)
            sync_frame(view, memory, cpu, view.notes[page].key.frame);
}

void ShadowMmu::flush(const ShadowView& view, GuestMemory& memory, const CpuState& cpu) {
    counters.flushes++;
    const u32 mode = translation_mode(cpu);
    loaded_ = false;
    translation_epoch++;
    if (mode != mode_ || options.no_tracking) {
        mode_ = mode;
        purge(view, memory);
        return;
    }
    if (changed_overflow_)
        sync_all_changed(view, memory, cpu);
    else
        for (u32 i = 0; i < changed_count_ && !given_up_; i++)
            sync_frame(view, memory, cpu, changed_[i]);
    if (given_up_) purge(view, memory); // who looks at entries next need not know
    changed_count_ = 0;
    changed_overflow_ = false;
}

void ShadowMmu::flush_page(const ShadowView& view, GuestMemory& memory, const CpuState& cpu,
                           GuestLinear linear) {
    translation_epoch++;
    if (!cpu.paging()) return;
    constexpr ShadowSide kSides[] = {ShadowSide::Kernel, ShadowSide::User};
    for (const ShadowSide side : kSides) {
        const Directory wanted = directory_key(cpu, side, gib_of(linear));
        const u32 directory = wanted.present ? pool_.find(view, wanted.key) : ShadowPool::kNone;
        if (!directory) continue;
        const u32 region = directory_place(linear);
        sync_entry(view, memory, cpu, directory, region);
        const u64 entry = view.page(directory)[region];
        if (!(entry & kPresent)) continue;
        const u32 table = ShadowPool::pointed_to(entry);
        if (view.notes[table].key.kind == ShadowKind::Table)
            sync_entry(view, memory, cpu, table, table_place(linear));
    }
}

} // namespace btvm

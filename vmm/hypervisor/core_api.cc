#include "vmm/hypervisor/core_api.h"

#include <new>

#include "vmm/base/platform.hh"
#include "vmm/hypervisor/host_turn.hh"
#include "vmm/hypervisor/saved_state.hh"
#include "vmm/memory/dirty_log.hh"
#include "vmm/native/native_state.hh"
#include "vmm/world.hh"

using namespace btvm;

namespace {

World& world_of(btvm_world* w) { return *reinterpret_cast<World*>(w); }
const World& world_of(const btvm_world* w) { return *reinterpret_cast<const World*>(w); }

template <class T>
T* pointer(u64 address) {
    return reinterpret_cast<T*>(address);
}

/// The largest comes first: that is where most accesses go, and GuestMemory::find() looks at each in turn.
void add_slot(View& view, const btvm_core_slot& s, u64 memory, u64 state, u64 frames, u64 mappings) {
    MemorySlot* const slots = view.memory.slots;
    u32 place = view.memory.slot_count++;
    for (; place && slots[place - 1].size < s.size; place--)
        slots[place] = slots[place - 1];
    MemorySlot& slot = slots[place];
    slot.first = s.guest_physical;
    slot.size = s.size;
    slot.memory = pointer<u8>(memory);
    slot.state = pointer<u8>(state);
    slot.host_frames = pointer<const u64>(frames);
    slot.mappings = pointer<u32>(mappings);
    slot.read_only = s.read_only != 0;
}

ShadowView shadow_view(u64 entries, u64 frames, u64 notes, u32 pages) {
    return {pointer<u64>(entries), pointer<const u64>(frames), pointer<ShadowNote>(notes),
            pointer<EntryLinks>(notes + u64{pages} * sizeof(ShadowNote))};
}

CopyView copy_view(u64 pages, u64 frames, u64 notes, u32 count) {
    return {pointer<u8>(pages), pointer<const u64>(frames), pointer<CopyNote>(notes),
            pointer<TargetPage>(notes + u64{count} * sizeof(CopyNote))};
}

/// The processor state was set from outside: a port access under way belongs to the one before.
void forget_request(World& world) {
    world.port_request.forget();
    world.request = HostRequest::None;
    world.native.plan_valid = false;
}

/// What is cached of guest code and its mapping no longer holds.
void forget_mappings(World& world) {
    world.shadow.purge(world.host.shadow, world.host.memory);
    world.plans.flush();
    world.native.plan_valid = false;
}

/// The processor is another one, or was taken back to an earlier state of this guest. What was written to
/// memory since has been told page by page (btvm_core_memory_written()), so all else of what is mapped may
/// hold: it is as if the guest had loaded its address space and flushed its TLB.
void load_mappings(World& world) {
    world.shadow.flush(world.host.shadow, world.host.memory, world.cpu);
    world.plans.flush();
    world.native.plan_valid = false;
}

/// A machine has APICs or not: the processor tells, and they are as at power-on.
void set_apics(World& world, bool on) {
    if (world.cpu.features.apic() == on) return;
    world.most_features.basic ^= cpuid_feature::kApic;
    world.cpu.features.basic ^= cpuid_feature::kApic;
    world.cpu.apic_base = on ? apic_base::kReset : 0;
    world.apics.reset();
}

} // namespace

btvm_u64 btvm_core_world_size(void) { return (sizeof(World) + kPageMask) & ~kPageMask; }

btvm_u64 btvm_core_shadow_notes_size(btvm_u32 pages) { return shadow_notes_size(pages); }

btvm_u64 btvm_core_copy_notes_size(btvm_u32 pages) { return copy_notes_size(pages); }

btvm_u32 btvm_core_copies_for(btvm_u64 ram_pages) { return CodeCopies::for_ram(ram_pages); }

void btvm_core_initialise(btvm_world* memory, const btvm_core_layout* layout) {
    World& world = *new (memory) World{};
    world.config.breakpoints = kMaxBreakpoints;
    for (u32 i = 0; i < layout->slot_count; i++) {
        const btvm_core_slot& s = layout->slots[i];
        add_slot(world.host, s, s.host_memory, s.host_state, s.host_frames, s.host_mappings);
        add_slot(world.monitor, s, s.monitor_memory, s.monitor_state, s.monitor_frames, s.monitor_mappings);
    }
    world.host.shadow = shadow_view(layout->host_shadow, layout->host_shadow_frames,
                                    layout->host_shadow_notes, layout->shadow_pages);
    world.monitor.shadow = shadow_view(layout->monitor_shadow, layout->monitor_shadow_frames,
                                       layout->monitor_shadow_notes, layout->shadow_pages);
    world.host.copies =
        copy_view(layout->host_copies, layout->host_copy_frames, layout->host_copy_notes, layout->copy_pages);
    world.monitor.copies = copy_view(layout->monitor_copies, layout->monitor_copy_frames,
                                     layout->monitor_copy_notes, layout->copy_pages);
    world.copies.initialise(world.host.copies, layout->copy_pages);
    world.host.context = pointer<btvm_switch_context>(layout->host_context);
    world.monitor.context = pointer<btvm_switch_context>(layout->monitor_context);
    world.host.user_tables = pointer<btvm_user_tables>(layout->host_user_tables);
    world.monitor.user_tables = pointer<btvm_user_tables>(layout->monitor_user_tables);
    world.lax_segments = world.user_tables.only_whole_segments = layout->lax_segments != 0;
    world.most_features = CpuFeatures::on(layout->cpuid_basic, layout->cpuid_extended, layout->mxcsr_mask);
    world.cpu.features = world.most_features;
    world.shadow.initialise(world.host.shadow, layout->shadow_pages);
    btvm_core_reset(memory);
}

void btvm_core_reset(btvm_world* w) {
    World& world = world_of(w);
    reset(world.cpu);
    world.pic.reset();
    world.apics.reset();
    world.pit.reset(world.clock.anchor_ns);
    world.pm_timer = {};
    world.next_timer_ns = 0;
    world.owed_ticks = 0;
    world.port_request.forget();
    world.request = HostRequest::None;
    world.native = {};
    world.error = {};
    forget_mappings(world);
}

void btvm_core_set_config(btvm_world* w, const btvm_config* config) {
    World& world = world_of(w);
    if ((world.config.flags ^ config->flags) & BTVM_CONFIG_EXECUTE_ONLY) {
        world.copies.initialise(world.host.copies, world.copies.capacity());
        forget_mappings(world);
    }
    set_apics(world, config->flags & BTVM_CONFIG_APIC);
    world.config = *config;
    world.trace.enabled = config->flags & BTVM_CONFIG_TRACE;
    world.shadow.options = {.no_tracking = (config->flags & BTVM_CONFIG_TRACKING_OFF) != 0,
                            .no_compare = (config->flags & BTVM_CONFIG_COMPARE_OFF) != 0,
                            .execute_only = (config->flags & BTVM_CONFIG_EXECUTE_ONLY) != 0};
    world.native.plan_valid = false;
    world.plans.flush();
}

void btvm_core_set_irq(btvm_world* w, btvm_u32 line, btvm_u32 level) {
    world_of(w).controllers().set_irq(line, level);
}

void btvm_core_set_nmi(btvm_world* w) { world_of(w).controllers().pulse_nmi(); }

void btvm_core_set_a20(btvm_world* w, int enabled) {
    World& world = world_of(w);
    const u8 off = !enabled;
    if (world.cpu.a20_mask_off == off) return;
    world.cpu.a20_mask_off = off;
    forget_mappings(world);
}

int btvm_core_set_pm_timer(btvm_world* w, btvm_u64 port) {
    if (port > PmTimer::kLastPort) return -1;
    world_of(w).pm_timer.port = static_cast<u16>(port);
    return 0;
}

void btvm_core_memory_written(btvm_world* w, btvm_u64 guest_physical, btvm_u64 size) {
    World& world = world_of(w);
    GuestMemory& memory = world.host.memory;
    // Page by page, and only where there is memory: the range is userland's word.
    for (u32 i = 0; i < memory.slot_count; i++) {
        const MemorySlot& slot = memory.slots[i];
        const u64 begin = guest_physical > slot.first ? guest_physical : slot.first;
        const u64 end_asked = guest_physical + size < size ? ~u64{0} : guest_physical + size;
        const u64 end = end_asked < slot.first + slot.size ? end_asked : slot.first + slot.size;
        if (begin >= end) continue;
        for (u64 frame = begin >> kPageShift; frame <= (end - 1) >> kPageShift; frame++) {
            slot.state[frame - (slot.first >> kPageShift)] |= page_state::kDirty;
            world.shadow.table_written(memory, frame);
            if (world.code.drop(memory, frame)) {
                world.stats.code_pages_dropped++;
                world.native.plan_valid = false;
                world.trace.add(BTVM_TRACE_CODE_DROP, 0, static_cast<u32>(frame));
            }
        }
    }
}

void btvm_core_take_dirty(btvm_world* w, btvm_u64 guest_physical, btvm_u64* bitmap) {
    World& world = world_of(w);
    GuestMemory& memory = world.host.memory;
    const MemorySlot* slot = memory.find(GuestPhysical(guest_physical));
    if (!slot || slot->first != guest_physical) return;
    const u64 first = slot->first >> kPageShift;
    // Without the mark no entry may be writable: the next write must fault.
    take_dirty(*slot, bitmap, [&world, &memory, first](u64 page) {
        world.shadow.write_protect(world.host.shadow, memory, first + page);
    });
}

void btvm_core_get_regs(const btvm_world* w, btvm_regs* regs) { get_regs(world_of(w).cpu, *regs); }

void btvm_core_set_regs(btvm_world* w, const btvm_regs* regs) {
    World& world = world_of(w);
    put_regs(world.cpu, *regs);
    forget_request(world);
}

void btvm_core_get_sregs(const btvm_world* w, btvm_sregs* out) { get_sregs(world_of(w).cpu, *out); }

int btvm_core_set_sregs(btvm_world* w, const btvm_sregs* in) {
    World& world = world_of(w);
    if (!possible(*in)) return -1;
    put_sregs(world.cpu, *in);
    forget_request(world);
    forget_mappings(world);
    return 0;
}

void btvm_core_get_state(const btvm_world* w, btvm_state* out) {
    const World& world = world_of(w);
    get_state(
        {world.cpu, world.pic, world.apics, world.pit, world.pm_timer, world.port_request, world.owed_ticks},
        platform::read_tsc(), *out);
}

int btvm_core_set_state(btvm_world* w, const btvm_state* in) {
    World& world = world_of(w);
    if (!possible(*in, world.most_features) || has_apics(*in) != world.cpu.features.apic()) return -1;
    forget_request(world);
    put_state(
        {world.cpu, world.pic, world.apics, world.pit, world.pm_timer, world.port_request, world.owed_ticks},
        platform::read_tsc(), *in);
    world.error = {};
    world.native = {};
    world.next_timer_ns = 0; // looked for at the next turn
    load_mappings(world);
    return 0;
}

void btvm_core_get_stats(const btvm_world* w, btvm_stats* out) {
    const World& world = world_of(w);
    *out = world.stats;
    out->size = sizeof *out;
    out->instructions_decoded = world.code.counters.decoded;
    out->decode_cache_hits = world.code.counters.hits;
    out->plan_cache_flushes = world.plans.counters.flushes;
    out->exceptions_delivered = world.interpreter_counters.exceptions;
    out->port_in_core = world.port_counters.in_core;
    out->port_userland = world.port_counters.userland;
    out->shadow_pages = world.shadow.pages_in_use();
    const ShadowMmu::Counters& shadow = world.shadow.counters;
    out->tlb_flushes = shadow.flushes;
    out->changed_tables = shadow.changed_tables;
    out->shadow_entries_kept = shadow.entries_kept;
    out->shadow_entries_dropped = shadow.entries_dropped;
    out->shadow_pages_evicted = world.shadow.pages_evicted();
    out->spaces_loaded = shadow.spaces_loaded;
    out->shadow_pages_peak = world.shadow.pages_peak();
    out->shadow_pages_limit = world.shadow.pages_limit();
    out->copies_made = world.copies.counters.taken;
    out->copies_dropped = world.copies.counters.dropped;
    out->instructions_covered = world.copies.counters.covered;
}

btvm_u32 btvm_core_get_trace(const btvm_world* w, btvm_trace_entry* entries, btvm_u32 count) {
    const TraceRing& trace = world_of(w).trace;
    const u32 n = count < trace.size() ? count : trace.size();
    for (u32 i = 0; i < n; i++)
        entries[i] = trace.newest(n - 1 - i);
    return n;
}

int btvm_core_take_turn(btvm_world* w, btvm_core_turn* turn, btvm_run* run) {
    return host_turn(world_of(w), *turn, *run);
}

void btvm_core_answer_io(btvm_world* w, const void* data) {
    PortRequest& request = world_of(w).port_request;
    if (request.phase != PortRequest::Phase::Asked) return;
    if (!request.write) __builtin_memcpy(request.data, data, request.bytes());
    request.phase = PortRequest::Phase::Answered;
}

void btvm_core_left(btvm_world* w) { after_guest_world(world_of(w)); }

void* btvm_core_fpu(btvm_world* w) { return world_of(w).cpu.fpu.bytes; }

// SPDX-License-Identifier: GPL-2.0
/*
 * A guest world: its page tables, descriptor tables and stacks. Above 4 GiB it maps, supervisor-only: the world switch, the
 * switch context and the world's GDT (at their host addresses), the descriptors of user code, the monitor, the world's
 * state, the shadow pool and a window on guest RAM. Below, whatever the shadow page tables say. Nothing else of the host
 * is there.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <asm/io.h>

#include "btvm.h"

#define ENTRY_PRESENT BIT_ULL(0)
#define ENTRY_WRITABLE BIT_ULL(1)
#define ENTRY_USER BIT_ULL(2)
#define ENTRY_NO_EXECUTE BIT_ULL(63)
#define ENTRY_FRAME 0x000ffffffffff000ull

#define MAP_DATA (ENTRY_PRESENT | ENTRY_WRITABLE | ENTRY_NO_EXECUTE)
#define MAP_CONSTANT (ENTRY_PRESENT | ENTRY_NO_EXECUTE)
#define MAP_CODE ENTRY_PRESENT

static u64 *new_table(struct btvm_guest_world *world)
{
	struct page *page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);

	if (!page)
		return NULL;
	list_add(&page->lru, &world->pages);
	world->pages_count++;
	return page_address(page);
}

static unsigned int entry_number(u64 address, unsigned int level)
{
	return (address >> (PAGE_SHIFT + 9 * (level - 1))) & 511;
}

static u64 *next_table(struct btvm_guest_world *world, u64 *entry)
{
	u64 *table;

	if (*entry)
		return phys_to_virt(*entry & ENTRY_FRAME);
	table = new_table(world);
	if (table)
		*entry = virt_to_phys(table) | ENTRY_PRESENT | ENTRY_WRITABLE;
	return table;
}

static int map_page(struct btvm_guest_world *world, u64 address, u64 frame, u64 flags)
{
	u64 *table = world->root;
	unsigned int level;

	for (level = world->levels; level > 1; level--) {
		table = next_table(world, &table[entry_number(address, level)]);
		if (!table)
			return -ENOMEM;
	}
	table[entry_number(address, 1)] = frame << PAGE_SHIFT | flags;
	return 0;
}

/* A run of vmalloc memory (or module text) of ours. */
static int map_vmalloc(struct btvm_guest_world *world, u64 address, const void *memory, u64 size, u64 flags)
{
	u64 offset;
	int error = 0;

	for (offset = 0; !error && offset < size; offset += PAGE_SIZE)
		error = map_page(world, address + offset, vmalloc_to_pfn(memory + offset), flags);
	return error;
}

/* A slot's arrays lie one after the other from `arrays` on: states, frames, mappings. */
static u64 frames_at(const struct btvm_slot *slot, u64 arrays)
{
	return arrays + PAGE_ALIGN(slot->pages_count);
}

static u64 mappings_at(const struct btvm_slot *slot, u64 arrays)
{
	return frames_at(slot, arrays) + PAGE_ALIGN(slot->pages_count * sizeof(u64));
}

static u64 arrays_end(const struct btvm_slot *slot, u64 arrays)
{
	return mappings_at(slot, arrays) + PAGE_ALIGN(slot->pages_count * sizeof(u32));
}

static int map_slot(struct btvm_guest_world *world, const struct btvm_slot *slot, u64 arrays)
{
	u64 i;
	int error = map_vmalloc(world, arrays, slot->state, PAGE_ALIGN(slot->pages_count), MAP_DATA);

	if (!error)
		error = map_vmalloc(world, frames_at(slot, arrays), slot->frames,
				    PAGE_ALIGN(slot->pages_count * sizeof(u64)), MAP_CONSTANT);
	if (!error)
		error = map_vmalloc(world, mappings_at(slot, arrays), slot->mappings,
				    PAGE_ALIGN(slot->pages_count * sizeof(u32)), MAP_DATA);
	for (i = 0; !error && i < slot->pages_count; i++) {
		error = map_page(world, world->base + BTVM_AT_WINDOW + slot->guest_physical + (i << PAGE_SHIFT),
				 slot->frames[i], MAP_DATA);
		if (!(i & 0xfff))
			cond_resched();
	}
	return error;
}

/* Below 4 GiB the shadow page tables rule: their root is page 0 of the pool. */
static int hook_shadow_root(struct btvm_guest_world *world)
{
	u64 *table = world->root;

	if (world->levels == 5) {
		table = next_table(world, &table[0]);
		if (!table)
			return -ENOMEM;
		world->root[0] |= ENTRY_USER;
	}
	table[0] = world->shadow.frames[0] << PAGE_SHIFT | ENTRY_PRESENT | ENTRY_WRITABLE | ENTRY_USER;
	return 0;
}

static int map_switch_code(struct btvm_guest_world *world)
{
	return map_vmalloc(world, (u64)btvm_switch_start, btvm_switch_start, btvm_switch_end - btvm_switch_start,
			   MAP_CODE);
}

static int map_world_gdt(struct btvm_guest_world *world)
{
	return map_vmalloc(world, (u64)world->gdt, world->gdt, WORLD_GDT_SIZE, MAP_DATA);
}

/* Where the processor sees them they have an address of the guest world's only: a writable mapping of the host's may still be
 * in the TLB, as a global one. */
static int map_user_tables(struct btvm_guest_world *world)
{
	const u64 size = PAGE_ALIGN(sizeof(*world->user_tables));
	int error = map_vmalloc(world, world->base + BTVM_AT_USER_TABLES, world->user_tables, size, MAP_CONSTANT);

	if (!error)
		error = map_vmalloc(world, world->base + BTVM_AT_USER_TABLES_WRITABLE, world->user_tables, size, MAP_DATA);
	return error;
}

static int map_context(struct btvm_guest_world *world)
{
	const u64 address = (u64)world->context;
	u64 offset;
	int error = 0;

	for (offset = 0; !error && offset < BTVM_CONTEXT_SIZE; offset += PAGE_SIZE)
		error = map_page(world, address + offset, PHYS_PFN(virt_to_phys((void *)address + offset)), MAP_DATA);
	return error;
}

static int map_monitor(struct btvm_guest_world *world)
{
	u64 offset;
	const u64 size = btvm_monitor_image_end - btvm_monitor_image;
	int error = 0;

	/* A copy of its own: the module's read-only data lies beside other things of the host. */
	for (offset = 0; !error && offset < size; offset += PAGE_SIZE) {
		void *copy = new_table(world);

		if (!copy)
			return -ENOMEM;
		memcpy(copy, btvm_monitor_image + offset, PAGE_SIZE);
		error = map_page(world, world->base + BTVM_AT_MONITOR + offset, PHYS_PFN(virt_to_phys(copy)), MAP_CODE);
	}
	return error;
}

void btvm_guest_world_use_monitor(struct btvm_guest_world *world, bool on)
{
	world->context->monitor_entry = on ? world->base + BTVM_AT_MONITOR : 0;
}

static int map_shadow(struct btvm_guest_world *world, const struct btvm_core_layout *layout)
{
	const struct btvm_shadow_area *shadow = &world->shadow;
	int error = map_vmalloc(world, layout->monitor_shadow, shadow->tables, shadow->pages * PAGE_SIZE, MAP_DATA);

	if (!error)
		error = map_vmalloc(world, layout->monitor_shadow_frames, shadow->frames, shadow->pages * sizeof(u64),
				    MAP_CONSTANT);
	if (!error)
		error = map_vmalloc(world, layout->monitor_shadow_notes, shadow->notes, shadow->notes_size, MAP_DATA);
	return error;
}

static int map_copies(struct btvm_guest_world *world, const struct btvm_core_layout *layout)
{
	const struct btvm_copy_area *area = &world->copies;
	int error = map_vmalloc(world, layout->monitor_copies, area->copies, area->pages * PAGE_SIZE, MAP_DATA);

	if (!error)
		error = map_vmalloc(world, layout->monitor_copy_frames, area->frames, area->pages * sizeof(u64),
				    MAP_CONSTANT);
	if (!error)
		error = map_vmalloc(world, layout->monitor_copy_notes, area->notes, area->notes_size, MAP_DATA);
	return error;
}

/* Gives the core the addresses of everything, in both worlds. */
static int initialise_core(struct btvm_guest_world *world, struct btvm_slot *slots)
{
	const struct btvm_shadow_area *shadow = &world->shadow;
	const u64 shadow_at = world->base + BTVM_AT_SHADOW;
	const u64 shadow_frames_at = shadow_at + shadow->pages * PAGE_SIZE;
	const struct btvm_copy_area *copies = &world->copies;
	const u64 copies_at = world->base + BTVM_AT_COPIES;
	const u64 copy_frames_at = copies_at + copies->pages * PAGE_SIZE;
	u64 arrays = world->base + BTVM_AT_ARRAYS;
	struct btvm_core_slot core_slots[BTVM_MEMORY_SLOTS] = {};
	struct btvm_core_layout layout = {
		.host_shadow = (u64)shadow->tables,
		.monitor_shadow = shadow_at,
		.host_shadow_frames = (u64)shadow->frames,
		.monitor_shadow_frames = shadow_frames_at,
		.host_shadow_notes = (u64)shadow->notes,
		.monitor_shadow_notes = shadow_frames_at + PAGE_ALIGN(shadow->pages * sizeof(u64)),
		.host_context = (u64)world->context,
		.monitor_context = (u64)world->context,
		.host_user_tables = (u64)world->user_tables,
		.monitor_user_tables = world->base + BTVM_AT_USER_TABLES_WRITABLE,
		.lax_segments = btvm_lax_segments,
		.cpuid_basic = cpuid_edx(1),
		.cpuid_extended = cpuid_edx(0x80000001),
		.mxcsr_mask = btvm_mxcsr_mask(),
		.host_copies = (u64)copies->copies,
		.monitor_copies = copies_at,
		.host_copy_frames = (u64)copies->frames,
		.monitor_copy_frames = copy_frames_at,
		.host_copy_notes = (u64)copies->notes,
		.monitor_copy_notes = copy_frames_at + PAGE_ALIGN(copies->pages * sizeof(u64)),
		.copy_pages = copies->pages,
		.shadow_pages = shadow->pages,
		.slots = core_slots,
	};
	unsigned int i;
	int error;

	error = map_shadow(world, &layout);
	if (!error)
		error = map_copies(world, &layout);
	for (i = 0; !error && i < BTVM_MEMORY_SLOTS; i++) {
		const struct btvm_slot *slot = &slots[i];
		struct btvm_core_slot *core = &core_slots[layout.slot_count];

		if (!slot->pages_count)
			continue;
		error = map_slot(world, slot, arrays);
		core->guest_physical = slot->guest_physical;
		core->size = slot->pages_count << PAGE_SHIFT;
		core->host_memory = (u64)slot->memory;
		core->monitor_memory = world->base + BTVM_AT_WINDOW + slot->guest_physical;
		core->host_state = (u64)slot->state;
		core->monitor_state = arrays;
		core->host_frames = (u64)slot->frames;
		core->monitor_frames = frames_at(slot, arrays);
		core->host_mappings = (u64)slot->mappings;
		core->monitor_mappings = mappings_at(slot, arrays);
		core->read_only = !!(slot->flags & BTVM_MEM_READONLY);
		layout.slot_count++;
		arrays = arrays_end(slot, arrays);
	}
	if (!error)
		btvm_core_initialise(world->state, &layout);
	return error;
}

static u64 ram_pages(const struct btvm_slot *slots)
{
	u64 pages = 0;
	unsigned int i;

	for (i = 0; i < BTVM_MEMORY_SLOTS; i++)
		pages += slots[i].pages_count;
	return pages;
}

int btvm_guest_world_create(struct btvm_guest_world *world, struct btvm_slot *slots, bool execute_only)
{
	const u64 state_size = btvm_core_world_size();
	int error = -ENOMEM;

	INIT_LIST_HEAD(&world->pages);
	world->levels = pgtable_l5_enabled() ? 5 : 4;
	world->base = BTVM_DEFAULT_MONITOR_BASE;
	world->root = new_table(world);
	world->context = (void *)__get_free_pages(GFP_KERNEL_ACCOUNT | __GFP_ZERO, BTVM_CONTEXT_ORDER);
	world->state = __vmalloc(state_size, GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	world->gdt = __vmalloc(WORLD_GDT_SIZE, GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	world->user_tables = __vmalloc(sizeof(*world->user_tables), GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (btvm_shadow_area_create(&world->shadow, ram_pages(slots)) || !world->root || !world->context || !world->state ||
	    !world->gdt || !world->user_tables)
		goto fail;
	if (execute_only && btvm_copy_area_create(&world->copies, ram_pages(slots)))
		goto fail;
	world->root_physical = virt_to_phys(world->root);

	error = map_switch_code(world);
	if (!error)
		error = map_context(world);
	if (!error)
		error = map_world_gdt(world);
	if (!error)
		error = map_user_tables(world);
	if (!error)
		error = map_monitor(world);
	if (!error)
		error = map_vmalloc(world, world->base + BTVM_AT_WORLD, world->state, state_size, MAP_DATA);
	if (!error)
		error = hook_shadow_root(world);
	if (!error)
		error = initialise_core(world, slots);
	if (error)
		goto fail;
	btvm_world_tables_fill(world);
	btvm_guest_world_use_monitor(world, true);
	return 0;
fail:
	btvm_guest_world_destroy(world);
	return error;
}

u64 btvm_guest_world_size(const struct btvm_guest_world *world)
{
	const struct btvm_shadow_area *shadow = &world->shadow;
	const struct btvm_copy_area *copies = &world->copies;
	const u64 copied = copies->pages * (PAGE_SIZE + sizeof(u64)) + copies->notes_size;
	const u64 tables = BTVM_CONTEXT_SIZE + WORLD_GDT_SIZE + PAGE_ALIGN(sizeof(*world->user_tables));

	return (world->pages_count << PAGE_SHIFT) + tables + btvm_core_world_size() + shadow->pages * PAGE_SIZE +
	       PAGE_ALIGN(shadow->pages * sizeof(u64)) + shadow->notes_size + copied;
}

void btvm_guest_world_destroy(struct btvm_guest_world *world)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, &world->pages, lru)
		__free_page(page);
	INIT_LIST_HEAD(&world->pages);
	free_pages((unsigned long)world->context, BTVM_CONTEXT_ORDER);
	btvm_shadow_area_destroy(&world->shadow);
	btvm_copy_area_destroy(&world->copies);
	vfree(world->gdt);
	vfree(world->user_tables);
	vfree(world->state);
	memset(world, 0, sizeof(*world));
	INIT_LIST_HEAD(&world->pages);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * A guest world: its page tables, descriptor tables and stacks. Above 4 GiB it maps, supervisor-only: the world switch and
 * the switch context (at their host addresses), the monitor, the world's state, the shadow pool and a window on guest RAM.
 * Below, whatever the shadow page tables say. Nothing else of the host is there.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <asm/desc_defs.h>
#include <asm/io.h>
#include <asm/processor-flags.h>

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

static int map_slot(struct btvm_guest_world *world, const struct btvm_slot *slot, u64 arrays)
{
	u64 i;
	int error = map_vmalloc(world, arrays, slot->state, PAGE_ALIGN(slot->pages_count), MAP_DATA);

	if (!error)
		error = map_vmalloc(world, arrays + PAGE_ALIGN(slot->pages_count), slot->frames,
				    PAGE_ALIGN(slot->pages_count * sizeof(u64)), MAP_CONSTANT);
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
	table[0] = world->shadow_frames[0] << PAGE_SHIFT | ENTRY_PRESENT | ENTRY_WRITABLE | ENTRY_USER;
	return 0;
}

static int map_switch_code(struct btvm_guest_world *world)
{
	return map_vmalloc(world, (u64)btvm_switch_start, btvm_switch_start, btvm_switch_end - btvm_switch_start,
			   MAP_CODE);
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

static void set_gate(struct btvm_switch_context *context, unsigned int vector, unsigned int ist)
{
	gate_desc *gate = (gate_desc *)&context->world_idt[2 * vector];
	const u64 handler = (u64)btvm_trap_stubs + 16 * vector;

	*gate = (gate_desc){
		.offset_low = handler & 0xffff,
		.segment = BTVM_SEL_KERNEL_CS,
		.bits = { .ist = ist, .type = GATE_INTERRUPT, .dpl = 0, .p = 1 },
		.offset_middle = (handler >> 16) & 0xffff,
		.offset_high = handler >> 32,
	};
}

static void set_table(struct btvm_table_image *image, const void *table, u16 limit)
{
	const u64 base = (u64)table;

	memcpy(image->bytes, &limit, sizeof(limit));
	memcpy(image->bytes + 2, &base, sizeof(base));
}

static void fill_context(struct btvm_guest_world *world)
{
	struct btvm_switch_context *context = world->context;
	const u64 tss = (u64)context->world_tss;
	const u16 tss_limit = sizeof(context->world_tss) - 1;
	struct x86_hw_tss *hw_tss = (struct x86_hw_tss *)context->world_tss;
	unsigned int vector;

	BUILD_BUG_ON(sizeof(struct x86_hw_tss) != sizeof(context->world_tss));
	context->world_gdt[BTVM_SEL_KERNEL_CS >> 3] = 0x00af9b000000ffffull;
	context->world_gdt[BTVM_SEL_KERNEL_DS >> 3] = 0x00cf93000000ffffull;
	context->world_gdt[BTVM_SEL_TSS >> 3] = tss_limit | (tss & 0xffffff) << 16 | 0x89ull << 40 |
						(tss >> 24 & 0xff) << 56;
	context->world_gdt[(BTVM_SEL_TSS >> 3) + 1] = tss >> 32;

	hw_tss->sp0 = (u64)context + BTVM_CONTEXT_SIZE;
	hw_tss->ist[BTVM_IST_DOUBLE_FAULT - 1] = (u64)context->fault_stack + sizeof(context->fault_stack);
	hw_tss->ist[BTVM_IST_MACHINE_CHECK - 1] = (u64)context->fault_stack + sizeof(context->fault_stack);
	hw_tss->ist[BTVM_IST_NMI - 1] = (u64)context->nmi_stack + sizeof(context->nmi_stack);
	hw_tss->io_bitmap_base = sizeof(context->world_tss); /* beyond the limit: every port faults */

	for (vector = 0; vector < 256; vector++)
		set_gate(context, vector, 0);
	set_gate(context, 2, BTVM_IST_NMI);
	set_gate(context, 8, BTVM_IST_DOUBLE_FAULT);
	set_gate(context, 18, BTVM_IST_MACHINE_CHECK);

	set_table(&context->world_gdtr, context->world_gdt, sizeof(context->world_gdt) - 1);
	set_table(&context->world_idtr, context->world_idt, sizeof(context->world_idt) - 1);
	context->world_cr3 = world->root_physical;
	context->dr7 = 0x400;
	context->monitor_argument = world->base + BTVM_AT_WORLD;
}

void btvm_guest_world_use_monitor(struct btvm_guest_world *world, bool on)
{
	world->context->monitor_entry = on ? world->base + BTVM_AT_MONITOR : 0;
}

static void fill_shadow_frames(struct btvm_guest_world *world)
{
	unsigned int i;

	for (i = 0; i < BTVM_SHADOW_PAGES; i++)
		world->shadow_frames[i] = vmalloc_to_pfn((u8 *)world->shadow + i * PAGE_SIZE);
}

/* Gives the core the addresses of everything, in both worlds. */
static int initialise_core(struct btvm_guest_world *world, struct btvm_slot *slots)
{
	const u64 shadow_frames_at = world->base + BTVM_AT_SHADOW + BTVM_SHADOW_PAGES * PAGE_SIZE;
	u64 arrays = world->base + BTVM_AT_ARRAYS;
	struct btvm_core_slot core_slots[BTVM_MEMORY_SLOTS] = {};
	struct btvm_core_layout layout = {
		.host_shadow = (u64)world->shadow,
		.monitor_shadow = world->base + BTVM_AT_SHADOW,
		.host_shadow_frames = (u64)world->shadow_frames,
		.monitor_shadow_frames = shadow_frames_at,
		.host_context = (u64)world->context,
		.monitor_context = (u64)world->context,
		.shadow_pages = BTVM_SHADOW_PAGES,
		.slots = core_slots,
	};
	unsigned int i;
	int error;

	error = map_vmalloc(world, layout.monitor_shadow, world->shadow, BTVM_SHADOW_PAGES * PAGE_SIZE, MAP_DATA);
	if (!error)
		error = map_vmalloc(world, shadow_frames_at, world->shadow_frames, BTVM_SHADOW_PAGES * sizeof(u64),
				    MAP_CONSTANT);
	for (i = 0; !error && i < BTVM_MEMORY_SLOTS; i++) {
		const struct btvm_slot *slot = &slots[i];
		struct btvm_core_slot *core = &core_slots[layout.slot_count];
		const u64 state_size = PAGE_ALIGN(slot->pages_count);

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
		core->monitor_frames = arrays + state_size;
		core->read_only = !!(slot->flags & BTVM_MEM_READONLY);
		layout.slot_count++;
		arrays += state_size + PAGE_ALIGN(slot->pages_count * sizeof(u64));
	}
	if (!error)
		btvm_core_initialise(world->state, &layout);
	return error;
}

int btvm_guest_world_create(struct btvm_guest_world *world, struct btvm_slot *slots)
{
	const u64 state_size = btvm_core_world_size();
	int error = -ENOMEM;

	INIT_LIST_HEAD(&world->pages);
	world->levels = pgtable_l5_enabled() ? 5 : 4;
	world->base = BTVM_DEFAULT_MONITOR_BASE;
	world->root = new_table(world);
	world->context = (void *)__get_free_pages(GFP_KERNEL_ACCOUNT | __GFP_ZERO, BTVM_CONTEXT_ORDER);
	world->state = __vmalloc(state_size, GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	world->shadow = __vmalloc(BTVM_SHADOW_PAGES * PAGE_SIZE, GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	world->shadow_frames = __vmalloc(BTVM_SHADOW_PAGES * sizeof(u64), GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!world->root || !world->context || !world->state || !world->shadow || !world->shadow_frames)
		goto fail;
	world->root_physical = virt_to_phys(world->root);
	fill_shadow_frames(world);

	error = map_switch_code(world);
	if (!error)
		error = map_context(world);
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
	fill_context(world);
	btvm_guest_world_use_monitor(world, true);
	return 0;
fail:
	btvm_guest_world_destroy(world);
	return error;
}

void btvm_guest_world_destroy(struct btvm_guest_world *world)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, &world->pages, lru)
		__free_page(page);
	INIT_LIST_HEAD(&world->pages);
	free_pages((unsigned long)world->context, BTVM_CONTEXT_ORDER);
	vfree(world->shadow_frames);
	vfree(world->shadow);
	vfree(world->state);
	memset(world, 0, sizeof(*world));
	INIT_LIST_HEAD(&world->pages);
}

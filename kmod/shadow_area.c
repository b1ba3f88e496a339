// SPDX-License-Identifier: GPL-2.0
/* The memory behind a guest's shadow page tables: the tables, and what the core notes about them. */
#include <linux/io.h>
#include <linux/minmax.h>
#include <linux/vmalloc.h>

#include "btvm.h"

/* A table maps 512 pages; a guest's RAM is mapped by its kernel once and by its processes some few times. */
#define PAGES_OF_RAM_PER_TABLE 32
#define FEWEST_TABLES 1024
#define MOST_TABLES 16384

int btvm_shadow_area_create(struct btvm_shadow_area *area, u64 ram_pages)
{
	u32 i;

	area->pages = clamp_t(u64, ram_pages / PAGES_OF_RAM_PER_TABLE, FEWEST_TABLES, MOST_TABLES);
	area->notes_size = PAGE_ALIGN(btvm_core_shadow_notes_size(area->pages));
	area->tables = __vmalloc(area->pages * PAGE_SIZE, GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	area->frames = __vmalloc(area->pages * sizeof(u64), GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	area->notes = __vmalloc(area->notes_size, GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!area->tables || !area->frames || !area->notes)
		return -ENOMEM;
	for (i = 0; i < area->pages; i++)
		area->frames[i] = vmalloc_to_pfn((u8 *)area->tables + i * PAGE_SIZE);
	return 0;
}

void btvm_shadow_area_destroy(struct btvm_shadow_area *area)
{
	vfree(area->notes);
	vfree(area->frames);
	vfree(area->tables);
}

// SPDX-License-Identifier: GPL-2.0
/* The memory behind execute-only copies of guest code: the copies, and what the core notes about them. */
#include <linux/vmalloc.h>
#include <asm/cpufeature.h>

#include "btvm.h"

/* The host itself must have turned protection keys on: then CR4 is the same in both worlds. */
bool btvm_has_execute_only(void)
{
	return boot_cpu_has(X86_FEATURE_OSPKE);
}

int btvm_copy_area_create(struct btvm_copy_area *area, u64 ram_pages)
{
	u32 i;

	area->pages = btvm_core_copies_for(ram_pages);
	area->notes_size = PAGE_ALIGN(btvm_core_copy_notes_size(area->pages));
	area->copies = __vmalloc(area->pages * PAGE_SIZE, GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	area->frames = __vmalloc(area->pages * sizeof(u64), GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	area->notes = __vmalloc(area->notes_size, GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!area->copies || !area->frames || !area->notes)
		return -ENOMEM;
	for (i = 0; i < area->pages; i++)
		area->frames[i] = vmalloc_to_pfn(area->copies + i * PAGE_SIZE);
	return 0;
}

void btvm_copy_area_destroy(struct btvm_copy_area *area)
{
	vfree(area->notes);
	vfree(area->frames);
	vfree(area->copies);
}

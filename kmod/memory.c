// SPDX-License-Identifier: GPL-2.0
/* Guest memory: the caller's pages, pinned while the VM lives and mapped contiguously for the core. */
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "btvm.h"

/* What is wrong with a region whatever else the VM has. */
int btvm_region_check(const struct btvm_userspace_memory_region *region)
{
	const u64 end = region->guest_phys_addr + region->memory_size;

	if (region->flags & ~BTVM_MEM_READONLY)
		return -EINVAL;
	if ((region->guest_phys_addr | region->memory_size | region->userspace_addr) & ~PAGE_MASK)
		return -EINVAL;
	if (!region->memory_size || region->memory_size > (u64)BTVM_MAX_GUEST_RAM_MIB << 20)
		return -EINVAL;
	if (region->guest_phys_addr >= BTVM_GUEST_PHYSICAL_LIMIT || end > BTVM_GUEST_PHYSICAL_LIMIT)
		return -EINVAL;
	if (!access_ok((void __user *)region->userspace_addr, region->memory_size))
		return -EFAULT;
	return 0;
}

/* Pins all of it or nothing; in pieces, so that a signal can stop a long one. */
static int pin_pages(struct btvm_slot *slot, u64 user_address)
{
	const u64 piece = 1024;
	u64 done = 0;
	long got;

	while (done < slot->pages_count) {
		if (fatal_signal_pending(current)) {
			got = -EINTR;
			goto undo;
		}
		got = pin_user_pages_fast(user_address + (done << PAGE_SHIFT), min(piece, slot->pages_count - done),
					  FOLL_WRITE | FOLL_LONGTERM, slot->pages + done);
		if (got <= 0) {
			got = got ?: -EFAULT;
			goto undo;
		}
		done += got;
		cond_resched();
	}
	return 0;
undo:
	unpin_user_pages(slot->pages, done);
	return got;
}

int btvm_slot_pin(struct btvm_slot *slot, const struct btvm_userspace_memory_region *region)
{
	const u64 pages = region->memory_size >> PAGE_SHIFT;
	struct btvm_slot new = {
		.guest_physical = region->guest_phys_addr,
		.pages_count = pages,
		.flags = region->flags,
		.mm = current->mm,
	};
	int error = account_locked_vm(new.mm, pages, true);
	u64 i;

	if (error)
		return error;
	mmgrab(new.mm);
	error = -ENOMEM;
	new.pages = kvcalloc(pages, sizeof(*new.pages), GFP_KERNEL_ACCOUNT);
	new.state = __vmalloc(PAGE_ALIGN(pages), GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	new.frames = __vmalloc(PAGE_ALIGN(pages * sizeof(u64)), GFP_KERNEL_ACCOUNT);
	new.mappings = __vmalloc(PAGE_ALIGN(pages * sizeof(u32)), GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!new.pages || !new.state || !new.frames || !new.mappings)
		goto free;
	error = pin_pages(&new, region->userspace_addr);
	if (error)
		goto free;
	for (i = 0; i < pages; i++)
		new.frames[i] = page_to_pfn(new.pages[i]);
	new.memory = vmap(new.pages, pages, VM_MAP, PAGE_KERNEL);
	if (!new.memory) {
		unpin_user_pages(new.pages, pages);
		error = -ENOMEM;
		goto free;
	}
	*slot = new;
	return 0;
free:
	account_locked_vm(new.mm, pages, false);
	mmdrop(new.mm);
	vfree(new.mappings);
	vfree(new.frames);
	vfree(new.state);
	kvfree(new.pages);
	return error;
}

u64 btvm_slot_overhead(const struct btvm_slot *slot)
{
	const u64 pages = slot->pages_count;

	/* `memory` is a mapping: an entry of the kernel's page tables for each page. */
	return pages * (sizeof(*slot->pages) + sizeof(pte_t)) + PAGE_ALIGN(pages * sizeof(*slot->state)) +
	       PAGE_ALIGN(pages * sizeof(*slot->frames)) + PAGE_ALIGN(pages * sizeof(*slot->mappings));
}

void btvm_slot_release(struct btvm_slot *slot)
{
	if (!slot->pages_count)
		return;
	vunmap(slot->memory);
	unpin_user_pages_dirty_lock(slot->pages, slot->pages_count, true);
	/* The process may be gone already; its account then needs no settling. */
	if (mmget_not_zero(slot->mm)) {
		account_locked_vm(slot->mm, slot->pages_count, false);
		mmput(slot->mm);
	}
	mmdrop(slot->mm);
	vfree(slot->mappings);
	vfree(slot->frames);
	vfree(slot->state);
	kvfree(slot->pages);
	slot->pages_count = 0;
}

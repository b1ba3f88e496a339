// SPDX-License-Identifier: GPL-2.0
/* BTVM_SET_USER_MEMORY_REGION: what it refuses, in which order things may be done, and that a refusal changes nothing. */
#include "guest.h"

#include <sys/resource.h>
#include <sys/wait.h>

#define MIB (1ull << 20)

static uint8_t *memory; /* 4 MiB */

static int set_region(int vm, uint32_t slot, uint32_t flags, uint64_t guest, uint64_t size, uint64_t user)
{
	const struct btvm_userspace_memory_region region = {
		.slot = slot,
		.flags = flags,
		.guest_phys_addr = guest,
		.memory_size = size,
		.userspace_addr = user,
	};

	errno = 0;
	return ioctl(vm, BTVM_SET_USER_MEMORY_REGION, &region) < 0 ? errno : 0;
}

static int new_vm(int system)
{
	const int vm = ioctl(system, BTVM_CREATE_VM, 0);

	if (vm < 0)
		ktap_bail("no VM");
	return vm;
}

static void check_values(int vm)
{
	const uint64_t user = (uintptr_t)memory;

	ktap_result(set_region(vm, 16, 0, 0, 4096, user) == EINVAL && set_region(vm, ~0u, 0, 0, 4096, user) == EINVAL,
		    "no such slot: EINVAL");
	ktap_result(set_region(vm, 0, 2, 0, 4096, user) == EINVAL && set_region(vm, 0, ~0u, 0, 4096, user) == EINVAL,
		    "unknown flags: EINVAL");
	ktap_result(set_region(vm, 0, 0, 1, 4096, user) == EINVAL && set_region(vm, 0, 0, 0, 4095, user) == EINVAL &&
			    set_region(vm, 0, 0, 0, 4096, user + 1) == EINVAL && set_region(vm, 0, 0, 0, 1, user) == EINVAL,
		    "misaligned address, size or memory: EINVAL");
	ktap_result(set_region(vm, 0, 0, 0, 0, user) == EINVAL, "size 0: EINVAL");
	ktap_result(set_region(vm, 0, 0, 0, 2048 * MIB + 4096, user) == EINVAL &&
			    set_region(vm, 0, 0, 0, ~0ull << 12, user) == EINVAL &&
			    set_region(vm, 0, 0, 4096, ~0ull << 12, user) == EINVAL,
		    "more than a guest may have: EINVAL");
	ktap_result(set_region(vm, 0, 0, 1ull << 32, 4096, user) == EINVAL &&
			    set_region(vm, 0, 0, (1ull << 32) - 4096, 8192, user) == EINVAL &&
			    set_region(vm, 0, 0, ~0ull << 12, 8192, user) == EINVAL,
		    "beyond 4 GiB of guest-physical memory, or wrapping: EINVAL");
}

static void check_caller_memory(int vm)
{
	uint8_t *hole = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t *constant = mmap(NULL, MIB, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t *forbidden = mmap(NULL, MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	munmap(hole + MIB / 2, 4096);
	ktap_result(set_region(vm, 0, 0, 0, MIB, 0) == EFAULT, "memory at NULL: EFAULT");
	ktap_result(set_region(vm, 0, 0, 0, MIB, (uintptr_t)hole) == EFAULT, "memory with a hole: EFAULT");
	ktap_result(set_region(vm, 0, 0, 0, MIB, (uintptr_t)constant) == EFAULT &&
			    set_region(vm, 0, BTVM_MEM_READONLY, 0, MIB, (uintptr_t)constant) == EFAULT,
		    "read-only memory, even for ROM: EFAULT");
	ktap_result(set_region(vm, 0, 0, 0, MIB, (uintptr_t)forbidden) == EFAULT, "inaccessible memory: EFAULT");
	ktap_result(set_region(vm, 0, 0, 0, MIB, 0xffff888000000000ull) == EFAULT &&
			    set_region(vm, 0, 0, 0, MIB, 0x7ffffffff000ull) == EFAULT &&
			    set_region(vm, 0, 0, 0, MIB, 0x8000000000000000ull) == EFAULT,
		    "the kernel's addresses and the end of the address space: EFAULT");
	munmap(hole, MIB);
	munmap(constant, MIB);
	munmap(forbidden, MIB);
}

static void check_pointers(int vm)
{
	errno = 0;
	ktap_result(ioctl(vm, BTVM_SET_USER_MEMORY_REGION, NULL) < 0 && errno == EFAULT &&
			    ioctl(vm, BTVM_SET_USER_MEMORY_REGION, 0xffff888000000000ul) < 0 && errno == EFAULT,
		    "a structure that cannot be read: EFAULT");
}

static void check_overlap(int vm)
{
	const uint64_t user = (uintptr_t)memory;
	bool ok;

	ktap_result(!set_region(vm, 3, 0, MIB, MIB, user), "after all these refusals a good one is accepted");
	ktap_result(set_region(vm, 3, 0, 4 * MIB, MIB, user) == EEXIST, "a slot in use: EEXIST");
	ok = set_region(vm, 4, 0, MIB, 4096, user) == EEXIST && set_region(vm, 4, 0, 0, MIB + 4096, user) == EEXIST &&
	     set_region(vm, 4, 0, 2 * MIB - 4096, MIB, user) == EEXIST && set_region(vm, 4, 0, 0, 4 * MIB, user) == EEXIST;
	ktap_result(ok, "overlapping regions: EEXIST");
	ktap_result(!set_region(vm, 4, BTVM_MEM_READONLY, 0, MIB, user) &&
			    !set_region(vm, 15, 0, 2 * MIB, 4096, user + MIB) &&
			    !set_region(vm, 5, 0, (1ull << 32) - 4096, 4096, user),
		    "neighbours, the same memory twice, and the last page below 4 GiB are accepted");
}

static void check_order(int system, int vm)
{
	const uint64_t user = (uintptr_t)memory;
	const int vcpu = ioctl(vm, BTVM_CREATE_VCPU, 0);
	int empty;

	ktap_result(vcpu >= 0 && set_region(vm, 6, 0, 16 * MIB, 4096, user) == EBUSY, "memory after the vCPU: EBUSY");
	errno = 0;
	ktap_result(ioctl(vm, BTVM_CREATE_VCPU, 0) < 0 && errno == EEXIST, "a second vCPU: EEXIST");
	close(vcpu);
	ktap_result(ioctl(vm, BTVM_CREATE_VCPU, 0) < 0 && errno == EEXIST, "and again after its descriptor is closed");
	empty = new_vm(system);
	errno = 0;
	ktap_result(ioctl(empty, BTVM_CREATE_VCPU, 1) < 0 && errno == EINVAL, "a vCPU number other than 0: EINVAL");
	close(empty);
}

/* All slots together have a limit too. The large one is never touched: that it is too much is known before. */
static void check_sum(int system)
{
	const uint64_t user = (uintptr_t)memory;
	const int vm = new_vm(system);
	bool ok = true;
	int i;

	for (i = 0; i < 5; i++)
		ok &= !set_region(vm, i, 0, 4 * MIB * i, 4 * MIB, user);
	ktap_result(ok && set_region(vm, 5, 0, 64 * MIB, 2048 * MIB, user) == ENOSPC, "too much in all slots together: ENOSPC");
	close(vm);
}

/* The pages are charged to the caller's locked memory, and refused beyond its limit. */
static void check_limit(int system)
{
	const struct rlimit low = { 1 << 20, 1 << 20 };
	const uint64_t user = (uintptr_t)memory;
	int vm = new_vm(system), status;

	/* CAP_IPC_LOCK overrides the limit: give root up for it. */
	if (!fork()) {
		const int mine = new_vm(system);
		int result = setrlimit(RLIMIT_MEMLOCK, &low) || setresuid(1000, 1000, 1000);

		result |= set_region(mine, 0, 0, 0, 2 * MIB, user) != ENOMEM ? 2 : 0;
		result |= set_region(mine, 0, 0, 0, MIB / 2, user) != 0 ? 4 : 0;
		result |= set_region(mine, 1, 0, MIB, MIB, user + MIB) != ENOMEM ? 8 : 0;
		_exit(result);
	}
	wait(&status);
	if (status)
		ktap_diag("status %#x", status);
	ktap_result(status == 0, "more than RLIMIT_MEMLOCK without CAP_IPC_LOCK: ENOMEM");
	close(vm);
}

int main(void)
{
	int system, vm;

	ktap_plan(22);
	memory = mmap(NULL, 4 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	system = open_btvm();
	vm = new_vm(system);
	check_values(vm);
	check_caller_memory(vm);
	check_pointers(vm);
	check_overlap(vm);
	check_order(system, vm);
	close(vm);
	check_sum(system);
	check_limit(system);
	close(system);
	return ktap_finish();
}

/* SPDX-License-Identifier: GPL-2.0 */
/* A small guest for the ABI tests: some RAM, one vCPU, code given as bytes. */
#ifndef GUEST_H
#define GUEST_H

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <btvm/btvm.h>

#include "ktap.h"

#define GUEST_RAM (1u << 20)
#define GUEST_CODE 0x10000u
#define GUEST_STACK 0x90000u

struct guest {
	int system, vm, vcpu;
	uint8_t *ram;
	struct btvm_run *run;
};

static inline int open_btvm(void)
{
	const int fd = open("/dev/btvm", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		ktap_bail("/dev/btvm cannot be opened");
	return fd;
}

static inline void guest_memory(struct guest *g)
{
	struct btvm_userspace_memory_region region = {
		.slot = 0,
		.guest_phys_addr = 0,
		.memory_size = GUEST_RAM,
	};

	g->ram = mmap(NULL, GUEST_RAM, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	region.userspace_addr = (uintptr_t)g->ram;
	if (g->ram == MAP_FAILED || ioctl(g->vm, BTVM_SET_USER_MEMORY_REGION, &region))
		ktap_bail("no guest memory");
}

/* `config` may be NULL. */
static inline void guest_create(struct guest *g, const struct btvm_config *config)
{
	g->system = open_btvm();
	g->vm = ioctl(g->system, BTVM_CREATE_VM, 0);
	if (g->vm < 0)
		ktap_bail("no VM");
	guest_memory(g);
	if (config && ioctl(g->vm, BTVM_SET_CONFIG, config))
		ktap_bail("the configuration was refused");
	g->vcpu = ioctl(g->vm, BTVM_CREATE_VCPU, 0);
	if (g->vcpu < 0)
		ktap_bail("no vCPU");
	g->run = mmap(NULL, ioctl(g->system, BTVM_GET_VCPU_MMAP_SIZE, 0), PROT_READ | PROT_WRITE, MAP_SHARED, g->vcpu, 0);
	if (g->run == MAP_FAILED)
		ktap_bail("the run page cannot be mapped");
	g->run->deadline_ns = ~0ull;
}

static inline void guest_destroy(struct guest *g)
{
	munmap(g->run, 4096);
	close(g->vcpu);
	close(g->vm);
	close(g->system);
	munmap(g->ram, GUEST_RAM);
}

/* Puts code at GUEST_CODE and the processor there, in flat 32-bit protected mode at ring 0: code the tracer takes. */
static inline void guest_start_flat(struct guest *g, const void *code, size_t size)
{
	const struct btvm_segment code_segment = { .limit = ~0u, .selector = 0x08, .access = 0xc09b };
	const struct btvm_segment data_segment = { .limit = ~0u, .selector = 0x10, .access = 0xc093 };
	const uint64_t gdt[] = { 0, 0x00cf9b000000ffffull, 0x00cf93000000ffffull };
	struct btvm_sregs sregs;
	struct btvm_regs regs;
	struct btvm_memory_written written = { .guest_phys_addr = GUEST_CODE, .size = size };
	int i;

	memcpy(g->ram + GUEST_CODE, code, size);
	memcpy(g->ram + 0x1000, gdt, sizeof(gdt));
	ioctl(g->vm, BTVM_MEMORY_WRITTEN, &written);
	if (ioctl(g->vcpu, BTVM_GET_SREGS, &sregs) || ioctl(g->vcpu, BTVM_GET_REGS, &regs))
		ktap_bail("registers cannot be read");
	for (i = 0; i < 6; i++)
		sregs.segment[i] = i == 1 ? code_segment : data_segment;
	sregs.gdtr.base = 0x1000;
	sregs.gdtr.limit = sizeof(gdt) - 1;
	sregs.idtr.limit = 0;
	sregs.cr0 |= 1;
	sregs.activity = 0;
	memset(&regs, 0, sizeof(regs));
	regs.rip = GUEST_CODE;
	regs.gpr[4] = GUEST_STACK;
	regs.rflags = 2;
	if (ioctl(g->vcpu, BTVM_SET_SREGS, &sregs) || ioctl(g->vcpu, BTVM_SET_REGS, &regs))
		ktap_bail("registers cannot be set");
}

static inline struct btvm_regs guest_regs(struct guest *g)
{
	struct btvm_regs regs;

	if (ioctl(g->vcpu, BTVM_GET_REGS, &regs))
		ktap_bail("registers cannot be read");
	return regs;
}

static inline struct btvm_stats guest_stats(struct guest *g)
{
	struct btvm_stats stats = { .size = sizeof(stats) };

	if (ioctl(g->vcpu, BTVM_GET_STATS, &stats))
		ktap_bail("counters cannot be read");
	return stats;
}

static inline void guest_print_trace(struct guest *g)
{
	static struct btvm_trace_entry entries[64];
	struct btvm_trace trace = { .buffer = (uintptr_t)entries, .count = 64 };
	unsigned int i;

	if (ioctl(g->vcpu, BTVM_GET_TRACE, &trace))
		return;
	for (i = 0; i < trace.count; i++)
		ktap_diag("%6llu kind %u rip %llx a %x b %llx c %llx", entries[i].sequence, entries[i].kind, entries[i].rip,
			  entries[i].a, entries[i].b, entries[i].c);
}

#endif

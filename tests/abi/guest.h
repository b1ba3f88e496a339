/* SPDX-License-Identifier: GPL-2.0 */
/* A small guest for the ABI tests: 1 MiB of RAM at 0, one vCPU, and code to run on it. */
#ifndef GUEST_H
#define GUEST_H

/* This header comes first in each test. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <btvm/btvm.h>

#include "ktap.h"

#define GUEST_RAM (1u << 20)
#define GUEST_GDT 0x1000u
#define GUEST_IDT 0x2000u
#define GUEST_CODE 0x10000u
#define GUEST_STACK 0x90000u
#define GUEST_CS 0x08
#define GUEST_DS 0x10

/*
 * Guest code as text: `name` to `name_end` are its bytes. It runs at GUEST_CODE, so the guest's address of a label is
 * AT(name, label).
 */
#define GUEST_ASM(name, mode, text)                                                                                  \
	asm(".pushsection .rodata\n.globl " #name ", " #name "_end\n" mode "\n" #name ":\n" text "\n" #name         \
	    "_end:\n.code64\n.popsection");                                                                          \
	extern const uint8_t name[], name##_end[]
#define GUEST_CODE32(name, text) GUEST_ASM(name, ".code32", text)
#define GUEST_CODE16(name, text) GUEST_ASM(name, ".code16", text)
#define AT(name, label) "(" label " - " #name " + 0x10000)"

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

/* run-abi's configuration "execute-only" has all programs run with the second breakpoint provider. */
static inline bool with_execute_only(void)
{
	return getenv("BTVM_TEST_EXECUTE_ONLY") != NULL;
}

/* `config` may be NULL. */
static inline void guest_create(struct guest *g, const struct btvm_config *config)
{
	struct btvm_config used = config ? *config : (struct btvm_config){ .breakpoints = 4 };

	if (with_execute_only())
		used.flags |= BTVM_CONFIG_EXECUTE_ONLY;
	g->system = open_btvm();
	g->vm = ioctl(g->system, BTVM_CREATE_VM, 0);
	if (g->vm < 0)
		ktap_bail("no VM");
	guest_memory(g);
	if (ioctl(g->vm, BTVM_SET_CONFIG, &used))
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

static inline struct btvm_regs guest_regs(struct guest *g)
{
	struct btvm_regs regs;

	if (ioctl(g->vcpu, BTVM_GET_REGS, &regs))
		ktap_bail("registers cannot be read");
	return regs;
}

static inline struct btvm_sregs guest_sregs(struct guest *g)
{
	struct btvm_sregs sregs;

	if (ioctl(g->vcpu, BTVM_GET_SREGS, &sregs))
		ktap_bail("system registers cannot be read");
	return sregs;
}

static inline void guest_set(struct guest *g, const struct btvm_sregs *sregs, const struct btvm_regs *regs)
{
	if ((sregs && ioctl(g->vcpu, BTVM_SET_SREGS, sregs)) || (regs && ioctl(g->vcpu, BTVM_SET_REGS, regs)))
		ktap_bail("registers cannot be set");
}

/* Tells the VM that `size` bytes of its memory at `address` were written from here. */
static inline void guest_written(struct guest *g, uint64_t address, uint64_t size)
{
	const struct btvm_memory_written written = { .guest_phys_addr = address, .size = size };

	if (ioctl(g->vm, BTVM_MEMORY_WRITTEN, &written))
		ktap_bail("BTVM_MEMORY_WRITTEN failed");
}

static inline void guest_registers_at_start(struct btvm_regs *regs)
{
	memset(regs, 0, sizeof(*regs));
	regs->rip = GUEST_CODE;
	regs->gpr[4] = GUEST_STACK;
	regs->rflags = 2;
}

/*
 * Puts code at GUEST_CODE and the processor there, in flat 32-bit protected mode at ring 0: code the tracer takes. The
 * interrupt descriptor table is empty until guest_use_idt().
 */
static inline void guest_start_flat(struct guest *g, const void *code, size_t size)
{
	const struct btvm_segment code_segment = { .limit = ~0u, .selector = GUEST_CS, .access = 0xc09b };
	const struct btvm_segment data_segment = { .limit = ~0u, .selector = GUEST_DS, .access = 0xc093 };
	const uint64_t gdt[] = { 0, 0x00cf9b000000ffffull, 0x00cf93000000ffffull };
	struct btvm_sregs sregs = guest_sregs(g);
	struct btvm_regs regs;
	int i;

	memcpy(g->ram + GUEST_CODE, code, size);
	memcpy(g->ram + GUEST_GDT, gdt, sizeof(gdt));
	guest_written(g, 0, GUEST_RAM);
	for (i = 0; i < 6; i++)
		sregs.segment[i] = i == 1 ? code_segment : data_segment;
	sregs.gdtr.base = GUEST_GDT;
	sregs.gdtr.limit = sizeof(gdt) - 1;
	sregs.idtr.limit = 0;
	sregs.cr0 = 0x60000011;
	sregs.activity = 0;
	guest_registers_at_start(&regs);
	guest_set(g, &sregs, &regs);
}

/* The same in real mode at 1000:0000, which is GUEST_CODE too; only the interpreter takes it. */
static inline void guest_start_real(struct guest *g, const void *code, size_t size)
{
	struct btvm_sregs sregs;
	struct btvm_regs regs;

	if (ioctl(g->vcpu, BTVM_RESET, 0))
		ktap_bail("the vCPU cannot be reset");
	memcpy(g->ram + GUEST_CODE, code, size);
	guest_written(g, 0, GUEST_RAM);
	sregs = guest_sregs(g);
	sregs.segment[1].selector = GUEST_CODE >> 4;
	sregs.segment[1].base = GUEST_CODE;
	guest_registers_at_start(&regs);
	regs.rip = 0;
	regs.gpr[4] = 0x8000;
	guest_set(g, &sregs, &regs);
}

/* A 32-bit interrupt gate. */
static inline void guest_gate(struct guest *g, unsigned int vector, uint32_t handler)
{
	const uint64_t low = (handler & 0xffff) | GUEST_CS << 16, high = (handler & 0xffff0000) | 0x8e00;
	const uint64_t gate = high << 32 | low;

	memcpy(g->ram + GUEST_IDT + 8 * vector, &gate, sizeof(gate));
}

static inline void guest_use_idt(struct guest *g)
{
	struct btvm_sregs sregs = guest_sregs(g);

	guest_written(g, GUEST_IDT, 0x800);
	sregs.idtr.base = GUEST_IDT;
	sregs.idtr.limit = 0x7ff;
	guest_set(g, &sregs, NULL);
}

static inline uint64_t guest_now(struct guest *g)
{
	struct btvm_clock clock;

	if (ioctl(g->vm, BTVM_GET_CLOCK, &clock))
		ktap_bail("the clock cannot be read");
	return clock.guest_ns;
}

/* Runs until an exit, for at most so long; returns the exit reason, or -1 with errno. */
static inline int guest_run_for(struct guest *g, unsigned int milliseconds)
{
	g->run->deadline_ns = guest_now(g) + milliseconds * 1000000ull;
	if (ioctl(g->vcpu, BTVM_RUN, 0))
		return -1;
	return g->run->exit_reason;
}

/* The same for code that ends by itself: the deadline only saves the test from a guest that does not. */
static inline int guest_run(struct guest *g)
{
	return guest_run_for(g, 60000);
}

static inline struct btvm_stats guest_stats(struct guest *g)
{
	struct btvm_stats stats = { .size = sizeof(stats) };

	if (ioctl(g->vcpu, BTVM_GET_STATS, &stats))
		ktap_bail("counters cannot be read");
	return stats;
}

/* Where the guest is and why it stopped, for a failure. */
static inline void guest_print(struct guest *g)
{
	const struct btvm_regs regs = guest_regs(g);

	ktap_diag("exit %u eip %llx eax %llx ecx %llx edx %llx ebx %llx esp %llx flags %llx", g->run->exit_reason, regs.rip,
		  regs.gpr[0], regs.gpr[1], regs.gpr[2], regs.gpr[3], regs.gpr[4], regs.rflags);
	if (g->run->exit_reason == BTVM_EXIT_INTERNAL_ERROR)
		ktap_diag("suberror %u vector %u error %llx rip %llx cr2 %llx", g->run->internal.suberror,
			  g->run->internal.vector, g->run->internal.error_code, g->run->internal.rip, g->run->internal.cr2);
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

static inline uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

static inline uint64_t cpu_ns(clockid_t clock)
{
	struct timespec used;

	clock_gettime(clock, &used);
	return used.tv_sec * 1000000000ull + used.tv_nsec;
}

/* The next one of a sequence (xorshift64*) that is the same in each run; never begin with 0. */
static uint64_t random64_state = 0x9e3779b97f4a7c15ull;

static inline uint64_t random64(void)
{
	random64_state ^= random64_state << 13;
	random64_state ^= random64_state >> 7;
	random64_state ^= random64_state << 17;
	return random64_state * 0x2545f4914f6cdd1dull;
}

#endif

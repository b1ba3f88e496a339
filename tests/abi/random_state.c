// SPDX-License-Identifier: GPL-2.0
/*
 * Processor states that no program would set, and vCPUs that nothing was set up for: whatever happens to the guest, each run
 * ends in one of the documented ways and the host stays whole.
 */
#include "guest.h"

#define RUNS 150

static void random_bytes(void *memory, size_t size)
{
	uint8_t *byte = memory;

	while (size--)
		*byte++ = random64() >> 24;
}

/* Ends one of the ways a guest can end; INTERNAL_ERROR would mean that the state broke the hypervisor. */
static bool ends_well(struct guest *g)
{
	const int reason = guest_run_for(g, 2);

	switch (reason) {
	case BTVM_EXIT_IO:
	case BTVM_EXIT_HALTED:
	case BTVM_EXIT_SHUTDOWN:
	case BTVM_EXIT_DEADLINE:
		return true;
	default:
		guest_print(g);
		return false;
	}
}

/* The fields that have no wrong values, at random; the rest as it was, at random only now and then. */
static void random_sregs(struct btvm_sregs *sregs)
{
	const struct btvm_sregs old = *sregs;
	int i;

	random_bytes(sregs, sizeof(*sregs));
	memset(sregs->padding, 0, sizeof(sregs->padding));
	memset(sregs->gdtr.padding, 0, 6);
	memset(sregs->idtr.padding, 0, 6);
	for (i = 0; i < 8; i++) {
		struct btvm_segment *s = i < 6 ? &sregs->segment[i] : i == 6 ? &sregs->ldtr : &sregs->tr;

		s->base = random64() & 3 ? random64() & 0xfffff : random64() & 0xffffffff;
		s->access &= 0xf0ff;
		if (random64() & 1) { /* flat, so that many states run natively */
			*s = i < 6 ? old.segment[i] : *s;
			s->access ^= random64() & 7 ? 0 : 1u << (random64() & 7);
		}
	}
	sregs->gdtr.base &= 0xfffff;
	sregs->idtr.base &= 0xfffff;
	sregs->cr0 = random64() & 1 ? old.cr0 : (random64() & 0xe005003f) | 0x40000000;
	sregs->cr0 |= sregs->cr0 >> 31; /* PE with PG */
	sregs->cr2 &= 0xffffffff;
	sregs->cr3 &= 0xff000;
	sregs->cr4 &= 0x6bf;
	sregs->efer = 0;
	sregs->a20_enabled &= 1;
	sregs->activity = random64() & 7 ? 0 : random64() % 3;
	sregs->interrupt_shadow &= 1;
	for (i = 0; i < 8; i++)
		sregs->dr[i] &= random64() & 1 ? 0xffffffff : 0xff00;
}

static void check_sane_fields(struct guest *g)
{
	unsigned int i, bad = 0, accepted = 0;

	for (i = 0; i < RUNS; i++) {
		struct btvm_sregs sregs;
		struct btvm_regs regs;

		guest_start_flat(g, "\xeb\xfe", 2);
		random_bytes(g->ram, GUEST_RAM / 16);
		guest_written(g, 0, GUEST_RAM);
		sregs = guest_sregs(g);
		random_sregs(&sregs);
		random_bytes(&regs, sizeof(regs));
		regs.rip &= 0x3ffff;
		if (random64() & 1)
			regs.rflags &= 0xcd7;
		if (!ioctl(g->vcpu, BTVM_SET_SREGS, &sregs) && !ioctl(g->vcpu, BTVM_SET_REGS, &regs)) {
			accepted++;
			bad += !ends_well(g);
		}
		ioctl(g->vcpu, BTVM_RESET, 0);
	}
	ktap_diag("%u of %u states were accepted, %u ended badly", accepted, RUNS, bad);
	ktap_result(!bad && accepted > RUNS / 2, "random fields in range: every run ends as documented");
}

static void check_any_bytes(struct guest *g)
{
	unsigned int i, bad = 0;

	for (i = 0; i < RUNS; i++) {
		struct btvm_sregs sregs;
		int error;

		random_bytes(&sregs, sizeof(sregs));
		error = ioctl(g->vcpu, BTVM_SET_SREGS, &sregs) ? errno : 0;
		bad += error && error != EINVAL;
		if (!error)
			bad += !ends_well(g);
	}
	ktap_result(!bad, "random bytes: EINVAL, or a run that ends as documented");
}

static void check_no_memory(void)
{
	struct guest g = { .system = open_btvm() };
	struct btvm_sregs sregs;
	struct btvm_regs regs;
	int reason;

	g.vm = ioctl(g.system, BTVM_CREATE_VM, 0);
	g.vcpu = ioctl(g.vm, BTVM_CREATE_VCPU, 0);
	ktap_result(g.vcpu >= 0, "a vCPU of a VM without memory can be made");
	g.run = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, g.vcpu, 0);
	sregs = guest_sregs(&g);
	regs = guest_regs(&g);
	ktap_result(sregs.segment[1].selector == 0xf000 && sregs.segment[1].base == 0xffff0000 && regs.rip == 0xfff0 &&
			    !(sregs.cr0 & 1) && sregs.a20_enabled && sregs.idtr.limit == 0x3ff && regs.rflags == 2,
		    "a fresh vCPU is in the state after RESET");
	/* Nothing answers on the bus: the code reads as FFh, an undefined instruction, and so does its handler. */
	reason = guest_run_for(&g, 20);
	ktap_result(reason == BTVM_EXIT_DEADLINE || reason == BTVM_EXIT_SHUTDOWN, "it runs on, with nothing but FFh around it");
	g.ram = mmap(NULL, GUEST_RAM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	guest_start_flat(&g, "\xf4", 1);
	reason = guest_run(&g);
	ktap_result(reason == BTVM_EXIT_SHUTDOWN, "in protected mode without memory the first fault is a triple one");
	guest_destroy(&g);
}

/* Requests in any order with any argument: none may do more than fail. RUN comes with a short deadline. */
static void check_random_calls(struct guest *g)
{
	static uint8_t buffer[sizeof(struct btvm_state) + 64];
	static const unsigned long requests[] = {
		BTVM_GET_API_VERSION, BTVM_CHECK_EXTENSION, BTVM_GET_VCPU_MMAP_SIZE, BTVM_CREATE_VCPU,
		BTVM_SET_USER_MEMORY_REGION, BTVM_IRQ_LINE, BTVM_SET_CONFIG, BTVM_MEMORY_WRITTEN, BTVM_GET_CLOCK, BTVM_GET_DIRTY_LOG,
		BTVM_SET_CLOCK, BTVM_GET_REGS, BTVM_SET_REGS, BTVM_GET_SREGS, BTVM_SET_SREGS, BTVM_RESET, BTVM_NMI,
		BTVM_SET_A20, BTVM_GET_STATS, BTVM_GET_TRACE, BTVM_GET_STATE, BTVM_SET_STATE,
	};
	const int fds[] = { g->system, g->vm, g->vcpu };
	unsigned int i, calls = 3000;

	for (i = 0; i < calls; i++) {
		const unsigned long request = requests[random64() % (sizeof(requests) / sizeof(requests[0]))];
		const unsigned long argument = random64() & 3 ? (uintptr_t)buffer + (random64() & 63) : random64() & 0xff;

		random_bytes(buffer, sizeof(buffer));
		if (request == BTVM_GET_TRACE || request == BTVM_GET_DIRTY_LOG)
			memset(buffer, 0, sizeof(buffer)); /* or it would write to random addresses of ours */
		if (random64() & 1)
			memset(buffer + (random64() & 511), 0, 512);
		ioctl(fds[random64() % 3], request, argument);
		if (!(i % 32))
			(void)ends_well(g);
	}
	ktap_result(true, "%u random calls", calls);
}

int main(void)
{
	const struct btvm_config config = { .breakpoints = 4 };
	struct guest g;

	ktap_plan(8);
	guest_create(&g, &config);
	check_sane_fields(&g);
	check_any_bytes(&g);
	check_no_memory();
	check_random_calls(&g);
	guest_destroy(&g);
	guest_create(&g, &config);
	guest_start_flat(&g, "\xf4", 1);
	ktap_result(guest_run(&g) == BTVM_EXIT_HALTED, "the next VM works");
	guest_destroy(&g);
	return ktap_finish();
}

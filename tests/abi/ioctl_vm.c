// SPDX-License-Identifier: GPL-2.0
/* The VM descriptor's calls besides memory: configuration, guest time, interrupt lines, written memory. */
#include "guest.h"

#define UNREADABLE 0xffff888000000000ul

static int call(int fd, unsigned long request, const void *argument)
{
	errno = 0;
	return ioctl(fd, request, argument) < 0 ? errno : 0;
}

static void check_pointers(int vm, void *constant)
{
	static const unsigned long requests[] = {
		BTVM_IRQ_LINE, BTVM_SET_CONFIG, BTVM_MEMORY_WRITTEN, BTVM_SET_CLOCK, BTVM_GET_CLOCK,
	};
	bool ok = true;
	size_t i;

	for (i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		ok &= call(vm, requests[i], NULL) == EFAULT && call(vm, requests[i], (void *)UNREADABLE) == EFAULT;
	ktap_result(ok, "structures that cannot be read or written: EFAULT");
	ktap_result(call(vm, BTVM_GET_CLOCK, constant) == EFAULT, "the clock into read-only memory: EFAULT");
}

static void check_config(int vm)
{
	const uint32_t known = BTVM_CONFIG_MONITOR_OFF | BTVM_CONFIG_VERIFY | BTVM_CONFIG_PLAN_CACHE_OFF | BTVM_CONFIG_TRACE |
			       BTVM_CONFIG_INTERPRET | BTVM_CONFIG_LOOKAHEAD | BTVM_CONFIG_TRACKING_OFF |
			       BTVM_CONFIG_COMPARE_OFF | BTVM_CONFIG_POST_PORT | BTVM_CONFIG_TEST_PLANNER_BUG | BTVM_CONFIG_TEST_MONITOR_FAULT;
	struct btvm_config config = { .breakpoints = 4 };
	bool ok = true;
	unsigned int bit;

	for (bit = 0; bit < 32; bit++) {
		config.flags = 1u << bit;
		if (config.flags == BTVM_CONFIG_EXECUTE_ONLY || config.flags == BTVM_CONFIG_APIC)
			continue; /* before the vCPU is made only: check_execute_only(), apic.c */
		ok &= call(vm, BTVM_SET_CONFIG, &config) == (known & config.flags ? 0 : EINVAL);
	}
	ktap_result(ok, "unknown configuration flags: EINVAL, known ones are taken");
	config.flags = 0;
	config.breakpoints = 0;
	ok = call(vm, BTVM_SET_CONFIG, &config) == EINVAL;
	config.breakpoints = 5;
	ok &= call(vm, BTVM_SET_CONFIG, &config) == EINVAL;
	config.breakpoints = ~0u;
	ktap_result(ok && call(vm, BTVM_SET_CONFIG, &config) == EINVAL, "0, 5 or 2^32-1 breakpoints: EINVAL");
	ok = true;
	for (bit = 0; bit < 3; bit++) {
		struct btvm_config reserved = { .breakpoints = 4 };

		reserved.reserved[bit] = 1ull << (bit * 21);
		ok &= call(vm, BTVM_SET_CONFIG, &reserved) == EINVAL;
	}
	config.breakpoints = 4;
	config.padding = 1;
	ok &= call(vm, BTVM_SET_CONFIG, &config) == EINVAL;
	config.padding = 0;
	ktap_result(ok, "reserved fields that are not 0: EINVAL");
	config.slowdown = BTVM_MAX_SLOWDOWN + 1;
	ok = call(vm, BTVM_SET_CONFIG, &config) == EINVAL;
	config.slowdown = BTVM_MAX_SLOWDOWN;
	ktap_result(ok && !call(vm, BTVM_SET_CONFIG, &config), "a slowdown of 1000 is taken, one of 1001 is EINVAL");
	config.slowdown = 0;
	ktap_result(!call(vm, BTVM_SET_CONFIG, &config), "and back to the usual one");
}

/* The memory for copies is made with the vCPU, where the processor has protection keys. */
static void check_execute_only(int system, int with_vcpu, int without_vcpu)
{
	const bool offered = ioctl(system, BTVM_CHECK_EXTENSION, BTVM_CAP_EXECUTE_ONLY) == 1;
	const struct btvm_config config = { .flags = BTVM_CONFIG_EXECUTE_ONLY, .breakpoints = 4 };
	const struct btvm_config usual = { .breakpoints = 4 };
	const int change = with_execute_only() ? 0 : EBUSY; /* it has them already */

	ktap_result(call(without_vcpu, BTVM_SET_CONFIG, &config) == (offered ? 0 : EOPNOTSUPP) &&
			    call(with_vcpu, BTVM_SET_CONFIG, &config) == (offered ? change : EOPNOTSUPP) &&
			    !call(without_vcpu, BTVM_SET_CONFIG, &usual),
		    "execute-only copies: EOPNOTSUPP without protection keys, EBUSY after the vCPU");
}

/* What tests of the checks ask for is for root only: it makes VMs fail on purpose. */
static void check_test_flags(int vm)
{
	const struct btvm_config config = { .breakpoints = 4, .flags = BTVM_CONFIG_TEST_MONITOR_FAULT };
	const struct btvm_config usual = { .breakpoints = 4 };
	int error;

	if (seteuid(1000))
		ktap_bail("the user cannot be changed");
	error = call(vm, BTVM_SET_CONFIG, &config);
	ktap_result(error == EPERM && !call(vm, BTVM_SET_CONFIG, &usual), "test flags without CAP_SYS_ADMIN: EPERM");
	if (seteuid(0))
		ktap_bail("the user cannot be changed back");
}

static void check_clock(int vm)
{
	struct btvm_clock clock, again, set = { .guest_ns = 1000000000000ull };

	ktap_result(!call(vm, BTVM_GET_CLOCK, &clock) && clock.guest_ns < 60000000000ull &&
			    clock.monotonic_ns > clock.guest_ns,
		    "guest time starts at 0");
	ktap_result(!call(vm, BTVM_SET_CLOCK, &set) && !call(vm, BTVM_GET_CLOCK, &clock) &&
			    clock.guest_ns - set.guest_ns < 10000000000ull,
		    "it can be set");
	usleep(20000);
	ktap_result(!call(vm, BTVM_GET_CLOCK, &again) && again.guest_ns - clock.guest_ns >= 20000000 &&
			    again.guest_ns - clock.guest_ns == again.monotonic_ns - clock.monotonic_ns,
		    "it runs with CLOCK_MONOTONIC");
	set.monotonic_ns = 1;
	ktap_result(call(vm, BTVM_SET_CLOCK, &set) == EINVAL, "a monotonic time to set: EINVAL");
}

/* Any guest time can be set: the next run must neither loop over the ticks that were skipped nor divide by zero. */
static void check_wild_clock(struct guest *g)
{
	static const uint64_t times[] = { ~0ull, 1ull << 63, 1ull << 62, (1ull << 63) - 1, 0, 1, 1000000000ull };
	static const uint8_t loop[] = { 0xeb, 0xfe };
	struct btvm_clock clock = {};
	uint64_t began = monotonic_ns();
	unsigned int i;
	bool ok = true;

	guest_start_flat(g, loop, sizeof(loop));
	for (i = 0; i < 7; i++) {
		clock.guest_ns = times[i];
		ok &= !call(g->vm, BTVM_SET_CLOCK, &clock);
		g->run->deadline_ns = times[i] + 10000000;
		if (g->run->deadline_ns < times[i])
			g->run->deadline_ns = 10000000;
		ok &= !ioctl(g->vcpu, BTVM_RUN, 0) && g->run->exit_reason == BTVM_EXIT_DEADLINE;
	}
	ktap_result(ok && monotonic_ns() - began < 20000000000ull, "guest time at the ends of its range");
}

/* Ten host seconds a guest second, awake and in HLT. */
static void check_slowdown(struct guest *g)
{
	static const uint8_t halt[] = { 0xfb, 0xf4, 0xeb, 0xfd }; /* sti; hlt; jmp hlt */
	const struct btvm_config slow = { .breakpoints = 4, .slowdown = 10 }, usual = { .breakpoints = 4 };
	const struct btvm_clock zero = {};
	struct btvm_clock before, first, then;

	ktap_result(!call(g->vm, BTVM_SET_CLOCK, &zero) && !call(g->vm, BTVM_GET_CLOCK, &before) &&
			    !call(g->vm, BTVM_SET_CONFIG, &slow) && !call(g->vm, BTVM_GET_CLOCK, &first) &&
			    first.guest_ns >= before.guest_ns && first.guest_ns - before.guest_ns < 1000000000,
		    "a slower clock goes on from where it was");
	usleep(50000);
	ktap_result(!call(g->vm, BTVM_GET_CLOCK, &then) && then.guest_ns - first.guest_ns >= 5000000 &&
			    (then.guest_ns - first.guest_ns) * 10 <= then.monotonic_ns - first.monotonic_ns + 20,
		    "and is ten times slower than CLOCK_MONOTONIC");
	guest_start_flat(g, halt, sizeof(halt));
	g->run->deadline_ns = then.guest_ns + 10000000;
	ktap_result(!ioctl(g->vcpu, BTVM_RUN, 0) && g->run->exit_reason == BTVM_EXIT_DEADLINE &&
			    g->run->guest_ns >= g->run->deadline_ns && monotonic_ns() - then.monotonic_ns >= 100000000,
		    "a guest in HLT sleeps to its deadline by it");
	call(g->vm, BTVM_SET_CONFIG, &usual);
}

static void check_lines(int vm, int without_vcpu)
{
	struct btvm_irq_level irq = { .irq = 16 };
	bool ok;

	ok = call(vm, BTVM_IRQ_LINE, &irq) == EINVAL;
	irq.irq = ~0u;
	ok &= call(vm, BTVM_IRQ_LINE, &irq) == EINVAL;
	irq.irq = 1;
	irq.level = 2;
	ok &= call(vm, BTVM_IRQ_LINE, &irq) == EINVAL && call(without_vcpu, BTVM_IRQ_LINE, &irq) == EINVAL;
	ktap_result(ok, "lines above 15 and levels above 1: EINVAL");
	irq.level = 1;
	ktap_result(call(without_vcpu, BTVM_IRQ_LINE, &irq) == ENXIO, "a line of a VM without a vCPU: ENXIO");
	ok = true;
	for (irq.irq = 0; irq.irq < 16; irq.irq++) {
		irq.level = 1;
		ok &= !call(vm, BTVM_IRQ_LINE, &irq);
		irq.level = 0;
		ok &= !call(vm, BTVM_IRQ_LINE, &irq);
	}
	ktap_result(ok, "every line can be raised and lowered");
}

/* Ranges are only hints of what to forget, so none is an error; but none may reach beyond the tables either. */
static void check_written(int vm, int without_vcpu)
{
	static const uint64_t values[] = { 0, 1, 4095, 4096, 0xfffff, 0x100000, 1ull << 32, 1ull << 52, ~0ull, ~0ull << 12 };
	struct btvm_memory_written range;
	bool ok = true;
	unsigned int i, j;

	for (i = 0; i < 10; i++)
		for (j = 0; j < 10; j++) {
			range.guest_phys_addr = values[i];
			range.size = values[j];
			ok &= !call(vm, BTVM_MEMORY_WRITTEN, &range) && !call(without_vcpu, BTVM_MEMORY_WRITTEN, &range);
		}
	ktap_result(ok, "written memory: any range is accepted");
}

int main(void)
{
	void *constant = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct guest g;
	int without_vcpu;

	ktap_plan(21);
	guest_create(&g, NULL);
	without_vcpu = ioctl(g.system, BTVM_CREATE_VM, 0);
	check_pointers(g.vm, constant);
	check_config(g.vm);
	check_execute_only(g.system, g.vm, without_vcpu);
	check_test_flags(g.vm);
	check_clock(without_vcpu);
	check_wild_clock(&g);
	check_slowdown(&g);
	check_lines(g.vm, without_vcpu);
	check_written(g.vm, without_vcpu);
	close(without_vcpu);
	guest_destroy(&g);
	return ktap_finish();
}

// SPDX-License-Identifier: GPL-2.0
/* While a guest does nothing but spin, the host's timer ticks, other threads run, and NMIs are taken. */
#include "guest.h"

#include <pthread.h>
#include <sched.h>

#define RUN_MS 500

GUEST_CODE32(tight, "1: jmp 1b");
GUEST_CODE32(traced, "1: call 2f\n jmp 1b\n 2: pushf\n popf\n ret");
GUEST_CODE32(privileged, "1: cli\n mov %cr0, %eax\n mov %cr3, %eax\n sti\n jmp 1b");
/* Writes to every page of the RAM, and reads beyond it, where there is none. */
GUEST_CODE32(faults, "1: mov $0x20000, %edi\n 2: incl (%edi)\n mov 0x200000(%edi), %eax\n add $4096, %edi\n cmp $0x90000, %edi\n jb 2b\n"
	"jmp 1b");
GUEST_CODE32(strings, "1: mov $0x20000, %edi\n mov $0x10000, %ecx\n rep stosl\n jmp 1b");
GUEST_CODE16(real, "1: inc %ax\n push %ax\n pop %bx\n jmp 1b");

struct shape {
	const char *name;
	const uint8_t *code, *end;
	bool real;
	unsigned int flags;
};

static const struct shape shapes[] = {
	{ "a tight loop", tight, tight_end, false, 0 },
	{ "traced calls", traced, traced_end, false, 0 },
	{ "traced calls, monitor off", traced, traced_end, false, BTVM_CONFIG_MONITOR_OFF },
	{ "traced calls, verified", traced, traced_end, false, BTVM_CONFIG_VERIFY },
	{ "privileged instructions", privileged, privileged_end, false, 0 },
	{ "memory faults", faults, faults_end, false, 0 },
	{ "long string instructions", strings, strings_end, false, 0 },
	{ "the interpreter", real, real_end, true, 0 },
};

#define SHAPES (sizeof(shapes) / sizeof(shapes[0]))

/* The sum over the CPUs of a row of /proc/interrupts. */
static unsigned long interrupts(const char *row)
{
	FILE *file = fopen("/proc/interrupts", "r");
	char line[512], *at;
	unsigned long sum = 0;

	while (file && fgets(line, sizeof(line), file)) {
		at = line + strspn(line, " ");
		if (strncmp(at, row, strlen(row)))
			continue;
		for (at += strlen(row); *at;) {
			char *next;
			const unsigned long value = strtoul(at, &next, 10);

			if (next == at)
				break;
			sum += value;
			at = next;
		}
	}
	if (file)
		fclose(file);
	return sum;
}

struct clock_watch {
	volatile bool stop;
	uint64_t longest, wakings;
};

/* Sleeps for a millisecond at a time, and notes how long each one took. */
static void *watch_clock(void *argument)
{
	struct clock_watch *watch = argument;
	uint64_t last = monotonic_ns();

	while (!watch->stop) {
		uint64_t now;

		usleep(1000);
		now = monotonic_ns();
		if (now - last > watch->longest)
			watch->longest = now - last;
		last = now;
		watch->wakings++;
	}
	return NULL;
}

static void check_shape(const struct shape *shape)
{
	const struct btvm_config config = { .breakpoints = 4, .flags = shape->flags };
	unsigned long ticks = interrupts("LOC:");
	struct clock_watch watch = {};
	uint64_t began, took;
	pthread_t thread;
	struct guest g;
	int reason;

	guest_create(&g, &config);
	if (shape->real)
		guest_start_real(&g, shape->code, shape->end - shape->code);
	else
		guest_start_flat(&g, shape->code, shape->end - shape->code);
	pthread_create(&thread, NULL, watch_clock, &watch);
	began = monotonic_ns();
	reason = guest_run_for(&g, RUN_MS);
	took = monotonic_ns() - began;
	watch.stop = true;
	pthread_join(thread, NULL);
	ticks = interrupts("LOC:") - ticks;
	ktap_diag("%s: %u ms, %lu timer interrupts, the other thread woke %u times, at most %u us late", shape->name,
		  (unsigned int)(took / 1000000), ticks, (unsigned int)watch.wakings, (unsigned int)(watch.longest / 1000));
	if (reason != BTVM_EXIT_DEADLINE)
		guest_print(&g);
	/* The bounds are wide: the test host is emulated and shares its machine. A hang, or a guest that is not preempted, is wider. */
	ktap_result(reason == BTVM_EXIT_DEADLINE && took < 10000000000ull && ticks > 20 && watch.wakings > 10 &&
			    watch.longest < 2000000000,
		    "the host goes on beside %s", shape->name);
	guest_destroy(&g);
}

GUEST_CODE32(count, "mov $20000, %ecx\n xor %eax, %eax\n 1: call 2f\n dec %ecx\n jnz 1b\n hlt\n 2: add %ecx, %eax\n ret");

/* With --nmi-rate the test host injects them all the time; without, there are none to see. */
static void check_nmis(void)
{
	const unsigned int flags[] = { 0, BTVM_CONFIG_MONITOR_OFF, BTVM_CONFIG_VERIFY };
	unsigned long before = interrupts("NMI:"), seen;
	int i, rounds = 0, good = 0;
	struct btvm_stats stats;
	struct guest g;
	uint64_t in_guest = 0;
	cpu_set_t first;

	/* Linux lets them in on the first CPU only. */
	CPU_ZERO(&first);
	CPU_SET(0, &first);
	sched_setaffinity(0, sizeof(first), &first);
	usleep(300000);
	if (interrupts("NMI:") == before) {
		ktap_skip("NMIs of the host while a guest runs", "nobody sends any");
		return;
	}
	before = interrupts("NMI:");
	for (i = 0; i < 3; i++) {
		const struct btvm_config config = { .breakpoints = 4, .flags = flags[i] };
		const uint64_t began = monotonic_ns();

		guest_create(&g, &config);
		while (monotonic_ns() - began < 1000000000ull) {
			guest_start_flat(&g, count, count_end - count);
			rounds++;
			good += guest_run(&g) == BTVM_EXIT_HALTED && guest_regs(&g).gpr[0] == 200010000;
		}
		stats = guest_stats(&g);
		in_guest += stats.trap_nmi;
		guest_destroy(&g);
	}
	seen = interrupts("NMI:") - before;
	ktap_diag("%lu NMIs, %llu of them out of the guest world; %d of %d results right", seen, (unsigned long long)in_guest, good,
		  rounds);
	ktap_result(seen > 10 && in_guest > 0 && good == rounds, "NMIs of the host while a guest runs");
}

int main(void)
{
	size_t i;

	ktap_plan(SHAPES + 1);
	for (i = 0; i < SHAPES; i++)
		check_shape(&shapes[i]);
	check_nmis();
	return ktap_finish();
}

// SPDX-License-Identifier: GPL-2.0
/*
 * What the parts of a trap cost, each as a multiple of an empty function call in the same run (the source's table of
 * costs, 003 section 3.5): a call with all registers saved and loaded, a trap handled in the monitor, the same trap handled in
 * the host world, the world switch that lies between the two, and an exit to userland.
 *
 * Runs where the module is inserted. Prints one JSON object; bench/run makes a table of it. What this machine cannot do is null.
 */
#include <time.h>

#include "../tests/abi/guest.h"

#define REPEATS 9
#define CALLS 2000000u
#define TRAPS 20000u
#define EXITS 4000u

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

__attribute__((noinline)) static void empty(void)
{
	asm volatile("");
}

__attribute__((noinline, naked)) static void save_and_load(void)
{
	asm volatile("push %rax; push %rcx; push %rdx; push %rbx; push %rbp; push %rsi; push %rdi; push %r8; push %r9;"
		     "push %r10; push %r11; push %r12; push %r13; push %r14; push %r15;"
		     "pop %r15; pop %r14; pop %r13; pop %r12; pop %r11; pop %r10; pop %r9; pop %r8; pop %rdi; pop %rsi;"
		     "pop %rbp; pop %rbx; pop %rdx; pop %rcx; pop %rax; ret");
}

static double time_calls(void (*function)(void))
{
	const uint64_t begin = now_ns();
	unsigned int i;

	for (i = 0; i < CALLS; i++)
		function();
	return (double)(now_ns() - begin) / CALLS;
}

/* mov $n, %ecx; 1: BODY; dec %ecx; jnz 1b; hlt */
static size_t make_loop(uint8_t *code, uint32_t count, const uint8_t *body, size_t size)
{
	size_t at = 0;

	code[at++] = 0xb9;
	memcpy(code + at, &count, 4);
	at += 4;
	memcpy(code + at, body, size);
	at += size;
	code[at++] = 0x49;
	code[at++] = 0x75;
	code[at] = (uint8_t) - (int)(size + 3);
	at++;
	code[at++] = 0xf4;
	return at;
}

struct loop_cost {
	double ns;              /* of one round */
	double traps, switches; /* in one round */
};

static struct loop_cost time_guest(uint32_t flags, uint32_t count, const uint8_t *body, size_t size)
{
	const struct btvm_config config = { .flags = flags, .breakpoints = 4 };
	struct guest g;
	struct btvm_stats before, after;
	struct loop_cost cost;
	uint8_t code[64];
	uint64_t begin, end;
	const size_t bytes = make_loop(code, count, body, size);

	guest_create(&g, &config);
	guest_start_flat(&g, code, bytes);
	before = guest_stats(&g);
	begin = now_ns();
	while (!ioctl(g.vcpu, BTVM_RUN, 0) && g.run->exit_reason == BTVM_EXIT_IO)
		continue;
	end = now_ns();
	after = guest_stats(&g);
	if (g.run->exit_reason != BTVM_EXIT_HALTED)
		ktap_bail("the guest did not finish its loop");
	cost.ns = (double)(end - begin) / count;
	cost.traps = (double)(after.trap_breakpoint + after.trap_privileged - before.trap_breakpoint - before.trap_privileged) /
		     count;
	cost.switches = (double)(after.world_switches - before.world_switches) / count;
	guest_destroy(&g);
	return cost;
}

static int by_size(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values)
{
	qsort(values, REPEATS, sizeof(*values), by_size);
	return values[REPEATS / 2];
}

enum kind {
	EMPTY_CALL,
	CALL_SAVING_REGISTERS,
	UNTRACED_LOOP_ROUND,
	PRIVILEGED_TRAP_IN_MONITOR,
	BREAKPOINT_TRAP_IN_MONITOR,
	EXCEPTION, /* of that, the trap alone, without the round of the loop */
	BREAKPOINT_TRAP_IN_COPY,
	RETURN_IN_COPY,
	BREAKPOINT_TRAP_IN_HOST,
	WORLD_SWITCH, /* there and back */
	EXIT_TO_USERLAND,
	KINDS
};

static const char *const names[KINDS] = {
	"empty_call", "call_saving_registers", "untraced_loop_round", "privileged_trap_in_monitor", "breakpoint_trap_in_monitor",
	"exception", "breakpoint_trap_in_copy", "return_in_copy", "breakpoint_trap_in_host", "world_switch", "exit_to_userland",
};

/* The cost of one trap of a loop that must have one a round at least. */
static double of_a_trap(struct loop_cost loop, double plain)
{
	if (loop.traps < 0.99)
		ktap_bail("a loop that was to trap in each round did not");
	return (loop.ns - plain) / loop.traps;
}

/* One sample of each kind, in ns; of those with copies only where they can be had. */
static void measure(double *ns, bool copies)
{
	static const uint8_t cli[] = { 0xfa };                                 /* traps by itself */
	static const uint8_t lea[] = { 0x8d, 0x05, 2, 0, 0, 0 };               /* no trap: the loop itself */
	static const uint8_t pushf_pop[] = { 0x9c, 0x58 };                     /* needs a breakpoint */
	static const uint8_t in[] = { 0xe4, 0x80 };                            /* goes to userland */
	static const uint8_t call_ret[] = { 0xe8, 2, 0, 0, 0, 0xeb, 1, 0xc3 }; /* the return is followed */
	const struct loop_cost plain = time_guest(0, TRAPS * 16, lea, sizeof(lea));
	const struct loop_cost privileged = time_guest(0, TRAPS, cli, sizeof(cli));
	const struct loop_cost in_monitor = time_guest(0, TRAPS, pushf_pop, sizeof(pushf_pop));
	const struct loop_cost in_host = time_guest(BTVM_CONFIG_MONITOR_OFF, TRAPS, pushf_pop, sizeof(pushf_pop));
	const double switches = in_host.switches - in_monitor.switches;

	if (plain.traps > 0.01)
		ktap_bail("the loop that was not to trap did");
	if (switches < 0.99)
		ktap_bail("traps handled in the host world made no world switches");
	ns[EMPTY_CALL] = time_calls(empty);
	ns[CALL_SAVING_REGISTERS] = time_calls(save_and_load);
	ns[UNTRACED_LOOP_ROUND] = plain.ns;
	ns[PRIVILEGED_TRAP_IN_MONITOR] = of_a_trap(privileged, plain.ns);
	ns[BREAKPOINT_TRAP_IN_MONITOR] = in_monitor.ns;
	ns[EXCEPTION] = of_a_trap(in_monitor, plain.ns);
	ns[BREAKPOINT_TRAP_IN_HOST] = in_host.ns;
	ns[WORLD_SWITCH] = (in_host.ns - in_monitor.ns) / switches;
	ns[EXIT_TO_USERLAND] = time_guest(0, EXITS, in, sizeof(in)).ns;
	if (!copies)
		return;
	ns[BREAKPOINT_TRAP_IN_COPY] =
		of_a_trap(time_guest(BTVM_CONFIG_EXECUTE_ONLY, TRAPS, pushf_pop, sizeof(pushf_pop)), plain.ns);
	ns[RETURN_IN_COPY] = of_a_trap(time_guest(BTVM_CONFIG_EXECUTE_ONLY, TRAPS, call_ret, sizeof(call_ret)), plain.ns);
}

int main(void)
{
	const int system = open_btvm();
	const bool copies = ioctl(system, BTVM_CHECK_EXTENSION, BTVM_CAP_EXECUTE_ONLY) > 0;
	double samples[REPEATS][KINDS], of_one[REPEATS];
	unsigned int i, kind;

	close(system);
	for (i = 0; i < REPEATS; i++)
		measure(samples[i], copies);
	printf("{\"repeats\": %d, \"ns\": {", REPEATS);
	for (kind = 0; kind < KINDS; kind++) {
		printf("%s\"%s\": ", kind ? ", " : "", names[kind]);
		if (!copies && (kind == BREAKPOINT_TRAP_IN_COPY || kind == RETURN_IN_COPY)) {
			printf("null");
			continue;
		}
		for (i = 0; i < REPEATS; i++)
			of_one[i] = samples[i][kind];
		printf("%.3f", median(of_one));
	}
	printf("}}\n");
	return 0;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * What the parts of a trap cost, each as a multiple of an empty function call in the same run (the source's table of
 * costs, 003 section 3.5): a call with all registers saved and loaded, a trap handled in the monitor, the same trap handled in
 * the host world, the world switch that lies between the two, and an exit to userland.
 *
 * Runs where the module is inserted. Prints one JSON object; bench/run makes a table of it.
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

int main(void)
{
	static const uint8_t cli[] = { 0xfa };               /* traps by itself */
	static const uint8_t jump[] = { 0x8d, 0x05, 2, 0, 0, 0 }; /* lea: no trap; the loop itself */
	static const uint8_t pushf_pop[] = { 0x9c, 0x58 };   /* needs a breakpoint */
	static const uint8_t in[] = { 0xe4, 0x80 };          /* to userland; writes to that port stay in the core */
	static const uint8_t call_ret[] = { 0xe8, 2, 0, 0, 0, 0xeb, 1, 0xc3 }; /* the return is followed */
	double call[REPEATS], saved[REPEATS], plain[REPEATS], fault[REPEATS], breakpoint[REPEATS], off[REPEATS],
		exception[REPEATS], world[REPEATS], exit_cost[REPEATS],
		copied[REPEATS], returned[REPEATS];
	unsigned int i;

	for (i = 0; i < REPEATS; i++) {
		struct loop_cost on, without;

		call[i] = time_calls(empty);
		saved[i] = time_calls(save_and_load);
		plain[i] = time_guest(0, TRAPS * 16, jump, sizeof(jump)).ns;
		fault[i] = time_guest(0, TRAPS, cli, sizeof(cli)).ns;
		on = time_guest(0, TRAPS, pushf_pop, sizeof(pushf_pop));
		without = time_guest(BTVM_CONFIG_MONITOR_OFF, TRAPS, pushf_pop, sizeof(pushf_pop));
		breakpoint[i] = on.ns;
		off[i] = without.ns;
		exception[i] = (on.ns - plain[i]) / on.traps;
		world[i] = (without.ns - on.ns) / (without.switches - on.switches);
		/* The same with execute-only copies, where any place can stop. */
		on = time_guest(BTVM_CONFIG_EXECUTE_ONLY, TRAPS, pushf_pop, sizeof(pushf_pop));
		copied[i] = (on.ns - plain[i]) / on.traps;
		on = time_guest(BTVM_CONFIG_EXECUTE_ONLY, TRAPS, call_ret, sizeof(call_ret));
		returned[i] = (on.ns - plain[i]) / on.traps;
		exit_cost[i] = time_guest(0, EXITS, in, sizeof(in)).ns;
	}
	printf("{\"repeats\": %d, \"ns\": {\"empty_call\": %.3f, \"call_saving_registers\": %.3f, \"untraced_loop_round\": %.3f, "
	       "\"privileged_trap_in_monitor\": %.1f, \"breakpoint_trap_in_monitor\": %.1f, \"exception\": %.1f, \"breakpoint_trap_in_copy\": %.1f, "
	       "\"return_in_copy\": %.1f, \"breakpoint_trap_in_host\": %.1f, "
	       "\"world_switch\": %.1f, \"exit_to_userland\": %.1f}}\n",
	       REPEATS, median(call), median(saved), median(plain), median(fault), median(breakpoint),
	       median(exception), median(copied), median(returned), median(off),
	       median(world), median(exit_cost));
	return 0;
}

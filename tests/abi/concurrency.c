// SPDX-License-Identifier: GPL-2.0
/* Calls from other threads while the guest runs, and what ends a run from outside. */
#include "guest.h"

#include <pthread.h>
#include <signal.h>

GUEST_CODE32(spin, "1: incl 0x8000\n jmp 1b");
GUEST_CODE32(spin_traced, "1: incl 0x8000\n call 2f\n jmp 1b\n 2: ret");

struct runner {
	struct guest *g;
	int result, error;
	pthread_t thread;
};

static void *run_once(void *argument)
{
	struct runner *runner = argument;

	runner->result = ioctl(runner->g->vcpu, BTVM_RUN, 0);
	runner->error = errno;
	return NULL;
}

static void start(struct runner *runner, struct guest *g)
{
	const uint32_t before = *(volatile uint32_t *)(g->ram + 0x8000);
	int tries;

	runner->g = g;
	g->run->deadline_ns = ~0ull;
	g->run->immediate_exit = 0;
	pthread_create(&runner->thread, NULL, run_once, runner);
	for (tries = 0; tries < 1000 && *(volatile uint32_t *)(g->ram + 0x8000) == before; tries++)
		usleep(1000);
}

static void do_nothing(int signal)
{
	(void)signal;
}

/* Ends it by a signal. */
static void stop(struct runner *runner)
{
	pthread_kill(runner->thread, SIGUSR1);
	pthread_join(runner->thread, NULL);
}

static int call(int fd, unsigned long request, const void *argument)
{
	errno = 0;
	return ioctl(fd, request, argument) < 0 ? errno : 0;
}

static void check_busy(struct guest *g, const char *name)
{
	struct btvm_memory_written written = { 0, 4096 };
	uint64_t bitmap[GUEST_RAM / 4096 / 64];
	struct btvm_dirty_log log = { .dirty_bitmap = (uintptr_t)bitmap };
	struct btvm_config config = { .breakpoints = 4 };
	static struct btvm_trace_entry entries[256];
	struct btvm_trace trace = { .buffer = (uintptr_t)entries, .count = 256 };
	struct btvm_clock clock;
	struct btvm_sregs sregs;
	struct btvm_regs regs;
	static struct btvm_state state;
	struct btvm_stats one, two;
	struct runner runner;
	bool ok;
	int i;

	start(&runner, g);
	ktap_result(call(g->vcpu, BTVM_RUN, NULL) == EBUSY, "%s: a second RUN: EBUSY", name);
	ok = call(g->vcpu, BTVM_GET_REGS, &regs) == EBUSY && call(g->vcpu, BTVM_SET_REGS, &regs) == EBUSY &&
	     call(g->vcpu, BTVM_GET_SREGS, &sregs) == EBUSY && call(g->vcpu, BTVM_SET_SREGS, &sregs) == EBUSY &&
	     call(g->vcpu, BTVM_GET_STATE, &state) == EBUSY && call(g->vcpu, BTVM_SET_STATE, &state) == EBUSY &&
	     call(g->vcpu, BTVM_RESET, NULL) == EBUSY && call(g->vcpu, BTVM_SET_A20, (void *)1) == EBUSY &&
	     call(g->vm, BTVM_SET_CONFIG, &config) == EBUSY && call(g->vm, BTVM_MEMORY_WRITTEN, &written) == EBUSY &&
	     call(g->vm, BTVM_GET_DIRTY_LOG, &log) == EBUSY;
	ktap_result(ok, "%s: whatever would touch its state: EBUSY", name);
	ktap_result(call(g->vcpu, _IO(BTVM_IOC, 0xfe), NULL) == ENOTTY && call(g->vm, _IO(BTVM_IOC, 0xfe), NULL) == ENOTTY,
		    "%s: an unknown request is unknown still", name);
	one = guest_stats(g);
	usleep(50000);
	two = guest_stats(g);
	ktap_result(two.world_switches > one.world_switches, "%s: its counters can be read, and they move", name);
	ok = true;
	for (i = 0; i < 20; i++)
		ok &= !call(g->vcpu, BTVM_GET_TRACE, &trace) && trace.count == 256;
	ktap_result(ok, "%s: and its trace", name);
	ktap_result(!call(g->vm, BTVM_GET_CLOCK, &clock), "%s: and its clock", name);
	stop(&runner);
	ktap_result(runner.result < 0 && runner.error == EINTR, "%s: a signal ends the run: EINTR", name);
	ktap_result(!call(g->vcpu, BTVM_GET_REGS, &regs) && regs.rip - GUEST_CODE < 16,
		    "%s: then its registers can be read", name);
}

static void check_immediate_exit(struct guest *g)
{
	struct runner runner;
	uint64_t began;

	g->run->immediate_exit = 1;
	g->run->deadline_ns = ~0ull;
	ktap_result(call(g->vcpu, BTVM_RUN, NULL) == EINTR, "immediate_exit set before: EINTR");
	start(&runner, g);
	began = monotonic_ns();
	g->run->immediate_exit = 1;
	pthread_join(runner.thread, NULL);
	ktap_result(runner.result < 0 && runner.error == EINTR && monotonic_ns() - began < 10000000000,
		    "immediate_exit set while it runs: EINTR at the next host interrupt");
	g->run->immediate_exit = 0;
}

static void check_deadline(struct guest *g)
{
	uint64_t began, took;
	int reason, i;

	g->run->deadline_ns = guest_now(g);
	ktap_result(!call(g->vcpu, BTVM_RUN, NULL) && g->run->exit_reason == BTVM_EXIT_DEADLINE,
		    "a deadline that has passed: DEADLINE at once");
	began = monotonic_ns();
	reason = guest_run_for(g, 100);
	took = monotonic_ns() - began;
	ktap_diag("deadline in 100 ms: %u us", (unsigned int)(took / 1000));
	ktap_result(reason == BTVM_EXIT_DEADLINE && took >= 99000000 && took < 10000000000, "a deadline while it spins");
	ktap_result(g->run->guest_ns >= g->run->deadline_ns && g->run->guest_ns <= guest_now(g), "guest_ns is the time of the exit");
	for (i = 0; i < 100; i++) {
		g->run->deadline_ns = guest_now(g) + 200000;
		if (ioctl(g->vcpu, BTVM_RUN, 0) || g->run->exit_reason != BTVM_EXIT_DEADLINE)
			break;
	}
	ktap_result(i == 100, "a hundred short deadlines");
}

/* A flood of line changes while it runs: none hangs, none is lost silently. */
static void check_line_flood(struct guest *g)
{
	struct btvm_irq_level irq = { .irq = 3 };
	struct runner runner;
	int i, accepted = 0, full = 0;

	start(&runner, g);
	for (i = 0; i < 3000; i++) {
		const int error = (irq.level = i & 1, call(g->vm, BTVM_IRQ_LINE, &irq));

		accepted += !error;
		full += error == EAGAIN;
		if (!(i % 64))
			accepted += call(g->vcpu, BTVM_NMI, NULL) ? -1 : 0;
	}
	stop(&runner);
	ktap_diag("%d accepted, %d EAGAIN", accepted, full);
	ktap_result(accepted + full == 3000 && accepted > 0, "thousands of line changes while it runs: taken, or EAGAIN");
}

int main(void)
{
	const struct btvm_config config = { .breakpoints = 4, .flags = BTVM_CONFIG_TRACE };
	const struct sigaction action = { .sa_handler = do_nothing };
	struct guest g;

	ktap_plan(23);
	sigaction(SIGUSR1, &action, NULL);
	guest_create(&g, &config);
	guest_start_flat(&g, spin_traced, spin_traced_end - spin_traced);
	guest_run_for(&g, 100); /* so that the trace is full */
	check_busy(&g, "traced");
	guest_start_flat(&g, spin, spin_end - spin);
	check_busy(&g, "spinning");
	check_immediate_exit(&g);
	check_deadline(&g);
	check_line_flood(&g);
	guest_destroy(&g);
	return ktap_finish();
}

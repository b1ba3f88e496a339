// SPDX-License-Identifier: GPL-2.0
/*
 * The host's own hardware breakpoints go on working beside guests that are traced with the debug registers or use them
 * themselves.
 */
#include "guest.h"

#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>

#define RUNS 1000

/* Uses all four debug registers, and takes a few traps a run. */
GUEST_CODE32(branches, "mov $3, %ecx\n 1: test $1, %cl\n jz 2f\n call 3f\n 2: dec %ecx\n jnz 1b\n hlt\n 3: pushf\n popf\n ret");

/* Watches the word below its stack, and halts when each of three writes to it has trapped: #DB leads to armed_hit. */
GUEST_CODE32(armed, "xor %ecx, %ecx\n lea -4(%esp), %eax\n mov %eax, %dr1\n mov $0x00d00404, %eax\n mov %eax, %dr7\n push %ebx\n"
		    "mov %ebx, (%esp)\n pop %ebx\n movl $1, -4(%esp)\n xor %eax, %eax\n mov %eax, %dr7\n cmp $3, %ecx\n jne 1f\n hlt\n"
		    "1: ud2\n .globl armed_hit\n armed_hit: inc %ecx\n iret");
extern const uint8_t armed_hit[];

static volatile uint64_t watched __attribute__((aligned(8)));

static int watch(void)
{
	struct perf_event_attr attributes = {
		.type = PERF_TYPE_BREAKPOINT,
		.size = sizeof(attributes),
		.bp_type = HW_BREAKPOINT_W,
		.bp_addr = (uintptr_t)&watched,
		.bp_len = HW_BREAKPOINT_LEN_8,
		.exclude_kernel = 1,
		.exclude_hv = 1,
	};

	return syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0);
}

static uint64_t count(int fd)
{
	uint64_t value = 0;

	if (read(fd, &value, sizeof(value)) != sizeof(value))
		ktap_bail("the counter cannot be read");
	return value;
}

static void check_perf(struct guest *g)
{
	const int fd = watch();
	uint64_t start;
	int i, good = 0;

	if (fd < 0) {
		ktap_skip("a watchpoint of perf_event_open", "the kernel gives none");
		ktap_skip("it fires after each run", "the kernel gives none");
		ktap_skip("it fires after each run of a guest with watchpoints", "the kernel gives none");
		return;
	}
	start = count(fd);
	watched = 1;
	ktap_result(count(fd) - start == 1, "a watchpoint of perf_event_open fires");
	start = count(fd);
	for (i = 0; i < RUNS; i++) {
		guest_start_flat(g, branches, branches_end - branches);
		good += guest_run(g) == BTVM_EXIT_HALTED;
		watched = i;
	}
	ktap_diag("%d good runs, %llu hits", good, (unsigned long long)(count(fd) - start));
	ktap_result(good == RUNS && count(fd) - start == RUNS, "it fires after each of %d runs", RUNS);
	start = count(fd);
	for (i = 0, good = 0; i < RUNS / 10; i++) {
		guest_start_flat(g, armed, armed_end - armed);
		guest_gate(g, 1, GUEST_CODE + (armed_hit - armed));
		guest_use_idt(g);
		good += guest_run(g) == BTVM_EXIT_HALTED;
		watched = i;
	}
	ktap_diag("%d good runs, %llu hits", good, (unsigned long long)(count(fd) - start));
	ktap_result(good == RUNS / 10 && count(fd) - start == RUNS / 10,
		    "it fires after each of %d runs of a guest with watchpoints", RUNS / 10);
	close(fd);
}

struct writer {
	volatile bool stop;
	volatile int fd;
	uint64_t written, counted;
};

/* Writes to what it watches, for as long as another thread runs guests. */
static void *write_watched(void *argument)
{
	struct writer *writer = argument;

	writer->fd = watch();
	while (!writer->stop) {
		watched = ++writer->written;
		if (!(writer->written % 16))
			sched_yield();
	}
	if (writer->fd >= 0) {
		writer->counted = count(writer->fd);
		close(writer->fd);
	}
	return NULL;
}

static void check_perf_beside(struct guest *g)
{
	struct writer writer = {};
	pthread_t thread;
	cpu_set_t cpu;
	int i, good = 0;

	/* On one CPU, so that the debug registers change hands at each switch between the two threads. */
	CPU_ZERO(&cpu);
	CPU_SET(0, &cpu);
	sched_setaffinity(0, sizeof(cpu), &cpu);
	pthread_create(&thread, NULL, write_watched, &writer);
	for (i = 0; i < 200; i++) {
		guest_start_flat(g, branches, branches_end - branches);
		good += guest_run(g) == BTVM_EXIT_HALTED;
		sched_yield();
	}
	writer.stop = true;
	pthread_join(thread, NULL);
	if (writer.fd < 0) {
		ktap_skip("another thread's watchpoint", "the kernel gives none");
		return;
	}
	ktap_diag("%llu writes, %llu hits", (unsigned long long)writer.written, (unsigned long long)writer.counted);
	ktap_result(good == 200 && writer.written > 100 && writer.counted == writer.written,
		    "another thread's watchpoint fires at each write while guests run");
}

/* A debugger's watchpoint in a child that runs guests itself: the child's writes stop it, its runs do not. */
static void check_ptrace(void)
{
	const pid_t child = fork();
	unsigned long dr7 = 0, dr6 = 0;
	int status, stops = 0, i;

	if (!child) {
		struct guest g;

		guest_create(&g, NULL);
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		for (i = 0; i < 20; i++) {
			guest_start_flat(&g, branches, branches_end - branches);
			if (guest_run(&g) != BTVM_EXIT_HALTED)
				_exit(1);
			watched = i;
		}
		_exit(0);
	}
	waitpid(child, &status, 0);
	if (ptrace(PTRACE_POKEUSER, child, offsetof(struct user, u_debugreg[1]), &watched) ||
	    ptrace(PTRACE_POKEUSER, child, offsetof(struct user, u_debugreg[7]), 0x00900004ul))
		ktap_diag("the debug registers cannot be set: errno %d", errno);
	for (;;) {
		ptrace(PTRACE_CONT, child, 0, 0);
		waitpid(child, &status, 0);
		if (!WIFSTOPPED(status))
			break;
		if (WSTOPSIG(status) == SIGTRAP) {
			dr6 = ptrace(PTRACE_PEEKUSER, child, offsetof(struct user, u_debugreg[6]), 0);
			dr7 = ptrace(PTRACE_PEEKUSER, child, offsetof(struct user, u_debugreg[7]), 0);
			stops += (dr6 & 0xf) == 2;
			ptrace(PTRACE_POKEUSER, child, offsetof(struct user, u_debugreg[6]), 0);
		}
	}
	ktap_diag("%d stops, DR6 %lx, DR7 %lx, status %#x", stops, dr6, dr7, status);
	ktap_result(status == 0 && stops == 20, "a debugger's watchpoint in a program that runs guests stops it at each write");
}

/* Single stepping over the system call that runs the guest: TF is the host's, not the guest's. */
static void check_single_step(void)
{
	const pid_t child = fork();
	int status, steps = 0;

	if (!child) {
		struct guest g;

		guest_create(&g, NULL);
		guest_start_flat(&g, branches, branches_end - branches);
		g.run->deadline_ns = ~0ull;
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		if (ioctl(g.vcpu, BTVM_RUN, 0) || g.run->exit_reason != BTVM_EXIT_HALTED)
			_exit(1);
		_exit(0);
	}
	waitpid(child, &status, 0);
	while (WIFSTOPPED(status) && steps++ < 2000) {
		ptrace(PTRACE_SINGLESTEP, child, 0, 0);
		waitpid(child, &status, 0);
	}
	ktap_diag("%d steps, status %#x", steps, status);
	ktap_result(WIFEXITED(status) && WEXITSTATUS(status) == 0 && steps > 20, "a program that is single-stepped through BTVM_RUN");
}

int main(void)
{
	struct guest g;

	ktap_plan(6);
	guest_create(&g, NULL);
	check_perf(&g);
	check_perf_beside(&g);
	guest_destroy(&g);
	check_ptrace();
	check_single_step();
	return ktap_finish();
}

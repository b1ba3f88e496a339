// SPDX-License-Identifier: GPL-2.0
/* Micro-benchmarks of several processes or threads. */
#define _GNU_SOURCE
#include "processes.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define NULL_STATUS 7 /* of null.S */

/* A process is made, executes a program that ends at once, and is waited for. */
void run_forkexec(uint32_t count)
{
	uint32_t i, bad = 0;

	measure_begin();
	for (i = 0; i < count; i++) {
		const pid_t pid = fork();
		int status = 0;

		if (!pid) {
			execl("/bench/null", "null", (char *)0);
			_exit(1);
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid)
			wrong("forkexec: %m");
		bad += !WIFEXITED(status) || WEXITSTATUS(status) != NULL_STATUS;
	}
	measure_end();
	if (bad)
		wrong("forkexec: %u of %u programs ended badly", bad, count);
}

/* Two processes and two pipes: a number goes to and fro, one more each time. One is a switch, half of a round. */
void run_process_switch(uint32_t count)
{
	const uint32_t rounds = (count + 1) / 2;
	uint32_t i, value = 0;
	int there[2], back[2], status;
	pid_t pid;

	if (pipe(there) || pipe(back))
		wrong("process switch: %m");
	pid = fork();
	if (pid < 0)
		wrong("process switch: %m");
	if (!pid) {
		close(there[1]);
		while (read(there[0], &value, sizeof(value)) == sizeof(value)) {
			value++;
			if (write(back[1], &value, sizeof(value)) != sizeof(value))
				_exit(1);
		}
		_exit(0);
	}
	measure_begin();
	for (i = 0; i < rounds; i++) {
		value++;
		if (write(there[1], &value, sizeof(value)) != sizeof(value) ||
		    read(back[0], &value, sizeof(value)) != sizeof(value))
			wrong("process switch: %m");
	}
	measure_end();
	close(there[1]);
	if (waitpid(pid, &status, 0) != pid || status)
		wrong("process switch: the other process ended badly");
	if (value != 2 * rounds)
		wrong("process switch: %u in place of %u", value, 2 * rounds);
}

static atomic_uint turn;
static uint32_t last_turn;

/* Waits until it is the turn of those with this parity, takes it, and wakes the other; until all turns were taken. */
static uint32_t take_turns(uint32_t parity)
{
	uint32_t taken = 0;

	for (;;) {
		uint32_t now = atomic_load(&turn);

		if (now >= last_turn)
			break;
		if (now % 2 != parity) {
			syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, now, NULL, NULL, 0);
			continue;
		}
		taken++;
		atomic_store(&turn, now + 1);
		syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	}
	return taken;
}

static void *other_thread(void *taken)
{
	*(uint32_t *)taken = take_turns(1);
	return NULL;
}

/* Two threads and a futex that take turns. One is a turn. */
void run_thread_switch(uint32_t count)
{
	uint32_t here, there = 0;
	pthread_t thread;
	int error;

	atomic_store(&turn, 0);
	last_turn = count + count % 2;
	/* The first turn is this thread's, so the other one waits until the measurement begins. */
	error = pthread_create(&thread, NULL, other_thread, &there);
	if (error) {
		errno = error;
		wrong("thread switch: %m");
	}
	measure_begin();
	here = take_turns(0);
	measure_end();
	pthread_join(thread, NULL);
	if (here != last_turn / 2 || there != last_turn / 2)
		wrong("thread switch: %u and %u turns of %u", here, there, last_turn);
}

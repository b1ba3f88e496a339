// SPDX-License-Identifier: GPL-2.0
/* Two guests at once, on two CPUs where there are two: each computes its own sum, and neither sees the other. */
#include "guest.h"

#include <pthread.h>
#include <sched.h>

/* A xorshift generator in EAX, seeded with EDX, run ECX times and added up in EBX; every step calls and stores. */
GUEST_CODE32(checksum, "mov %edx, %eax\n xor %ebx, %ebx\n"
	"1: call 2f\n add %eax, %ebx\n mov %ebx, 0x8000\n dec %ecx\n jnz 1b\n hlt\n"
	"2: mov %eax, %esi\n shl $13, %esi\n xor %esi, %eax\n mov %eax, %esi\n shr $17, %esi\n xor %esi, %eax\n"
	"mov %eax, %esi\n shl $5, %esi\n xor %esi, %eax\n ret");

#define STEPS 1500
#define ROUNDS 6

static uint32_t expected(uint32_t seed)
{
	uint32_t x = seed, sum = 0;
	int i;

	for (i = 0; i < STEPS; i++) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		sum += x;
	}
	return sum;
}

struct worker {
	unsigned int number, flags;
	int good;
};

static void *compute(void *argument)
{
	struct worker *worker = argument;
	const struct btvm_config config = { .breakpoints = 4, .flags = worker->flags };
	struct guest g;
	cpu_set_t cpu;
	int round;

	CPU_ZERO(&cpu);
	CPU_SET(worker->number, &cpu);
	sched_setaffinity(0, sizeof(cpu), &cpu); /* fails on one CPU: then they take turns */
	guest_create(&g, &config);
	for (round = 0; round < ROUNDS; round++) {
		const uint32_t seed = 1 + 7919 * round + 104729 * worker->number;
		struct btvm_regs regs;
		int reason;

		guest_start_flat(&g, checksum, checksum_end - checksum);
		regs = guest_regs(&g);
		regs.gpr[1] = STEPS;
		regs.gpr[2] = seed;
		guest_set(&g, NULL, &regs);
		/* In slices, so that the two are switched between often and at odd places. */
		do
			reason = guest_run_for(&g, 3);
		while (reason == BTVM_EXIT_DEADLINE);
		worker->good += reason == BTVM_EXIT_HALTED && guest_regs(&g).gpr[3] == expected(seed) &&
				*(uint32_t *)(g.ram + 0x8000) == expected(seed);
	}
	guest_destroy(&g);
	return NULL;
}

static void check_pair(const char *name, unsigned int flags0, unsigned int flags1)
{
	struct worker workers[2] = { { 0, flags0, 0 }, { 1, flags1, 0 } };
	pthread_t threads[2];
	int i;

	for (i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, compute, &workers[i]);
	for (i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	ktap_diag("%d and %d of %d sums were right", workers[0].good, workers[1].good, ROUNDS);
	ktap_result(workers[0].good == ROUNDS && workers[1].good == ROUNDS, "%s", name);
}

/* One vCPU whose thread is moved between CPUs while it runs. */
static void check_migration(void)
{
	struct worker worker = { 0, 0, 0 };
	pthread_t thread;
	cpu_set_t cpu;
	int i;

	pthread_create(&thread, NULL, compute, &worker);
	for (i = 0; i < 200; i++) {
		CPU_ZERO(&cpu);
		CPU_SET(i & 1, &cpu);
		pthread_setaffinity_np(thread, sizeof(cpu), &cpu);
		usleep(2000);
	}
	pthread_join(thread, NULL);
	ktap_result(worker.good == ROUNDS, "a guest whose thread moves from CPU to CPU");
}

int main(void)
{
	ktap_plan(4);
	check_pair("two guests, both with the monitor", 0, 0);
	check_pair("one with the monitor, one without", 0, BTVM_CONFIG_MONITOR_OFF);
	check_pair("one natively, one in verify mode", BTVM_CONFIG_PLAN_CACHE_OFF, BTVM_CONFIG_VERIFY);
	check_migration();
	return ktap_finish();
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Random bytes as guest code, and random chains of hostile pieces: a few hundred guests, each ended by a deadline at the
 * latest. Whatever they do, none reports an error of the hypervisor, and the host stays whole. BTVM_FUZZ_SEED repeats a run.
 */
#include "guest.h"
#include "snippets.h"

/* Handlers that go on somewhere in the random code, so that a fault is not the end. */
static void random_handlers(struct guest *g)
{
	unsigned int vector;

	for (vector = 0; vector < 256; vector++)
		guest_gate(g, vector, GUEST_CODE + random64() % 2048);
}

static void fill_random(uint8_t *at, size_t size)
{
	while (size--)
		*at++ = random64() >> 32;
}

/* Instructions that exist are more telling than noise: pieces of known code, noise between them. */
static void fill_pieces(uint8_t *at, size_t size)
{
	const size_t pieces = __stop_snippets - __start_snippets;
	size_t filled = 0;

	while (filled + 96 < size) {
		const struct snippet *snippet = &__start_snippets[random64() % pieces];
		const size_t length = 4 + random64() % 24, noise = random64() % 6;

		memcpy(at + filled, snippet->code + random64() % 8, length);
		fill_random(at + filled + length, noise);
		filled += length + noise;
	}
}

static bool ended_well(struct guest *g, int reason)
{
	int ports;

	/* Ports are answered with noise. */
	for (ports = 0; reason == BTVM_EXIT_IO && ports < 50; ports++) {
		const uint32_t answer = random64();

		memcpy((uint8_t *)g->run + g->run->io.data_offset, &answer, 4);
		if (ioctl(g->vcpu, BTVM_RUN, 0))
			return false;
		reason = g->run->exit_reason;
	}
	return reason == BTVM_EXIT_IO || reason == BTVM_EXIT_HALTED || reason == BTVM_EXIT_SHUTDOWN ||
	       reason == BTVM_EXIT_DEADLINE;
}

static void fuzz(const char *name, unsigned int flags, bool real, unsigned int runs)
{
	const struct btvm_config config = { .breakpoints = 1 + random64() % 4, .flags = flags | BTVM_CONFIG_TRACE };
	unsigned int ends[32] = {}, bad = 0, i;
	struct guest g;

	guest_create(&g, &config);
	for (i = 0; i < runs; i++) {
		const uint64_t seed = random64_state;
		struct btvm_regs regs;
		int reason;

		ioctl(g.vcpu, BTVM_RESET, 0);
		memset(g.ram, 0, GUEST_RAM);
		if (i & 1)
			fill_pieces(g.ram + GUEST_CODE, 4096);
		else
			fill_random(g.ram + GUEST_CODE, 4096);
		if (real)
			guest_start_real(&g, g.ram + GUEST_CODE, 0);
		else
			guest_start_flat(&g, g.ram + GUEST_CODE, 0);
		random_handlers(&g);
		if (!real && i % 3)
			guest_use_idt(&g);
		regs = guest_regs(&g);
		fill_random((uint8_t *)&regs.gpr[0], 4 * 8); /* EAX to EBX */
		regs.gpr[6] = random64() % GUEST_RAM;
		regs.gpr[7] = GUEST_CODE + random64() % 8192;
		regs.rip += random64() % 64;
		guest_set(&g, NULL, &regs);
		reason = guest_run_for(&g, 3);
		if (reason >= 0 && reason < 32)
			ends[reason]++;
		if (!ended_well(&g, reason) && bad++ < 3) {
			ktap_diag("run %u, seed %llx:", i, (unsigned long long)seed);
			guest_print(&g);
			guest_print_trace(&g);
		}
	}
	ktap_diag("%s: %u halted, %u shut down, %u at a port, %u at the deadline; %llu world switches", name,
		  ends[BTVM_EXIT_HALTED], ends[BTVM_EXIT_SHUTDOWN], ends[BTVM_EXIT_IO], ends[BTVM_EXIT_DEADLINE],
		  guest_stats(&g).world_switches);
	ktap_result(!bad, "%s: %u guests of random code end as guests do", name, runs);
	guest_destroy(&g);
}

int main(void)
{
	const char *seed = getenv("BTVM_FUZZ_SEED");

	random64_state = seed ? strtoull(seed, NULL, 16) : 0x6274766d66757a7aull;
	ktap_plan(6);
	fuzz("monitor", 0, false, 200);
	fuzz("monitor off", BTVM_CONFIG_MONITOR_OFF, false, 80);
	fuzz("verify", BTVM_CONFIG_VERIFY, false, 120);
	fuzz("no plan cache", BTVM_CONFIG_PLAN_CACHE_OFF, false, 60);
	fuzz("interpreted", BTVM_CONFIG_INTERPRET, false, 60);
	fuzz("real mode", 0, true, 100);
	return ktap_finish();
}

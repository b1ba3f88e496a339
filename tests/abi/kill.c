// SPDX-License-Identifier: GPL-2.0
/* kill -9 of a program at any moment of its guest's life: everything it had comes back. */
#include "guest.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

GUEST_CODE32(spin_native, "1: jmp 1b");
GUEST_CODE32(spin_traced, "1: call 2f\n pushf\n pop %eax\n jmp 1b\n 2: ret");
GUEST_CODE32(halted, "sti\n 1: hlt\n jmp 1b");
GUEST_CODE32(port_loop, "1: in $0x80, %al\n jmp 1b");
GUEST_CODE32(port_blocks, "1: mov $0x20000, %edi\n mov $0x1f0, %dx\n mov $1000, %ecx\n rep insw\n jmp 1b");
GUEST_CODE16(spin_real, "1: inc %ax\n jmp 1b");

struct shape {
	const char *name;
	const uint8_t *code, *end;
	bool real, thread;
	unsigned int flags;
};

static const struct shape shapes[] = {
	{ "spinning natively", spin_native, spin_native_end, false, false, 0 },
	{ "traced", spin_traced, spin_traced_end, false, false, 0 },
	{ "traced with the monitor off", spin_traced, spin_traced_end, false, false, BTVM_CONFIG_MONITOR_OFF },
	{ "halted", halted, halted_end, false, false, 0 },
	{ "interpreting", spin_real, spin_real_end, true, false, 0 },
	{ "asking for a port", port_loop, port_loop_end, false, false, 0 },
	{ "asking for a port a thousand times at once", port_blocks, port_blocks_end, false, false, 0 },
	{ "spinning in a second thread", spin_native, spin_native_end, false, true, 0 },
	{ "halted in a second thread", halted, halted_end, false, true, 0 },
};

#define SHAPES (sizeof(shapes) / sizeof(shapes[0]))
#define ROUNDS 24

static void *run_forever(void *argument)
{
	struct guest *g = argument;

	for (;;)
		ioctl(g->vcpu, BTVM_RUN, 0);
	return NULL;
}

/* The program to be killed: it never ends by itself. */
__attribute__((noreturn)) static void victim(const struct shape *shape)
{
	const struct btvm_config config = { .breakpoints = 4, .flags = shape->flags };
	struct guest g;
	pthread_t thread;

	guest_create(&g, &config);
	if (shape->real)
		guest_start_real(&g, shape->code, shape->end - shape->code);
	else
		guest_start_flat(&g, shape->code, shape->end - shape->code);
	if (shape->thread && !pthread_create(&thread, NULL, run_forever, &g))
		for (;;)
			pause();
	run_forever(&g);
	for (;;)
		;
}

/* How many users the module has. */
static int module_users(void)
{
	FILE *file = fopen("/sys/module/btvm/refcnt", "r");
	int users = -1;

	if (!file || fscanf(file, "%d", &users) != 1)
		users = -1;
	if (file)
		fclose(file);
	return users;
}

/* Kilobytes, from a line of /proc/meminfo. */
static long meminfo(const char *format)
{
	FILE *file = fopen("/proc/meminfo", "r");
	char line[128];
	long value = -1;

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, format, &value) == 1)
			break;
	if (file)
		fclose(file);
	return value;
}

static bool kill_one(const struct shape *shape, unsigned int microseconds)
{
	int status = 0, tries;
	const pid_t child = fork();

	if (!child)
		victim(shape);
	usleep(microseconds);
	kill(child, SIGKILL);
	/* The guest world is left at the next host interrupt, so this is a matter of milliseconds. */
	for (tries = 0; tries < 500 && waitpid(child, &status, WNOHANG) == 0; tries++)
		usleep(10000);
	return tries < 500 && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

int main(void)
{
	const int users_before = module_users();
	unsigned int shape, round, random = 12345;
	struct guest g;
	long available, vmalloc;
	int tries;

	ktap_plan(SHAPES + 5);
	for (shape = 0; shape < SHAPES; shape++)
		ktap_result(kill_one(&shapes[shape], 400000), "killed while %s", shapes[shape].name);
	available = meminfo("MemAvailable: %ld");
	vmalloc = meminfo("VmallocUsed: %ld");
	for (round = 0; round < ROUNDS; round++) {
		random = random * 1103515245 + 12345;
		if (!kill_one(&shapes[round % SHAPES], (random >> 16) % 150000))
			break;
	}
	ktap_result(round == ROUNDS, "%d more, each at a random moment", ROUNDS);
	for (tries = 0; tries < 100 && module_users() != users_before; tries++)
		usleep(10000);
	ktap_result(module_users() == users_before, "none of them is a user of the module any more");
	ktap_diag("MemAvailable %ld KiB, then %ld KiB; VmallocUsed %ld KiB, then %ld KiB", available,
		  meminfo("MemAvailable: %ld"), vmalloc, meminfo("VmallocUsed: %ld"));
	ktap_result(available - meminfo("MemAvailable: %ld") < 8192, "their memory is back");
	ktap_result(meminfo("VmallocUsed: %ld") - vmalloc < 2048, "and the kernel's addresses for it");
	guest_create(&g, NULL);
	guest_start_flat(&g, "\xf4", 1);
	ktap_result(guest_run(&g) == BTVM_EXIT_HALTED, "the next VM works");
	guest_destroy(&g);
	return ktap_finish();
}

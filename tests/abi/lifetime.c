// SPDX-License-Identifier: GPL-2.0
/* Descriptors closed in every order, duplicated and inherited; memory comes back each time. */
#include "guest.h"

#include <sys/wait.h>

GUEST_CODE32(count_down, "mov $1000, %ecx\n 1: dec %ecx\n jnz 1b\n hlt");

/* Kilobytes, from a line of /proc/meminfo. */
static long meminfo(const char *name)
{
	FILE *file = fopen("/proc/meminfo", "r");
	char line[128];
	long value = -1;

	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, name, strlen(name)) && line[strlen(name)] == ':')
			value = atol(line + strlen(name) + 1);
	if (file)
		fclose(file);
	return value;
}

static long locked_kib(void)
{
	FILE *file = fopen("/proc/self/status", "r");
	char line[128];
	long value = -1;

	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, "VmLck:", 6))
			value = atol(line + 6);
	if (file)
		fclose(file);
	return value;
}

static bool runs(struct guest *g)
{
	guest_start_flat(g, count_down, count_down_end - count_down);
	return guest_run(g) == BTVM_EXIT_HALTED && guest_regs(g).gpr[1] == 0;
}

static void close_in_order(int order)
{
	static const int orders[6][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };
	struct guest g;
	int i;

	guest_create(&g, NULL);
	if (!runs(&g))
		ktap_bail("the guest does not run");
	for (i = 0; i < 3; i++)
		close(orders[order][i] == 0 ? g.system : orders[order][i] == 1 ? g.vm : g.vcpu);
	munmap(g.run, 4096);
	munmap(g.ram, GUEST_RAM);
}

static void check_orders(void)
{
	long before, after;
	int i;

	for (i = 0; i < 6; i++) /* the first ones fill the kernel's caches */
		close_in_order(i);
	before = meminfo("MemAvailable");
	for (i = 0; i < 18; i++)
		close_in_order(i % 6);
	usleep(100000);
	after = meminfo("MemAvailable");
	ktap_diag("MemAvailable %ld KiB, then %ld KiB; locked %ld KiB", before, after, locked_kib());
	ktap_result(before - after < 8192, "eighteen VMs, closed in every order, leave their memory");
	ktap_result(locked_kib() == 0, "and no locked pages");
}

static void check_vcpu_outlives_vm(void)
{
	struct guest g;

	guest_create(&g, NULL);
	close(g.system);
	close(g.vm);
	ktap_result(locked_kib() == (long)GUEST_RAM / 1024, "guest memory stays locked while the vCPU is open");
	memcpy(g.ram + GUEST_CODE, "\xf4", 1);
	g.run->deadline_ns = ~0ull;
	/* From the reset vector, where there is no memory, or a deadline that has passed: any answer shows that it lives. */
	g.run->deadline_ns = 1;
	ktap_result(ioctl(g.vcpu, BTVM_RUN, 0) == 0 && g.run->exit_reason == BTVM_EXIT_DEADLINE,
		    "a vCPU works after the VM's descriptor is closed");
	close(g.vcpu);
	ktap_result(locked_kib() == (long)GUEST_RAM / 1024, "and while its run page is mapped");
	g.run->immediate_exit = 1;
	munmap(g.run, 4096);
	ktap_result(locked_kib() == 0, "the last of them lets it go");
	munmap(g.ram, GUEST_RAM);
}

static void check_duplicates(void)
{
	struct guest g, copy;

	guest_create(&g, NULL);
	copy = g;
	copy.vcpu = dup(g.vcpu);
	copy.vm = dup(g.vm);
	close(g.vcpu);
	close(g.vm);
	ktap_result(runs(&copy), "duplicates of the descriptors work when the first are closed");
	close(copy.vcpu);
	copy.vcpu = open_btvm();
	guest_destroy(&copy);
}

static void check_fork(void)
{
	struct guest g;
	int status;

	guest_create(&g, NULL);
	if (!fork())
		_exit(runs(&g) ? 0 : 1);
	wait(&status);
	ktap_result(status == 0, "a child runs the guest it inherited");
	ktap_result(runs(&g), "and so does the parent after it");
	if (!fork()) {
		close(g.vcpu);
		close(g.vm);
		_exit(0);
	}
	wait(&status);
	ktap_result(runs(&g), "a child that closes them takes nothing away");
	guest_destroy(&g);
}

/* The caller's memory may go before the VM does: the guest keeps its pages. */
static void check_unmapped_memory(void)
{
	struct guest g;

	guest_create(&g, NULL);
	guest_start_flat(&g, count_down, count_down_end - count_down);
	munmap(g.ram, GUEST_RAM);
	ktap_result(guest_run(&g) == BTVM_EXIT_HALTED, "guest memory outlives the caller's mapping");
	guest_destroy(&g);
}

static void check_many(void)
{
	struct guest g[8];
	int i, good = 0;

	for (i = 0; i < 8; i++)
		guest_create(&g[i], NULL);
	for (i = 0; i < 8; i++)
		good += runs(&g[i]);
	for (i = 0; i < 8; i++)
		guest_destroy(&g[i]);
	ktap_result(good == 8, "eight VMs in one process");
}

int main(void)
{
	ktap_plan(12);
	check_orders();
	check_vcpu_outlives_vm();
	check_duplicates();
	check_fork();
	check_unmapped_memory();
	check_many();
	return ktap_finish();
}

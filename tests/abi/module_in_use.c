// SPDX-License-Identifier: GPL-2.0
/* The module cannot be removed while anything of it is in use; then it can, leaves nothing behind, and comes back. */
#include "guest.h"

#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

GUEST_CODE32(spin, "1: jmp 1b");

static int remove_module(void)
{
	errno = 0;
	return syscall(SYS_delete_module, "btvm", O_NONBLOCK) ? errno : 0;
}

static int insert_module(const char *file)
{
	const int fd = open(file, O_RDONLY | O_CLOEXEC);
	int error;

	errno = 0;
	error = syscall(SYS_finit_module, fd, "", 0) ? errno : 0;
	close(fd);
	return error;
}

/* A run page that is still mapped is a use too: the last one here. */
static void check_each_user(void)
{
	struct guest g;

	g.system = open_btvm();
	ktap_result(remove_module() == EWOULDBLOCK, "refused while /dev/btvm is open");
	close(g.system);
	guest_create(&g, NULL);
	close(g.system);
	close(g.vcpu);
	munmap(g.run, 4096);
	ktap_result(remove_module() == EWOULDBLOCK, "refused while a VM is open");
	close(g.vm);
	munmap(g.ram, GUEST_RAM);
	guest_create(&g, NULL);
	close(g.system);
	close(g.vm);
	munmap(g.run, 4096);
	ktap_result(remove_module() == EWOULDBLOCK, "refused while a vCPU is open");
	close(g.vcpu);
	munmap(g.ram, GUEST_RAM);
	guest_create(&g, NULL);
	close(g.system);
	close(g.vm);
	close(g.vcpu);
	ktap_result(remove_module() == EWOULDBLOCK, "refused while a run page is mapped");
	munmap(g.run, 4096);
	munmap(g.ram, GUEST_RAM);
}

static void check_running(void)
{
	struct guest g;
	pid_t child;

	guest_create(&g, NULL);
	guest_start_flat(&g, spin, spin_end - spin);
	child = fork();
	if (!child)
		for (;;)
			ioctl(g.vcpu, BTVM_RUN, 0);
	guest_destroy(&g);
	usleep(50000);
	ktap_result(remove_module() == EWOULDBLOCK, "refused while another process runs a guest");
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static bool symbols_left(void)
{
	FILE *file = fopen("/proc/kallsyms", "r");
	char line[512];
	bool left = false;

	while (file && fgets(line, sizeof(line), file))
		left |= strstr(line, "[btvm]") != NULL;
	if (file)
		fclose(file);
	return left;
}

static bool guest_works(void)
{
	struct guest g;
	bool ok;

	guest_create(&g, NULL);
	guest_start_flat(&g, "\xf4", 1);
	ok = guest_run(&g) == BTVM_EXIT_HALTED;
	guest_destroy(&g);
	return ok;
}

int main(void)
{
	const char *file = getenv("BTVM_MODULE");
	int round, good = 0, error;

	if (!file || access(file, R_OK)) {
		printf("1..0 # SKIP BTVM_MODULE names no file\n");
		return 4;
	}
	ktap_plan(9);
	check_each_user();
	check_running();
	error = remove_module();
	ktap_result(!error, "removed when nothing uses it");
	ktap_result(access("/dev/btvm", F_OK) && errno == ENOENT && access("/sys/module/btvm", F_OK) && !symbols_left(),
		    "it leaves no node and no symbol behind");
	ktap_result(!insert_module(file) && guest_works(), "inserted again it works");
	for (round = 0; round < 5; round++)
		good += !remove_module() && !insert_module(file) && guest_works();
	ktap_result(good == 5, "and five more times");
	return ktap_finish();
}

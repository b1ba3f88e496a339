// SPDX-License-Identifier: GPL-2.0
/* The system descriptor, and what no descriptor accepts: requests that do not exist, or that belong to another one. */
#include "guest.h"

#include <sys/resource.h>

static int refused(int fd, unsigned long request, unsigned long argument)
{
	errno = 0;
	return ioctl(fd, request, argument) < 0 ? errno : 0;
}

static const struct {
	const char *name;
	unsigned long request;
	unsigned int owner; /* bit 0: system, 1: VM, 2: vCPU */
} requests[] = {
	{ "GET_API_VERSION", BTVM_GET_API_VERSION, 1 },
	{ "CREATE_VM", BTVM_CREATE_VM, 1 },
	{ "CHECK_EXTENSION", BTVM_CHECK_EXTENSION, 1 },
	{ "GET_VCPU_MMAP_SIZE", BTVM_GET_VCPU_MMAP_SIZE, 1 },
	{ "CREATE_VCPU", BTVM_CREATE_VCPU, 2 },
	{ "SET_USER_MEMORY_REGION", BTVM_SET_USER_MEMORY_REGION, 2 },
	{ "IRQ_LINE", BTVM_IRQ_LINE, 2 },
	{ "SET_CONFIG", BTVM_SET_CONFIG, 2 },
	{ "MEMORY_WRITTEN", BTVM_MEMORY_WRITTEN, 2 },
	{ "GET_DIRTY_LOG", BTVM_GET_DIRTY_LOG, 2 },
	{ "GET_CLOCK", BTVM_GET_CLOCK, 2 },
	{ "SET_CLOCK", BTVM_SET_CLOCK, 2 },
	{ "RUN", BTVM_RUN, 4 },
	{ "GET_REGS", BTVM_GET_REGS, 4 },
	{ "SET_REGS", BTVM_SET_REGS, 4 },
	{ "GET_SREGS", BTVM_GET_SREGS, 4 },
	{ "SET_SREGS", BTVM_SET_SREGS, 4 },
	{ "GET_STATE", BTVM_GET_STATE, 4 },
	{ "SET_STATE", BTVM_SET_STATE, 4 },
	{ "RESET", BTVM_RESET, 4 },
	{ "NMI", BTVM_NMI, 4 },
	{ "SET_A20", BTVM_SET_A20, 4 },
	{ "SET_PM_TIMER", BTVM_SET_PM_TIMER, 4 },
	{ "GET_STATS", BTVM_GET_STATS, 4 },
	{ "GET_TRACE", BTVM_GET_TRACE, 4 },
};

#define REQUESTS (sizeof(requests) / sizeof(requests[0]))

static void check_version(int system)
{
	ktap_result(ioctl(system, BTVM_GET_API_VERSION, 0) == BTVM_API_VERSION, "the API version is the header's");
	ktap_result(ioctl(system, BTVM_GET_VCPU_MMAP_SIZE, 0) == 4096, "a vCPU maps one page");
	ktap_result(refused(system, BTVM_GET_API_VERSION, 1) == EINVAL && refused(system, BTVM_CREATE_VM, 1) == EINVAL &&
			    refused(system, BTVM_GET_VCPU_MMAP_SIZE, ~0ul) == EINVAL,
		    "an argument where none is taken: EINVAL");
}

static void check_capabilities(int system)
{
	ktap_result(ioctl(system, BTVM_CHECK_EXTENSION, BTVM_CAP_MEMORY_SLOTS) == 16 &&
			    ioctl(system, BTVM_CHECK_EXTENSION, BTVM_CAP_DEBUG_BREAKPOINTS) == 4 &&
			    ioctl(system, BTVM_CHECK_EXTENSION, BTVM_CAP_MONITOR) == 1 &&
			    ioctl(system, BTVM_CHECK_EXTENSION, BTVM_CAP_VERIFY) == 1 &&
			    ioctl(system, BTVM_CHECK_EXTENSION, BTVM_CAP_EXECUTE_ONLY) <= 1 &&
			    ioctl(system, BTVM_CHECK_EXTENSION, BTVM_CAP_MAX_GUEST_RAM) >= 64,
		    "the capabilities are there");
	ktap_result(ioctl(system, BTVM_CHECK_EXTENSION, 0) == 0 && ioctl(system, BTVM_CHECK_EXTENSION, 0xffff) == 0 &&
			    ioctl(system, BTVM_CHECK_EXTENSION, -1l) == 0,
		    "unknown capabilities: 0");
}

/* Each request on the descriptors that do not have it. */
static void check_owners(const struct guest *g)
{
	const int fds[] = { g->system, g->vm, g->vcpu };
	unsigned int wrong = 0;
	size_t i;
	int kind;

	for (i = 0; i < REQUESTS; i++)
		for (kind = 0; kind < 3; kind++)
			if (!(requests[i].owner & 1u << kind) && refused(fds[kind], requests[i].request, 0) != ENOTTY) {
				ktap_diag("%s on descriptor kind %d: errno %d", requests[i].name, kind, errno);
				wrong++;
			}
	ktap_result(!wrong, "a request on the wrong kind of descriptor: ENOTTY");
}

/* Right numbers with a wrong size or direction, other drivers' requests, and every number nobody has. */
static void check_unknown(const struct guest *g)
{
	const int fds[] = { g->system, g->vm, g->vcpu };
	static uint8_t buffer[1 << 14];
	unsigned int wrong = 0, kind, number;
	size_t i;

	for (i = 0; i < REQUESTS; i++)
		for (kind = 0; kind < 3; kind++) {
			const unsigned long number = _IOC_NR(requests[i].request);
			const unsigned long variants[] = {
				_IOC(_IOC_READ | _IOC_WRITE, BTVM_IOC, number, 8191),
				_IOC(_IOC_WRITE, BTVM_IOC, number, 1),
				_IOC(_IOC_READ, BTVM_IOC, number, 3),
				_IOC(_IOC_NONE, 0xAE, number, 0),
			};
			size_t v;

			for (v = 0; v < 4; v++)
				wrong += refused(fds[kind], variants[v], (uintptr_t)buffer) != ENOTTY;
		}
	ktap_result(!wrong, "a request of another size, direction or magic: ENOTTY");
	wrong = 0;
	for (number = 0; number < 256; number++)
		for (kind = 0; kind < 3; kind++) {
			bool known = false;

			for (i = 0; i < REQUESTS; i++)
				known |= _IOC_NR(requests[i].request) == number;
			if (!known)
				wrong += refused(fds[kind], _IO(BTVM_IOC, number), 0) != ENOTTY ||
					 refused(fds[kind], _IOWR(BTVM_IOC, number, uint64_t), 0) != ENOTTY;
		}
	ktap_result(!wrong, "numbers that are not in use: ENOTTY");
	wrong = 0;
	for (kind = 0; kind < 3; kind++)
		wrong += refused(fds[kind], 0x5401 /* TCGETS */, (uintptr_t)buffer) != ENOTTY;
	ktap_result(!wrong, "a terminal's request: ENOTTY");
}

static void check_files(const struct guest *g)
{
	const int fds[] = { g->system, g->vm, g->vcpu };
	char byte = 0;
	int kind;
	bool ok = true, closed_on_exec = true, mapped = false;

	for (kind = 0; kind < 3; kind++) {
		ok &= read(fds[kind], &byte, 1) < 0 && errno == EINVAL;
		ok &= write(fds[kind], &byte, 1) < 0 && errno == EINVAL;
		closed_on_exec &= fcntl(fds[kind], F_GETFD) == FD_CLOEXEC;
	}
	ktap_result(ok, "read() and write(): EINVAL");
	ktap_result(closed_on_exec, "the descriptors are closed on exec");
	for (kind = 0; kind < 2; kind++)
		mapped |= mmap(NULL, 4096, PROT_READ, MAP_SHARED, fds[kind], 0) != MAP_FAILED;
	ktap_result(!mapped && errno == ENODEV, "system and VM descriptors cannot be mapped: ENODEV");
}

/* With no descriptor free nothing is made, and nothing is lost. */
static void check_descriptors(int system)
{
	const int vm = ioctl(system, BTVM_CREATE_VM, 0);
	struct rlimit limit, none;
	bool no_vm, no_vcpu;
	int vcpu;

	getrlimit(RLIMIT_NOFILE, &limit);
	none = limit;
	none.rlim_cur = vm + 1;
	setrlimit(RLIMIT_NOFILE, &none);
	no_vm = refused(system, BTVM_CREATE_VM, 0) == EMFILE;
	no_vcpu = refused(vm, BTVM_CREATE_VCPU, 0) == EMFILE;
	setrlimit(RLIMIT_NOFILE, &limit);
	vcpu = ioctl(vm, BTVM_CREATE_VCPU, 0);
	ktap_result(no_vm && no_vcpu && vcpu >= 0, "no descriptor is free: EMFILE, and later it works");
	close(vcpu);
	close(vm);
}

static void check_permission(void)
{
	bool refused;

	if (setegid(1000) || seteuid(1000))
		ktap_bail("the user cannot be changed");
	refused = open("/dev/btvm", O_RDWR) < 0 && errno == EACCES;
	if (seteuid(0) || setegid(0))
		ktap_bail("the user cannot be changed back");
	ktap_result(refused, "other users cannot open it: EACCES");
}

int main(void)
{
	struct guest g;

	ktap_plan(14);
	guest_create(&g, NULL);
	check_version(g.system);
	check_capabilities(g.system);
	check_owners(&g);
	check_unknown(&g);
	check_files(&g);
	check_descriptors(g.system);
	check_permission();
	guest_destroy(&g);
	return ktap_finish();
}

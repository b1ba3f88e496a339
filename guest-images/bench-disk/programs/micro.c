// SPDX-License-Identifier: GPL-2.0
/* Micro-benchmarks of one process: system calls, faults, signals, memory. Each checks what the kernel did. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "bench.h"
#include "processes.h"

#define PAGE 4096u

/* A system call that does next to nothing. */
static void run_getuid(uint32_t count)
{
	const uid_t user = 1234;
	uint64_t sum = 0;
	uint32_t i;

	if (setreuid(user, 0))
		wrong("setreuid: %m");
	measure_begin();
	for (i = 0; i < count; i++)
		sum += syscall(SYS_getuid32);
	measure_end();
	if (sum != (uint64_t)count * user)
		wrong("getuid: sum %llu", (unsigned long long)sum);
}

static volatile uint32_t signals;
static volatile uint32_t strange;
static char *forbidden;
extern char after_the_store[];

static void on_segv(int number, siginfo_t *info, void *context)
{
	ucontext_t *const u = context;

	signals++;
	strange += number != SIGSEGV || info->si_code != SEGV_ACCERR || info->si_addr != forbidden;
	u->uc_mcontext.gregs[REG_EIP] = (greg_t)after_the_store;
}

/* A store that page protection refuses, its signal, and the return behind the store. */
static void run_segv(uint32_t count)
{
	const struct sigaction action = { .sa_sigaction = on_segv, .sa_flags = SA_SIGINFO };
	uint32_t i;

	forbidden = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (forbidden == MAP_FAILED || sigaction(SIGSEGV, &action, NULL))
		wrong("segv: %m");
	measure_begin();
	for (i = 0; i < count; i++)
		asm volatile("movb $1, (%0)\n"
			     ".globl after_the_store\n"
			     "after_the_store:" ::"r"(forbidden)
			     : "memory");
	measure_end();
	if (signals != count || strange)
		wrong("segv: %u signals, %u of them strange", signals, strange);
}

static void on_signal(int number)
{
	signals++;
	strange += number != SIGUSR1;
}

/* A signal to oneself, with its handler. */
static void run_signal(uint32_t count)
{
	const struct sigaction action = { .sa_handler = on_signal };
	const pid_t self = getpid();
	uint32_t i;

	if (sigaction(SIGUSR1, &action, NULL))
		wrong("signal: %m");
	measure_begin();
	for (i = 0; i < count; i++)
		kill(self, SIGUSR1);
	measure_end();
	if (signals != count || strange)
		wrong("signal: %u signals, %u of them strange", signals, strange);
}

/* One page into a pipe and out again. */
static void run_pipe(uint32_t count)
{
	static uint32_t out[PAGE / 4], in[PAGE / 4];
	uint32_t i, bad = 0;
	int ends[2];

	if (pipe(ends))
		wrong("pipe: %m");
	memset(out, 0x5a, sizeof(out));
	measure_begin();
	for (i = 0; i < count; i++) {
		out[0] = i;
		out[PAGE / 4 - 1] = ~i;
		if (write(ends[1], out, sizeof(out)) != sizeof(out) || read(ends[0], in, sizeof(in)) != sizeof(in))
			wrong("pipe: %m");
		bad += in[0] != i || in[PAGE / 4 - 1] != ~i;
	}
	measure_end();
	if (bad || memcmp(in, out, sizeof(in)))
		wrong("pipe: %u pages changed on the way", bad);
}

/* A file is mapped, its first byte read, and unmapped. */
static void run_mmap(uint32_t count)
{
	const int fd = open("/bench/null", O_RDONLY);
	uint64_t sum = 0;
	uint32_t i;

	if (fd < 0)
		wrong("mmap: %m");
	measure_begin();
	for (i = 0; i < count; i++) {
		volatile unsigned char *const at = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);

		if (at == MAP_FAILED)
			wrong("mmap: %m");
		sum += at[0];
		munmap((void *)at, PAGE);
	}
	measure_end();
	if (sum != (uint64_t)count * 0x7f)
		wrong("mmap: sum %llu", (unsigned long long)sum);
}

/* Fresh memory is touched, page by page; every 256 pages it is given back, which is part of the time. */
static void run_page_fault(uint32_t count)
{
	enum { PAGES = 256 };
	unsigned char *const area = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint32_t i, bad = 0;

	if (area == MAP_FAILED)
		wrong("page fault: %m");
	measure_begin();
	for (i = 0; i < count; i++) {
		volatile unsigned char *const at = area + i % PAGES * PAGE;

		if (i && i % PAGES == 0)
			madvise(area, PAGES * PAGE, MADV_DONTNEED);
		bad += *at != 0;
		*at = 1;
	}
	measure_end();
	if (bad)
		wrong("page fault: %u pages were not fresh", bad);
}

const struct micro micros[] = {
	{ "getuid", run_getuid },
	{ "forkexec", run_forkexec },
	{ "process-switch", run_process_switch },
	{ "thread-switch", run_thread_switch },
	{ "segv", run_segv },
	{ "pipe", run_pipe },
	{ "mmap", run_mmap },
	{ "page-fault", run_page_fault },
	{ "signal", run_signal },
	{ 0 },
};

// SPDX-License-Identifier: GPL-2.0
/* Segment registers, FS and GS base, a local descriptor table and the MSRs of the host survive BTVM_RUN. */
#include "guest.h"

#include <asm/ldt.h>
#include <asm/prctl.h>
#include <sched.h>
#include <sys/syscall.h>

GUEST_CODE32(branches, "mov $200, %ecx\n 1: call 2f\n dec %ecx\n jnz 1b\n mov $0x10, %eax\n mov %eax, %fs\n mov %eax, %gs\n hlt\n"
	"2: push %es\n pop %es\n ret");

struct selectors {
	uint16_t cs, ss, ds, es, fs, gs;
};

static void read_selectors(struct selectors *s)
{
	asm volatile("mov %%cs, %0\n mov %%ss, %1\n mov %%ds, %2\n mov %%es, %3\n mov %%fs, %4\n mov %%gs, %5"
		     : "=m"(s->cs), "=m"(s->ss), "=m"(s->ds), "=m"(s->es), "=m"(s->fs), "=m"(s->gs));
}

static unsigned long base_of(int which)
{
	unsigned long base = 0;

	syscall(SYS_arch_prctl, which, &base);
	return base;
}

static bool run_guest(struct guest *g)
{
	guest_start_flat(g, branches, branches_end - branches);
	return guest_run(g) == BTVM_EXIT_HALTED;
}

static void check_selectors(struct guest *g)
{
	struct selectors before, after;
	int i;
	bool ok = true;

	read_selectors(&before);
	for (i = 0; i < 20; i++) {
		ok &= run_guest(g);
		read_selectors(&after);
		ok &= !memcmp(&before, &after, sizeof(before));
	}
	ktap_result(ok, "segment selectors");
}

static void check_bases(struct guest *g)
{
	static uint64_t cell = 0x1122334455667788ull;
	const unsigned long fs = base_of(ARCH_GET_FS);
	bool ok = true;
	uint64_t value;
	int i;

	syscall(SYS_arch_prctl, ARCH_SET_GS, &cell);
	for (i = 0; i < 20; i++) {
		ok &= run_guest(g);
		asm volatile("mov %%gs:0, %0" : "=r"(value));
		ok &= value == cell && base_of(ARCH_GET_GS) == (uintptr_t)&cell && base_of(ARCH_GET_FS) == fs;
	}
	ktap_result(ok, "FS and GS base");
	syscall(SYS_arch_prctl, ARCH_SET_GS, 0);
}

static int set_ldt(unsigned int number, const void *base, bool present)
{
	const struct user_desc entry = {
		.entry_number = number,
		.base_addr = (uintptr_t)base, /* 32 bits: a static program's data is that low */
		.limit = present ? 0xfffff : 0,
		.limit_in_pages = present,
		.seg_32bit = present,
		.read_exec_only = !present,
		.seg_not_present = !present,
		.useable = present,
	};

	return syscall(SYS_modify_ldt, 0x11, &entry, sizeof(entry));
}

/*
 * A local descriptor table, with DS, ES and GS in it while the guest runs. DS and ES have base 0: QEMU 7.2 honours a DS prefix
 * in 64-bit mode, and Linux puts one before atomic instructions when it has a single CPU.
 */
static void check_ldt(struct guest *g)
{
	static const uint32_t cell = 0xfeedc0de;
	const uint16_t flat = 3 << 3 | 7, based = 4 << 3 | 7, null = 0;
	uint16_t old_ds, old_es, ds, es, gs;
	uint32_t value = 0, rights = 0;
	bool ok = true;
	int i;

	if (set_ldt(3, NULL, true) || set_ldt(4, &cell, true)) {
		ktap_skip("a local descriptor table", "modify_ldt() is not there");
		return;
	}
	for (i = 0; i < 20; i++) {
		guest_start_flat(g, branches, branches_end - branches);
		g->run->deadline_ns = ~0ull;
		asm volatile("mov %%ds, %0\n mov %%es, %1" : "=r"(old_ds), "=r"(old_es));
		asm volatile("mov %0, %%ds\n mov %0, %%es\n mov %1, %%gs" ::"r"(flat), "r"(based));
		ok &= !ioctl(g->vcpu, BTVM_RUN, 0);
		asm volatile("mov %%ds, %0\n mov %%es, %1\n mov %%gs, %2\n mov %%gs:0, %3"
			     : "=&r"(ds), "=&r"(es), "=&r"(gs), "=r"(value));
		asm volatile("mov %0, %%ds\n mov %1, %%es\n mov %2, %%gs" ::"r"(old_ds), "r"(old_es), "r"(null));
		ok &= ds == flat && es == flat && gs == based && value == cell && g->run->exit_reason == BTVM_EXIT_HALTED;
	}
	asm volatile("lar %1, %0" : "+r"(rights) : "r"((uint32_t)based) : "cc");
	ktap_result(ok && (rights & 0xff00) == 0xf300, "a local descriptor table, and segments in it");
	set_ldt(3, NULL, false);
	set_ldt(4, NULL, false);
}

static void check_msrs(struct guest *g)
{
	static const uint32_t numbers[] = {
		0xc0000080 /* EFER */,	      0xc0000081 /* STAR */,	   0xc0000082 /* LSTAR */, 0xc0000083 /* CSTAR */,
		0xc0000084 /* FMASK */,	      0xc0000102 /* KERNEL_GS */,  0x174 /* SYSENTER_CS */, 0x175 /* SYSENTER_ESP */,
		0x176 /* SYSENTER_EIP */,     0x277 /* PAT */,		   0x1d9 /* DEBUGCTL */,   0xc0000103 /* TSC_AUX */,
	};
	const int count = sizeof(numbers) / sizeof(numbers[0]);
	uint64_t before[12] = {}, after[12] = {};
	cpu_set_t first;
	int fd = open("/dev/cpu/0/msr", O_RDONLY), i, wrong = 0;

	if (fd < 0) {
		ktap_skip("MSRs", "/dev/cpu/0/msr is not there");
		return;
	}
	CPU_ZERO(&first);
	CPU_SET(0, &first);
	sched_setaffinity(0, sizeof(first), &first);
	for (i = 0; i < count; i++)
		if (pread(fd, &before[i], 8, numbers[i]) != 8)
			before[i] = 0;
	run_guest(g);
	for (i = 0; i < count; i++) {
		if (pread(fd, &after[i], 8, numbers[i]) != 8)
			after[i] = 0;
		/* KERNEL_GS is this thread's own while it is in the kernel, and no other is there to compare. */
		if (before[i] != after[i]) {
			ktap_diag("MSR %x was %llx and is %llx", numbers[i], (unsigned long long)before[i],
				  (unsigned long long)after[i]);
			wrong++;
		}
	}
	close(fd);
	/* Guests that ran before this program may have done the damage: then it shows in what does not fit together. */
	if (!(after[0] & 1) || (after[8] && !after[6])) {
		ktap_diag("EFER is %llx; SYSENTER_CS is %llx with SYSENTER_EIP %llx", (unsigned long long)after[0],
			  (unsigned long long)after[6], (unsigned long long)after[8]);
		wrong++;
	}
	ktap_result(!wrong, "MSRs");
}

/* INT 80h uses the host's IDT, GDT and TSS by a way of its own. */
static void check_entries(struct guest *g)
{
	bool ok = true;
	int i;

	for (i = 0; i < 20; i++) {
		long pid = 20 /* getpid for 32 bits */;

		ok &= run_guest(g);
		asm volatile("int $0x80" : "+a"(pid)::"memory", "r8", "r9", "r10", "r11");
		ok &= pid == getpid() || pid == -ENOSYS;
	}
	ktap_result(ok, "system calls by SYSCALL and INT 80h");
}

int main(void)
{
	struct guest g;

	ktap_plan(5);
	guest_create(&g, NULL);
	check_msrs(&g); /* first: what the other tests' guests did away with would not be missed */
	check_selectors(&g);
	check_bases(&g);
	check_ldt(&g);
	check_entries(&g);
	guest_destroy(&g);
	return ktap_finish();
}

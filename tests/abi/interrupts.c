// SPDX-License-Identifier: GPL-2.0
/* Interrupt lines, NMIs and the timer reach a guest that runs, and wake one that has halted, without using the CPU. */
#include "guest.h"

#include <pthread.h>
#include <signal.h>

/* Sets the interrupt controllers up (vectors 20h and 28h) with only `mask` masked, and leaves interrupts off. */
#define PICS(mask)                                                                                                   \
	"mov $0x11, %al\n out %al, $0x20\n out %al, $0xa0\n"                                                         \
	"mov $0x20, %al\n out %al, $0x21\n mov $0x28, %al\n out %al, $0xa1\n"                                        \
	"mov $4, %al\n out %al, $0x21\n mov $2, %al\n out %al, $0xa1\n"                                              \
	"mov $1, %al\n out %al, $0x21\n out %al, $0xa1\n mov $" #mask ", %al\n out %al, $0x21\n"

/*
 * Counts IRQ 3 in EBX and NMIs in EDX until there have been a hundred of the former; ECX counts the loop. The word at 8000h
 * tells when it is ready, 8004h how many came.
 */
GUEST_CODE32(spinning, PICS(0xf7) "sti\n movl $1, 0x8000\n"
	"1: inc %ecx\n cmp $100, %ebx\n jb 1b\n cli\n hlt\n"
	".org spinning + 0x100\n inc %ebx\n mov %ebx, 0x8004\n mov $0x20, %al\n out %al, $0x20\n iret\n"
	".org spinning + 0x140\n inc %edx\n iret");
/* The same, halting in between; EDI counts wakings. */
GUEST_CODE32(halting, PICS(0xf7) "sti\n movl $1, 0x8000\n"
	"1: hlt\n inc %edi\n cmp $100, %ebx\n jb 1b\n cli\n hlt\n"
	".org halting + 0x100\n inc %ebx\n mov %ebx, 0x8004\n mov $0x20, %al\n out %al, $0x20\n iret\n"
	".org halting + 0x140\n inc %edx\n iret");
/* Timer at about 100 Hz (11932 ticks), counted in EBX, fifty times, halting. */
GUEST_CODE32(ticking, PICS(0xfe) "mov $0x34, %al\n out %al, $0x43\n mov $0x9c, %al\n out %al, $0x40\n"
	"mov $0x2e, %al\n out %al, $0x40\n sti\n"
	"1: hlt\n cmp $50, %ebx\n jb 1b\n cli\n hlt\n"
	".org ticking + 0x100\n inc %ebx\n mov $0x20, %al\n out %al, $0x20\n iret\n"
	".org ticking + 0x140\n iret");
/* Without STI. */
GUEST_CODE32(deaf, "hlt\n 1: inc %ebx\n jmp 1b\n .org deaf + 0x140\n inc %edx\n iret");
GUEST_CODE32(sleeper, PICS(0xff) "sti\n movl $1, 0x8000\n 1: hlt\n jmp 1b\n .org sleeper + 0x140\n iret");

static void prepare(struct guest *g, const uint8_t *code, const uint8_t *end)
{
	memset(g->ram, 0, 0x10000);
	guest_start_flat(g, code, end - code);
	guest_gate(g, 2, GUEST_CODE + 0x140);
	guest_gate(g, 0x20, GUEST_CODE + 0x100);
	guest_gate(g, 0x23, GUEST_CODE + 0x100);
	guest_use_idt(g);
}

static volatile uint32_t *word(struct guest *g, uint32_t address)
{
	return (volatile uint32_t *)(g->ram + address);
}

struct driver {
	struct guest *g;
	unsigned int nmis;
	volatile bool over; /* the guest has ended */
};

static void wait_for(const struct driver *driver, uint32_t address, uint32_t value)
{
	while (*word(driver->g, address) != value && !driver->over)
		usleep(500);
}

/* Raises IRQ 3 a hundred times, each until it is taken (a request that goes away before that is lost), and ten NMIs. */
static void *drive(void *argument)
{
	struct driver *driver = argument;
	struct btvm_irq_level irq = { .irq = 3 };
	unsigned int i;

	wait_for(driver, 0x8000, 1);
	for (i = 0; i < 100 && !driver->over; i++) {
		if (i % 10 == 5 && !ioctl(driver->g->vcpu, BTVM_NMI, 0))
			driver->nmis++;
		if (i % 10 == 5)
			usleep(20000); /* one NMI at a time: a second one before the first is taken is the same one */
		irq.level = 1;
		while (ioctl(driver->g->vm, BTVM_IRQ_LINE, &irq) && errno == EAGAIN && !driver->over)
			usleep(1000);
		wait_for(driver, 0x8004, i + 1);
		irq.level = 0;
		while (ioctl(driver->g->vm, BTVM_IRQ_LINE, &irq) && errno == EAGAIN && !driver->over)
			usleep(1000);
	}
	return NULL;
}

static void check_delivery(const char *name, unsigned int flags, const uint8_t *code, const uint8_t *end)
{
	const struct btvm_config config = { .breakpoints = 4, .flags = flags | BTVM_CONFIG_TRACE };
	struct driver driver = {};
	struct btvm_regs regs;
	pthread_t thread;
	struct guest g;
	int reason;

	guest_create(&g, &config);
	driver.g = &g;
	prepare(&g, code, end);
	pthread_create(&thread, NULL, drive, &driver);
	reason = guest_run(&g);
	driver.over = true;
	pthread_join(thread, NULL);
	regs = guest_regs(&g);
	if (!ktap_result(reason == BTVM_EXIT_HALTED && regs.gpr[3] == 100, "%s: a hundred interrupts of another thread", name))
		guest_print(&g);
	ktap_result(driver.nmis == 10 && regs.gpr[2] == 10, "%s: and ten NMIs", name);
	guest_destroy(&g);
}

static void check_timer(void)
{
	uint64_t began, took, used;
	struct btvm_stats stats;
	struct guest g;
	int reason;

	guest_create(&g, NULL);
	prepare(&g, ticking, ticking_end);
	began = monotonic_ns();
	used = cpu_ns(CLOCK_THREAD_CPUTIME_ID);
	reason = guest_run(&g);
	took = monotonic_ns() - began;
	used = cpu_ns(CLOCK_THREAD_CPUTIME_ID) - used;
	stats = guest_stats(&g);
	ktap_diag("50 ticks of 10 ms: %u ms, of which %u ms of CPU; %llu lost", (unsigned int)(took / 1000000),
		  (unsigned int)(used / 1000000), stats.lost_timer_ticks);
	ktap_result(reason == BTVM_EXIT_HALTED && guest_regs(&g).gpr[3] == 50 && took > 480000000 && took < 20000000000ull,
		    "the timer wakes a halted guest at its rate");
	ktap_result(used < took / 2, "and it sleeps in between");
	guest_destroy(&g);
}

static void check_sleep(void)
{
	uint64_t began, took, used;
	struct guest g;
	int reason;

	guest_create(&g, NULL);
	prepare(&g, sleeper, sleeper_end);
	began = monotonic_ns();
	used = cpu_ns(CLOCK_THREAD_CPUTIME_ID);
	reason = guest_run_for(&g, 500);
	used = cpu_ns(CLOCK_THREAD_CPUTIME_ID) - used;
	took = monotonic_ns() - began;
	ktap_diag("halted for %u ms, using %u us", (unsigned int)(took / 1000000), (unsigned int)(used / 1000));
	ktap_result(reason == BTVM_EXIT_DEADLINE && took >= 499000000, "a deadline wakes a halted guest");
	ktap_result(used < took / 2, "which used no CPU meanwhile");
	/* So far away that it does not fit the kernel's time type. */
	g.run->deadline_ns = ~0ull - 1;
	used = cpu_ns(CLOCK_THREAD_CPUTIME_ID);
	alarm(1);
	reason = ioctl(g.vcpu, BTVM_RUN, 0) ? errno : 0;
	used = cpu_ns(CLOCK_THREAD_CPUTIME_ID) - used;
	ktap_result(reason == EINTR && used < 500000000, "a signal wakes it, and the farthest deadline does not");
	guest_destroy(&g);
}

static void check_deaf(void)
{
	struct btvm_irq_level irq = { .irq = 3, .level = 1 };
	struct guest g;
	bool ok;

	guest_create(&g, NULL);
	prepare(&g, deaf, deaf_end);
	ok = guest_run(&g) == BTVM_EXIT_HALTED;
	ioctl(g.vm, BTVM_IRQ_LINE, &irq);
	ktap_result(ok && guest_run(&g) == BTVM_EXIT_HALTED, "halted with interrupts off: HALTED, and again");
	ktap_result(!ioctl(g.vcpu, BTVM_NMI, 0) && guest_run_for(&g, 500) == BTVM_EXIT_DEADLINE && guest_regs(&g).gpr[2] == 1 &&
			    guest_regs(&g).gpr[3] > 0,
		    "an NMI wakes even that one");
	guest_destroy(&g);
}

static void do_nothing(int signal)
{
	(void)signal;
}

int main(void)
{
	const struct sigaction action = { .sa_handler = do_nothing };

	ktap_plan(15);
	sigaction(SIGALRM, &action, NULL);
	check_delivery("native", 0, spinning, spinning_end);
	check_delivery("monitor off", BTVM_CONFIG_MONITOR_OFF, spinning, spinning_end);
	check_delivery("interpreted", BTVM_CONFIG_INTERPRET, spinning, spinning_end);
	check_delivery("halting", 0, halting, halting_end);
	check_timer();
	check_sleep();
	check_deaf();
	return ktap_finish();
}

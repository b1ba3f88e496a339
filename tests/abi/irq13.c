// SPDX-License-Identifier: GPL-2.0
/*
 * x87 exceptions with CR0.NE clear: each is IRQ 13 once, a write to port F0h withdraws it, and what pends is ignored until
 * it is cleared. The guest divides by zero ROUNDS times, and each time its handler counts, looks at the exception, and does
 * what the handlers of the time did.
 */
#include "guest.h"

#define ROUNDS 20

GUEST_CODE32(divisions,
	/* The controllers as a BIOS has them, all masked but the cascade and line 13. */
	"mov $0x11, %al\n outb %al, $0x20\n outb %al, $0xa0\n mov $8, %al\n outb %al, $0x21\n mov $0x70, %al\n outb %al, $0xa1\n"
	"mov $4, %al\n outb %al, $0x21\n mov $2, %al\n outb %al, $0xa1\n mov $1, %al\n outb %al, $0x21\n outb %al, $0xa1\n"
	"mov $0xfb, %al\n outb %al, $0x21\n mov $0xdf, %al\n outb %al, $0xa1\n"
	"xor %ebx, %ebx\n xor %esi, %esi\n mov $20, %ecx\n fninit\n movl $0x37b, 0x8000\n fldcw 0x8000\n sti\n"
	"1: fld1\n fldz\n fdivrp\n nop\n fwait\n fstp %st(0)\n dec %ecx\n jnz 1b\n cli\n hlt\n"
	".globl divisions_handler\n divisions_handler:\n"
	"push %eax\n inc %ebx\n outb %al, $0xf0\n fld1\n fstp %st(0)\n fnstsw %ax\n test $4, %al\n jz 2f\n inc %esi\n 2: fnclex\n"
	"mov $0x20, %al\n outb %al, $0xa0\n outb %al, $0x20\n pop %eax\n iret");
extern const uint8_t divisions_handler[];

static const struct {
	const char *name;
	unsigned int flags;
} ways[] = {
	{ "traced", 0 },
	{ "traced in the host world", BTVM_CONFIG_MONITOR_OFF },
	{ "verified", BTVM_CONFIG_VERIFY },
	{ "interpreted", BTVM_CONFIG_INTERPRET },
};

#define WAYS (sizeof(ways) / sizeof(ways[0]))

int main(void)
{
	size_t i;

	ktap_plan(WAYS);
	for (i = 0; i < WAYS; i++) {
		const struct btvm_config config = { .breakpoints = 4, .flags = ways[i].flags };
		struct btvm_regs regs;
		struct guest g;
		int reason;

		guest_create(&g, &config);
		guest_start_flat(&g, divisions, divisions_end - divisions);
		guest_gate(&g, 0x75, GUEST_CODE + (divisions_handler - divisions));
		guest_use_idt(&g);
		reason = guest_run_for(&g, 20000);
		regs = guest_regs(&g);
		ktap_diag("%llu interrupts, %llu with the exception pending", regs.gpr[3], regs.gpr[6]);
		if (reason != BTVM_EXIT_HALTED)
			guest_print(&g);
		ktap_result(reason == BTVM_EXIT_HALTED && regs.gpr[3] == ROUNDS && regs.gpr[6] == ROUNDS,
			    "one interrupt 13 for each exception, %s", ways[i].name);
		guest_destroy(&g);
	}
	return ktap_finish();
}

// SPDX-License-Identifier: GPL-2.0
/* The ACPI timer: read without exits where userland says it is, at 3.579545 MHz of guest time. */
#include "guest.h"

GUEST_CODE32(reads, "mov $0xb008, %dx\n in %dx, %eax\n mov %eax, %ebx\n mov $1000, %ecx\n 1: in %dx, %eax\n loop 1b\n hlt");

static int set(struct guest *g, unsigned long port)
{
	errno = 0;
	return ioctl(g->vcpu, BTVM_SET_PM_TIMER, port) ? errno : 0;
}

int main(void)
{
	struct btvm_regs regs;
	struct guest g;
	uint64_t before, after;

	ktap_plan(4);
	guest_create(&g, NULL);
	ktap_result(set(&g, 0xfffd) == EINVAL && set(&g, 0x10000) == EINVAL && set(&g, ~0ul) == EINVAL && !set(&g, 0xfffc) &&
			    !set(&g, 0),
		    "ports that are none: EINVAL");
	guest_start_flat(&g, reads, reads_end - reads);
	ktap_result(guest_run(&g) == BTVM_EXIT_IO && g.run->io.port == 0xb008, "without it a read is an exit");
	guest_start_flat(&g, reads, reads_end - reads);
	set(&g, 0xb008);
	before = guest_now(&g);
	ktap_result(guest_run(&g) == BTVM_EXIT_HALTED, "with it there is none");
	after = guest_now(&g);
	regs = guest_regs(&g);
	ktap_diag("%llu ticks in %llu ns", (regs.gpr[0] - regs.gpr[3]) & 0xffffff, (unsigned long long)(after - before));
	ktap_result(((regs.gpr[0] - regs.gpr[3]) & 0xffffff) <= (after - before) * 3579545 / 1000000000 + 1 &&
			    regs.gpr[0] <= 0xffffff && regs.gpr[0] != regs.gpr[3],
		    "it runs on, and not faster than guest time");
	guest_destroy(&g);
	return ktap_finish();
}

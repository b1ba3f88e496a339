// SPDX-License-Identifier: GPL-2.0
/* Guest kernel code with loops, calls and sensitive instructions runs traced, and computes what it should. */
#include "guest.h"

/*
 *      mov   $1000, %ecx
 *      xor   %eax, %eax
 * 1:   call  3f
 *      pushf
 *      pop   %ebx            the guest's own flags: IF clear, IOPL 0
 *      test  $0x3200, %ebx
 *      jnz   2f
 *      dec   %ecx
 *      jnz   1b
 *      mov   %cs, %edx       the guest's own selector
 *      hlt
 * 2:   mov   $0xbad, %eax
 *      hlt
 * 3:   add   %ecx, %eax
 *      ret
 */
static const uint8_t loop[] = {
	0xb9, 0xe8, 0x03, 0x00, 0x00, 0x31, 0xc0, 0xe8, 0x16, 0x00, 0x00, 0x00, 0x9c, 0x5b, 0xf7, 0xc3,
	0x00, 0x32, 0x00, 0x00, 0x75, 0x06, 0x49, 0x75, 0xee, 0x8c, 0xca, 0xf4, 0xb8, 0xad, 0x0b, 0x00,
	0x00, 0xf4, 0x01, 0xc8, 0xc3,
};

static void run_loop(const char *name, const struct btvm_config *config)
{
	struct guest g;
	struct btvm_regs regs;
	struct btvm_stats stats;
	char text[128];
	bool halted;

	guest_create(&g, config);
	guest_start_flat(&g, loop, sizeof(loop));
	halted = ioctl(g.vcpu, BTVM_RUN, 0) == 0 && g.run->exit_reason == BTVM_EXIT_HALTED;
	regs = guest_regs(&g);
	stats = guest_stats(&g);
	snprintf(text, sizeof(text), "%s: the sum of 1 to 1000, and CS", name);
	if (!ktap_result(halted && regs.gpr[0] == 500500 && regs.gpr[2] == 8, text)) {
		ktap_diag("exit %u eax %llx edx %llx eip %llx suberror %u vector %u rip %llx cr2 %llx", g.run->exit_reason,
			  regs.gpr[0], regs.gpr[2], regs.rip, g.run->internal.suberror, g.run->internal.vector,
			  g.run->internal.rip, g.run->internal.cr2);
		guest_print_trace(&g);
	}
	ktap_diag("traps: %llu breakpoint %llu privileged %llu page fault; %llu in the monitor; %llu switches; %llu plans, %llu hits",
		  stats.trap_breakpoint, stats.trap_privileged, stats.trap_page_fault, stats.handled_in_monitor,
		  stats.world_switches, stats.plans_made, stats.plan_cache_hits);
	snprintf(text, sizeof(text), "%s: it ran natively", name);
	ktap_result((config && (config->flags & BTVM_CONFIG_INTERPRET)) == !stats.world_switches, text);
	guest_destroy(&g);
}

int main(void)
{
	const struct btvm_config monitor = { .breakpoints = 4, .flags = BTVM_CONFIG_TRACE };
	const struct btvm_config one = { .breakpoints = 1, .flags = BTVM_CONFIG_TRACE };
	const struct btvm_config two = { .breakpoints = 2, .flags = BTVM_CONFIG_TRACE };
	const struct btvm_config off = { .breakpoints = 4, .flags = BTVM_CONFIG_TRACE | BTVM_CONFIG_MONITOR_OFF };
	const struct btvm_config verify = { .breakpoints = 4, .flags = BTVM_CONFIG_TRACE | BTVM_CONFIG_VERIFY };
	const struct btvm_config no_cache = { .breakpoints = 4, .flags = BTVM_CONFIG_PLAN_CACHE_OFF };
	const struct btvm_config interpret = { .breakpoints = 4, .flags = BTVM_CONFIG_INTERPRET };

	ktap_plan(14);
	run_loop("interpreted", &interpret);
	run_loop("monitor", &monitor);
	run_loop("one breakpoint", &one);
	run_loop("two breakpoints", &two);
	run_loop("monitor=off", &off);
	run_loop("verify", &verify);
	run_loop("no plan cache", &no_cache);
	return ktap_finish();
}

// SPDX-License-Identifier: GPL-2.0
/* What goes wrong ends the VM it went wrong in, with a report, and nothing else. */
#include "guest.h"

GUEST_CODE32(traced, "mov $100, %ecx\n 1: call 2f\n dec %ecx\n jnz 1b\n hlt\n 2: pushf\n pop %eax\n ret");
GUEST_CODE32(triple_fault, "lidt 0x8000\n ud2");
GUEST_CODE32(triple_fault_idt, "movl $0, %esp\n int3");
GUEST_CODE32(nowhere, "mov $0xc0000000, %eax\n jmp *%eax");
GUEST_CODE32(end_of_memory, "mov $0xffffffff, %eax\n jmp *%eax");
GUEST_CODE32(port, "mov $0x1234, %dx\n in %dx, %ax\n out %ax, %dx\n hlt");
GUEST_CODE32(sensitive, "mov $8, %ecx\n 1: pushf\n pop %eax\n mov %cs, %edx\n sgdt 0x8000\n dec %ecx\n jnz 1b\n hlt");
GUEST_CODE16(real_triple_fault, "lidt 0x100\n int3");

static void expect(const char *name, unsigned int flags, const uint8_t *code, const uint8_t *end, bool real, int reason)
{
	const struct btvm_config config = { .breakpoints = 4, .flags = flags };
	struct guest g;
	int got, again;

	guest_create(&g, &config);
	if (real)
		guest_start_real(&g, code, end - code);
	else
		guest_start_flat(&g, code, end - code);
	got = guest_run(&g);
	again = guest_run(&g);
	if (got != reason || again != reason)
		guest_print(&g);
	ktap_result(got == reason && again == reason, "%s, and the same when it is run again", name);
	guest_destroy(&g);
}

static void check_ends(void)
{
	static const unsigned int modes[] = { 0, BTVM_CONFIG_MONITOR_OFF, BTVM_CONFIG_VERIFY, BTVM_CONFIG_INTERPRET };
	static const char *const names[] = { "monitor", "monitor off", "verify", "interpreted" };
	char text[96];
	int i;

	for (i = 0; i < 4; i++) {
		snprintf(text, sizeof(text), "%s: a triple fault without an IDT: SHUTDOWN", names[i]);
		expect(text, modes[i], triple_fault, triple_fault_end, false, BTVM_EXIT_SHUTDOWN);
		snprintf(text, sizeof(text), "%s: a triple fault by a bad gate: SHUTDOWN", names[i]);
		expect(text, modes[i], triple_fault_idt, triple_fault_idt_end, false, BTVM_EXIT_SHUTDOWN);
		snprintf(text, sizeof(text), "%s: HLT with interrupts off: HALTED", names[i]);
		expect(text, modes[i], traced, traced_end, false, BTVM_EXIT_HALTED);
		snprintf(text, sizeof(text), "%s: a jump to where no memory is: SHUTDOWN", names[i]);
		expect(text, modes[i], nowhere, nowhere_end, false, BTVM_EXIT_SHUTDOWN);
		snprintf(text, sizeof(text), "%s: a jump to FFFFFFFFh: SHUTDOWN", names[i]);
		expect(text, modes[i], end_of_memory, end_of_memory_end, false, BTVM_EXIT_SHUTDOWN);
	}
	expect("real mode: a triple fault: SHUTDOWN", 0, real_triple_fault, real_triple_fault_end, true, BTVM_EXIT_SHUTDOWN);
}

/* A port: what the exit says, the answer, and that another RUN without one repeats nothing. */
static void check_port(void)
{
	uint16_t *data;
	struct guest g;
	bool in, out;

	guest_create(&g, NULL);
	guest_start_flat(&g, port, port_end - port);
	in = guest_run(&g) == BTVM_EXIT_IO && g.run->io.direction == BTVM_EXIT_IO_IN && g.run->io.size == 2 &&
	     g.run->io.port == 0x1234 && g.run->io.count == 1 && g.run->io.data_offset + 4 <= 4096;
	ktap_result(in, "IN: direction, size, port and place of the data");
	data = (uint16_t *)((uint8_t *)g.run + g.run->io.data_offset);
	*data = 0xbeef;
	out = guest_run(&g) == BTVM_EXIT_IO && g.run->io.direction == BTVM_EXIT_IO_OUT && g.run->io.size == 2 &&
	      g.run->io.port == 0x1234 && *data == 0xbeef;
	ktap_result(out, "the answer is what the guest then writes out");
	g.run->exit_reason = ~0u; /* userland may scribble on the page */
	g.run->io.data_offset = ~0ull;
	ktap_result(guest_run(&g) == BTVM_EXIT_HALTED && (guest_regs(&g).gpr[0] & 0xffff) == 0xbeef, "and it goes on");
	guest_destroy(&g);
}

static bool works(unsigned int flags)
{
	const struct btvm_config config = { .breakpoints = 4, .flags = flags };
	struct guest g;
	bool ok;

	guest_create(&g, &config);
	guest_start_flat(&g, traced, traced_end - traced);
	ok = guest_run(&g) == BTVM_EXIT_HALTED;
	guest_destroy(&g);
	return ok;
}

static void check_monitor_fault(void)
{
	const struct btvm_config fault = { .breakpoints = 4, .flags = BTVM_CONFIG_TEST_MONITOR_FAULT };
	const struct btvm_config usual = { .breakpoints = 4 };
	struct guest g;
	bool report;

	guest_create(&g, &fault);
	guest_start_flat(&g, traced, traced_end - traced);
	report = guest_run(&g) == BTVM_EXIT_INTERNAL_ERROR && g.run->internal.suberror == BTVM_ERROR_MONITOR_FAULT;
	ktap_result(report, "a fault of the monitor: INTERNAL_ERROR, MONITOR_FAULT");
	guest_print(&g);
	ktap_result(report && g.run->internal.vector == 14 && g.run->internal.error_code == 2 &&
			    g.run->internal.cr2 == 0xffffff7fdead0000ull && g.run->internal.rip >= 0xffffff8000000000ull &&
			    g.run->internal.rip < 0xffffff8001000000ull,
		    "its report: the page fault, where in the monitor, and what it touched");
	ktap_result(report && memchr(g.run->internal.text, 0, sizeof(g.run->internal.text)) && g.run->internal.text[0],
		    "and a line for a human: %s", g.run->internal.text);
	ktap_result(guest_run(&g) == BTVM_EXIT_INTERNAL_ERROR && !ioctl(g.vm, BTVM_SET_CONFIG, &usual) &&
			    guest_run(&g) == BTVM_EXIT_INTERNAL_ERROR,
		    "the VM stays dead");
	ktap_result(works(0), "another VM works beside it");
	ktap_result(!ioctl(g.vcpu, BTVM_RESET, 0) && (guest_start_flat(&g, traced, traced_end - traced), true) &&
			    guest_run(&g) == BTVM_EXIT_HALTED,
		    "until it is reset");
	guest_destroy(&g);
	ktap_result(works(0), "and another after it");
}

static void check_planner_bug(void)
{
	const struct btvm_config bug = { .breakpoints = 4, .flags = BTVM_CONFIG_VERIFY | BTVM_CONFIG_TEST_PLANNER_BUG };
	struct guest g;
	bool found;

	ktap_result(works(BTVM_CONFIG_VERIFY), "verify mode finds nothing wrong with the planner");
	guest_create(&g, &bug);
	guest_start_flat(&g, sensitive, sensitive_end - sensitive);
	found = guest_run(&g) == BTVM_EXIT_INTERNAL_ERROR && g.run->internal.suberror == BTVM_ERROR_VERIFY;
	if (!found)
		guest_print(&g);
	ktap_result(found && g.run->internal.rip >= GUEST_CODE && g.run->internal.rip < GUEST_CODE + 64,
		    "a planner that leaves a breakpoint out: INTERNAL_ERROR, VERIFY, at the instruction");
	ktap_result(found && g.run->internal.text[0], "and a line for a human: %s", g.run->internal.text);
	ktap_result(guest_stats(&g).verify_violations == 1, "one violation is counted");
	guest_destroy(&g);
}

int main(void)
{
	ktap_plan(35);
	check_ends();
	check_port();
	check_monitor_fault();
	check_planner_bug();
	return ktap_finish();
}

// SPDX-License-Identifier: GPL-2.0
/* BTVM_CONFIG_APIC: a guest that lives by the local APIC's timer, moves to another VM in the middle of it, and goes on. */
#include "guest.h"

#include <stddef.h>

#define TICKS 200
#define MOVES 8
#define COUNT 0x30000u
#define PERIOD 2000000u /* ns */
#define ACCESSES 1500

/* Counts ticks of the periodic timer in its handler, half of the time halted, half of it busy, then turns interrupts off. */
GUEST_CODE32(clockwork, "movl $0x1f0, 0xfee000f0\n movl $0xb, 0xfee003e0\n movl $0x20040, 0xfee00320\n"
			"movl $2000000, 0xfee00380\n"
			"1: sti\n testb $1, 0x30000\n jnz 2f\n hlt\n 2: cli\n cmpl $200, 0x30000\n jb 1b\n hlt");
GUEST_CODE32(tick, "incl 0x30000\n push %eax\n mov 0xfee00390, %eax\n mov %eax, 0x30004\n pop %eax\n"
		   "movl $0, 0xfee000b0\n iret");
/* Halts between ticks of the 8254, 55 ms apart, that come by the I/O APIC, until there were 110. */
GUEST_CODE32(sleeper, "movb $0x34, %al\n out %al, $0x43\n xor %al, %al\n out %al, $0x40\n out %al, $0x40\n"
		      "movl $0x1f0, 0xfee000f0\n movl $0x14, 0xfec00000\n movl $0x40, 0xfec00010\n"
		      "1: sti\n hlt\n cli\n cmpl $110, 0x30000\n jb 1b\n hlt");
/* The timer at a nanosecond, ended by nothing: all it can do is to starve itself. */
GUEST_CODE32(storm, "movl $0x1f0, 0xfee000f0\n movl $0xb, 0xfee003e0\n movl $0x20040, 0xfee00320\n movl $1, 0xfee00380\n"
		    "sti\n 1: incl %ebx\n jmp 1b");
/* Registers with anything in them: addresses and values come from userland, by port E0h. */
GUEST_CODE32(anything, "1: in $0xe0, %eax\n mov %eax, %ebx\n in $0xe0, %eax\n mov %eax, (%ebx)\n mov (%ebx), %eax\n sti\n nop\n"
		       "cli\n jmp 1b");
/* Ends whatever came, as a system does. */
GUEST_CODE32(any_handler, "movl $0, 0xfee000b0\n iret");

static struct btvm_state state; /* too large for some stacks */

static int call(int fd, unsigned long request, const void *argument)
{
	errno = 0;
	return ioctl(fd, request, argument) < 0 ? errno : 0;
}

static uint32_t word(struct guest *g, uint32_t at)
{
	uint32_t value;

	memcpy(&value, g->ram + at, sizeof(value));
	return value;
}

static void start(struct guest *g, const struct btvm_config *config, const void *code, size_t size, const void *handler,
		  size_t handler_size)
{
	unsigned int vector;

	guest_create(g, config);
	guest_start_flat(g, code, size);
	memcpy(g->ram + 0x40000, handler, handler_size);
	for (vector = 16; vector < 256; vector++)
		guest_gate(g, vector, 0x40000);
	guest_use_idt(g);
	guest_written(g, 0, GUEST_RAM);
}

/* Another VM with the same memory, state and time; the first one is gone then. */
static void move(struct guest *g, const struct btvm_config *config)
{
	const struct btvm_clock clock = { .guest_ns = guest_now(g) };
	struct guest other;

	if (ioctl(g->vcpu, BTVM_GET_STATE, &state))
		ktap_bail("BTVM_GET_STATE failed");
	guest_create(&other, config);
	memcpy(other.ram, g->ram, GUEST_RAM);
	guest_written(&other, 0, GUEST_RAM);
	if (ioctl(other.vm, BTVM_SET_CLOCK, &clock) || ioctl(other.vcpu, BTVM_SET_STATE, &state))
		ktap_bail("the state is not taken");
	guest_destroy(g);
	*g = other;
}

static void check_clockwork(const struct btvm_config *config, const char *mode)
{
	unsigned int moves = 0;
	struct guest g;
	uint64_t ns;
	int reason;

	start(&g, config, clockwork, clockwork_end - clockwork, tick, tick_end - tick);
	ns = guest_now(&g);
	/* Wherever it is then: on a busy machine still in its first instructions. */
	while ((reason = guest_run_for(&g, 37)) == BTVM_EXIT_DEADLINE && moves < MOVES) {
		move(&g, config);
		moves++;
	}
	if (reason == BTVM_EXIT_DEADLINE)
		reason = guest_run(&g);
	ns = guest_now(&g) - ns;
	if (reason != BTVM_EXIT_HALTED)
		guest_print(&g);
	ktap_result(reason == BTVM_EXIT_HALTED && word(&g, COUNT) >= TICKS && moves,
		    "%s: a guest counts ticks while it moves (%u times)", mode, moves);
	/* The guest's clock may be a little ahead between two turns of the host's. */
	ktap_result(ns >= (uint64_t)(TICKS - TICKS / 10) * PERIOD, "%s: they are not too many (%llu us)", mode,
		    (unsigned long long)ns / 1000);
	ktap_result(word(&g, COUNT + 4) > 0 && word(&g, COUNT + 4) <= PERIOD, "%s: the count is within the period", mode);
	guest_destroy(&g);
}

/* A guest that halts as soon as it has taken a tick is given those that it is owed, one after the other. */
static void check_owed(const struct btvm_config *config, const char *mode)
{
	const uint64_t tick_ns = 54925000;
	struct guest g;
	uint64_t ns;
	bool ok;

	start(&g, config, sleeper, sleeper_end - sleeper, tick, tick_end - tick);
	ok = guest_run_for(&g, 200) == BTVM_EXIT_DEADLINE && !call(g.vcpu, BTVM_GET_STATE, &state);
	state.owed_ticks = 100;
	ok = ok && !call(g.vcpu, BTVM_SET_STATE, &state);
	ns = guest_now(&g);
	ok = ok && guest_run(&g) == BTVM_EXIT_HALTED;
	ns = guest_now(&g) - ns;
	ktap_result(ok && ns < 60 * tick_ns, "%s: a halted guest is given the 8254's ticks it is owed (%llu ms)", mode,
		    (unsigned long long)ns / 1000000);
	guest_destroy(&g);
}

static void check_storm(const struct btvm_config *config, const char *mode)
{
	struct guest g;
	uint64_t began, used;
	struct btvm_stats stats;

	start(&g, config, storm, storm_end - storm, "\xcf", 1); /* IRET without an end of interrupt: one is all it takes */
	began = cpu_ns(CLOCK_PROCESS_CPUTIME_ID);
	(void)guest_run_for(&g, 500);
	used = cpu_ns(CLOCK_PROCESS_CPUTIME_ID) - began;
	stats = guest_stats(&g);
	ktap_result(g.run->exit_reason == BTVM_EXIT_DEADLINE && guest_regs(&g).gpr[3] > 0 && stats.interrupts_delivered == 1,
		    "%s: a timer of a nanosecond leaves the guest running (%llu ms used, %llu ticks lost)", mode,
		    (unsigned long long)used / 1000000, (unsigned long long)stats.lost_timer_ticks);
	guest_destroy(&g);
}

static void check_anything(const struct btvm_config *config, const char *mode)
{
	unsigned int accesses = 0, reason = 0;
	struct guest g;

	start(&g, config, anything, anything_end - anything, any_handler, any_handler_end - any_handler);
	while (accesses < ACCESSES && (reason = guest_run_for(&g, 2000)) == BTVM_EXIT_IO) {
		uint32_t value = random64() >> (random64() % 32);

		if (accesses % 2 == 0) {
			value = random64() % 3 ? 0xfee00000 + 16 * (random64() % 0x40) : 0xfec00000 + 16 * (random64() % 2);
			if (random64() % 40 == 0)
				value += random64() % 16;
		}
		memcpy((uint8_t *)g.run + g.run->io.data_offset, &value, sizeof(value));
		accesses++;
	}
	ktap_result(accesses == ACCESSES || reason == BTVM_EXIT_SHUTDOWN || reason == BTVM_EXIT_DEADLINE,
		    "%s: registers take any value (%u accesses)", mode, accesses);
	guest_destroy(&g);
}

static bool refuses(struct guest *g, size_t offset, uint8_t value)
{
	struct btvm_state bad = state;

	((uint8_t *)&bad)[offset] = value;
	return call(g->vcpu, BTVM_SET_STATE, &bad) == EINVAL;
}

#define REFUSES(field, byte, value) refuses(g, offsetof(struct btvm_state, field) + (byte), value)

static void check_states(struct guest *g, struct guest *without)
{
	struct btvm_state good, other;
	unsigned int i, n, taken = 0;
	bool ok;

	if (ioctl(g->vcpu, BTVM_GET_STATE, &state) || ioctl(without->vcpu, BTVM_GET_STATE, &other))
		ktap_bail("BTVM_GET_STATE failed");
	ktap_result((state.features_basic & 1u << 9) && state.apic_base == 0xfee00900 && state.local_apic.lvt[3] == 0x700 &&
			    !(other.features_basic & 1u << 9) && !other.apic_base,
		    "a machine has APICs as it is asked for");
	ktap_result(call(g->vcpu, BTVM_SET_STATE, &other) == EINVAL && call(without->vcpu, BTVM_SET_STATE, &state) == EINVAL,
		    "the state of a machine with and of one without do not fit each other: EINVAL");
	ok = REFUSES(local_apic.padding, 0, 1) && REFUSES(io_apic.padding, 1, 1) && REFUSES(local_apic.irr, 0, 1) &&
	     REFUSES(local_apic.isr, 1, 0x80) && REFUSES(local_apic.lvt, 3, 1) && REFUSES(local_apic.spurious, 1, 4) &&
	     REFUSES(local_apic.owed_ticks, 0, 129) && REFUSES(local_apic.destination_format, 0, 16) &&
	     REFUSES(local_apic.pins, 0, 4) && REFUSES(local_apic.timer_divide, 0, 4) &&
	     REFUSES(local_apic.timer_running, 0, 1) && REFUSES(io_apic.entry, 1, 0x40) && REFUSES(io_apic.lines, 3, 1) &&
	     REFUSES(io_apic.id, 0, 16) && REFUSES(apic_base, 1, 0xd) && REFUSES(apic_base, 0, 1);
	ktap_result(ok, "APICs in no state that they have: EINVAL");
	other.io_apic.id = 1;
	ktap_result(call(without->vcpu, BTVM_SET_STATE, &other) == EINVAL, "APICs where there are none: EINVAL");
	good = state;
	for (i = 0; i < 1000; i++) {
		state = good;
		for (n = 1 + random64() % 4; n; n--)
			((uint8_t *)&state)[offsetof(struct btvm_state, local_apic) +
					    random64() % (sizeof(state.local_apic) + sizeof(state.io_apic))] = random64();
		if (call(g->vcpu, BTVM_SET_STATE, &state))
			continue;
		taken++;
		if (!(taken % 8))
			(void)guest_run_for(g, 1);
	}
	ktap_result(taken > 100, "%u of 1000 random states are taken, and run", taken);
}

int main(void)
{
	static const struct {
		const char *name;
		unsigned int flags;
	} modes[] = { { "monitor", 0 }, { "monitor off", BTVM_CONFIG_MONITOR_OFF }, { "interpreted", BTVM_CONFIG_INTERPRET } };
	struct btvm_config config = { .breakpoints = 4 };
	struct guest with, without;
	unsigned int i;

	ktap_plan(3 * 6 + 7);
	for (i = 0; i < 3; i++) {
		config.flags = BTVM_CONFIG_APIC | modes[i].flags;
		check_clockwork(&config, modes[i].name);
		check_owed(&config, modes[i].name);
		check_storm(&config, modes[i].name);
		check_anything(&config, modes[i].name);
	}
	config.flags = 0;
	guest_create(&without, &config);
	guest_start_flat(&without, clockwork, clockwork_end - clockwork);
	config.flags = BTVM_CONFIG_APIC;
	start(&with, &config, clockwork, clockwork_end - clockwork, tick, tick_end - tick);
	check_states(&with, &without);
	config.flags = with_execute_only() ? BTVM_CONFIG_EXECUTE_ONLY : 0;
	i = call(with.vm, BTVM_SET_CONFIG, &config) == EBUSY;
	config.flags |= BTVM_CONFIG_APIC;
	ktap_result(i && !call(with.vm, BTVM_SET_CONFIG, &config) && call(without.vm, BTVM_SET_CONFIG, &config) == EBUSY,
		    "no machine gets or loses APICs while it runs: EBUSY");
	guest_destroy(&with);
	guest_destroy(&without);
	config.flags = 0;
	guest_create(&with, &config);
	guest_start_flat(&with, "\xf4", 1);
	ktap_result(guest_run(&with) == BTVM_EXIT_HALTED, "the next VM works");
	guest_destroy(&with);
	return ktap_finish();
}

// SPDX-License-Identifier: GPL-2.0
/* BTVM_GET_STATE and BTVM_SET_STATE: a guest that moves from one VM to another in the middle of everything goes on there. */
#include "guest.h"

#include <stddef.h>

#define UNREADABLE 0xffff888000000000ul
#define PORT 0x1f0
#define DATA 0x20000u
#define WORDS 5000

/* Reads words by REP INS, adds them up in a loop, writes them back by REP OUTS; the sum is in EBX. */
GUEST_CODE32(worker, "mov $0x20000, %edi\n mov $0x1f0, %edx\n mov $5000, %ecx\n cld\n rep insw\n"
		     "mov $0x20000, %esi\n mov $5000, %ecx\n xor %ebx, %ebx\n xor %eax, %eax\n"
		     "1: lodsw\n add %eax, %ebx\n loop 1b\n"
		     "mov $0x20000, %esi\n mov $5000, %ecx\n rep outsw\n cli\n hlt");
/* Waits for an interrupt with everything a guest can have in its registers. */
GUEST_CODE32(waiter, "fninit\n fld1\n fldpi\n mov %cr4, %eax\n or $0x600, %eax\n mov %eax, %cr4\n"
		     "mov $0x1f80, %eax\n push %eax\n ldmxcsr (%esp)\n pop %eax\n"
		     "mov $0x12345678, %eax\n movd %eax, %xmm5\n out %al, $0xe0\n"
		     "movd %xmm5, %ebx\n faddp\n fistpl 0x30000\n sti\n 1: jmp 1b");
GUEST_CODE32(handler, "movl $0x600d, 0x30004\n cli\n hlt");

static struct btvm_state state; /* too large for some stacks */

static int call(int fd, unsigned long request, const void *argument)
{
	errno = 0;
	return ioctl(fd, request, argument) < 0 ? errno : 0;
}

static void get(struct guest *g, struct btvm_state *to)
{
	if (ioctl(g->vcpu, BTVM_GET_STATE, to))
		ktap_bail("BTVM_GET_STATE failed");
}

/* Another VM with the same memory and state; the first one is gone then. */
static void move(struct guest *g, const struct btvm_config *config)
{
	struct guest other;

	get(g, &state);
	guest_create(&other, config);
	memcpy(other.ram, g->ram, GUEST_RAM);
	guest_written(&other, 0, GUEST_RAM);
	if (ioctl(other.vcpu, BTVM_SET_STATE, &state))
		ktap_bail("BTVM_SET_STATE failed");
	guest_destroy(g);
	*g = other;
}

static bool same(const struct btvm_state *a, const struct btvm_state *b)
{
	struct btvm_state other = *b;

	other.tsc = a->tsc; /* goes on */
	return !memcmp(a, &other, sizeof(other));
}

static bool refuses(struct guest *g, size_t offset, uint8_t value)
{
	struct btvm_state bad = state;

	((uint8_t *)&bad)[offset] = value;
	bad.regs.gpr[0] = 0x7777; /* must not get through */
	return call(g->vcpu, BTVM_SET_STATE, &bad) == EINVAL;
}

#define REFUSES(field, byte, value) refuses(g, offsetof(struct btvm_state, field) + (byte), value)

static void check_arguments(struct guest *g)
{
	void *constant = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct btvm_state after;
	bool ok;

	ktap_result(call(g->vcpu, BTVM_GET_STATE, NULL) == EFAULT && call(g->vcpu, BTVM_SET_STATE, NULL) == EFAULT &&
			    call(g->vcpu, BTVM_GET_STATE, (void *)UNREADABLE) == EFAULT &&
			    call(g->vcpu, BTVM_SET_STATE, (void *)UNREADABLE) == EFAULT &&
			    call(g->vcpu, BTVM_GET_STATE, constant) == EFAULT,
		    "structures that cannot be read or written: EFAULT");
	ktap_result(call(g->vm, BTVM_GET_STATE, &state) == ENOTTY && call(g->system, BTVM_SET_STATE, &state) == ENOTTY,
		    "on another descriptor: ENOTTY");
	get(g, &state);
	ok = REFUSES(sregs.padding, 0, 1) && REFUSES(padding1, 0, 1) && REFUSES(padding2, 0, 1) && REFUSES(padding3, 0, 1) &&
	     REFUSES(pic[1].padding, 0, 1) && REFUSES(pit[2].padding, 5, 1) && REFUSES(port.padding1, 0, 1) &&
	     REFUSES(port.padding2, 1, 1) && REFUSES(port.padding3, 3, 1);
	ktap_result(ok, "padding that is not 0: EINVAL");
	ktap_result(REFUSES(sregs.cr0, 3, 0x20) && REFUSES(sregs.efer, 1, 4) && REFUSES(sregs.activity, 0, 3) &&
			    REFUSES(nmi_blocked, 0, 2) && REFUSES(nmi_pending, 0, 2) && REFUSES(debug_pending, 0, 16) &&
			    REFUSES(ferr, 0, 2) && REFUSES(ignne, 0, 255),
		    "a processor that there is not: EINVAL");
	ok = REFUSES(features_basic, 0, 0xff) && REFUSES(features_extended, 3, 0xff);
	ktap_result(ok, "features that this processor lacks: EINVAL");
	after = state;
	state.features_basic &= ~(1u << 15); /* no CMOV */
	ok = !call(g->vcpu, BTVM_SET_STATE, &state) && !call(g->vcpu, BTVM_SET_STATE, &after);
	get(g, &state);
	ktap_result(ok && state.features_basic == after.features_basic, "fewer features are taken, and then all of them again");
	ok = REFUSES(pic[0].vector_base, 0, 1) && REFUSES(pic[0].next_icw, 0, 1) && REFUSES(pic[1].next_icw, 0, 5) &&
	     REFUSES(pic[0].lowest, 0, 8) && REFUSES(pic[1].poll, 0, 2) && REFUSES(pic[0].rotate_aeoi, 0, 2);
	ktap_result(ok, "interrupt controllers in no state that they have: EINVAL");
	ok = REFUSES(pit[0].run, 0, 4) && REFUSES(pit[0].mode, 0, 6) && REFUSES(pit[1].access, 0, 0) &&
	     REFUSES(pit[1].access, 0, 4) && REFUSES(pit[2].count, 3, 1) && REFUSES(pit[2].count_latched, 0, 3) &&
	     REFUSES(pit[0].gate, 0, 2) && REFUSES(pit_port61, 0, 16);
	state.pit[0].count = 0;
	ok &= call(g->vcpu, BTVM_SET_STATE, &state) == EINVAL;
	get(g, &state);
	ktap_result(ok, "a timer in no state that it has: EINVAL");
	ok = REFUSES(port.phase, 0, 3) && REFUSES(port.phase, 0, 1) && REFUSES(port.size, 0, 1) && REFUSES(port.data, 77, 1);
	state.port.phase = 2;
	state.port.size = 4;
	state.port.count = 3584 / 4 + 1;
	ok &= call(g->vcpu, BTVM_SET_STATE, &state) == EINVAL;
	state.port.count = 0x40000001;
	ok &= call(g->vcpu, BTVM_SET_STATE, &state) == EINVAL;
	get(g, &state);
	ktap_result(ok, "a port access that cannot be: EINVAL");
	state.pm_timer = 0xfffe;
	ok = call(g->vcpu, BTVM_SET_STATE, &state) == EINVAL;
	get(g, &state);
	ktap_result(ok, "an ACPI timer where there is no room: EINVAL");
	get(g, &after);
	ktap_result(after.regs.gpr[0] != 0x7777 && same(&state, &after), "a refusal changes nothing");
	ktap_result(!call(g->vcpu, BTVM_SET_STATE, &state) && !call(g->vcpu, BTVM_GET_STATE, &after) && same(&state, &after) &&
			    after.tsc > state.tsc,
		    "a state comes back as it was set, and the time-stamp counter goes on");
	munmap(constant, 8192);
}

/* The VM is another one after each exit. */
static void check_moving(const struct btvm_config *config, const char *mode)
{
	unsigned int read = 0, written = 0, moves = 0, i;
	uint32_t sum = 0, written_sum = 0;
	struct guest g;
	struct btvm_regs regs;

	guest_create(&g, config);
	guest_start_flat(&g, worker, worker_end - worker);
	while (guest_run(&g) == BTVM_EXIT_IO) {
		uint16_t *data = (uint16_t *)((uint8_t *)g.run + g.run->io.data_offset);

		for (i = 0; i < g.run->io.count; i++) {
			if (g.run->io.direction == BTVM_EXIT_IO_IN) {
				data[i] = 7 * read++ + 3;
				sum += data[i];
			} else {
				written_sum += data[i];
				written++;
			}
		}
		move(&g, config);
		moves++;
	}
	regs = guest_regs(&g);
	ktap_result(g.run->exit_reason == BTVM_EXIT_HALTED && read == WORDS && written == WORDS && written_sum == sum &&
			    regs.gpr[3] == sum,
		    "%s: a guest that moves at every exit (%u moves) reads and writes each word once", mode, moves);
	guest_destroy(&g);
}

static void check_interrupts(const struct btvm_config *config, const char *mode)
{
	const struct btvm_irq_level up = { .irq = 5, .level = 1 };
	struct btvm_state before;
	struct guest g;
	uint32_t result, sum;

	guest_create(&g, config);
	guest_start_flat(&g, waiter, waiter_end - waiter);
	guest_use_idt(&g);
	memcpy(g.ram + 0x40000, handler, handler_end - handler);
	guest_gate(&g, 0x25, 0x40000);
	guest_written(&g, 0, GUEST_RAM);
	if (guest_run(&g) != BTVM_EXIT_IO) {
		guest_print(&g);
		ktap_bail("the guest does not come to its port");
	}
	get(&g, &before);
	before.pic[0] = (struct btvm_pic_chip){ .imr = 0xdf, .vector_base = 0x20, .icw1 = 0x11, .icw3 = 4, .icw4 = 1, .lowest = 7 };
	if (ioctl(g.vcpu, BTVM_SET_STATE, &before) || ioctl(g.vm, BTVM_IRQ_LINE, &up))
		ktap_bail("the interrupt cannot be raised");
	get(&g, &before);
	move(&g, config);
	ktap_result(before.pic[0].irr == 0x20 && before.pic[0].lines == 0x20 && state.pic[0].irr == 0x20,
		    "%s: a pending interrupt is in the state", mode);
	ktap_result(guest_run_for(&g, 2000) == BTVM_EXIT_HALTED, "%s: the guest takes it where it has moved to", mode);
	memcpy(&sum, g.ram + 0x30000, 4);
	memcpy(&result, g.ram + 0x30004, 4);
	ktap_result(result == 0x600d && sum == 4 && guest_regs(&g).gpr[3] == 0x12345678,
		    "%s: x87 and SSE registers have moved with it", mode);
	guest_destroy(&g);
}

/* States with random bytes in random places: what is taken runs for a while, whatever comes of it. */
static void check_random(struct guest *g)
{
	struct btvm_state good;
	unsigned int i, n, taken = 0;

	guest_start_flat(g, worker, worker_end - worker);
	get(g, &good);
	for (i = 0; i < 3000; i++) {
		state = good;
		for (n = random64() % 4; n != ~0u; n--)
			((uint8_t *)&state)[random64() % offsetof(struct btvm_state, local_apic)] = random64(); /* apic.c has the rest */
		if (call(g->vcpu, BTVM_SET_STATE, &state))
			continue;
		taken++;
		if (!(taken % 8))
			(void)guest_run_for(g, 1);
	}
	ktap_result(taken > 100, "%u of 3000 random states are taken, and run", taken);
}

int main(void)
{
	static const struct {
		const char *name;
		unsigned int flags;
	} modes[] = { { "monitor", 0 }, { "monitor off", BTVM_CONFIG_MONITOR_OFF }, { "interpreted", BTVM_CONFIG_INTERPRET } };
	struct btvm_config config = { .breakpoints = 4 };
	struct guest g;
	unsigned int i;

	ktap_plan(12 + 3 * 4 + 2);
	guest_create(&g, &config);
	guest_start_flat(&g, "\xf4", 1);
	check_arguments(&g);
	for (i = 0; i < 3; i++) {
		config.flags = modes[i].flags;
		check_moving(&config, modes[i].name);
		check_interrupts(&config, modes[i].name);
	}
	check_random(&g);
	guest_destroy(&g);
	config.flags = 0;
	guest_create(&g, &config);
	guest_start_flat(&g, "\xf4", 1);
	ktap_result(guest_run(&g) == BTVM_EXIT_HALTED, "the next VM works");
	guest_destroy(&g);
	return ktap_finish();
}

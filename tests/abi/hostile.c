// SPDX-License-Identifier: GPL-2.0
/*
 * What a hostile kernel may execute: run natively in each mode it must do to the guest what the interpreter does, to every
 * register, flag and byte of memory. The host notices nothing.
 */
#include "guest.h"
#include "snippets.h"

#define STUBS 0x20000u /* 16 bytes for each vector: EBX = E000h + vector, HLT */

static uint8_t image[GUEST_RAM]; /* the memory every piece starts with */

struct outcome {
	int reason;
	struct btvm_regs regs;
	struct btvm_sregs sregs;
	uint8_t *memory;
};

static void make_image(struct guest *g)
{
	/* Entries 3 to 7 of the GDT; see snippets.h. */
	static const uint64_t descriptors[] = {
		0x00cf91000000ffffull, 0x0040930000000fffull, 0x004097000000ffffull, 0x00cf9f000000ffffull, 0x00cf13000000ffffull,
	};
	unsigned int vector;

	memset(g->ram, 0, GUEST_RAM);
	for (vector = 0; vector < 256; vector++) {
		const uint32_t number = 0xe000 + vector;
		uint8_t *stub = g->ram + STUBS + 16 * vector;

		stub[0] = 0xbb;
		memcpy(stub + 1, &number, 4);
		stub[5] = 0xf4;
		guest_gate(g, vector, STUBS + 16 * vector);
	}
	memcpy(g->ram + GUEST_GDT + 3 * 8, descriptors, sizeof(descriptors));
	memcpy(image, g->ram, GUEST_RAM);
}

static void run_one(struct guest *g, const void *code, size_t size, struct outcome *outcome)
{
	struct btvm_sregs sregs;

	ioctl(g->vcpu, BTVM_RESET, 0);
	memcpy(g->ram, image, GUEST_RAM);
	guest_start_flat(g, code, size);
	sregs = guest_sregs(g);
	sregs.idtr.base = GUEST_IDT;
	sregs.idtr.limit = 0x7ff;
	sregs.gdtr.limit = 8 * 8 - 1;
	guest_set(g, &sregs, NULL);
	outcome->reason = guest_run_for(g, 10000);
	outcome->regs = guest_regs(g);
	outcome->sregs = guest_sregs(g);
	outcome->memory = g->ram;
}

static bool same(const char *name, const char *mode, const struct outcome *a, const struct outcome *b)
{
	const bool regs = !memcmp(&a->regs, &b->regs, sizeof(a->regs));
	const bool sregs = !memcmp(&a->sregs, &b->sregs, sizeof(a->sregs));
	const bool memory = !memcmp(a->memory, b->memory, GUEST_RAM);
	int i;

	if (a->reason == b->reason && regs && sregs && memory)
		return true;
	ktap_diag("%s, %s: interpreted it ends with %d, here with %d%s%s%s", name, mode, a->reason, b->reason,
		  regs ? "" : ", other registers", sregs ? "" : ", other system registers", memory ? "" : ", other memory");
	for (i = 0; i < 8; i++)
		if (a->regs.gpr[i] != b->regs.gpr[i])
			ktap_diag("  register %d: %llx, here %llx", i, a->regs.gpr[i], b->regs.gpr[i]);
	if (a->regs.rip != b->regs.rip || a->regs.rflags != b->regs.rflags)
		ktap_diag("  eip %llx flags %llx, here %llx %llx", a->regs.rip, a->regs.rflags, b->regs.rip, b->regs.rflags);
	for (i = 0; !memory && i < (int)GUEST_RAM; i++)
		if (a->memory[i] != b->memory[i]) {
			ktap_diag("  memory at %x: %02x, here %02x", i, a->memory[i], b->memory[i]);
			break;
		}
	return false;
}

static const struct {
	const char *name;
	struct btvm_config config;
} modes[] = {
	{ "monitor", { .breakpoints = 4 } },
	{ "one breakpoint", { .breakpoints = 1 } },
	{ "monitor off", { .breakpoints = 4, .flags = BTVM_CONFIG_MONITOR_OFF } },
	{ "verify", { .breakpoints = 4, .flags = BTVM_CONFIG_VERIFY } },
};

#define MODES 4

static struct guest interpreted, guests[MODES];

/* Runs one piece everywhere and counts in which modes it does something else. */
static void compare(const char *name, const void *code, size_t size, unsigned int *different)
{
	struct outcome expected, got;
	int mode;

	run_one(&interpreted, code, size, &expected);
	if (expected.reason == BTVM_EXIT_DEADLINE)
		ktap_diag("%s does not end", name);
	for (mode = 0; mode < MODES; mode++) {
		run_one(&guests[mode], code, size, &got);
		different[mode] += !same(name, modes[mode].name, &expected, &got) || got.reason == BTVM_EXIT_DEADLINE;
	}
}

static void check_pieces(void)
{
	const struct snippet *snippet;
	unsigned int different[MODES] = {};
	int mode;

	for (snippet = __start_snippets; snippet < __stop_snippets; snippet++)
		compare(snippet->name, snippet->code, sizeof(snippet->code), different);
	for (mode = 0; mode < MODES; mode++)
		ktap_result(!different[mode], "%s: %d pieces of unusual code do what they do interpreted", modes[mode].name,
			    (int)(__stop_snippets - __start_snippets));
}

static void check_interrupts(void)
{
	unsigned int different[MODES] = {}, vector;
	int mode;

	for (vector = 0; vector < 256; vector++) {
		const uint8_t code[] = { 0xcd, vector, 0xf4 };
		char name[16];

		snprintf(name, sizeof(name), "INT %02xh", vector);
		compare(name, code, sizeof(code), different);
		for (mode = 0; mode < MODES; mode++)
			different[mode] += guest_regs(&guests[mode]).gpr[3] != 0xe000 + vector;
	}
	for (mode = 0; mode < MODES; mode++)
		ktap_result(!different[mode], "%s: INT n for all n arrives at the guest's own handler", modes[mode].name);
}

int main(void)
{
	const struct btvm_config interpret = { .breakpoints = 4, .flags = BTVM_CONFIG_INTERPRET };
	int mode;

	ktap_plan(3 * MODES);
	guest_create(&interpreted, &interpret);
	for (mode = 0; mode < MODES; mode++)
		guest_create(&guests[mode], &modes[mode].config);
	make_image(&interpreted);
	check_pieces();
	check_interrupts();
	for (mode = 0; mode < MODES; mode++) {
		ktap_result(guest_stats(&guests[mode]).world_switches > 0, "%s: it did run natively", modes[mode].name);
		guest_destroy(&guests[mode]);
	}
	guest_destroy(&interpreted);
	return ktap_finish();
}

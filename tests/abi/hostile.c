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
	outcome->reason = guest_run_for(g, 300);
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

static struct guest interpreted;

static void check_mode(const char *mode, unsigned int flags, unsigned int breakpoints)
{
	const struct btvm_config config = { .breakpoints = breakpoints, .flags = flags };
	const struct snippet *snippet;
	struct outcome expected, got;
	unsigned int vector, different = 0, count = 0;
	struct guest g;

	guest_create(&g, &config);
	for (snippet = __start_snippets; snippet < __stop_snippets; snippet++) {
		run_one(&interpreted, snippet->code, sizeof(snippet->code), &expected);
		run_one(&g, snippet->code, sizeof(snippet->code), &got);
		different += !same(snippet->name, mode, &expected, &got);
		count++;
	}
	ktap_result(!different, "%s: %u pieces of unusual code do what they do interpreted", mode, count);
	different = 0;
	for (vector = 0; vector < 256; vector++) {
		const uint8_t code[] = { 0xcd, vector, 0xf4 };
		char name[16];

		snprintf(name, sizeof(name), "INT %02xh", vector);
		run_one(&interpreted, code, sizeof(code), &expected);
		run_one(&g, code, sizeof(code), &got);
		different += !same(name, mode, &expected, &got);
		different += got.regs.gpr[3] != 0xe000 + vector;
	}
	ktap_result(!different, "%s: INT n for all n arrives at the guest's own handler", mode);
	ktap_result(guest_stats(&g).world_switches > 0, "%s: it did run natively", mode);
	guest_destroy(&g);
}

int main(void)
{
	const struct btvm_config config = { .breakpoints = 4, .flags = BTVM_CONFIG_INTERPRET };

	ktap_plan(12);
	guest_create(&interpreted, &config);
	make_image(&interpreted);
	check_mode("monitor", 0, 4);
	check_mode("one breakpoint", 0, 1);
	check_mode("monitor off", BTVM_CONFIG_MONITOR_OFF, 4);
	check_mode("verify", BTVM_CONFIG_VERIFY, 4);
	guest_destroy(&interpreted);
	return ktap_finish();
}

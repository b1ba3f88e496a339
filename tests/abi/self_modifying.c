// SPDX-License-Identifier: GPL-2.0
/* Code that changes while it runs natively: by itself, by DMA between runs, and across the border of pages. */
#include "guest.h"

/* Patches the immediate of the ADD it is about to execute, from 1 to 100, and adds it up: 5050. */
GUEST_CODE32(patch_ahead, "xor %eax, %eax\n mov $1, %ecx\n 1: mov %ecx, " AT(patch_ahead, "2f") " + 1\n jmp 2f\n"
	"2: add $0x11111111, %eax\n inc %ecx\n cmp $101, %ecx\n jne 1b\n hlt");
/* The same within one run of straight code: the very next instruction is the one patched. */
GUEST_CODE32(patch_next, "xor %eax, %eax\n mov $1, %ecx\n 1: mov %ecx, " AT(patch_next, "2f") " + 1\n"
	"2: add $0x11111111, %eax\n inc %ecx\n cmp $101, %ecx\n jne 1b\n hlt");
/* Turns a harmless instruction into a sensitive one and back: PUSHF (9C) must show the guest's own flags. */
GUEST_CODE32(patch_sensitive, "mov $50, %ecx\n 1: movb $0x9c, " AT(patch_sensitive, "2f") "\n call 2f\n test $0x3200, %eax\n jnz 3f\n"
	"movb $0x50, " AT(patch_sensitive, "2f") "\n call 2f\n dec %ecx\n jnz 1b\n mov $0x600d, %ebx\n hlt\n"
	"2: push %eax\n pop %eax\n ret\n 3: mov $0xbad, %ebx\n hlt");
/* A subroutine in the next page, its first instruction across the border; patched by the code before it. */
GUEST_CODE32(page_crossing, "xor %eax, %eax\n mov $1, %ecx\n 1: mov %ecx, 0x11000 - 2 + 1\n call 0x11000 - 2 - 0x10000 + page_crossing\n"
	"inc %ecx\n cmp $101, %ecx\n jne 1b\n hlt\n .org page_crossing + 0x1000 - 2\n add $0x11111111, %eax\n ret");
/* Copies a subroutine to fresh memory again and again, and calls each copy. */
GUEST_CODE32(copies, "cld\n xor %eax, %eax\n mov $0x20000, %edx\n 1: mov $" AT(copies, "2f") ", %esi\n mov %edx, %edi\n mov $16, %ecx\n"
	"rep movsb\n call *%edx\n add $0x333, %edx\n cmp $0x40000, %edx\n jb 1b\n hlt\n 2: inc %eax\n ret\n .fill 16, 1, 0xcc");
/* Data beside code: writes to a page that is watched, which hit no instruction. */
GUEST_CODE32(data_beside, "mov $2000, %ecx\n 1: incl " AT(data_beside, "2f") "\n dec %ecx\n jnz 1b\n mov " AT(data_beside, "2f")
	", %eax\n hlt\n .balign 4\n 2: .long 0");
/* Calls a subroutine over and over, until what is there halts. */
GUEST_CODE32(called, "1: call 0x10000 + called\n incl 0x8000\n jmp 1b\n .org called + 0x10000\n ret");
/* A string instruction that overwrites what comes after it. */
GUEST_CODE32(overrun, "cld\n mov $0x600d, %ebx\n mov $" AT(overrun, "2f") ", %edi\n mov $0xf4f4f4f4, %eax\n mov $16, %ecx\n rep stosl\n"
	"2: mov $0xbad, %ebx\n hlt\n .fill 64, 1, 0x90");

static void expect(const char *mode, unsigned int flags, const char *name, const uint8_t *code, const uint8_t *end, int reg,
		   uint32_t value)
{
	const struct btvm_config config = { .breakpoints = 4, .flags = flags | BTVM_CONFIG_TRACE };
	struct guest g;
	int reason;

	guest_create(&g, &config);
	guest_start_flat(&g, code, end - code);
	reason = guest_run(&g);
	if (reason != BTVM_EXIT_HALTED || guest_regs(&g).gpr[reg] != value) {
		guest_print(&g);
		guest_print_trace(&g);
	}
	ktap_result(reason == BTVM_EXIT_HALTED && guest_regs(&g).gpr[reg] == value, "%s: %s", mode, name);
	guest_destroy(&g);
}

/* The caller writes the code while the guest is out of BTVM_RUN, and says so. */
static void check_dma(const char *mode, unsigned int flags)
{
	const struct btvm_config config = { .breakpoints = 4, .flags = flags };
	volatile uint32_t *rounds;
	struct btvm_stats stats;
	struct guest g;
	int i, tries, good = 0;

	guest_create(&g, &config);
	rounds = (volatile uint32_t *)(g.ram + 0x8000);
	guest_start_flat(&g, called, called_end - called);
	for (i = 0; i < 10; i++) {
		const uint32_t value = 0x1000 + i;
		const uint8_t code[] = { 0xb8, value, value >> 8, 0, 0, 0xc3 }; /* mov $value, %eax; ret */
		const uint32_t before = *rounds;

		memcpy(g.ram + GUEST_CODE + 0x10000, code, sizeof(code));
		guest_written(&g, GUEST_CODE + 0x10000, sizeof(code));
		for (tries = 0; tries < 100 && *rounds < before + 2; tries++)
			if (guest_run_for(&g, 10) != BTVM_EXIT_DEADLINE)
				break;
		good += *rounds >= before + 2 && guest_regs(&g).gpr[0] == value;
	}
	stats = guest_stats(&g);
	ktap_diag("%d of 10 right; %llu pages dropped, %llu rounds", good, stats.code_pages_dropped, (unsigned long long)*rounds);
	ktap_result(good == 10, "%s: code that DMA wrote between runs is executed", mode);
	g.ram[GUEST_CODE + 0x10000] = 0xf4;
	guest_written(&g, GUEST_CODE + 0x10000, 1);
	ktap_result(guest_run(&g) == BTVM_EXIT_HALTED, "%s: and at once", mode);
	guest_destroy(&g);
}

static void check_all(const char *mode, unsigned int flags)
{
	expect(mode, flags, "a loop that patches an instruction behind a jump", patch_ahead, patch_ahead_end, 0, 5050);
	expect(mode, flags, "a loop that patches its very next instruction", patch_next, patch_next_end, 0, 5050);
	expect(mode, flags, "a plain instruction that becomes a sensitive one", patch_sensitive, patch_sensitive_end, 3, 0x600d);
	expect(mode, flags, "a patched instruction across two pages", page_crossing, page_crossing_end, 0, 5050);
	expect(mode, flags, "fresh copies of a subroutine", copies, copies_end, 0, 161);
	expect(mode, flags, "data in a page of code", data_beside, data_beside_end, 0, 2000);
	expect(mode, flags, "a string store over the code that follows", overrun, overrun_end, 3, 0x600d);
	check_dma(mode, flags);
}

int main(void)
{
	ktap_plan(36);
	check_all("monitor", 0);
	check_all("monitor off", BTVM_CONFIG_MONITOR_OFF);
	check_all("verify", BTVM_CONFIG_VERIFY);
	check_all("interpreted", BTVM_CONFIG_INTERPRET);
	return ktap_finish();
}

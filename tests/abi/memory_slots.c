// SPDX-License-Identifier: GPL-2.0
/* What natively running code sees of memory: RAM, ROM, holes, borders of slots, and address line 20. */
#include "guest.h"

#define ROM 0x200000u
#define NEXT 0x100000u /* a slot right behind the RAM */
#define SIZE 0x10000u
#define WRAPPED (1u << 20)

/* Writes to ROM vanish, by every kind of instruction; EAX gets what is read back, EBX what the ROM's own code returns. */
GUEST_CODE32(rom, "movl $0x12345678, 0x200010\n mov 0x200010, %eax\n incl 0x200014\n mov 0x200014, %ecx\n mov $0x200020, %edi\n"
	"mov $8, %ecx\n rep stosl\n xchg %edx, 0x200018\n mov $0x200100, %esi\n call *%esi\n hlt");
/* ROM code that calls itself a few times and writes over itself. */
GUEST_CODE32(rom_code, "mov $5, %edi\n 1: movb $0xf4, 0x200100\n call 2f\n dec %edi\n jnz 1b\n mov $0x600d, %ebx\n ret\n 2: pushf\n pop %edx\n ret");
/* Where no slot is: all ones, and writes vanish. */
GUEST_CODE32(hole, "mov 0x180000, %eax\n movl $1, 0x180000\n mov 0x180000, %ecx\n mov 0xfee00030, %edx\n lock incl 0x180000\n"
	"mov $0x180000, %esi\n mov $0x20000, %edi\n mov $4, %ecx\n cld\n rep movsl\n mov 0x20000, %ebx\n hlt");
/* Across the border of two slots, at an odd address. */
GUEST_CODE32(border, "movl $0x11223344, 0xffffd\n mov 0xffffd, %eax\n movzbl 0x100000, %ebx\n mov $0xffffe, %esp\n push %eax\n pop %ecx\n"
	"mov $0x90000, %esp\n hlt");
/* With line 20 masked 100000h is 0 again, for data and for code. */
GUEST_CODE32(wrap, "movl $0xaabbccdd, 0x108000\n mov 0x8000, %eax\n movl $0x55, 0x8004\n mov 0x108004, %ebx\n ljmp $8, $0x100000 + "
	AT(wrap, "1f") "\n 1: call 2f\n pushf\n pop %edx\n mov $0x600d, %ecx\n hlt\n 2: movb $0x41, 0x110000 - 0x10000 + " AT(wrap, "3f")
	"\n 3: inc %esi\n ret");

static const struct {
	const char *name;
	unsigned int flags;
} modes[] = {
	{ "monitor", 0 },
	{ "monitor off", BTVM_CONFIG_MONITOR_OFF },
	{ "verify", BTVM_CONFIG_VERIFY },
	{ "interpreted", BTVM_CONFIG_INTERPRET },
};

static uint8_t *add_slot(int vm, unsigned int slot, uint32_t flags, uint32_t address)
{
	struct btvm_userspace_memory_region region = {
		.slot = slot,
		.flags = flags,
		.guest_phys_addr = address,
		.memory_size = SIZE,
	};
	uint8_t *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	region.userspace_addr = (uintptr_t)memory;
	if (memory == MAP_FAILED || ioctl(vm, BTVM_SET_USER_MEMORY_REGION, &region))
		ktap_bail("no more guest memory");
	return memory;
}

static struct btvm_regs run(struct guest *g, const uint8_t *code, const uint8_t *end, bool *halted)
{
	guest_start_flat(g, code, end - code);
	*halted = guest_run(g) == BTVM_EXIT_HALTED;
	if (!*halted)
		guest_print(g);
	return guest_regs(g);
}

static void check_mode(const char *name, unsigned int flags)
{
	const struct btvm_config config = { .breakpoints = 4, .flags = flags };
	uint8_t *rom_memory, *next_memory;
	struct btvm_regs regs;
	struct guest g;
	bool halted, same = true;
	int i;

	g.system = open_btvm();
	g.vm = ioctl(g.system, BTVM_CREATE_VM, 0);
	guest_memory(&g);
	rom_memory = add_slot(g.vm, 1, BTVM_MEM_READONLY, ROM);
	next_memory = add_slot(g.vm, 2, 0, NEXT);
	ioctl(g.vm, BTVM_SET_CONFIG, &config);
	g.vcpu = ioctl(g.vm, BTVM_CREATE_VCPU, 0);
	g.run = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, g.vcpu, 0);
	if (g.vcpu < 0 || g.run == MAP_FAILED)
		ktap_bail("no vCPU");

	memset(rom_memory, 0x3c, SIZE);
	memcpy(rom_memory + 0x100, rom_code, rom_code_end - rom_code);
	regs = run(&g, rom, rom_end, &halted);
	for (i = 0; i < 0x100; i++)
		same &= rom_memory[i] == 0x3c;
	ktap_result(halted && same && regs.gpr[0] == 0x3c3c3c3c && regs.gpr[3] == 0x600d && rom_memory[0x100] == rom_code[0],
		    "%s: ROM keeps what it holds, and its code runs", name);
	regs = run(&g, hole, hole_end, &halted);
	ktap_result(halted && regs.gpr[0] == 0xffffffff && regs.gpr[1] == 0 && regs.gpr[2] == 0xffffffff && regs.gpr[3] == 0xffffffff,
		    "%s: what no slot covers reads all ones", name);
	regs = run(&g, border, border_end, &halted);
	ktap_result(halted && regs.gpr[0] == 0x11223344 && regs.gpr[3] == 0x11 && regs.gpr[1] == 0x11223344 && next_memory[0] == 0x11,
		    "%s: an access across two slots", name);
	ioctl(g.vcpu, BTVM_SET_A20, 0);
	memset(next_memory, 0, SIZE);
	regs = run(&g, wrap, wrap_end, &halted);
	same = true;
	for (i = 0; i < (int)SIZE; i++)
		same &= !next_memory[i];
	ktap_result(halted && same && regs.gpr[0] == 0xaabbccdd && regs.gpr[3] == 0x55 && regs.gpr[1] == 0x600d && regs.rip > WRAPPED,
		    "%s: with address line 20 masked, a megabyte up is the same memory", name);
	ktap_result(halted && regs.gpr[6] == 0 && !(regs.gpr[2] & 0x3200), "%s: also for code that is written through it", name);
	ioctl(g.vcpu, BTVM_SET_A20, 1);
	memcpy(next_memory + 0x8000, "\x77", 1);
	guest_start_flat(&g, hole, hole_end - hole);
	halted = guest_run(&g) == BTVM_EXIT_HALTED;
	ktap_result(halted && next_memory[0x8000] == 0x77, "%s: and with it let through again it is not", name);
	guest_destroy(&g);
	munmap(rom_memory, SIZE);
	munmap(next_memory, SIZE);
}

int main(void)
{
	size_t i;

	ktap_plan(24);
	for (i = 0; i < 4; i++)
		check_mode(modes[i].name, modes[i].flags);
	return ktap_finish();
}

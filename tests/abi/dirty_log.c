// SPDX-License-Identifier: GPL-2.0
/* BTVM_GET_DIRTY_LOG: every page that was written is in it, once, and no other; however the guest runs and writes. */
#include "guest.h"

#define UNREADABLE 0xffff888000000000ul
#define WORDS (GUEST_RAM / 4096 / 64)
#define DIRECTORY 0x80000u
#define TABLE 0x81000u
#define PORT 0xe0
#define FEW 0x200000u /* a slot of three pages */

/*
 * With EBP not 0 turns paging on. Then, for ever: writes in several ways, with OUT between them. All addresses are their own
 * physical ones.
 */
GUEST_CODE32(writer, "test %ebp, %ebp\n jz 1f\n mov $0x80000, %eax\n mov %eax, %cr3\n mov %cr0, %eax\n or $0x80010000, %eax\n"
		     "mov %eax, %cr0\n 1: out %al, $0xe0\n"
		     "movl $1, 0x20000\n movl $2, 0x20ffc\n incl 0x22000\n movl $3, 0x24ffe\n out %al, $0xe0\n"
		     "mov 0x30000, %eax\n cmpl $7, 0x20000\n out %al, $0xe0\n"
		     "mov $0x40800, %edi\n mov $0x800, %ecx\n cld\n rep stosl\n out %al, $0xe0\n"
		     "mov $0x50000, %edi\n mov $0xe1, %edx\n mov $16, %ecx\n rep insb\n out %al, $0xe0\n"
		     "mov $0x98004, %esp\n push %eax\n lock xadd %eax, 0x20004\n out %al, $0xe0\n"
		     "jmp 1b");

static const struct {
	const char *what;
	uint8_t pages[4]; /* 0 ends them */
} steps[] = {
	{ "stores, also across a border", { 0x20, 0x22, 0x24, 0x25 } },
	{ "reads leave no mark", { 0 } },
	{ "rep stos", { 0x40, 0x41, 0x42 } },
	{ "rep ins", { 0x50 } },
	{ "push and xadd", { 0x20, 0x98 } },
};

#define STEPS (sizeof(steps) / sizeof(steps[0]))

static const struct {
	const char *name;
	unsigned int flags;
	bool paging;
} modes[] = {
	{ "monitor", 0, false },
	{ "monitor, paging", 0, true },
	{ "monitor off", BTVM_CONFIG_MONITOR_OFF, false },
	{ "monitor off, paging", BTVM_CONFIG_MONITOR_OFF, true },
	{ "verify, paging", BTVM_CONFIG_VERIFY, true },
	{ "interpreted", BTVM_CONFIG_INTERPRET, false },
	{ "interpreted, paging", BTVM_CONFIG_INTERPRET, true },
};

#define MODES (sizeof(modes) / sizeof(modes[0]))

static int call(int fd, unsigned long request, const void *argument)
{
	errno = 0;
	return ioctl(fd, request, argument) < 0 ? errno : 0;
}

static int take(struct guest *g, uint32_t slot, uint64_t *bitmap)
{
	const struct btvm_dirty_log log = { .slot = slot, .dirty_bitmap = (uintptr_t)bitmap };

	return call(g->vm, BTVM_GET_DIRTY_LOG, &log);
}

static bool is_set(const uint64_t *bitmap, unsigned int page)
{
	return bitmap[page / 64] >> page % 64 & 1;
}

/* The log has these pages and no others; the page tables may be there, whose accessed and dirty bits are set. */
static bool has_only(const uint64_t *bitmap, const uint8_t *pages)
{
	bool wanted, ok = true;
	unsigned int page, i;

	for (page = 0; page < GUEST_RAM / 4096; page++) {
		if (page == DIRECTORY / 4096 || page == TABLE / 4096)
			continue;
		wanted = false;
		for (i = 0; i < 4 && pages[i]; i++)
			wanted |= pages[i] == page;
		if (is_set(bitmap, page) == wanted)
			continue;
		ktap_diag("page %x is %sin the log", page, wanted ? "not " : "");
		ok = false;
	}
	return ok;
}

/* Until the next OUT; the port read gets some bytes. */
static bool next_step(struct guest *g)
{
	for (;;) {
		if (guest_run(g) != BTVM_EXIT_IO) {
			guest_print(g);
			return false;
		}
		if (g->run->io.direction == BTVM_EXIT_IO_OUT)
			return true;
		memset((uint8_t *)g->run + g->run->io.data_offset, 0x5a, g->run->io.count * g->run->io.size);
	}
}

static void check_mode(const char *name, unsigned int flags, bool paging)
{
	const struct btvm_config config = { .breakpoints = 4, .flags = flags };
	uint64_t bitmap[WORDS], tables[WORDS] = { 0 };
	struct btvm_regs regs;
	struct guest g;
	unsigned int i, round;
	bool ok[STEPS] = { false }, began;

	guest_create(&g, &config);
	for (i = 0; i < 256; i++)
		((uint32_t *)(g.ram + TABLE))[i] = i << 12 | 3;
	((uint32_t *)(g.ram + DIRECTORY))[0] = TABLE | 3;
	guest_start_flat(&g, writer, writer_end - writer);
	regs = guest_regs(&g);
	regs.gpr[5] = paging;
	guest_set(&g, NULL, &regs);
	began = !take(&g, 0, bitmap) && next_step(&g);
	for (round = 0; began && round < 4; round++) {
		began = !take(&g, 0, bitmap);
		for (i = 0; began && i < STEPS; i++) {
			began = next_step(&g) && !take(&g, 0, bitmap);
			ok[i] = began && has_only(bitmap, steps[i].pages) && (round == 0 || ok[i]);
			tables[2] |= bitmap[2];
		}
		/* The OUT at the loop's beginning. */
		began = began && next_step(&g);
	}
	for (i = 0; i < STEPS; i++)
		ktap_result(began && ok[i], "%s: %s", name, steps[i].what);
	ktap_result(!paging || (is_set(tables, TABLE / 4096) && ((uint32_t *)(g.ram + TABLE))[0x20] == (0x20000 | 0x63)),
		    "%s: and the page tables whose bits were set", name);
	guest_destroy(&g);
}

static void check_arguments(void)
{
	struct btvm_dirty_log log = { .dirty_bitmap = UNREADABLE };
	uint64_t bitmap[WORDS + 1];
	struct guest g;
	int empty;

	guest_create(&g, NULL);
	empty = ioctl(g.system, BTVM_CREATE_VM, 0);
	ktap_result(ioctl(g.system, BTVM_CHECK_EXTENSION, BTVM_CAP_DIRTY_LOG) == 1, "the capability says so");
	ktap_result(call(g.vm, BTVM_GET_DIRTY_LOG, NULL) == EFAULT && call(g.vm, BTVM_GET_DIRTY_LOG, (void *)UNREADABLE) == EFAULT &&
			    call(g.vm, BTVM_GET_DIRTY_LOG, &log) == EFAULT,
		    "what cannot be read or written: EFAULT");
	log.dirty_bitmap = (uintptr_t)bitmap;
	log.slot = 16;
	ktap_result(call(g.vm, BTVM_GET_DIRTY_LOG, &log) == EINVAL && call(empty, BTVM_GET_DIRTY_LOG, &log) == EINVAL,
		    "no such slot: EINVAL");
	log.slot = 0;
	ktap_result(call(empty, BTVM_GET_DIRTY_LOG, &log) == ENXIO, "no vCPU: ENXIO");
	log.padding = 1;
	ktap_result(call(g.vm, BTVM_GET_DIRTY_LOG, &log) == EINVAL, "padding that is not 0: EINVAL");
	ktap_result(take(&g, 1, bitmap) == ENOENT && take(&g, 15, bitmap) == ENOENT, "a slot that is not in use: ENOENT");
	close(empty);

	guest_written(&g, 0, GUEST_RAM);
	memset(bitmap, 0x5a, sizeof(bitmap));
	ktap_result(!take(&g, 0, bitmap) && !~(bitmap[0] & bitmap[1] & bitmap[2] & bitmap[3]) && bitmap[4] == 0x5a5a5a5a5a5a5a5aull,
		    "what the caller has written is in the log, and nothing behind it is touched");
	ktap_result(!take(&g, 0, bitmap) && !(bitmap[0] | bitmap[1] | bitmap[2] | bitmap[3]), "but only once");
	guest_written(&g, 0x60fff, 2);
	guest_written(&g, GUEST_RAM - 1, 1ull << 40);
	ktap_result(!take(&g, 0, bitmap) && bitmap[1] == 3ull << 32 && bitmap[3] == 1ull << 63 && !(bitmap[0] | bitmap[2]),
		    "page by page");
	guest_destroy(&g);
}

static void check_small_slot(void)
{
	struct btvm_userspace_memory_region region = { .slot = 7, .guest_phys_addr = FEW, .memory_size = 3 * 4096 };
	uint64_t bitmap[2] = { ~0ull, ~0ull };
	struct guest g;
	void *memory = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	region.userspace_addr = (uintptr_t)memory;
	g.system = open_btvm();
	g.vm = ioctl(g.system, BTVM_CREATE_VM, 0);
	guest_memory(&g);
	if (ioctl(g.vm, BTVM_SET_USER_MEMORY_REGION, &region))
		ktap_bail("no more guest memory");
	g.vcpu = ioctl(g.vm, BTVM_CREATE_VCPU, 0);
	g.run = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, g.vcpu, 0);
	if (g.vcpu < 0 || g.run == MAP_FAILED)
		ktap_bail("no vCPU");
	guest_written(&g, FEW + 0x1000, 0x2000);
	ktap_result(!take(&g, 7, bitmap) && bitmap[0] == 6 && bitmap[1] == ~0ull, "a slot of three pages has one word");
	guest_destroy(&g);
	munmap(memory, 3 * 4096);
}

int main(void)
{
	size_t i;

	ktap_plan(10 + MODES * (STEPS + 1));
	check_arguments();
	check_small_slot();
	for (i = 0; i < MODES; i++)
		check_mode(modes[i].name, modes[i].flags, modes[i].paging);
	return ktap_finish();
}

// SPDX-License-Identifier: GPL-2.0
/* Port 80h, and REP INS and REP OUTS: many accesses in one exit, exactly as many as were asked for, whatever userland does meanwhile. */
#include "guest.h"

#define PORT 0x1f0
#define DATA 0x20000u
#define ROOM (4096 - sizeof(struct btvm_run))

GUEST_CODE32(in_words, "mov $0x20000, %edi\n mov $0x1f0, %dx\n mov $2000, %ecx\n cld\n rep insw\n hlt");
GUEST_CODE32(out_dwords, "mov $0x20000, %esi\n mov $0x1f0, %dx\n mov $1000, %ecx\n cld\n rep outsl\n hlt");
GUEST_CODE32(in_bytes, "mov $0x20000, %edi\n mov $0x1f0, %dx\n mov $100, %ecx\n cld\n rep insb\n hlt");
GUEST_CODE32(post, "mov $0x5a, %al\n out %al, $0xed\n out %al, $0x80\n hlt");
GUEST_CODE32(in_down, "mov $0x20000, %edi\n mov $0x1f0, %dx\n mov $3, %ecx\n std\n rep insb\n hlt");

static const struct {
	const char *name;
	unsigned int flags;
} modes[] = {
	{ "monitor", 0 },
	{ "monitor off", BTVM_CONFIG_MONITOR_OFF },
	{ "interpreted", BTVM_CONFIG_INTERPRET },
};

static uint8_t *io_data(struct guest *g)
{
	return (uint8_t *)g->run + g->run->io.data_offset;
}

static bool asks(struct guest *g, unsigned int direction, unsigned int size)
{
	return guest_run(g) == BTVM_EXIT_IO && g->run->io.direction == direction && g->run->io.size == size &&
	       g->run->io.port == PORT && g->run->io.count &&
	       g->run->io.data_offset + (uint64_t)g->run->io.count * size <= 4096;
}

static void check_in(struct guest *g, const char *mode)
{
	unsigned int done = 0, exits = 0, i;
	bool ok = true;

	guest_start_flat(g, in_words, in_words_end - in_words);
	while (done < 2000 && asks(g, BTVM_EXIT_IO_IN, 2)) {
		uint16_t *data = (uint16_t *)io_data(g);

		for (i = 0; i < g->run->io.count; i++)
			data[i] = 3 * (done + i);
		done += i;
		exits++;
	}
	ok &= guest_run(g) == BTVM_EXIT_HALTED && done == 2000;
	for (i = 0; i < 2000; i++)
		ok &= ((uint16_t *)(g->ram + DATA))[i] == 3 * i;
	/* 4000 bytes, all in one page: what the run page holds, and the rest. */
	ktap_result(ok && exits == 2, "%s: 2000 words are read in 2 exits (%u)", mode, exits);
}

static void check_out(struct guest *g, const char *mode)
{
	unsigned int done = 0, exits = 0, i;
	bool ok = true;

	for (i = 0; i < 1000; i++)
		((uint32_t *)(g->ram + DATA))[i] = 0x10000 * i + 7;
	guest_start_flat(g, out_dwords, out_dwords_end - out_dwords);
	while (done < 1000 && asks(g, BTVM_EXIT_IO_OUT, 4)) {
		for (i = 0; i < g->run->io.count; i++)
			ok &= ((uint32_t *)io_data(g))[i] == 0x10000 * (done + i) + 7;
		done += i;
		exits++;
	}
	ok &= guest_run(g) == BTVM_EXIT_HALTED && done == 1000;
	ktap_result(ok && exits == 2, "%s: 1000 doublewords are written in 2 exits (%u)", mode, exits);
}

/* What userland does to the description of the exit does not matter. */
static void check_hostile(struct guest *g, const char *mode)
{
	static const uint32_t counts[] = { 0, 1, 101, 3585, 0x7fffffff, ~0u };
	bool ok = true;
	unsigned int i, n;

	for (n = 0; n < sizeof(counts) / sizeof(counts[0]); n++) {
		memset(g->ram + DATA, 0xee, 8192);
		guest_start_flat(g, in_bytes, in_bytes_end - in_bytes);
		ok &= asks(g, BTVM_EXIT_IO_IN, 1) && g->run->io.count == 100;
		memset(io_data(g), 0x11, ROOM);
		memset(&g->run->io, 0xff, sizeof(g->run->io));
		g->run->io.count = counts[n];
		ok &= guest_run(g) == BTVM_EXIT_HALTED && guest_regs(g).gpr[1] == 0 && guest_regs(g).gpr[7] == DATA + 100;
		for (i = 0; i < 8192; i++)
			ok &= g->ram[DATA + i] == (i < 100 ? 0x11 : 0xee);
	}
	ktap_result(ok, "%s: a count, size and offset that userland has changed are not believed", mode);
}

static void check_restored(struct guest *g, const char *mode)
{
	struct btvm_regs regs;
	bool ok;

	memset(g->ram + DATA, 0xee, 8192);
	guest_start_flat(g, in_bytes, in_bytes_end - in_bytes);
	ok = asks(g, BTVM_EXIT_IO_IN, 1) && g->run->io.count == 100;
	memset(io_data(g), 0x11, 100);
	regs = guest_regs(g);
	ok &= regs.gpr[1] == 100 && regs.gpr[7] == DATA;
	regs.gpr[1] = 10;
	guest_set(g, NULL, &regs);
	ok &= asks(g, BTVM_EXIT_IO_IN, 1) && g->run->io.count == 10 && g->ram[DATA] == 0xee;
	memset(io_data(g), 0x22, 10);
	ok &= guest_run(g) == BTVM_EXIT_HALTED && g->ram[DATA] == 0x22 && g->ram[DATA + 9] == 0x22 && g->ram[DATA + 10] == 0xee;
	ktap_result(ok, "%s: registers set in between drop the answer, and the guest asks again", mode);
}

static void check_down(struct guest *g, const char *mode)
{
	unsigned int i;
	bool ok = true;

	guest_start_flat(g, in_down, in_down_end - in_down);
	for (i = 0; i < 3; i++) {
		ok &= asks(g, BTVM_EXIT_IO_IN, 1) && g->run->io.count == 1;
		*io_data(g) = i;
	}
	ok &= guest_run(g) == BTVM_EXIT_HALTED && g->ram[DATA] == 0 && g->ram[DATA - 1] == 1 && g->ram[DATA - 2] == 2;
	ktap_result(ok, "%s: downwards they come one by one", mode);
}

static void check_post(const struct btvm_config *config, const char *mode)
{
	struct btvm_config told = *config;
	struct guest g;
	bool ok;

	guest_create(&g, config);
	guest_start_flat(&g, post, post_end - post);
	ktap_result(guest_run(&g) == BTVM_EXIT_HALTED, "%s: bytes written to port 80h are delays", mode);
	told.flags |= BTVM_CONFIG_POST_PORT;
	guest_start_flat(&g, post, post_end - post);
	ok = !ioctl(g.vm, BTVM_SET_CONFIG, &told) && guest_run(&g) == BTVM_EXIT_IO && g.run->io.port == 0x80 &&
	     g.run->io.direction == BTVM_EXIT_IO_OUT && g.run->io.size == 1 && *io_data(&g) == 0x5a;
	ktap_result(ok && guest_run(&g) == BTVM_EXIT_HALTED, "%s: with BTVM_CONFIG_POST_PORT they are exits", mode);
	guest_destroy(&g);
}

int main(void)
{
	unsigned int i;

	ktap_plan(21);
	for (i = 0; i < 3; i++) {
		const struct btvm_config config = { .breakpoints = 4, .flags = modes[i].flags };
		struct guest g;

		check_post(&config, modes[i].name);
		guest_create(&g, &config);
		check_in(&g, modes[i].name);
		check_out(&g, modes[i].name);
		check_hostile(&g, modes[i].name);
		check_restored(&g, modes[i].name);
		check_down(&g, modes[i].name);
		guest_destroy(&g);
	}
	return ktap_finish();
}

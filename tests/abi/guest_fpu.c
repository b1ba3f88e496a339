// SPDX-License-Identifier: GPL-2.0
/* The guest's own x87 and SSE registers: they start in the state after RESET, hold nothing of the host's, and keep their values
 * over exits, runs, and other guests. */
#include "guest.h"

#define ENABLE_SSE "mov %cr4, %eax\n or $0x200, %eax\n mov %eax, %cr4\n"

/*
 * Everything there is, as it is found. FXSAVE is at 8000h; the upper halves of the first YMM registers would follow at 8400h,
 * but a guest has no AVX: it ends in the handler of #UD (at 100h).
 */
GUEST_CODE32(look, ENABLE_SSE "fxsave 0x8000\n fnstenv 0x8200\n hlt");
/* The pointers to the last x87 instruction, over an exit. */
GUEST_CODE32(pointers, "fninit\n fldl 0x8000\n in $0x80, %al\n fnstenv 0x8200\n hlt");
GUEST_CODE32(look_high, "movl $0xe006, %ebx\n vextractf128 $1, %ymm0, 0x8400\n vextractf128 $1, %ymm5, 0x8410\n"
	"vextractf128 $1, %ymm7, 0x8420\n mov $0x600d, %ebx\n hlt\n .org look_high + 0x100\n hlt");
/* Sums of 1/1 to 1/n, with a port access (an exit) and a call in each round; the result is at 8000h. */
GUEST_CODE32(harmonic, "finit\n fldz\n fld1\n movl $1, 0x8010\n"
	"1: fildl 0x8010\n fdivr %st(1), %st\n faddp %st, %st(2)\n"
	"call 2f\n in $0x80, %al\n incl 0x8010\n cmpl $40, 0x8010\n jbe 1b\n fstp %st\n fstpl 0x8000\n hlt\n"
	"2: pushf\n popf\n ret");
/* Integer sums in all eight XMM registers, with exits; the registers go to 8000h. */
GUEST_CODE32(vectors, ENABLE_SSE "mov $8, %ecx\n mov $0x8000, %edi\n movd %ecx, %xmm1\n pshufd $0, %xmm1, %xmm1\n movdqa %xmm1, %xmm0\n"
	"movdqa %xmm1, %xmm2\n paddd %xmm1, %xmm2\n movdqa %xmm2, %xmm3\n paddd %xmm1, %xmm3\n movdqa %xmm3, %xmm4\n"
	"mov $50, %ecx\n 1: paddd %xmm1, %xmm0\n paddd %xmm2, %xmm0\n in $0x80, %al\n pxor %xmm3, %xmm4\n pxor %xmm3, %xmm4\n"
	"dec %ecx\n jnz 1b\n"
	"movdqu %xmm0, (%edi)\n movdqu %xmm4, 16(%edi)\n stmxcsr 32(%edi)\n hlt");
/*
 * Kernel code changes itself by a store from an XMM register: the INC ECX at its end becomes INC EDX, twenty times there and
 * back. The page holds decoded code, so each store is found out and interpreted.
 */
GUEST_CODE32(code_by_vector, ENABLE_SSE "xor %ecx, %ecx\n xor %edx, %edx\n mov $20, %ebx\n mov $0x90909042, %eax\n movd %eax, %xmm0\n"
	"mov $0x90909041, %eax\n movd %eax, %xmm1\n"
	"1: movd %xmm0, 0x10080\n call 2f\n movd %xmm1, 0x10080\n call 2f\n dec %ebx\n jnz 1b\n hlt\n"
	".org code_by_vector + 0x80\n 2: inc %ecx\n nop\n nop\n nop\n ret");
/* CR0.TS comes and goes while the registers are loaded; the handler of #NM (at 100h) counts in EDX and clears it. */
GUEST_CODE32(task_switched, "finit\n fldpi\n mov $5, %ecx\n 1: mov %cr0, %eax\n or $8, %eax\n mov %eax, %cr0\n fld %st\n faddp\n"
	"dec %ecx\n jnz 1b\n fstpl 0x8000\n hlt\n .org task_switched + 0x100\n inc %edx\n clts\n iret");
/* An unmasked division by zero; #MF (at 100h) counts and clears it. */
GUEST_CODE32(x87_error, "mov %cr0, %eax\n or $0x20, %eax\n mov %eax, %cr0\n finit\n movw $0x37b, 0x8010\n fldcw 0x8010\n"
	"fldz\n fld1\n fdivp\n nop\n fwait\n hlt\n .org x87_error + 0x100\n inc %edx\n fnclex\n iret");

static void start(struct guest *g, const uint8_t *code, const uint8_t *end)
{
	guest_start_flat(g, code, end - code);
	guest_gate(g, 6, GUEST_CODE + 0x100);
	guest_gate(g, 7, GUEST_CODE + 0x100);
	guest_gate(g, 16, GUEST_CODE + 0x100);
	guest_use_idt(g);
}

/* Runs over the exits of ports; returns how it ended. */
static int run_through(struct guest *g)
{
	int reason;

	do
		reason = guest_run(g);
	while (reason == BTVM_EXIT_IO);
	return reason;
}

/* Makes the host's registers worth finding. */
static void dirty_host_registers(void)
{
	static const uint8_t pattern[32] __attribute__((aligned(32))) = "the host's secret, 32 bytes of ";

	asm volatile("fninit\n fldpi\n fldl2e\n fldlg2");
	if (__builtin_cpu_supports("avx"))
		asm volatile("vmovaps %0, %%ymm0\n vmovaps %0, %%ymm5\n vmovaps %0, %%ymm7" ::"m"(pattern)
			     : "xmm0", "xmm5", "xmm7");
	else
		asm volatile("movaps %0, %%xmm0\n movaps %0, %%xmm5\n movaps %0, %%xmm7" ::"m"(*(uint8_t(*)[16])pattern)
			     : "xmm0", "xmm5", "xmm7");
}

static void check_fresh(void)
{
	static const uint8_t zero[128];
	uint16_t control, status;
	uint32_t mxcsr;
	struct guest g;
	bool ended;

	guest_create(&g, NULL);
	start(&g, look, look_end);
	g.run->deadline_ns = ~0ull;
	dirty_host_registers();
	ended = ioctl(g.vcpu, BTVM_RUN, 0) == 0 && g.run->exit_reason == BTVM_EXIT_HALTED;
	memcpy(&control, g.ram + 0x8000, 2);
	memcpy(&status, g.ram + 0x8002, 2);
	memcpy(&mxcsr, g.ram + 0x8018, 4);
	ktap_diag("FCW %x FSW %x FTW %x MXCSR %x", control, status, g.ram[0x8004], mxcsr);
	ktap_result(ended && control == 0x40 && !(status & 0xb8ff) && mxcsr == 0x1f80, "control and status are those after RESET");
	ktap_result(ended && !memcmp(g.ram + 0x8020, zero, 128) && !memcmp(g.ram + 0x80a0, zero, 128),
		    "x87 and XMM registers hold nothing of the host's");
	ktap_diag("x87 pointers: %x %x %x %x", *(uint32_t *)(g.ram + 0x820c), *(uint32_t *)(g.ram + 0x8210),
		  *(uint32_t *)(g.ram + 0x8214), *(uint32_t *)(g.ram + 0x8218));
	ktap_result(ended && !memcmp(g.ram + 0x820c, zero, 12), "nor do the pointers to the last x87 instruction");
	start(&g, look_high, look_high_end);
	memset(g.ram + 0x8400, 0, 0x30);
	g.run->deadline_ns = ~0ull;
	dirty_host_registers();
	(void)!ioctl(g.vcpu, BTVM_RUN, 0);
	ktap_diag("AVX in the guest: exit %u, ebx %llx", g.run->exit_reason, guest_regs(&g).gpr[3]);
	ktap_result(guest_regs(&g).gpr[3] == 0xe006 && !memcmp(g.ram + 0x8400, zero, 0x30), "nor do the upper halves of YMM registers");
	guest_destroy(&g);
}

static void check_pointers(void)
{
	uint32_t ip, dp;
	struct guest g;
	int reason;

	guest_create(&g, NULL);
	start(&g, pointers, pointers_end);
	reason = run_through(&g);
	memcpy(&ip, g.ram + 0x820c, 4);
	memcpy(&dp, g.ram + 0x8214, 4);
	/* FNINIT is two bytes long. Processors may leave the pointers out altogether. */
	if (!ktap_result(reason == BTVM_EXIT_HALTED && ((ip == GUEST_CODE + 2 && dp == 0x8000) || (!ip && !dp)),
			 "the pointers to the last x87 instruction survive exits"))
		ktap_diag("%x %x", ip, dp);
	guest_destroy(&g);
}

static void check_values(const char *name, unsigned int flags)
{
	const struct btvm_config config = { .breakpoints = 4, .flags = flags };
	double sum = 0, got;
	uint32_t words[9];
	struct guest g;
	int i;

	for (i = 1; i <= 40; i++)
		sum += 1.0 / i;
	guest_create(&g, &config);
	start(&g, harmonic, harmonic_end);
	i = run_through(&g);
	memcpy(&got, g.ram + 0x8000, 8);
	if (!ktap_result(i == BTVM_EXIT_HALTED && got > sum - 1e-12 && got < sum + 1e-12, "%s: x87 values survive exits", name)) {
		ktap_diag("%.17g, expected %.17g", got, sum);
		guest_print(&g);
	}
	start(&g, vectors, vectors_end);
	i = run_through(&g);
	memcpy(words, g.ram + 0x8000, sizeof(words));
	if (!ktap_result(i == BTVM_EXIT_HALTED && words[0] == 8 + 50 * 24 && words[3] == words[0] && words[4] == 24 && words[8] == 0x1f80,
			 "%s: XMM values survive exits", name))
		guest_print(&g);
	guest_destroy(&g);
}

static void check_code_by_vector(const char *name, unsigned int flags)
{
	const struct btvm_config config = { .breakpoints = 4, .flags = flags };
	struct btvm_regs regs;
	struct guest g;

	guest_create(&g, &config);
	start(&g, code_by_vector, code_by_vector_end);
	guest_run(&g);
	regs = guest_regs(&g);
	if (!ktap_result(regs.gpr[1] == 20 && regs.gpr[2] == 20, "%s: code stored from an XMM register is what runs", name))
		guest_print(&g);
	guest_destroy(&g);
}

/* Two guests take turns at every exit, each with values of its own. */
static void check_two(void)
{
	struct guest one, two;
	bool one_ends = false, two_ends = false;
	double a, b;

	guest_create(&one, NULL);
	guest_create(&two, NULL);
	start(&one, harmonic, harmonic_end);
	start(&two, harmonic, harmonic_end);
	two.ram[GUEST_CODE + harmonic_end - harmonic] = 0x90;
	while (!one_ends || !two_ends) {
		if (!one_ends)
			one_ends = guest_run(&one) != BTVM_EXIT_IO;
		dirty_host_registers();
		asm volatile("fninit");
		if (!two_ends)
			two_ends = guest_run(&two) != BTVM_EXIT_IO;
	}
	memcpy(&a, one.ram + 0x8000, 8);
	memcpy(&b, two.ram + 0x8000, 8);
	ktap_result(a == b && a > 4.27 && a < 4.28, "two guests that take turns keep to their own");
	guest_destroy(&one);
	guest_destroy(&two);
}

static void check_exceptions(const char *name, unsigned int flags)
{
	const struct btvm_config config = { .breakpoints = 4, .flags = flags };
	struct guest g;
	double got;
	int reason;

	guest_create(&g, &config);
	start(&g, task_switched, task_switched_end);
	reason = run_through(&g);
	memcpy(&got, g.ram + 0x8000, 8);
	if (!ktap_result(reason == BTVM_EXIT_HALTED && guest_regs(&g).gpr[2] == 5 && got > 100.5 && got < 100.6,
			 "%s: CR0.TS gives #NM each time it is set", name)) {
		ktap_diag("%g", got);
		guest_print(&g);
	}
	start(&g, x87_error, x87_error_end);
	reason = run_through(&g);
	if (!ktap_result(reason == BTVM_EXIT_HALTED && guest_regs(&g).gpr[2] == 1, "%s: an unmasked x87 exception gives #MF", name))
		guest_print(&g);
	guest_destroy(&g);
}

int main(void)
{
	ktap_plan(21);
	check_fresh();
	check_pointers();
	check_values("monitor", 0);
	check_values("monitor off", BTVM_CONFIG_MONITOR_OFF);
	check_values("verify", BTVM_CONFIG_VERIFY);
	check_values("interpreted", BTVM_CONFIG_INTERPRET);
	check_code_by_vector("monitor", 0);
	check_code_by_vector("monitor off", BTVM_CONFIG_MONITOR_OFF);
	check_code_by_vector("interpreted", BTVM_CONFIG_INTERPRET);
	check_two();
	check_exceptions("monitor", 0);
	check_exceptions("monitor off", BTVM_CONFIG_MONITOR_OFF);
	return ktap_finish();
}

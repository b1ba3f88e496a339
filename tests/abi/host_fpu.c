// SPDX-License-Identifier: GPL-2.0
/* The host's x87, SSE and AVX registers and MXCSR survive BTVM_RUN, in the calling thread and in others. */
#include "guest.h"

#include <pthread.h>
#include <sys/syscall.h>

/* What a program can have in its FPU registers. */
struct fpu {
	uint8_t ymm[16][32];
	double st[4];
	uint32_t mxcsr;
	uint16_t control, padding;
} __attribute__((aligned(32)));

GUEST_CODE32(plain, "mov $3000, %ecx\n 1: call 2f\n dec %ecx\n jnz 1b\n hlt\n 2: ret");
/* Fills the guest's own registers with something else. */
GUEST_CODE32(with_fpu, "finit\n fld1\n fldpi\n fldl2e\n fldlg2\n movl $0x5f80, 0x8000\n fldcw 0x9000\n"
	"mov $300, %ecx\n 1: fadd %st(1), %st\n call 2f\n dec %ecx\n jnz 1b\n hlt\n 2: ret");
GUEST_CODE32(with_sse, "mov %cr4, %eax\n or $0x200, %eax\n mov %eax, %cr4\n movups 0x10000, %xmm0\n movups 0x10010, %xmm7\n"
	"mov $300, %ecx\n 1: paddd %xmm7, %xmm0\n movaps %xmm0, %xmm5\n call 2f\n dec %ecx\n jnz 1b\n hlt\n 2: ret");

static bool have_avx;

static void fill(struct fpu *fpu, unsigned int seed)
{
	unsigned int i;
	uint8_t *byte = &fpu->ymm[0][0];

	memset(fpu, 0, sizeof(*fpu));
	for (i = 0; i < sizeof(fpu->ymm); i++)
		byte[i] = have_avx || i % 32 < 16 ? (seed = seed * 1103515245 + 12345) >> 16 : 0;
	for (i = 0; i < 4; i++)
		fpu->st[i] = 1.0 / (3 + i) + seed;
	fpu->mxcsr = 0x1f80 | 0x6000; /* round to zero */
	fpu->control = 0x0a7f;	      /* round up, 53 bits */
}

#define MOVE_YMM(n) "vmovups " #n "*32(%[f]), %%ymm" #n "\n"
#define KEEP_YMM(n) "vmovups %%ymm" #n ", " #n "*32(%[f])\n"
#define MOVE_XMM(n) "movups " #n "*32(%[f]), %%xmm" #n "\n"
#define KEEP_XMM(n) "movups %%xmm" #n ", " #n "*32(%[f])\n"
#define ALL(m) m(0) m(1) m(2) m(3) m(4) m(5) m(6) m(7) m(8) m(9) m(10) m(11) m(12) m(13) m(14) m(15)
#define CLOBBERED                                                                                                    \
	"memory", "cc", "rcx", "r11", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", \
		"xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"

/* Loads `in`, makes one system call, and stores what is there afterwards. Returns the call's result. */
static long call_with(const struct fpu *in, struct fpu *out, long number, long a, long b, long c)
{
	const uint32_t usual_mxcsr = 0x1f80;
	long result = number;

	*out = *in;
	asm volatile("fninit\n fldcw %[cw]\n fldl %[s0]\n fldl %[s1]\n fldl %[s2]\n fldl %[s3]\n ldmxcsr %[mx]\n"
		     : : [cw] "m"(in->control), [s0] "m"(in->st[0]), [s1] "m"(in->st[1]), [s2] "m"(in->st[2]),
		       [s3] "m"(in->st[3]), [mx] "m"(in->mxcsr));
	if (have_avx)
		asm volatile(ALL(MOVE_YMM) "syscall\n" ALL(KEEP_YMM)
			     : "+a"(result) : [f] "r"(out->ymm), "D"(a), "S"(b), "d"(c) : CLOBBERED);
	else
		asm volatile(ALL(MOVE_XMM) "syscall\n" ALL(KEEP_XMM)
			     : "+a"(result) : [f] "r"(out->ymm), "D"(a), "S"(b), "d"(c) : CLOBBERED);
	asm volatile("stmxcsr %[mx]\n fnstcw %[cw]\n fstpl %[s3]\n fstpl %[s2]\n fstpl %[s1]\n fstpl %[s0]\n fninit\n ldmxcsr %[usual]"
		     : [cw] "=m"(out->control), [s0] "=m"(out->st[0]), [s1] "=m"(out->st[1]), [s2] "=m"(out->st[2]),
		       [s3] "=m"(out->st[3]), [mx] "=m"(out->mxcsr) : [usual] "m"(usual_mxcsr));
	if (have_avx)
		asm volatile("vzeroupper");
	return result;
}

static bool same(const struct fpu *a, const struct fpu *b)
{
	/* MXCSR's low six bits are sticky exception flags. */
	return !memcmp(a->ymm, b->ymm, sizeof(a->ymm)) && !memcmp(a->st, b->st, sizeof(a->st)) &&
	       !((a->mxcsr ^ b->mxcsr) & ~0x3fu) && a->control == b->control;
}

static void check_caller(const char *name, unsigned int flags, const uint8_t *code, const uint8_t *end)
{
	const struct btvm_config config = { .breakpoints = 4, .flags = flags };
	const uint16_t control = 0x37f;
	struct fpu before, after;
	struct guest g;
	int round, good = 0;

	guest_create(&g, &config);
	for (round = 0; round < 10; round++) {
		guest_start_flat(&g, code, end - code);
		memcpy(g.ram + 0x9000, &control, sizeof(control));
		fill(&before, 77 + round);
		good += call_with(&before, &after, SYS_ioctl, g.vcpu, BTVM_RUN, 0) == 0 &&
			g.run->exit_reason == BTVM_EXIT_HALTED && same(&before, &after);
	}
	if (good != 10)
		guest_print(&g);
	ktap_result(good == 10, "the caller's registers survive a guest %s", name);
	guest_destroy(&g);
}

struct other {
	volatile bool stop;
	unsigned int rounds, wrong;
};

/* Keeps its registers for as long as a system call or a preemption takes, again and again. */
static void *hold_registers(void *argument)
{
	struct other *other = argument;
	struct fpu before, after;

	while (!other->stop) {
		fill(&before, 1000 + other->rounds);
		call_with(&before, &after, SYS_sched_yield, 0, 0, 0);
		other->wrong += !same(&before, &after);
		other->rounds++;
	}
	return NULL;
}

static void check_other_threads(void)
{
	struct other others[2] = {};
	pthread_t threads[2];
	struct guest g;
	int i, good = 0;

	guest_create(&g, NULL);
	for (i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, hold_registers, &others[i]);
	for (i = 0; i < 40; i++) {
		const uint16_t control = 0x37f;
		const bool fpu = i & 1;

		memcpy(g.ram + 0x9000, &control, sizeof(control));
		guest_start_flat(&g, fpu ? with_fpu : plain, fpu ? with_fpu_end - with_fpu : plain_end - plain);
		good += guest_run(&g) == BTVM_EXIT_HALTED;
	}
	for (i = 0; i < 2; i++) {
		others[i].stop = true;
		pthread_join(threads[i], NULL);
	}
	ktap_diag("%u and %u rounds, %u and %u wrong", others[0].rounds, others[1].rounds, others[0].wrong, others[1].wrong);
	ktap_result(good == 40 && others[0].rounds > 10 && !others[0].wrong && !others[1].wrong, "and those of other threads");
	guest_destroy(&g);
}

int main(void)
{
	struct fpu before, after;

	ktap_plan(7);
	have_avx = __builtin_cpu_supports("avx");
	ktap_diag("AVX: %s", have_avx ? "yes" : "no");
	fill(&before, 1);
	call_with(&before, &after, SYS_getppid, 0, 0, 0);
	ktap_result(same(&before, &after), "the test itself keeps them over a plain system call");
	check_caller("that leaves the FPU alone", 0, plain, plain_end);
	check_caller("that uses the x87", 0, with_fpu, with_fpu_end);
	check_caller("that uses SSE", 0, with_sse, with_sse_end);
	check_caller("that uses the x87, monitor off", BTVM_CONFIG_MONITOR_OFF, with_fpu, with_fpu_end);
	check_caller("that uses the x87, in verify mode", BTVM_CONFIG_VERIFY, with_fpu, with_fpu_end);
	check_other_threads();
	return ktap_finish();
}

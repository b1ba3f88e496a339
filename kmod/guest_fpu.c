// SPDX-License-Identifier: GPL-2.0
/* The guest's FPU registers, and the core's leave to use the processor's. */
#include <asm/fpu/api.h>
#include <asm/fpu/xcr.h>

#include "btvm.h"

#define XSAVE_LEGACY_SIZE 512
#define XSAVE_HEADER_SIZE 64
#define XSAVE_X87_SSE 3ull
#define XSAVE_PKRU BIT_ULL(9)
#define FXSAVE_MXCSR 24
#define FXSAVE_MXCSR_MASK 28

/* An x87 exception that a process has left pending would come at the core's first MMX or x87 instruction, at ring 0. */
void btvm_host_fpu_begin(void)
{
	kernel_fpu_begin_mask(KFPU_387 | KFPU_MXCSR);
}

void btvm_host_fpu_end(void)
{
	kernel_fpu_end();
}

/* The MXCSR bits this processor has: FXSAVE tells, and 0 stands for a default (SDM Vol. 1 11.6.6). */
u32 btvm_mxcsr_mask(void)
{
	static u32 mask;

	if (!mask) {
		u8 image[XSAVE_LEGACY_SIZE] __aligned(16) = {};

		asm volatile("fxsave %0" : "=m"(image));
		mask = *(u32 *)(image + FXSAVE_MXCSR_MASK) ?: 0xffbf;
	}
	return mask;
}

/*
 * On some processors FXSAVE, FXRSTOR and their extended forms leave the pointers to the last x87 instruction and its
 * operand alone: AMD's without XSAVEERPTR while no exception is pending, QEMU's emulation always. What the host left there
 * would be the guest's to read with FNSTENV. FNSTENV and FLDENV always move them, on real ones.
 */
static bool pointers_stay;

struct x87_environment {
	u32 control, status, tags; /* the upper halves mean nothing */
	u32 ip;
	u16 cs, opcode;
	u32 dp;
	u32 ds;
};

/* Where the FXSAVE image has the same. */
struct x87_pointers {
	u16 opcode;
	u32 ip;
	u16 cs, padding1;
	u32 dp;
	u16 ds, padding2;
} __packed;
#define FXSAVE_OPCODE 6

void __init btvm_probe_fpu(void)
{
	const struct x87_environment environment = { .control = 0x37f, .tags = 0xffff, .ip = 0x1234 };
	u8 image[XSAVE_LEGACY_SIZE] __aligned(16) = {};

	kernel_fpu_begin();
	asm volatile("fninit; fldenv %1; fxsave %0" : "=m"(image) : "m"(environment));
	kernel_fpu_end();
	pointers_stay = ((const struct x87_pointers *)(image + FXSAVE_OPCODE))->ip != environment.ip;
}

static void load_x87_pointers(const u8 *image)
{
	const struct x87_pointers *from = (const void *)(image + FXSAVE_OPCODE);
	const struct x87_environment to = {
		.control = 0x37f,
		.tags = 0xffff,
		.ip = from->ip,
		.cs = from->cs,
		.opcode = from->opcode,
		.dp = from->dp,
		.ds = from->ds,
	};

	/* FNINIT clears what was there, for QEMU's FLDENV does not load them either. */
	asm volatile("fninit; fldenv %0" ::"m"(to));
}

static void save_x87_pointers(u8 *image)
{
	struct x87_pointers *to = (void *)(image + FXSAVE_OPCODE);
	struct x87_environment from;

	asm volatile("fnstenv %0" : "=m"(from));
	to->opcode = from.opcode & 0x7ff;
	to->ip = from.ip;
	to->cs = from.cs;
	to->dp = from.dp;
	to->ds = from.ds;
}

/*
 * Loads the guest's x87 and SSE registers, and puts everything else that XCR0 names into its initial state: what the host
 * left in the upper halves is not for the guest to read. PKRU stays: both worlds share it.
 */
void btvm_load_guest_fpu(struct btvm_vcpu *vcpu)
{
	u8 *image = btvm_core_fpu(vcpu->world.state);
	u32 *mxcsr = (u32 *)(image + FXSAVE_MXCSR);

	*mxcsr &= btvm_mxcsr_mask(); /* others fault in FXRSTOR */
	if (pointers_stay)
		load_x87_pointers(image);
	if (boot_cpu_has(X86_FEATURE_XSAVE)) {
		const u64 mask = xgetbv(XCR_XFEATURE_ENABLED_MASK) & ~XSAVE_PKRU;
		u8 *area = vcpu->xsave;

		memcpy(area, image, XSAVE_LEGACY_SIZE);
		memset(area + XSAVE_LEGACY_SIZE, 0, XSAVE_HEADER_SIZE);
		*(u64 *)(area + XSAVE_LEGACY_SIZE) = XSAVE_X87_SSE;
		asm volatile("xrstor %0" ::"m"(*area), "a"((u32)mask), "d"((u32)(mask >> 32)) : "memory");
	} else {
		asm volatile("fxrstor %0" ::"m"(*image) : "memory");
	}
}

void btvm_save_guest_fpu(struct btvm_vcpu *vcpu)
{
	u8 *image = btvm_core_fpu(vcpu->world.state);

	asm volatile("fxsave %0" : "=m"(*image)::"memory");
	if (pointers_stay)
		save_x87_pointers(image);
}

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

void btvm_host_fpu_begin(void)
{
	kernel_fpu_begin();
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
 * Loads the guest's x87 and SSE registers, and puts everything else that XCR0 names into its initial state: what the host
 * left in the upper halves is not for the guest to read. PKRU stays: both worlds share it.
 */
void btvm_load_guest_fpu(struct btvm_vcpu *vcpu)
{
	u8 *image = btvm_core_fpu(vcpu->world.state);
	u32 *mxcsr = (u32 *)(image + FXSAVE_MXCSR);

	*mxcsr &= btvm_mxcsr_mask(); /* others fault in FXRSTOR */
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
}

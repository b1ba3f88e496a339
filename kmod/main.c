// SPDX-License-Identifier: GPL-2.0
/* /dev/btvm: the system descriptor, and what the module checks before it offers it. */
#include <linux/cc_platform.h>
#include <linux/delay.h>
#include <linux/ktime.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <asm/cpufeature.h>
#include <asm/hypervisor.h>
#include <asm/tsc.h>

#include "btvm.h"

/* Nanoseconds of one TSC tick, times 2^32. */
u64 btvm_ns_per_tsc_32;

bool btvm_lax_segments;

static char *segment_checks = "auto";
module_param(segment_checks, charp, 0444);
MODULE_PARM_DESC(segment_checks, "whether the processor checks segment limits and rights: full, lax, or auto to find out");

static long check_extension(unsigned long capability)
{
	switch (capability) {
	case BTVM_CAP_MEMORY_SLOTS:
		return BTVM_MEMORY_SLOTS;
	case BTVM_CAP_DEBUG_BREAKPOINTS:
		return 4;
	case BTVM_CAP_MONITOR:
	case BTVM_CAP_VERIFY:
	case BTVM_CAP_DIRTY_LOG:
		return 1;
	case BTVM_CAP_MAX_GUEST_RAM:
		return BTVM_MAX_GUEST_RAM_MIB;
	case BTVM_CAP_EXECUTE_ONLY:
		return btvm_has_execute_only();
	default:
		return 0;
	}
}

static long system_ioctl(struct file *file, unsigned int request, unsigned long argument)
{
	switch (request) {
	case BTVM_GET_API_VERSION:
		return argument ? -EINVAL : BTVM_API_VERSION;
	case BTVM_CREATE_VM:
		return argument ? -EINVAL : btvm_vm_create();
	case BTVM_CHECK_EXTENSION:
		return check_extension(argument);
	case BTVM_GET_VCPU_MMAP_SIZE:
		return argument ? -EINVAL : PAGE_SIZE;
	default:
		return -ENOTTY;
	}
}

static const struct file_operations system_operations = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = system_ioctl,
	.llseek = noop_llseek,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "btvm",
	.fops = &system_operations,
	.mode = 0660,
};

/* The TSC's rate: the kernel's own figure, or, where it has none, ten milliseconds of measuring. */
static void __init measure_tsc(void)
{
	if (tsc_khz) {
		btvm_ns_per_tsc_32 = div_u64(1000000ull << 32, tsc_khz);
	} else {
		u64 ns = ktime_get_ns(), tsc = rdtsc_ordered();

		msleep(10);
		ns = ktime_get_ns() - ns;
		tsc = rdtsc_ordered() - tsc;
		btvm_ns_per_tsc_32 = div64_u64(ns << 32, tsc ?: 1);
	}
}

/* QEMU's emulator checks neither limits nor null selectors outside of loading them. */
static bool __init emulated_by_qemu(void)
{
	u32 eax, ebx, ecx, edx;

	if (!boot_cpu_has(X86_FEATURE_HYPERVISOR))
		return false;
	cpuid(0x40000000, &eax, &ebx, &ecx, &edx);
	return ebx == 0x54474354 && ecx == 0x43544743 && edx == 0x47435447; /* "TCGTCGTCGTCG" */
}

static int __init choose_segment_checks(void)
{
	if (!strcmp(segment_checks, "auto"))
		btvm_lax_segments = emulated_by_qemu();
	else if (!strcmp(segment_checks, "lax") || !strcmp(segment_checks, "full"))
		btvm_lax_segments = segment_checks[0] == 'l';
	else
		return -EINVAL;
	return 0;
}

static int __init btvm_init(void)
{
	int error;

	if (choose_segment_checks()) {
		pr_err("btvm: segment_checks is auto, full or lax\n");
		return -EINVAL;
	}
	if (hypervisor_is_type(X86_HYPER_XEN_PV)) {
		pr_err("btvm: Xen PV gives no access to descriptor tables and debug registers\n");
		return -ENODEV;
	}
	if (cc_platform_has(CC_ATTR_MEM_ENCRYPT)) {
		pr_err("btvm: this kernel encrypts memory (SME, SEV or TDX), and btvm's own page tables do not: try mem_encrypt=off\n");
		return -ENODEV;
	}
#ifdef X86_CR4_FRED
	if (__read_cr4() & X86_CR4_FRED) {
		pr_err("btvm: this kernel takes interrupts by FRED, and btvm needs the IDT: boot with fred=off\n");
		return -ENODEV;
	}
#endif
	if (!boot_cpu_has(X86_FEATURE_NX) || !boot_cpu_has(X86_FEATURE_FXSR)) {
		pr_err("btvm: this processor lacks NX or FXSR\n");
		return -ENODEV;
	}
	if ((u64)btvm_switch_start & ~PAGE_MASK) {
		pr_err("btvm: the world switch is not page aligned\n");
		return -ENOEXEC;
	}
	measure_tsc();
	btvm_probe_fpu();
	error = misc_register(&device);
	if (error)
		pr_err("btvm: cannot register /dev/btvm: %d\n", error);
	return error;
}

static void __exit btvm_exit(void)
{
	misc_deregister(&device);
}

module_init(btvm_init);
module_exit(btvm_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Breakpoint-tracing hypervisor");
MODULE_VERSION("0.1");

/* SPDX-License-Identifier: GPL-2.0 */
/* What the module's C files share: the VM and its one vCPU. */
#ifndef BTVM_KMOD_H
#define BTVM_KMOD_H

#include <linux/fs.h>
#include <linux/hrtimer.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#include <btvm/btvm.h>

#include "../monitor/switch_context.h"
#include "../vmm/hypervisor/core_api.h"

#define BTVM_MEMORY_SLOTS 16
#define BTVM_MAX_GUEST_RAM_MIB 2048
#define BTVM_GUEST_PHYSICAL_LIMIT (1ull << 32)
#define BTVM_IRQ_QUEUE 64

/* Pinned memory of the caller, and what is kept of each of its pages. */
struct btvm_slot {
	u64 guest_physical;
	u64 pages_count; /* 0: not in use */
	u32 flags;
	struct page **pages;
	u8 *memory;  /* all of it, contiguous */
	u8 *state;   /* one byte a page */
	u64 *frames; /* host frame numbers */
	u32 *mappings; /* the core's reverse map, one word a page */
	struct mm_struct *mm; /* whose locked-memory account it is on */
};

/* The shadow page tables and the core's notes about them. */
struct btvm_shadow_area {
	u32 pages;
	u64 *tables; /* `pages` pages */
	u64 *frames; /* their host frame numbers */
	void *notes;
	u64 notes_size; /* bytes, whole pages */
};

/* Execute-only copies of guest code; all zeroes if there are none. */
struct btvm_copy_area {
	u32 pages;
	u8 *copies;  /* `pages` pages */
	u64 *frames; /* their host frame numbers */
	void *notes;
	u64 notes_size; /* bytes, whole pages */
};

#define WORLD_GDT_SIZE (BTVM_GDT_ENTRIES * sizeof(u64)) /* bytes */

/* The guest world's page tables above 4 GiB, and the pages behind them. */
struct btvm_guest_world {
	u64 *root;
	u64 root_physical;
	unsigned int levels;
	struct list_head pages; /* struct page.lru */
	u64 pages_count;
	u64 base;               /* the monitor's */
	struct btvm_switch_context *context;
	btvm_u64 *gdt; /* at the same address in both worlds */
	struct btvm_user_tables *user_tables;
	struct btvm_world *state;
	struct btvm_shadow_area shadow;
	struct btvm_copy_area copies;
};

struct btvm_vcpu;

struct btvm_vm {
	refcount_t users; /* the VM's and the vCPU's descriptors */
	struct mutex lock; /* slots, vcpu, clock */
	struct btvm_slot slots[BTVM_MEMORY_SLOTS];
	struct btvm_config config;
	u64 clock_offset; /* guest time = (CLOCK_MONOTONIC - this) / slowdown */
	u32 slowdown;
	struct btvm_vcpu *vcpu;
};

struct btvm_line_change {
	u8 line, level;
};

struct btvm_vcpu {
	struct btvm_vm *vm;
	struct mutex lock; /* held in BTVM_RUN and whatever changes the guest's state */
	struct btvm_guest_world world;
	struct btvm_run *run; /* one page, mapped by the caller */
	bool io_asked;        /* the last exit was a port access: its answer is in `run` */
	int running_on;       /* CPU, or -1 */
	bool execute_only;    /* BTVM_CONFIG_EXECUTE_ONLY */

	/* From other threads: interrupt lines and NMIs, applied at the next turn. */
	spinlock_t queue_lock;
	struct btvm_line_change queue[BTVM_IRQ_QUEUE];
	unsigned int queued;
	bool nmi_queued;
	wait_queue_head_t wait;

	struct hrtimer timer;
	u64 timer_at; /* CLOCK_MONOTONIC it is armed for, 0: not armed */
	int timer_cpu;
	void *xsave; /* for loading the guest's FPU registers, 64-byte aligned */
};

/* memory.c */
int btvm_region_check(const struct btvm_userspace_memory_region *region);
/* `region` is checked. */
int btvm_slot_pin(struct btvm_slot *slot, const struct btvm_userspace_memory_region *region);
void btvm_slot_release(struct btvm_slot *slot);
/* Bytes that are kept about its pages. */
u64 btvm_slot_overhead(const struct btvm_slot *slot);

/* shadow_area.c; destroying what was not created in full, or at all (all zeroes), is fine. */
int btvm_shadow_area_create(struct btvm_shadow_area *area, u64 ram_pages);
void btvm_shadow_area_destroy(struct btvm_shadow_area *area);

/* copy_area.c; the same holds. */
bool btvm_has_execute_only(void);
int btvm_copy_area_create(struct btvm_copy_area *area, u64 ram_pages);
void btvm_copy_area_destroy(struct btvm_copy_area *area);

/* guest_world.c */
int btvm_guest_world_create(struct btvm_guest_world *world, struct btvm_slot *slots, bool execute_only);
void btvm_guest_world_destroy(struct btvm_guest_world *world);
void btvm_guest_world_use_monitor(struct btvm_guest_world *world, bool on);
/* Bytes of memory behind it. */
u64 btvm_guest_world_size(const struct btvm_guest_world *world);

/* world_tables.c: once, when the pages behind `world` are there and mapped. */
void btvm_world_tables_fill(struct btvm_guest_world *world);
/* Whether INT3 arrives as itself from guest kernel code. */
void btvm_guest_world_use_int3(struct btvm_guest_world *world, bool on);

/* switch.S, redeliver.S */
void btvm_world_switch(struct btvm_switch_context *context);
void btvm_redeliver(unsigned int vector);
extern u8 btvm_switch_start[], btvm_switch_end[], btvm_trap_stubs[];
/* monitor/image.S */
extern const u8 btvm_monitor_image[], btvm_monitor_image_end[];

/* vm.c */
int btvm_vm_create(void);
void btvm_vm_put(struct btvm_vm *vm);
u64 btvm_vm_guest_ns(const struct btvm_vm *vm);
/* CLOCK_MONOTONIC when guest time is `guest_ns`. */
u64 btvm_vm_host_ns(const struct btvm_vm *vm, u64 guest_ns);

/* vcpu.c */
int btvm_vcpu_create(struct btvm_vm *vm);
void btvm_vcpu_destroy(struct btvm_vcpu *vcpu);
void btvm_vcpu_apply_config(struct btvm_vcpu *vcpu, const struct btvm_config *config);

/* run_loop.c */
int btvm_vcpu_run(struct btvm_vcpu *vcpu);
/* Takes what has come from outside since the last run into the core's state: interrupt lines, NMIs, the answer to a port access. */
void btvm_vcpu_settle(struct btvm_vcpu *vcpu);
int btvm_vcpu_queue_irq(struct btvm_vcpu *vcpu, const struct btvm_irq_level *irq);
int btvm_vcpu_queue_nmi(struct btvm_vcpu *vcpu);
enum hrtimer_restart btvm_vcpu_timer_fired(struct hrtimer *timer);

/* guest_fpu.c */
void btvm_load_guest_fpu(struct btvm_vcpu *vcpu);
void btvm_save_guest_fpu(struct btvm_vcpu *vcpu);
u32 btvm_mxcsr_mask(void);
void btvm_probe_fpu(void);

/* main.c */
extern u64 btvm_ns_per_tsc_32;
extern bool btvm_lax_segments; /* the processor does not check segments in full */

#endif

// SPDX-License-Identifier: GPL-2.0
/* The vCPU descriptor: the run loop, and what reads and sets the guest's processor. */
#include <linux/anon_inodes.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <asm/fpu/api.h>
#include <asm/fpu/xcr.h>
#include <asm/tsc.h>

#include "btvm.h"

#define FIRST_INTERRUPT 32
#define VECTOR_NMI 2
#define VECTOR_MACHINE_CHECK 18
#define PENDING_NMI BIT(0)
#define PENDING_MACHINE_CHECK BIT(1)

#define XSAVE_LEGACY_SIZE 512
#define XSAVE_HEADER_SIZE 64
#define XSAVE_X87_SSE 3ull
#define XSAVE_PKRU BIT_ULL(9)
#define FXSAVE_MXCSR 24
#define FXSAVE_MXCSR_MASK 28

/* ---- the guest's FPU registers ---- */

void btvm_host_fpu_begin(void)
{
	kernel_fpu_begin();
}

void btvm_host_fpu_end(void)
{
	kernel_fpu_end();
}

/* The MXCSR bits this processor has: FXSAVE tells, and 0 stands for a default (SDM Vol. 1 11.6.6). */
static u32 mxcsr_mask(void)
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
static void load_guest_fpu(struct btvm_vcpu *vcpu)
{
	u8 *image = btvm_core_fpu(vcpu->world.state);
	u32 *mxcsr = (u32 *)(image + FXSAVE_MXCSR);

	*mxcsr &= mxcsr_mask(); /* others fault in FXRSTOR */
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

static void save_guest_fpu(struct btvm_vcpu *vcpu)
{
	u8 *image = btvm_core_fpu(vcpu->world.state);

	asm volatile("fxsave %0" : "=m"(*image)::"memory");
}

/* ---- other threads ---- */

static void kick(struct btvm_vcpu *vcpu)
{
	int cpu;

	smp_mb(); /* with enter_guest_world() */
	cpu = READ_ONCE(vcpu->running_on);
	wake_up_interruptible(&vcpu->wait);
	if (cpu >= 0 && cpu != raw_smp_processor_id())
		smp_send_reschedule(cpu);
}

static void drain_queue(struct btvm_vcpu *vcpu)
{
	unsigned int i;

	if (!READ_ONCE(vcpu->queued) && !READ_ONCE(vcpu->nmi_queued))
		return;
	spin_lock(&vcpu->queue_lock);
	for (i = 0; i < vcpu->queued; i++)
		btvm_core_set_irq(vcpu->world.state, vcpu->queue[i].line, vcpu->queue[i].level);
	vcpu->queued = 0;
	if (vcpu->nmi_queued)
		btvm_core_set_nmi(vcpu->world.state);
	vcpu->nmi_queued = false;
	spin_unlock(&vcpu->queue_lock);
}

int btvm_vcpu_queue_irq(struct btvm_vcpu *vcpu, const struct btvm_irq_level *irq)
{
	const struct btvm_line_change change = { .line = irq->irq, .level = irq->level };
	int error = 0;

	/* With the vCPU at rest there is no need to queue, and no way for the queue to run over. */
	if (mutex_trylock(&vcpu->lock)) {
		drain_queue(vcpu);
		btvm_core_set_irq(vcpu->world.state, change.line, change.level);
		mutex_unlock(&vcpu->lock);
		return 0;
	}
	spin_lock(&vcpu->queue_lock);
	if (vcpu->queued < BTVM_IRQ_QUEUE)
		vcpu->queue[vcpu->queued++] = change;
	else
		error = -EAGAIN;
	spin_unlock(&vcpu->queue_lock);
	kick(vcpu);
	return error;
}

static int queue_nmi(struct btvm_vcpu *vcpu)
{
	spin_lock(&vcpu->queue_lock);
	vcpu->nmi_queued = true;
	spin_unlock(&vcpu->queue_lock);
	kick(vcpu);
	return 0;
}

/* ---- the run loop ---- */

static enum hrtimer_restart timer_fired(struct hrtimer *timer)
{
	/* Its interrupt has ended the stay in the guest world; the next turn looks at the time. */
	return HRTIMER_NORESTART;
}

static void arm_timer(struct btvm_vcpu *vcpu, u64 guest_ns)
{
	const int cpu = raw_smp_processor_id();

	if (vcpu->timer_at == guest_ns && vcpu->timer_cpu == cpu)
		return;
	vcpu->timer_at = guest_ns;
	vcpu->timer_cpu = cpu;
	if (guest_ns == ~0ull)
		hrtimer_cancel(&vcpu->timer);
	else
		hrtimer_start(&vcpu->timer, ns_to_ktime(guest_ns + vcpu->vm->clock_offset), HRTIMER_MODE_ABS_PINNED);
}

static void redeliver_pending(struct btvm_switch_context *context)
{
	const u64 pending = context->pending;

	context->pending = 0;
	/* NMIs are still blocked, as Linux's handler expects; the IRET at its end, or at that of any other, ends that. */
	if (pending & PENDING_NMI)
		btvm_redeliver(VECTOR_NMI);
	if (pending & PENDING_MACHINE_CHECK)
		btvm_redeliver(VECTOR_MACHINE_CHECK);
}

static bool interrupted(struct btvm_vcpu *vcpu)
{
	return READ_ONCE(vcpu->run->immediate_exit) || signal_pending(current);
}

static bool woken(struct btvm_vcpu *vcpu)
{
	return READ_ONCE(vcpu->queued) || READ_ONCE(vcpu->nmi_queued) || READ_ONCE(vcpu->run->immediate_exit);
}

/* One stay in the guest world. What ended it and belongs to the host is raised again before interrupts come on. */
static void enter_guest_world(struct btvm_vcpu *vcpu, bool fpu)
{
	struct btvm_switch_context *context = vcpu->world.context;
	unsigned long flags;

	local_irq_save(flags);
	WRITE_ONCE(vcpu->running_on, raw_smp_processor_id());
	/*
	 * Whoever queues something from here on sees where we run and sends an interrupt, which waits until the guest world
	 * can take it. What was queued before must be looked for: its interrupt may have come and gone.
	 */
	smp_mb();
	if (woken(vcpu) || signal_pending(current) || need_resched()) {
		WRITE_ONCE(vcpu->running_on, -1);
		local_irq_restore(flags);
		return;
	}
	if (fpu) {
		kernel_fpu_begin();
		load_guest_fpu(vcpu);
	}
	context->world_cr0 = fpu ? read_cr0() & ~(X86_CR0_TS | X86_CR0_EM) : read_cr0() | X86_CR0_TS;
	btvm_world_switch(context);
	WRITE_ONCE(vcpu->running_on, -1);
	if (fpu) {
		save_guest_fpu(vcpu);
		kernel_fpu_end();
	}
	if (context->pending)
		redeliver_pending(context);
	if (context->leave_reason == BTVM_LEAVE_TRAP) {
		const u64 vector = context->frame.vector;

		if (vector >= FIRST_INTERRUPT || vector == VECTOR_NMI || vector == VECTOR_MACHINE_CHECK)
			btvm_redeliver(vector);
	}
	local_irq_restore(flags);
	btvm_core_left(vcpu->world.state);
}

static void sleep_until(struct btvm_vcpu *vcpu, u64 guest_ns)
{
	const u64 now = btvm_vm_guest_ns(vcpu->vm);

	if (guest_ns <= now)
		return;
	/* Farther away than ktime_t reaches is never. */
	if (guest_ns - now >= KTIME_MAX)
		(void)wait_event_interruptible(vcpu->wait, woken(vcpu));
	else
		(void)wait_event_interruptible_hrtimeout(vcpu->wait, woken(vcpu), ns_to_ktime(guest_ns - now));
}

static int exit_deadline(struct btvm_vcpu *vcpu)
{
	vcpu->run->exit_reason = BTVM_EXIT_DEADLINE;
	return 0;
}

static int run_until_exit(struct btvm_vcpu *vcpu)
{
	struct btvm_run *run = vcpu->run;
	struct btvm_core_turn turn = { .ns_per_tsc_32 = btvm_ns_per_tsc_32 };

	for (;;) {
		const u64 deadline = READ_ONCE(run->deadline_ns);
		int next;

		if (interrupted(vcpu))
			return -EINTR;
		drain_queue(vcpu);
		turn.tsc = rdtsc_ordered();
		turn.guest_ns = btvm_vm_guest_ns(vcpu->vm);
		if (turn.guest_ns >= deadline)
			return exit_deadline(vcpu);
		next = btvm_core_take_turn(vcpu->world.state, &turn, run);
		switch (next) {
		case BTVM_TURN_ENTER:
			arm_timer(vcpu, min(turn.next_event_ns, deadline));
			enter_guest_world(vcpu, turn.fpu);
			break;
		case BTVM_TURN_HALT:
			sleep_until(vcpu, min(turn.next_event_ns, deadline));
			break;
		case BTVM_TURN_EXIT:
			vcpu->io_asked = run->exit_reason == BTVM_EXIT_IO;
			return 0;
		default:
			break;
		}
		cond_resched();
	}
}

static int vcpu_run(struct btvm_vcpu *vcpu)
{
	int result;

	if (vcpu->io_asked) {
		u32 answer;

		memcpy(&answer, (u8 *)vcpu->run + sizeof(struct btvm_run), sizeof(answer));
		btvm_core_answer_io(vcpu->world.state, answer);
		vcpu->io_asked = false;
	}
	result = run_until_exit(vcpu);
	if (vcpu->timer_at) {
		hrtimer_cancel(&vcpu->timer);
		vcpu->timer_at = 0;
	}
	vcpu->run->guest_ns = btvm_vm_guest_ns(vcpu->vm);
	return result;
}

/* ---- the other calls ---- */

void btvm_vcpu_apply_config(struct btvm_vcpu *vcpu, const struct btvm_config *config)
{
	btvm_core_set_config(vcpu->world.state, config);
	btvm_guest_world_use_monitor(&vcpu->world, !(config->flags & BTVM_CONFIG_MONITOR_OFF));
}

static int get_stats(struct btvm_vcpu *vcpu, struct btvm_stats __user *user)
{
	struct btvm_stats stats;
	u32 room, padding;

	if (get_user(room, &user->size) || get_user(padding, &user->padding))
		return -EFAULT;
	if (room < 2 * sizeof(u32) || padding)
		return -EINVAL;
	btvm_core_get_stats(vcpu->world.state, &stats);
	room = min_t(u32, room, sizeof(stats));
	stats.size = room;
	return copy_to_user(user, &stats, room) ? -EFAULT : 0;
}

static int get_trace(struct btvm_vcpu *vcpu, struct btvm_trace __user *user)
{
	const u32 most = 4096;
	struct btvm_trace_entry *entries;
	struct btvm_trace request;
	int error = 0;

	if (copy_from_user(&request, user, sizeof(request)))
		return -EFAULT;
	if (request.padding)
		return -EINVAL;
	entries = kvcalloc(most, sizeof(*entries), GFP_KERNEL_ACCOUNT);
	if (!entries)
		return -ENOMEM;
	request.count = btvm_core_get_trace(vcpu->world.state, entries, min(request.count, most));
	if (copy_to_user((void __user *)request.buffer, entries, request.count * sizeof(*entries)) ||
	    copy_to_user(user, &request, sizeof(request)))
		error = -EFAULT;
	kvfree(entries);
	return error;
}

static int get_regs(struct btvm_vcpu *vcpu, void __user *user)
{
	struct btvm_regs regs;

	btvm_core_get_regs(vcpu->world.state, &regs);
	return copy_to_user(user, &regs, sizeof(regs)) ? -EFAULT : 0;
}

static int set_regs(struct btvm_vcpu *vcpu, const void __user *user)
{
	struct btvm_regs regs;

	if (copy_from_user(&regs, user, sizeof(regs)))
		return -EFAULT;
	btvm_core_set_regs(vcpu->world.state, &regs);
	return 0;
}

static int get_sregs(struct btvm_vcpu *vcpu, void __user *user)
{
	struct btvm_sregs sregs;

	btvm_core_get_sregs(vcpu->world.state, &sregs);
	return copy_to_user(user, &sregs, sizeof(sregs)) ? -EFAULT : 0;
}

static int set_sregs(struct btvm_vcpu *vcpu, const void __user *user)
{
	struct btvm_sregs sregs;

	if (copy_from_user(&sregs, user, sizeof(sregs)))
		return -EFAULT;
	if (memchr_inv(sregs.padding, 0, sizeof(sregs.padding)))
		return -EINVAL;
	return btvm_core_set_sregs(vcpu->world.state, &sregs) ? -EINVAL : 0;
}

static int reset(struct btvm_vcpu *vcpu)
{
	btvm_core_reset(vcpu->world.state);
	vcpu->io_asked = false;
	return 0;
}

/* Calls that need the vCPU at rest. */
static long locked_ioctl(struct btvm_vcpu *vcpu, unsigned int request, unsigned long argument)
{
	void __user *user = (void __user *)argument;

	switch (request) {
	case BTVM_RUN:
		return argument ? -EINVAL : vcpu_run(vcpu);
	case BTVM_RESET:
		return argument ? -EINVAL : reset(vcpu);
	case BTVM_SET_A20:
		if (argument > 1)
			return -EINVAL;
		btvm_core_set_a20(vcpu->world.state, argument);
		return 0;
	case BTVM_GET_REGS:
		return get_regs(vcpu, user);
	case BTVM_SET_REGS:
		return set_regs(vcpu, user);
	case BTVM_GET_SREGS:
		return get_sregs(vcpu, user);
	case BTVM_SET_SREGS:
		return set_sregs(vcpu, user);
	default:
		return -ENOTTY;
	}
}

static long vcpu_ioctl(struct file *file, unsigned int request, unsigned long argument)
{
	struct btvm_vcpu *vcpu = file->private_data;
	long result;

	/* Counters and trace may be read while the guest runs; a torn entry is the price. */
	switch (request) {
	case BTVM_GET_STATS:
		return get_stats(vcpu, (void __user *)argument);
	case BTVM_GET_TRACE:
		return get_trace(vcpu, (void __user *)argument);
	case BTVM_NMI:
		return argument ? -EINVAL : queue_nmi(vcpu);
	case BTVM_RUN:
	case BTVM_RESET:
	case BTVM_SET_A20:
	case BTVM_GET_REGS:
	case BTVM_SET_REGS:
	case BTVM_GET_SREGS:
	case BTVM_SET_SREGS:
		break;
	default:
		return -ENOTTY;
	}
	if (!mutex_trylock(&vcpu->lock))
		return -EBUSY;
	result = locked_ioctl(vcpu, request, argument);
	mutex_unlock(&vcpu->lock);
	return result;
}

static int vcpu_mmap(struct file *file, struct vm_area_struct *area)
{
	struct btvm_vcpu *vcpu = file->private_data;

	if (area->vm_pgoff || vma_pages(area) != 1 || !(area->vm_flags & VM_SHARED))
		return -EINVAL;
	return vm_insert_page(area, area->vm_start, virt_to_page(vcpu->run));
}

static int vcpu_release(struct inode *inode, struct file *file)
{
	struct btvm_vcpu *vcpu = file->private_data;

	btvm_vm_put(vcpu->vm);
	return 0;
}

static const struct file_operations vcpu_operations = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = vcpu_ioctl,
	.mmap = vcpu_mmap,
	.release = vcpu_release,
	.llseek = noop_llseek,
};

void btvm_vcpu_destroy(struct btvm_vcpu *vcpu)
{
	hrtimer_cancel(&vcpu->timer);
	btvm_guest_world_destroy(&vcpu->world);
	free_page((unsigned long)vcpu->run);
	kfree(vcpu->xsave);
	kfree(vcpu);
}

static struct btvm_vcpu *new_vcpu(struct btvm_vm *vm)
{
	struct btvm_vcpu *vcpu = kzalloc(sizeof(*vcpu), GFP_KERNEL_ACCOUNT);
	int error = -ENOMEM;

	if (!vcpu)
		return ERR_PTR(-ENOMEM);
	vcpu->vm = vm;
	mutex_init(&vcpu->lock);
	spin_lock_init(&vcpu->queue_lock);
	init_waitqueue_head(&vcpu->wait);
	hrtimer_init(&vcpu->timer, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_PINNED);
	vcpu->timer.function = timer_fired;
	vcpu->running_on = -1;
	INIT_LIST_HEAD(&vcpu->world.pages);
	vcpu->run = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	/* A power of two, so that kmalloc aligns it as XRSTOR needs. */
	vcpu->xsave = kzalloc(1024, GFP_KERNEL_ACCOUNT);
	if (vcpu->run && vcpu->xsave)
		error = btvm_guest_world_create(&vcpu->world, vm->slots);
	if (error) {
		btvm_vcpu_destroy(vcpu);
		return ERR_PTR(error);
	}
	vcpu->run->deadline_ns = ~0ull;
	btvm_vcpu_apply_config(vcpu, &vm->config);
	return vcpu;
}

int btvm_vcpu_create(struct btvm_vm *vm)
{
	struct btvm_vcpu *vcpu;
	int fd;

	BUILD_BUG_ON(sizeof(struct btvm_run) + sizeof(u32) > PAGE_SIZE);
	mutex_lock(&vm->lock);
	if (vm->vcpu) {
		fd = -EEXIST;
		goto out;
	}
	vcpu = new_vcpu(vm);
	if (IS_ERR(vcpu)) {
		fd = PTR_ERR(vcpu);
		goto out;
	}
	refcount_inc(&vm->users);
	fd = anon_inode_getfd("btvm-vcpu", &vcpu_operations, vcpu, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		refcount_dec(&vm->users);
		btvm_vcpu_destroy(vcpu);
		goto out;
	}
	smp_store_release(&vm->vcpu, vcpu);
out:
	mutex_unlock(&vm->lock);
	return fd;
}

// SPDX-License-Identifier: GPL-2.0
/* BTVM_RUN: turns of the core, stays in the guest world, sleep; and what other threads put in between. */
#include <linux/kvm_para.h>
#include <linux/sched/signal.h>
#include <asm/fpu/api.h>
#include <asm/mce.h>
#include <asm/tsc.h>

#include "btvm.h"

#define FIRST_INTERRUPT 32
#define VECTOR_NMI 2
#define VECTOR_MACHINE_CHECK 18
#define PENDING_NMI BIT(0)
#define PENDING_MACHINE_CHECK BIT(1)

/* ---- other threads ---- */

static void kick(struct btvm_vcpu *vcpu)
{
	int cpu, here;

	smp_mb(); /* with enter_guest_world() */
	wake_up_interruptible(&vcpu->wait);
	here = get_cpu(); /* so the other one cannot go offline meanwhile */
	cpu = READ_ONCE(vcpu->running_on);
	if (cpu >= 0 && cpu != here && cpu_online(cpu))
		smp_send_reschedule(cpu);
	put_cpu();
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

int btvm_vcpu_queue_nmi(struct btvm_vcpu *vcpu)
{
	spin_lock(&vcpu->queue_lock);
	vcpu->nmi_queued = true;
	spin_unlock(&vcpu->queue_lock);
	kick(vcpu);
	return 0;
}

/* ---- the run loop ---- */

enum hrtimer_restart btvm_vcpu_timer_fired(struct hrtimer *timer)
{
	/* Its interrupt has ended the stay in the guest world; the next turn looks at the time. */
	return HRTIMER_NORESTART;
}

static void arm_timer(struct btvm_vcpu *vcpu, u64 guest_ns)
{
	const u64 host_ns = guest_ns == ~0ull ? ~0ull : btvm_vm_host_ns(vcpu->vm, guest_ns);
	const int cpu = raw_smp_processor_id();

	if (vcpu->timer_at == host_ns && vcpu->timer_cpu == cpu)
		return;
	vcpu->timer_at = host_ns;
	vcpu->timer_cpu = cpu;
	if (host_ns == ~0ull)
		hrtimer_cancel(&vcpu->timer);
	else
		hrtimer_start(&vcpu->timer, ns_to_ktime(host_ns), HRTIMER_MODE_ABS_PINNED);
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

/* #MC in guest code: as in any other code of this process, which a memory error may end, but not the host. */
static void machine_check_of_guest(void)
{
#ifdef CONFIG_X86_MCE
	struct pt_regs at_ring_3 = { .cs = 3, .flags = X86_EFLAGS_IF };

	do_machine_check(&at_ring_3);
#else
	btvm_redeliver(VECTOR_MACHINE_CHECK);
#endif
}

/* What ended the stay and belongs to the host. */
static void redeliver_trap(const struct btvm_switch_context *context)
{
	const u64 vector = context->frame.vector;

	if (context->leave_reason != BTVM_LEAVE_TRAP)
		return;
	if (vector == VECTOR_MACHINE_CHECK)
		machine_check_of_guest();
	else if (vector >= FIRST_INTERRUPT || vector == VECTOR_NMI)
		btvm_redeliver(vector);
}

static bool interrupted(struct btvm_vcpu *vcpu)
{
	return READ_ONCE(vcpu->run->immediate_exit) || signal_pending(current);
}

static bool woken(struct btvm_vcpu *vcpu)
{
	return READ_ONCE(vcpu->queued) || READ_ONCE(vcpu->nmi_queued) || READ_ONCE(vcpu->run->immediate_exit);
}

/*
 * RDTSC, RDTSCP and RDPMC trap at ring 3, XGETBV and the PKRU instructions do not exist there (the guest's kernel would save
 * neither the registers behind them nor PKRU), and SGDT and its kind trap where the processor can make them.
 */
static u64 world_cr4(const struct btvm_switch_context *context, bool execute_only)
{
	/* Execute-only copies are made so by a protection key. */
	const u64 off = X86_CR4_PCE | X86_CR4_OSXSAVE | X86_CR4_CET | (execute_only ? 0 : X86_CR4_PKE) | BTVM_CR4_GUEST;
	const u64 on = X86_CR4_TSD | X86_CR4_DE | (boot_cpu_has(X86_FEATURE_UMIP) ? X86_CR4_UMIP : 0);

	return (__read_cr4() & ~off) | on | context->guest_cr4;
}

/* Guest user code may write PKRU, and the process of btvm-run may have. Returns what it was. */
static u32 change_pkru(u32 value)
{
	const u32 now = rdpkru();

	if (now != value)
		wrpkru(value);
	return now;
}

/*
 * Where the host is itself a guest of KVM: the page fault that ended the stay (the tracer sees to that) was KVM's word that
 * it fetches a page, with a token in CR2. Linux would wait in its page fault handler. To leave the word in KVM's flags
 * would have its next page fault taken for it.
 */
static void wait_for_page(const struct btvm_switch_context *context)
{
	local_irq_disable();
	kvm_async_pf_task_wait_schedule((u32)context->trap_cr2);
	local_irq_enable();
}

/* One stay in the guest world. What ended it and belongs to the host is raised again before interrupts come on. */
static void enter_guest_world(struct btvm_vcpu *vcpu, bool fpu)
{
	struct btvm_switch_context *context = vcpu->world.context;
	unsigned long flags;
	u32 pkru = 0, absent_pages;

	/* An interrupt that is raised again asks for a reschedule with interrupts off: this is where that is looked at. */
	preempt_disable();
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
		preempt_enable();
		return;
	}
	if (fpu) {
		kernel_fpu_begin();
		btvm_load_guest_fpu(vcpu);
	}
	context->world_cr0 = fpu ? read_cr0() & ~(X86_CR0_TS | X86_CR0_EM) : read_cr0() | X86_CR0_TS;
	context->world_cr4 = world_cr4(context, vcpu->execute_only);
	if (vcpu->execute_only)
		pkru = change_pkru(BTVM_PKRU);
	btvm_world_switch(context);
	absent_pages = kvm_read_and_reset_apf_flags();
	if (vcpu->execute_only)
		change_pkru(pkru);
	WRITE_ONCE(vcpu->running_on, -1);
	if (fpu) {
		btvm_save_guest_fpu(vcpu);
		kernel_fpu_end();
	}
	if (context->pending)
		redeliver_pending(context);
	redeliver_trap(context);
	local_irq_restore(flags);
	preempt_enable();
	if (absent_pages & KVM_PV_REASON_PAGE_NOT_PRESENT)
		wait_for_page(context);
	btvm_core_left(vcpu->world.state);
}

static void sleep_until(struct btvm_vcpu *vcpu, u64 guest_ns)
{
	const u64 now = btvm_vm_guest_ns(vcpu->vm);
	const u32 slowdown = READ_ONCE(vcpu->vm->slowdown);

	if (guest_ns <= now)
		return;
	/* Farther away than ktime_t reaches is never. */
	if (guest_ns - now >= div_u64(KTIME_MAX, slowdown))
		(void)wait_event_interruptible(vcpu->wait, woken(vcpu));
	else
		(void)wait_event_interruptible_hrtimeout(vcpu->wait, woken(vcpu),
							 ns_to_ktime((guest_ns - now) * slowdown));
}

static int exit_deadline(struct btvm_vcpu *vcpu)
{
	vcpu->run->exit_reason = BTVM_EXIT_DEADLINE;
	return 0;
}

/*
 * The TSC and guest time at one moment. Whatever came between the two readings (an NMI, or another machine on the
 * processor where this one is emulated) would have the guest's clock run ahead or behind until the next turn.
 */
static void read_clocks(const struct btvm_vcpu *vcpu, struct btvm_core_turn *turn)
{
	const u64 long_ns = 20000;
	unsigned int tries;
	u64 best = ~0ull;

	for (tries = 0; tries < 4 && mul_u64_u64_shr(best, btvm_ns_per_tsc_32, 32) > long_ns; tries++) {
		const u64 begin = rdtsc_ordered(), guest_ns = btvm_vm_guest_ns(vcpu->vm), end = rdtsc_ordered();

		if (end - begin >= best)
			continue;
		best = end - begin;
		turn->tsc = end;
		turn->guest_ns = guest_ns;
	}
}

static int run_until_exit(struct btvm_vcpu *vcpu)
{
	struct btvm_run *run = vcpu->run;
	struct btvm_core_turn turn = { .ns_per_tsc_32 = div_u64(btvm_ns_per_tsc_32, READ_ONCE(vcpu->vm->slowdown)) };

	for (;;) {
		const u64 deadline = READ_ONCE(run->deadline_ns);
		int next;

		if (interrupted(vcpu))
			return -EINTR;
		drain_queue(vcpu);
		read_clocks(vcpu, &turn);
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

static void take_answer(struct btvm_vcpu *vcpu)
{
	if (!vcpu->io_asked)
		return;
	btvm_core_answer_io(vcpu->world.state, vcpu->run + 1);
	vcpu->io_asked = false;
}

void btvm_vcpu_settle(struct btvm_vcpu *vcpu)
{
	drain_queue(vcpu);
	take_answer(vcpu);
}

int btvm_vcpu_run(struct btvm_vcpu *vcpu)
{
	int result;

	take_answer(vcpu);
	result = run_until_exit(vcpu);
	if (vcpu->timer_at) {
		hrtimer_cancel(&vcpu->timer);
		vcpu->timer_at = 0;
	}
	vcpu->run->guest_ns = btvm_vm_guest_ns(vcpu->vm);
	return result;
}

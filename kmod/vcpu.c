// SPDX-License-Identifier: GPL-2.0
/* The vCPU descriptor: its calls, and how one is made and undone. */
#include <linux/anon_inodes.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "btvm.h"

void btvm_vcpu_apply_config(struct btvm_vcpu *vcpu, const struct btvm_config *config)
{
	btvm_core_set_config(vcpu->world.state, config);
	btvm_guest_world_use_monitor(&vcpu->world, !(config->flags & BTVM_CONFIG_MONITOR_OFF));
	vcpu->execute_only = config->flags & BTVM_CONFIG_EXECUTE_ONLY;
	btvm_guest_world_use_int3(&vcpu->world, vcpu->execute_only);
}

#define XSAVE_SIZE 1024

/* What the VM takes of the host's memory, beside the guest's own. None of it grows while the VM lives. */
static u64 host_memory(const struct btvm_vcpu *vcpu)
{
	u64 bytes = btvm_guest_world_size(&vcpu->world) + sizeof(*vcpu->vm) + sizeof(*vcpu) + PAGE_SIZE + XSAVE_SIZE;
	unsigned int i;

	for (i = 0; i < BTVM_MEMORY_SLOTS; i++)
		bytes += btvm_slot_overhead(&vcpu->vm->slots[i]);
	return bytes;
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
	stats.host_memory = host_memory(vcpu);
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

/* What userland has answered to a port access becomes part of the state, as in BTVM_RUN. */
static int get_state(struct btvm_vcpu *vcpu, void __user *user)
{
	struct btvm_state *state = kmalloc(sizeof(*state), GFP_KERNEL_ACCOUNT);
	int error;

	if (!state)
		return -ENOMEM;
	btvm_vcpu_settle(vcpu);
	btvm_core_get_state(vcpu->world.state, state);
	error = copy_to_user(user, state, sizeof(*state)) ? -EFAULT : 0;
	kfree(state);
	return error;
}

static int set_state(struct btvm_vcpu *vcpu, const void __user *user)
{
	struct btvm_state *state = kmalloc(sizeof(*state), GFP_KERNEL_ACCOUNT);
	int error = 0;

	if (!state)
		return -ENOMEM;
	if (copy_from_user(state, user, sizeof(*state))) {
		error = -EFAULT;
	} else {
		/* What was queued came before: the new state knows nothing of it. */
		btvm_vcpu_settle(vcpu);
		if (btvm_core_set_state(vcpu->world.state, state))
			error = -EINVAL;
		else
			vcpu->io_asked = false;
	}
	kfree(state);
	return error;
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
		return argument ? -EINVAL : btvm_vcpu_run(vcpu);
	case BTVM_RESET:
		return argument ? -EINVAL : reset(vcpu);
	case BTVM_SET_A20:
		if (argument > 1)
			return -EINVAL;
		btvm_core_set_a20(vcpu->world.state, argument);
		return 0;
	case BTVM_SET_PM_TIMER:
		return btvm_core_set_pm_timer(vcpu->world.state, argument) ? -EINVAL : 0;
	case BTVM_GET_REGS:
		return get_regs(vcpu, user);
	case BTVM_SET_REGS:
		return set_regs(vcpu, user);
	case BTVM_GET_SREGS:
		return get_sregs(vcpu, user);
	case BTVM_SET_SREGS:
		return set_sregs(vcpu, user);
	case BTVM_GET_STATE:
		return get_state(vcpu, user);
	case BTVM_SET_STATE:
		return set_state(vcpu, user);
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
		return argument ? -EINVAL : btvm_vcpu_queue_nmi(vcpu);
	case BTVM_RUN:
	case BTVM_RESET:
	case BTVM_SET_A20:
	case BTVM_SET_PM_TIMER:
	case BTVM_GET_REGS:
	case BTVM_SET_REGS:
	case BTVM_GET_SREGS:
	case BTVM_SET_SREGS:
	case BTVM_GET_STATE:
	case BTVM_SET_STATE:
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
	vcpu->timer.function = btvm_vcpu_timer_fired;
	vcpu->running_on = -1;
	INIT_LIST_HEAD(&vcpu->world.pages);
	vcpu->run = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	/* A power of two, so that kmalloc aligns it as XRSTOR needs. */
	vcpu->xsave = kzalloc(XSAVE_SIZE, GFP_KERNEL_ACCOUNT);
	if (vcpu->run && vcpu->xsave)
		error = btvm_guest_world_create(&vcpu->world, vm->slots,
						vm->config.flags & BTVM_CONFIG_EXECUTE_ONLY);
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

// SPDX-License-Identifier: GPL-2.0
/* The VM descriptor: memory slots, configuration, guest time, interrupt lines. */
#include <linux/anon_inodes.h>
#include <linux/capability.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>

#include "btvm.h"

#define CONFIG_FLAGS                                                                                                 \
	(BTVM_CONFIG_MONITOR_OFF | BTVM_CONFIG_VERIFY | BTVM_CONFIG_PLAN_CACHE_OFF | BTVM_CONFIG_TRACE |             \
	 BTVM_CONFIG_INTERPRET | BTVM_CONFIG_LOOKAHEAD | BTVM_CONFIG_TRACKING_OFF | BTVM_CONFIG_COMPARE_OFF |       \
	 BTVM_CONFIG_EXECUTE_ONLY | BTVM_CONFIG_APIC | BTVM_CONFIG_POST_PORT)
#define CONFIG_TEST_FLAGS (BTVM_CONFIG_TEST_PLANNER_BUG | BTVM_CONFIG_TEST_MONITOR_FAULT)

u64 btvm_vm_guest_ns(const struct btvm_vm *vm)
{
	return div_u64(ktime_get_ns() - READ_ONCE(vm->clock_offset), READ_ONCE(vm->slowdown));
}

u64 btvm_vm_host_ns(const struct btvm_vm *vm, u64 guest_ns)
{
	return guest_ns * READ_ONCE(vm->slowdown) + READ_ONCE(vm->clock_offset);
}

/* The clock goes on from what it shows. */
static void set_slowdown(struct btvm_vm *vm, u32 slowdown)
{
	const u64 now = ktime_get_ns();
	const u64 guest_ns = div_u64(now - vm->clock_offset, vm->slowdown);

	if (slowdown == vm->slowdown)
		return;
	WRITE_ONCE(vm->slowdown, slowdown);
	WRITE_ONCE(vm->clock_offset, now - guest_ns * slowdown);
}

void btvm_vm_put(struct btvm_vm *vm)
{
	unsigned int i;

	if (!refcount_dec_and_test(&vm->users))
		return;
	/* The vCPU lives as long as the VM: calls on the VM's descriptor may be using it. */
	if (vm->vcpu)
		btvm_vcpu_destroy(vm->vcpu);
	for (i = 0; i < BTVM_MEMORY_SLOTS; i++)
		btvm_slot_release(&vm->slots[i]);
	kfree(vm);
}

static bool overlaps(const struct btvm_slot *slot, const struct btvm_userspace_memory_region *region)
{
	return slot->pages_count && slot->guest_physical < region->guest_phys_addr + region->memory_size &&
	       region->guest_phys_addr < slot->guest_physical + (slot->pages_count << PAGE_SHIFT);
}

static int set_memory_region(struct btvm_vm *vm, const struct btvm_userspace_memory_region *region)
{
	u64 pages = 0;
	unsigned int i;
	int error = region->slot < BTVM_MEMORY_SLOTS ? btvm_region_check(region) : -EINVAL;

	if (error)
		return error;
	mutex_lock(&vm->lock);
	if (vm->vcpu)
		error = -EBUSY;
	else if (vm->slots[region->slot].pages_count)
		error = -EEXIST;
	for (i = 0; !error && i < BTVM_MEMORY_SLOTS; i++) {
		pages += vm->slots[i].pages_count;
		if (overlaps(&vm->slots[i], region))
			error = -EEXIST;
	}
	/* The firmware's few pages come on top of the RAM that was promised. */
	if (!error && (region->memory_size >> PAGE_SHIFT) + pages > ((u64)BTVM_MAX_GUEST_RAM_MIB + 16) << (20 - PAGE_SHIFT))
		error = -ENOSPC;
	if (!error)
		error = btvm_slot_pin(&vm->slots[region->slot], region);
	mutex_unlock(&vm->lock);
	return error;
}

static int set_config(struct btvm_vm *vm, const struct btvm_config *config)
{
	int error = 0;

	if (config->flags & ~(CONFIG_FLAGS | CONFIG_TEST_FLAGS) || config->breakpoints < 1 || config->breakpoints > 4 ||
	    config->slowdown > BTVM_MAX_SLOWDOWN || config->padding || config->reserved[0] || config->reserved[1] ||
	    config->reserved[2])
		return -EINVAL;
	if ((config->flags & CONFIG_TEST_FLAGS) && !capable(CAP_SYS_ADMIN))
		return -EPERM;
	if ((config->flags & BTVM_CONFIG_EXECUTE_ONLY) && !btvm_has_execute_only())
		return -EOPNOTSUPP;
	mutex_lock(&vm->lock);
	if (vm->vcpu && !mutex_trylock(&vm->vcpu->lock)) {
		error = -EBUSY;
	} else if (vm->vcpu && (((config->flags & BTVM_CONFIG_EXECUTE_ONLY) && !vm->vcpu->world.copies.pages) ||
				((config->flags ^ vm->config.flags) & BTVM_CONFIG_APIC))) {
		/* The memory for copies is made with the vCPU; and no machine gets or loses its APICs while it runs. */
		mutex_unlock(&vm->vcpu->lock);
		error = -EBUSY;
	} else {
		vm->config = *config;
		set_slowdown(vm, config->slowdown ?: 1);
		if (vm->vcpu) {
			btvm_vcpu_apply_config(vm->vcpu, config);
			mutex_unlock(&vm->vcpu->lock);
		}
	}
	mutex_unlock(&vm->lock);
	return error;
}

static int memory_written(struct btvm_vm *vm, const struct btvm_memory_written *range)
{
	struct btvm_vcpu *vcpu = smp_load_acquire(&vm->vcpu);

	if (!vcpu)
		return 0; /* nothing is decoded yet */
	if (!mutex_trylock(&vcpu->lock))
		return -EBUSY;
	btvm_core_memory_written(vcpu->world.state, range->guest_phys_addr, range->size);
	mutex_unlock(&vcpu->lock);
	return 0;
}

static int get_dirty_log(struct btvm_vm *vm, const struct btvm_dirty_log *log)
{
	struct btvm_vcpu *vcpu = smp_load_acquire(&vm->vcpu);
	const struct btvm_slot *slot;
	btvm_u64 *bitmap;
	u64 size;
	int error = 0;

	if (log->slot >= BTVM_MEMORY_SLOTS || log->padding)
		return -EINVAL;
	if (!vcpu)
		return -ENXIO;
	slot = &vm->slots[log->slot]; /* with a vCPU there, slots do not change */
	if (!slot->pages_count)
		return -ENOENT;
	size = DIV_ROUND_UP(slot->pages_count, 64) * sizeof(u64);
	bitmap = kvmalloc(size, GFP_KERNEL_ACCOUNT);
	if (!bitmap)
		return -ENOMEM;
	if (mutex_trylock(&vcpu->lock)) {
		btvm_core_take_dirty(vcpu->world.state, slot->guest_physical, bitmap);
		mutex_unlock(&vcpu->lock);
		if (copy_to_user((void __user *)log->dirty_bitmap, bitmap, size))
			error = -EFAULT;
	} else {
		error = -EBUSY;
	}
	kvfree(bitmap);
	return error;
}

static int irq_line(struct btvm_vm *vm, const struct btvm_irq_level *irq)
{
	struct btvm_vcpu *vcpu = smp_load_acquire(&vm->vcpu);

	if (irq->irq > 15 || irq->level > 1)
		return -EINVAL;
	return vcpu ? btvm_vcpu_queue_irq(vcpu, irq) : -ENXIO;
}

static int set_clock(struct btvm_vm *vm, const struct btvm_clock *clock)
{
	const u64 now = ktime_get_ns();

	if (clock->monotonic_ns)
		return -EINVAL;
	mutex_lock(&vm->lock);
	WRITE_ONCE(vm->clock_offset, now - clock->guest_ns * vm->slowdown);
	mutex_unlock(&vm->lock);
	return 0;
}

static int get_clock(struct btvm_vm *vm, struct btvm_clock *clock)
{
	clock->monotonic_ns = ktime_get_ns();
	mutex_lock(&vm->lock);
	clock->guest_ns = div_u64(clock->monotonic_ns - vm->clock_offset, vm->slowdown);
	mutex_unlock(&vm->lock);
	return 0;
}

/* The requests whose argument is a structure, by their full number: its size and direction are part of it. */
static bool is_vm_request(unsigned int request)
{
	switch (request) {
	case BTVM_SET_USER_MEMORY_REGION:
	case BTVM_IRQ_LINE:
	case BTVM_SET_CONFIG:
	case BTVM_MEMORY_WRITTEN:
	case BTVM_GET_DIRTY_LOG:
	case BTVM_SET_CLOCK:
	case BTVM_GET_CLOCK:
		return true;
	default:
		return false;
	}
}

static long vm_ioctl(struct file *file, unsigned int request, unsigned long argument)
{
	struct btvm_vm *vm = file->private_data;
	void __user *user = (void __user *)argument;
	union {
		struct btvm_userspace_memory_region region;
		struct btvm_irq_level irq;
		struct btvm_config config;
		struct btvm_memory_written range;
		struct btvm_dirty_log log;
		struct btvm_clock clock;
	} in;

	if (request == BTVM_CREATE_VCPU)
		return argument ? -EINVAL : btvm_vcpu_create(vm);
	if (!is_vm_request(request))
		return -ENOTTY;
	memset(&in, 0, sizeof(in));
	if ((_IOC_DIR(request) & _IOC_WRITE) && copy_from_user(&in, user, _IOC_SIZE(request)))
		return -EFAULT;
	switch (request) {
	case BTVM_SET_USER_MEMORY_REGION:
		return set_memory_region(vm, &in.region);
	case BTVM_IRQ_LINE:
		return irq_line(vm, &in.irq);
	case BTVM_SET_CONFIG:
		return set_config(vm, &in.config);
	case BTVM_MEMORY_WRITTEN:
		return memory_written(vm, &in.range);
	case BTVM_GET_DIRTY_LOG:
		return get_dirty_log(vm, &in.log);
	case BTVM_SET_CLOCK:
		return set_clock(vm, &in.clock);
	case BTVM_GET_CLOCK:
		get_clock(vm, &in.clock);
		return copy_to_user(user, &in.clock, sizeof(in.clock)) ? -EFAULT : 0;
	default:
		return -ENOTTY;
	}
}

static int vm_release(struct inode *inode, struct file *file)
{
	btvm_vm_put(file->private_data);
	return 0;
}

static const struct file_operations vm_operations = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = vm_ioctl,
	.release = vm_release,
	.llseek = noop_llseek,
};

int btvm_vm_create(void)
{
	struct btvm_vm *vm = kzalloc(sizeof(*vm), GFP_KERNEL_ACCOUNT);
	int fd;

	if (!vm)
		return -ENOMEM;
	refcount_set(&vm->users, 1);
	mutex_init(&vm->lock);
	vm->config.breakpoints = 4;
	vm->clock_offset = ktime_get_ns();
	vm->slowdown = 1;
	fd = anon_inode_getfd("btvm-vm", &vm_operations, vm, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		btvm_vm_put(vm);
	return fd;
}

// SPDX-License-Identifier: GPL-2.0
/* The vCPU descriptor's calls: pointers, sizes, padding, ranges, and the mapping of the run page. */
#include "guest.h"

#include <stddef.h>

#define UNREADABLE 0xffff888000000000ul

static int call(int fd, unsigned long request, const void *argument)
{
	errno = 0;
	return ioctl(fd, request, argument) < 0 ? errno : 0;
}

static void check_pointers(int vcpu, void *constant)
{
	static const unsigned long requests[] = {
		BTVM_GET_REGS, BTVM_SET_REGS, BTVM_GET_SREGS, BTVM_SET_SREGS, BTVM_GET_STATS, BTVM_GET_TRACE,
	};
	bool ok = true, written = true;
	size_t i;

	for (i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		ok &= call(vcpu, requests[i], NULL) == EFAULT && call(vcpu, requests[i], (void *)UNREADABLE) == EFAULT;
		if (_IOC_DIR(requests[i]) & _IOC_READ)
			written &= call(vcpu, requests[i], constant) == EFAULT || requests[i] == BTVM_GET_STATS;
	}
	ktap_result(ok, "structures that cannot be read or written: EFAULT");
	ktap_result(written, "answers into read-only memory: EFAULT");
}

static void check_arguments(int vcpu)
{
	ktap_result(call(vcpu, BTVM_RUN, (void *)1) == EINVAL && call(vcpu, BTVM_RESET, (void *)1) == EINVAL &&
			    call(vcpu, BTVM_NMI, (void *)1) == EINVAL,
		    "an argument where none is taken: EINVAL");
	ktap_result(call(vcpu, BTVM_SET_A20, (void *)2) == EINVAL && call(vcpu, BTVM_SET_A20, (void *)-1l) == EINVAL &&
			    !call(vcpu, BTVM_SET_A20, NULL) && !call(vcpu, BTVM_SET_A20, (void *)1),
		    "address line 20 is 0 or 1, else EINVAL");
}

static void check_regs(int vcpu)
{
	struct btvm_regs set, got;
	unsigned int i;

	memset(&set, 0xff, sizeof(set));
	ktap_result(!call(vcpu, BTVM_SET_REGS, &set) && !call(vcpu, BTVM_GET_REGS, &got), "any register values are taken");
	for (i = 0; i < 16 && got.gpr[i] == (i < 8 ? 0xffffffff : 0); i++)
		;
	ktap_result(i == 16 && got.rip == 0xffffffff, "of which a 32-bit processor keeps 32 bits of eight");
	ktap_result(got.rflags == 0x3f7fd7, "and the flags that exist");
	set.rflags = 0;
	ktap_result(!call(vcpu, BTVM_SET_REGS, &set) && !call(vcpu, BTVM_GET_REGS, &got) && got.rflags == 2,
		    "flag bit 1 is always set");
}

static int with_byte(int vcpu, const struct btvm_sregs *good, size_t offset, uint8_t value)
{
	struct btvm_sregs sregs = *good;

	((uint8_t *)&sregs)[offset] = value;
	return call(vcpu, BTVM_SET_SREGS, &sregs);
}

#define REFUSES(field, byte, value) (with_byte(vcpu, &good, offsetof(struct btvm_sregs, field) + (byte), value) == EINVAL)

static void check_sregs(int vcpu)
{
	struct btvm_sregs good, got;
	bool ok = true;
	int i;

	ioctl(vcpu, BTVM_RESET, 0);
	ktap_result(!call(vcpu, BTVM_GET_SREGS, &good) && !call(vcpu, BTVM_SET_SREGS, &good) &&
			    !call(vcpu, BTVM_GET_SREGS, &got) && !memcmp(&good, &got, sizeof(got)),
		    "system registers come back as they were set");
	for (i = 0; i < 5; i++)
		ok &= REFUSES(padding, i, 1);
	ok &= REFUSES(gdtr.padding, 0, 1) && REFUSES(gdtr.padding, 5, 0x80) && REFUSES(idtr.padding, 2, 1);
	ktap_result(ok, "padding that is not 0: EINVAL");
	ok = REFUSES(activity, 0, 3) && REFUSES(a20_enabled, 0, 2) && REFUSES(interrupt_shadow, 0, 0xff);
	ktap_result(ok, "activity above 2, address line 20 above 1, interrupt shadow beyond its values: EINVAL");
	ok = REFUSES(cr0, 3, 0xe0) && REFUSES(cr0, 3, 0x20) && REFUSES(cr0, 4, 1) && REFUSES(cr3, 4, 1) && REFUSES(cr4, 7, 1);
	ktap_result(ok, "paging without protection, NW without CD, bits above 31: EINVAL");
	ok = REFUSES(efer, 1, 1) && REFUSES(efer, 1, 4);
	ktap_result(ok, "long mode: EINVAL");
	for (i = 0; i < 6; i++)
		ok &= REFUSES(segment[i].base, 4, 1) && REFUSES(segment[i].access, 1, 0x0f);
	ok &= REFUSES(ldtr.base, 7, 0x80) && REFUSES(tr.base, 4, 1) && REFUSES(gdtr.base, 4, 1) && REFUSES(idtr.base, 5, 1);
	ktap_result(ok, "bases above 4 GiB, access bits that do not exist: EINVAL");
	ktap_result(!call(vcpu, BTVM_GET_SREGS, &got) && !memcmp(&good, &got, sizeof(got)), "a refusal changes nothing");
}

static void check_stats(int vcpu)
{
	uint8_t bytes[sizeof(struct btvm_stats) + 64];
	struct btvm_stats *stats = (void *)bytes;
	uint8_t *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool ok = true;
	uint32_t size;
	size_t i;

	for (size = 0; size < 8; size++) {
		memset(bytes, 0, sizeof(bytes));
		stats->size = size;
		ok &= call(vcpu, BTVM_GET_STATS, stats) == EINVAL;
	}
	ktap_result(ok, "counters with no room even for the head: EINVAL");
	memset(bytes, 0, sizeof(bytes));
	stats->size = sizeof(*stats);
	stats->padding = 1;
	ktap_result(call(vcpu, BTVM_GET_STATS, stats) == EINVAL, "padding that is not 0: EINVAL");
	for (size = 8; size <= sizeof(bytes); size += 7) {
		memset(bytes, 0x5a, sizeof(bytes));
		stats->size = size;
		stats->padding = 0;
		ok &= !call(vcpu, BTVM_GET_STATS, stats);
		ok &= stats->size == (size < sizeof(*stats) ? size : sizeof(*stats));
		for (i = stats->size; i < sizeof(bytes); i++)
			ok &= bytes[i] == 0x5a;
	}
	ktap_result(ok, "no more is written than there is room for, and `size` tells how much");
	memset(bytes, 0, sizeof(bytes));
	stats->size = ~0u;
	ktap_result(!call(vcpu, BTVM_GET_STATS, stats) && stats->size == sizeof(*stats), "a newer program's larger structure");
	ktap_result(stats->shadow_pages_limit && stats->shadow_pages_peak <= stats->shadow_pages_limit &&
			    stats->host_memory > stats->shadow_pages_limit * 4096 && stats->host_memory < 64 << 20,
		    "the memory beside the guest's is told, and bounded");
	munmap(page + 4096, 4096);
	stats = (void *)(page + 4096 - 16);
	stats->size = sizeof(*stats);
	ktap_result(call(vcpu, BTVM_GET_STATS, stats) == EFAULT, "room that is not mapped: EFAULT");
	munmap(page, 4096);
}

static void check_trace(int vcpu)
{
	static struct btvm_trace_entry entries[4200];
	struct btvm_trace trace = { .buffer = (uintptr_t)entries, .count = 1, .padding = 1 };

	ktap_result(call(vcpu, BTVM_GET_TRACE, &trace) == EINVAL, "trace with padding that is not 0: EINVAL");
	trace = (struct btvm_trace){ .buffer = 0, .count = 0 };
	ktap_result(!call(vcpu, BTVM_GET_TRACE, &trace) && trace.count == 0, "trace of no entries needs no buffer");
	trace = (struct btvm_trace){ .buffer = UNREADABLE, .count = 16 };
	ktap_result(call(vcpu, BTVM_GET_TRACE, &trace) == EFAULT, "trace into the kernel's memory: EFAULT");
	trace = (struct btvm_trace){ .buffer = (uintptr_t)entries, .count = ~0u };
	ktap_result(!call(vcpu, BTVM_GET_TRACE, &trace) && trace.count > 0 && trace.count <= 4096 &&
			    entries[trace.count - 1].sequence >= trace.count && !entries[trace.count].sequence,
		    "trace with a huge count gives what there is");
}

static void check_mapping(int vcpu)
{
	void *page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, vcpu, 0);
	bool ok;

	ktap_result(page != MAP_FAILED, "the run page can be mapped again, read-only");
	munmap(page, 4096);
	ok = mmap(NULL, 4096, PROT_READ, MAP_SHARED, vcpu, 4096) == MAP_FAILED && errno == EINVAL;
	ok &= mmap(NULL, 8192, PROT_READ, MAP_SHARED, vcpu, 0) == MAP_FAILED && errno == EINVAL;
	ok &= mmap(NULL, 4096, PROT_READ, MAP_SHARED, vcpu, 1ll << 40) == MAP_FAILED && errno == EINVAL;
	ktap_result(ok, "another offset or size: EINVAL");
	ktap_result(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, vcpu, 0) == MAP_FAILED && errno == EINVAL,
		    "a private mapping: EINVAL");
}

int main(void)
{
	const struct btvm_config config = { .breakpoints = 4, .flags = BTVM_CONFIG_TRACE };
	static const uint8_t halt[] = { 0xf4 };
	void *constant = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct guest g;

	ktap_plan(29);
	guest_create(&g, &config);
	guest_start_flat(&g, halt, sizeof(halt));
	ktap_result(guest_run(&g) == BTVM_EXIT_HALTED, "the guest runs");
	check_trace(g.vcpu);
	check_pointers(g.vcpu, constant);
	check_arguments(g.vcpu);
	check_regs(g.vcpu);
	check_sregs(g.vcpu);
	check_stats(g.vcpu);
	check_mapping(g.vcpu);
	guest_destroy(&g);
	return ktap_finish();
}

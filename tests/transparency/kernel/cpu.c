// What the processor says of itself, control registers and model-specific registers: properties rather than values where
// two processors may differ.
#include "descriptors.h"
#include "paging.h"
#include "report.h"
#include "trap.h"

SNIPPET(cpu_cpuid, "cpuid\n" STOP);
SNIPPET(cpu_rdtsc, "rdtsc\nmov %eax, %esi\nmov %edx, %edi\nrdtsc\n" STOP);
SNIPPET(cpu_rdmsr, "rdmsr\n" STOP);
SNIPPET(cpu_wrmsr, "wrmsr\n" STOP);
SNIPPET(cpu_set_cr0, "mov %eax, %cr0\nmov %cr0, %ebx\n" STOP);
SNIPPET(cpu_set_cr4, "mov %eax, %cr4\nmov %cr4, %ebx\n" STOP);
SNIPPET(cpu_set_cr3, "mov %eax, %cr3\nmov %cr3, %ebx\n" STOP);
SNIPPET(cpu_set_cr2, "mov %eax, %cr2\nmov %cr2, %ebx\n" STOP);
SNIPPET(cpu_lmsw, "lmsw %ax\nmov %cr0, %ebx\n" STOP);
SNIPPET(cpu_clts, "clts\nmov %cr0, %ebx\n" STOP);
SNIPPET(cpu_cr1, ".byte 0x0f, 0x20, 0xc8\n" STOP);
SNIPPET(cpu_cr5, ".byte 0x0f, 0x20, 0xe8\n" STOP);
SNIPPET(cpu_rdpmc, "xor %ecx, %ecx\nrdpmc\n" STOP);
SNIPPET(cpu_sse, ".byte 0x0f, 0x57, 0xc0\n" STOP);
SNIPPET(cpu_cmov, "cmp %eax, %eax\ncmove %ecx, %eax\n" STOP);
SNIPPET(cpu_nopl, ".byte 0x0f, 0x1f, 0x00\n" STOP);
SNIPPET(cpu_id_flag, "pushf\npop %eax\nmov %eax, %ecx\nxor $0x200000, %eax\npush %eax\npopf\npushf\npop %ebx\nxor %ecx, %ebx\n" STOP);

static struct frame with(u32 ring, const u8 *code, u32 eax, u32 ecx) {
    struct frame f = probe_state(ring, code);
    f.eax = eax;
    f.ecx = ecx;
    f.edx = 0;
    return run(&f);
}

static const char *same(int v) { return v ? "yes" : "no"; }

static void identification(void) {
    static const u32 leaves[] = {0, 1, 2, 0x80000000, 0x80000001};
    for (u32 i = 0; i < COUNT(leaves); i++) {
        char name[64];
        u32 a = leaves[i], b, c = 0, d;
        asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
        format_text(name, sizeof name, "cpuid %08x in all rings as in the kernel", leaves[i]);
        report_begin(name);
        for (u32 ring = 0; ring < 4; ring++) {
            const struct frame end = with(ring, cpu_cpuid, leaves[i], 0);
            print(" %s", same(end.eax == a && end.ebx == b && end.ecx == c && end.edx == d));
        }
        report_end();
    }
    const struct frame end = with(0, cpu_cpuid, 0, 0);
    report("vendor", "%x %x %x", end.ebx, end.edx, end.ecx);
    for (u32 ring = 0; ring < 4; ring++) {
        char name[64];
        const struct frame id = with(ring, cpu_id_flag, 0, 0);
        format_text(name, sizeof name, "id flag ring %u", ring);
        report(name, "%x", id.ebx);
    }
    // What is not offered is not there, what is offered works.
    static const struct {
        const char *name;
        u32 feature;
        const u8 *code;
    } offers[] = {{"cmov", FEATURE_CMOV, cpu_cmov}, {"sse", FEATURE_SSE, cpu_sse}, {"tsc", FEATURE_TSC, cpu_rdtsc}};
    for (u32 i = 0; i < COUNT(offers); i++)
        for (u32 ring = 0; ring < 4; ring += 3) {
            char name[64];
            format_text(name, sizeof name, "offer of %s kept ring %u", offers[i].name, ring);
            // Of SSE only the absence: present, it needs CR4.OSFXSR first.
            const u32 vector = with(ring, offers[i].code, 0, 0).vector;
            report(name, "%s", same((vector == DONE) == !!(features & offers[i].feature) ||
                                    (offers[i].feature == FEATURE_SSE && vector == 6)));
        }
    report("nopl", "vector %u", with(0, cpu_nopl, 0, 0).vector == DONE ? 0 : with(0, cpu_nopl, 0, 0).vector);
}

static void time_stamps(void) {
    for (u32 ring = 0; ring < 4; ring += 3)
        for (u32 disabled = 0; disabled < 2; disabled++) {
            char name[64];
            write_cr4(disabled ? CR4_TSD : 0);
            const struct frame end = with(ring, cpu_rdtsc, 0, 0);
            write_cr4(0);
            format_text(name, sizeof name, "rdtsc ring %u tsd %u", ring, disabled);
            const u64 first = (u64)end.edi << 32 | end.esi, second = (u64)end.edx << 32 | end.eax;
            if (end.vector == DONE)
                report(name, "monotonic %s", same(second > first));
            else
                report(name, "#%u,%x", end.vector, end.error);
        }
    u64 last = 0;
    u32 backwards = 0;
    for (u32 i = 0; i < 2000; i++) {
        u32 low, high;
        asm volatile("rdtsc" : "=a"(low), "=d"(high));
        const u64 now = (u64)high << 32 | low;
        if (now <= last) backwards++;
        last = now;
    }
    report("rdtsc", "%u of 2000 not later", backwards);
    // One clock for all rings.
    backwards = 0;
    for (u32 i = 0; i < 40; i++) {
        const struct frame end = with(i & 3, cpu_rdtsc, 0, 0);
        const u64 now = (u64)end.edx << 32 | end.eax;
        if (now <= last) backwards++;
        last = now;
        u32 low, high;
        asm volatile("rdtsc" : "=a"(low), "=d"(high));
        const u64 after = (u64)high << 32 | low;
        if (after <= last) backwards++;
        last = after;
    }
    report("rdtsc from ring to ring", "%u of 80 not later", backwards);
}

static void report_set(const char *name, const u8 *code, u32 value, u32 kept) {
    char text[64];
    format_text(text, sizeof text, "%s %08x", name, value);
    const u32 before = read_cr0();
    const struct frame end = with(0, code, value, 0);
    write_cr0(before);
    write_cr4(0);
    write_cr3(kept);
    if (end.vector == DONE)
        report(text, "reads %08x", end.ebx);
    else
        report(text, "#%u,%x", end.vector, end.error);
}

static void control_registers(void) {
    static const u32 cr0_values[] = {0x11, 0x31, 0x13, 0x19, 0x15, 0x1f, 0x40011, 0x10011, 0x1, 0x20000011, 0x40000011,
                                     0x60000011, 0x1ff8ffd1};
    for (u32 i = 0; i < COUNT(cr0_values); i++)
        report_set("cr0", cpu_set_cr0, cr0_values[i], 0);
    // The bits up to PGE, less MCE. QEMU stops for good when some of the higher ones are set.
    for (u32 bit = 0; bit < 8; bit++)
        if (bit != 6) report_set("cr4", cpu_set_cr4, 1u << bit, 0);
    static const u32 cr3_values[] = {0, 0x1000, 0x1018, 0xfffff000};
    for (u32 i = 0; i < COUNT(cr3_values); i++)
        report_set("cr3", cpu_set_cr3, cr3_values[i], 0);
    report_set("cr2", cpu_set_cr2, 0x12345678, 0);
    report_set("cr2", cpu_set_cr2, 0xffffffff, 0);
    static const u32 lmsw_values[] = {0, 1, 2, 0xe, 0xf, 0xfff0};
    for (u32 i = 0; i < COUNT(lmsw_values); i++)
        report_set("lmsw", cpu_lmsw, lmsw_values[i], 0);
    write_cr0(read_cr0() | CR0_TS);
    report_set("clts", cpu_clts, 0, 0);
    write_cr0(read_cr0() & ~CR0_TS);
    report_probe("mov cr1", 0, cpu_cr1);
    report_probe("mov cr5", 0, cpu_cr5);
}

static void model_specific(void) {
    static const struct {
        const char *name;
        u32 number;
    } list[] = {{"tsc", 0x10}, {"nothing", 0x12345678}, {"pat", 0x277}};
    for (u32 i = 0; i < COUNT(list); i++)
        for (u32 ring = 0; ring < 4; ring += 3) {
            char name[64];
            const struct frame end = with(ring, cpu_rdmsr, 0, list[i].number);
            format_text(name, sizeof name, "rdmsr %s ring %u", list[i].name, ring);
            if (list[i].number == 0x277 && end.vector == DONE)
                report(name, "%x %x", end.edx, end.eax);
            else
                report(name, "vector %u,%x", end.vector, end.error);
        }
    if (extended_features & EXTENDED_NX) {
        struct frame set = probe_state(0, cpu_wrmsr);
        set.ecx = 0xc0000080;
        set.eax = 0x800;
        set.edx = 0;
        const u32 vector = run(&set).vector;
        const struct frame end = with(0, cpu_rdmsr, 0, 0xc0000080);
        report("efer.nxe", "vector %u reads %x %x", vector == DONE ? 0 : vector, end.edx, end.eax);
        set.eax = 0;
        (void)run(&set);
    }
    report("wrmsr nothing", "vector %u", with(0, cpu_wrmsr, 0, 0x12345678).vector);
    report("wrmsr pat, bad type", "vector %u", with(0, cpu_wrmsr, 2, 0x277).vector);
    report("rdpmc ring 3", "vector %u", with(3, cpu_rdpmc, 0, 0).vector);
}

void group_cpu(void) {
    identification();
    time_stamps();
    control_registers();
    model_specific();
}

#include "base.h"
#include "descriptors.h"
#include "groups.h"
#include "paging.h"
#include "report.h"
#include "trap.h"

u32 features, extended_features;

void *memcpy(void *to, const void *from, u32 n) {
    void *start = to;
    asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n)::"memory");
    return start;
}

void *memset(void *to, int c, u32 n) {
    void *start = to;
    asm volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(c) : "memory");
    return start;
}

int memcmp(const void *a, const void *b, u32 n) {
    const u8 *x = a, *y = b;
    for (; n; n--, x++, y++)
        if (*x != *y) return *x < *y ? -1 : 1;
    return 0;
}

static void find_features(void) {
    u32 a = 1, b, c, d;
    asm volatile("cpuid" : "+a"(a), "=b"(b), "=c"(c), "=d"(features));
    a = 0x80000000;
    asm volatile("cpuid" : "+a"(a), "=b"(b), "=c"(c), "=d"(d));
    const u32 highest = a;
    if (highest < 0x80000001 || highest > 0x8000ffff) return;
    a = 0x80000001;
    asm volatile("cpuid" : "+a"(a), "=b"(b), "=c"(c), "=d"(extended_features));
}

// The runner gives the reference machine the same features.
static void report_features(void) {
    static const char *const names[32] = {"fpu", "vme", "de", "pse", "tsc", "msr", "pae", "mce", "cx8", "apic", "", "sep",
                                          "mtrr", "pge", "mca", "cmov", "pat", "pse36", "pn", "clflush", "", "ds",
                                          "acpi", "mmx", "fxsr", "sse", "sse2", "ss", "ht", "tm", "ia64", "pbe"};
    group("cpu");
    report_begin("features");
    for (u32 i = 0; i < 32; i++)
        if ((features >> i & 1) && *names[i]) print(" %s", names[i]);
    if (extended_features & EXTENDED_NX) print(" nx");
    report_end();
}

void kernel_main(void) {
    report_start();
    start_tables();
    find_features();
    report_features();
    for (u32 i = 0; i < group_count; i++) {
        paging_off();
        write_cr0(CR0_PE | CR0_ET);
        reset_tables();
        trap_hook = 0;
        group(groups[i].name);
        asm volatile("fninit"); // after RESET all its exceptions are unmasked (SDM Vol. 3A table 9-1)
        groups[i].run();
        report_passes_done();
    }
    group("suite");
    report("end", "done");
    report_drain();
}

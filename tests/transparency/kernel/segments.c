// Segments that are not flat: bases, limits, expand-down, 16-bit code and stacks (SDM Vol. 3A 3.4, 5.3).
#include "descriptors.h"
#include "report.h"
#include "trap.h"

// Accesses through FS at EDI.
SNIPPET(segments_read1, "movb %fs:(%edi), %al\n" STOP);
SNIPPET(segments_read4, "movl %fs:(%edi), %eax\n" STOP);
SNIPPET(segments_write1, "movb %al, %fs:(%edi)\n" STOP);
SNIPPET(segments_write4, "movl %eax, %fs:(%edi)\n" STOP);
SNIPPET(segments_read8, "fildll %fs:(%edi)\nfstp %st(0)\n" STOP);
SNIPPET(segments_load, "mov %ecx, %fs\nmovb %fs:(%edi), %al\nmovb %al, %fs:(%edi)\n" STOP);
SNIPPET(segments_long, "1: movl %fs:(%edi), %eax\nadd %eax, %ebx\nincl %fs:4(%edi)\nloop 1b\nmovb %fs:8(%edi), %al\n" STOP);
SNIPPET(segments_push, "mov %ecx, %ss\nmov %edi, %esp\npush %eax\nmov %esp, %ebx\nmov %edx, %ss\nmov %esi, %esp\n" STOP);
SNIPPET(segments_stack16, "mov %esp, %esi\nmov %ss, %edx\nmov %ecx, %ss\nmov %edi, %esp\npush $0x12345678\n"
                          "mov %esp, %ebx\npop %eax\nmov %esp, %ebp\nmov %edx, %ss\nmov %esi, %esp\n" STOP);
extern u8 segments_data[];
USER_DATA u8 segments_data[8192];

static char ends(const struct frame *end) {
    switch (end->vector) {
    case DONE: return '.';
    case 13: return end->error ? 'g' : 'G';
    case 12: return end->error ? 's' : 'S';
    case 17: return 'A';
    default: return '?';
    }
}

// For each place one letter an access: . done, G #GP(0), S #SS(0), small with another error code.
static void edges(const char *name, u32 limit, u32 type, u32 flags, const u32 *places, u32 count) {
    static const u8 *const accesses[] = {segments_read1, segments_read4, segments_read8, segments_write1, segments_write4};
    report_begin(name);
    for (u32 ring = 0; ring < 4; ring += 3)
        for (u32 i = 0; i < count; i++) {
            print(" ");
            for (u32 a = 0; a < COUNT(accesses); a++) {
                gdt[SCRATCH(0) / 8] = segment((u32)segments_data + 16, limit, PRESENT | DPL(ring) | type, flags);
                struct frame f = probe_state(ring, accesses[a]);
                f.fs = SCRATCH(0) | ring;
                f.edi = places[i];
                const struct frame end = run(&f);
                print("%c", ends(&end));
            }
        }
    report_end();
}

// The same in short, where the code that makes the accesses has loaded the segment itself.
static void loaded_by(const char *name, u32 limit, u32 type, const u32 *places) {
    report_begin(name);
    for (u32 ring = 0; ring < 4; ring++) {
        print(" ");
        for (u32 i = 0; i < 6; i++) {
            gdt[SCRATCH(0) / 8] = segment((u32)segments_data + 16, limit, PRESENT | DPL(ring) | ACCESSED | type, BIG);
            struct frame f = probe_state(ring, segments_load);
            f.ecx = SCRATCH(0) | ring;
            f.edi = places[i];
            const struct frame end = run(&f);
            print("%c", ends(&end));
        }
    }
    report_end();
}

// A kernel's few bytes of its own, used long enough that whoever looks for a quick way to run its code has found it: the
// limit holds all the time.
static void small_for_long(void) {
    u32 *const words = (u32 *)(segments_data + 16);
    words[0] = 3;
    words[1] = 0;
    gdt[SCRATCH(0) / 8] = segment((u32)words, 7, PRESENT | TYPE_DATA, BIG);
    struct frame f = probe_state(0, segments_long);
    f.fs = SCRATCH(0);
    f.edi = f.ebx = 0;
    f.ecx = 100000;
    const struct frame end = run(&f);
    report("small for long", "%c sum %u written %u", ends(&end), end.ebx, words[1]);
}

static void limits(void) {
    static const u32 around_1000[] = {0, 0xff8, 0xffc, 0xffd, 0xfff, 0x1000, 0xfffffffc, 0xffffffff};
    static const u32 around_ffff[] = {0, 0xfff, 0x1000, 0x1003, 0x1004, 0xfffc, 0xffff, 0x10000};
    // Places inside the data only, where the access may be done: the rest of memory is other people's.
    edges("limit fff", 0xfff, TYPE_DATA, BIG, around_1000, COUNT(around_1000));
    edges("limit 0 in pages", 0, TYPE_DATA, BIG | GRANULAR, around_1000, COUNT(around_1000));
    edges("limit 0", 0, TYPE_DATA, BIG, around_1000, COUNT(around_1000));
    edges("read-only", 0x1fff, TYPE_DATA_READ_ONLY, BIG, around_1000, 5);
    edges("code", 0x1fff, TYPE_CODE, BIG, around_1000, 5);
    edges("expand-down fff", 0xfff, TYPE_EXPAND_DOWN, BIG, around_ffff, 5);
    edges("expand-down fff, 64 KB", 0xfff, TYPE_EXPAND_DOWN, 0, around_ffff, 5);
    loaded_by("limit fff loaded", 0xfff, TYPE_DATA, around_1000);
    loaded_by("read-only loaded", 0x1fff, TYPE_DATA_READ_ONLY, around_1000);
    loaded_by("expand-down fff loaded", 0xfff, TYPE_EXPAND_DOWN, around_1000);
    small_for_long();
    // A null selector.
    for (u32 ring = 0; ring < 4; ring += 3) {
        struct frame f = probe_state(ring, segments_read1);
        f.fs = ring;
        f.edi = (u32)segments_data;
        const struct frame end = run(&f);
        report(ring ? "null ring 3" : "null ring 0", "%c", ends(&end));
    }
}

static void bases(void) {
    for (u32 i = 0; i < sizeof segments_data; i++)
        segments_data[i] = (u8)(i * 7);
    report_begin("base");
    static const int offsets[] = {0, 1, 0x123, -4, -0x100};
    for (u32 ring = 0; ring < 4; ring++)
        for (u32 i = 0; i < COUNT(offsets); i++) {
            gdt[SCRATCH(0) / 8] =
                segment((u32)segments_data + 0x200, 0xfffff, PRESENT | DPL(3) | TYPE_DATA, BIG | GRANULAR);
            struct frame f = probe_state(ring, segments_read4);
            f.fs = SCRATCH(0) | ring;
            f.edi = (u32)offsets[i];
            const struct frame end = run(&f);
            print(" %08x", end.eax);
        }
    report_end();
}

// Code whose segment does not begin at 0, and code whose segment ends.
SNIPPET(segments_here, "call 1f\n1: pop %eax\nmov %cs:segments_zero, %ebx\n" STOP);
SNIPPET(segments_run_out, "nop\nnop\nnop\n.byte 0xb8, 1, 0, 0, 0\n" STOP);
SNIPPET(segments_jump_out, "jmp 1f\n.balign 16\n1:" STOP);
extern u32 segments_zero[];
USER_DATA u32 segments_zero[1];

static void code(void) {
    for (u32 ring = 0; ring < 4; ring++) {
        char name[64];
        const u32 base = (u32)segments_here & ~0xfffu;
        gdt[SCRATCH(1) / 8] = segment(base, 0xfffff, PRESENT | DPL(ring) | TYPE_CODE, BIG | GRANULAR);
        struct frame f = probe_state(ring, segments_here);
        f.cs = SCRATCH(1) | ring;
        f.eip = (u32)segments_here - base;
        segments_zero[0] = 0xfeed;
        *(volatile u32 *)((u32)segments_zero) = 0xfeed;
        struct frame end = run(&f);
        format_text(name, sizeof name, "code base ring %u", ring);
        report(name, "vector %u eip %d cs %x eax %d", end.vector, (int)(end.eip - f.eip), end.cs, (int)(end.eax - f.eip));
        for (u32 limit = 0; limit < 11; limit += 2) {
            gdt[SCRATCH(1) / 8] = segment((u32)segments_run_out, limit, PRESENT | DPL(ring) | TYPE_CODE, BIG);
            f = probe_state(ring, segments_run_out);
            f.cs = SCRATCH(1) | ring;
            f.eip = 0;
            end = run(&f);
            format_text(name, sizeof name, "code limit %u ring %u", limit, ring);
            report(name, "vector %u,%x eip %x", end.vector, end.error, end.eip);
        }
        gdt[SCRATCH(1) / 8] = segment((u32)segments_jump_out, 0xf, PRESENT | DPL(ring) | TYPE_CODE, BIG);
        f.eip = 0;
        end = run(&f);
        format_text(name, sizeof name, "jump out ring %u", ring);
        report(name, "vector %u,%x eip %x", end.vector, end.error, end.eip);
    }
}

// 16-bit code in protected mode: EIP is cut at 64 KB, operands have 16 bits.
SNIPPET(segments_code16, ".code16\nmov $0x1234, %ax\npush %ax\npushf\npop %bx\npop %cx\nmov $0xffff, %di\ninc %di\n"
                         "call 1f\n1: pop %dx\nint $0x7f\n");
static void code16(void) {
    for (u32 ring = 0; ring < 4; ring++) {
        char name[64];
        gdt[SCRATCH(1) / 8] = segment((u32)segments_code16, 0xffff, PRESENT | DPL(ring) | TYPE_CODE, 0);
        struct frame f = probe_state(ring, segments_code16);
        f.cs = SCRATCH(1) | ring;
        f.eip = 0;
        f.ebx = f.ecx = f.edx = f.edi = f.eax = 0xaaaaaaaa;
        const struct frame end = run(&f);
        format_text(name, sizeof name, "16-bit code ring %u", ring);
        report(name, "vector %u eip %x eax %x ebx %x ecx %x edx %x edi %x esp %d", end.vector, end.eip, end.eax, end.ebx,
               end.ecx, end.edx, end.edi, (int)(end.esp - stack_top(ring)));
    }
}

static void stacks(void) {
    // A 16-bit stack: only SP moves, and wraps.
    static const u32 pointers[] = {0x1000, 0x10, 4, 0xabcd1000, 0xabcd0004};
    for (u32 ring = 0; ring < 4; ring += 3)
        for (u32 i = 0; i < COUNT(pointers); i++) {
            char name[64];
            gdt[SCRATCH(2) / 8] = segment((u32)segments_data, 0xffff, PRESENT | DPL(ring) | TYPE_DATA, 0);
            struct frame f = probe_state(ring, segments_stack16);
            f.ecx = SCRATCH(2) | ring;
            f.edi = pointers[i];
            const struct frame end = run(&f);
            format_text(name, sizeof name, "16-bit stack %x ring %u", pointers[i], ring);
            report(name, "vector %u,%x esp %x %x popped %x", end.vector, end.error, end.ebx, end.ebp, end.eax);
        }
    // A push beyond the limit is #SS(0). At ring 3, where the trap brings a stack of its own.
    static const u32 limited[] = {0x1000, 0x804, 0x803, 0x800, 0};
    for (u32 i = 0; i < COUNT(limited); i++) {
        char name[64];
        gdt[SCRATCH(2) / 8] = segment((u32)segments_data, 0x7ff, PRESENT | DPL(3) | TYPE_EXPAND_DOWN, BIG);
        struct frame f = probe_state(3, segments_push);
        f.ecx = SCRATCH(2) | 3;
        f.edx = data_of(3);
        f.esi = stack_top(3);
        f.edi = limited[i];
        const struct frame end = run(&f);
        format_text(name, sizeof name, "push at %x of expand-down 7ff", limited[i]);
        report(name, "vector %u,%x ebx %x", end.vector, end.error, end.ebx);
    }
}

void group_segments(void) {
    bases();
    limits();
    code();
    code16();
    stacks();
}

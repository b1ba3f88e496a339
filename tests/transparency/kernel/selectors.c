// What the instructions that read descriptors and selectors see, at each ring.
#include "descriptors.h"
#include "paging.h"
#include "report.h"
#include "trap.h"

SNIPPET(selectors_look, "mov %eax, %esi\nlar %esi, %ecx\nsetz %bl\nlsl %esi, %edx\nsetz %bh\nverr %si\nsetz %al\n"
                        "verw %si\nsetz %ah\n" STOP);
SNIPPET(selectors_lar16, "mov $-1, %ecx\nmov $-1, %edx\nlarw %ax, %cx\nlslw %ax, %dx\n" STOP);
SNIPPET(selectors_mov, "mov %cs, %eax\nmov %ss, %ebx\nmov %ds, %ecx\nmov $-1, %edx\nmovw %es, %dx\n"
                       "mov %fs, selectors_words\nmov %gs, selectors_words + 4\n" STOP);
SNIPPET(selectors_push, "push %cs\npop %eax\npush %ss\npop %ebx\npush %ds\npop %ecx\npush %es\npop %edx\npush %fs\n"
                        "pop %esi\npush %gs\npop %edi\n" STOP);
SNIPPET(selectors_push16, "push $-1\npushw %ds\npop %eax\n" STOP);
SNIPPET(selectors_str, "mov $-1, %eax\nmov $-1, %ebx\nmov $-1, %ecx\nmov $-1, %edx\nstr %eax\nstr %bx\nsldt %ecx\n"
                       "sldt %dx\nstr selectors_words\nsldt selectors_words + 4\n" STOP);
SNIPPET(selectors_tables, "sgdt selectors_words\nsidt selectors_words + 8\n" STOP);
SNIPPET(selectors_tables16, "data16 sgdt selectors_words\ndata16 sidt selectors_words + 8\n" STOP);
SNIPPET(selectors_smsw, "mov $-1, %eax\nsmsw %ax\nsmsw %ebx\nsmsw selectors_words\n" STOP);
SNIPPET(selectors_arpl, "arpl %cx, %ax\nsetz %bl\n" STOP);
SNIPPET(selectors_load_fs, "mov %eax, %fs\nmov %fs, %ebx\n" STOP);
SNIPPET(selectors_real, ".byte 0x0f, 0x00, 0xf0\n" STOP); // group 6 /6
extern u32 selectors_words[];
USER_DATA u32 selectors_words[8];

static u64 changed_descriptors(void) {
    u64 sum = 0;
    for (u32 i = 0; i < COUNT(gdt); i++)
        sum = sum * 31 + gdt[i];
    return sum;
}

// One descriptor, looked at from the four rings, by a selector of RPL 0 and one of RPL 3.
static void look_at(const char *name, u32 selector) {
    const u64 before = changed_descriptors();
    u32 rights = 0, limit = 0;
    report_begin(name);
    for (u32 ring = 0; ring < 4; ring++)
        for (u32 rpl = 0; rpl < 4; rpl += 3) {
            struct frame f = probe_state(ring, selectors_look);
            f.eax = selector | rpl;
            const struct frame end = run(&f);
            if (end.vector != DONE) print(" #%u,%x", end.vector, end.error);
            print(" %c%c%c%c", end.ebx & 1 ? 'L' : '-', end.ebx & 0x100 ? 'S' : '-', end.eax & 1 ? 'R' : '-',
                  end.eax & 0x100 ? 'W' : '-');
            if (end.ebx & 1) rights = end.ecx;
            if (end.ebx & 0x100) limit = end.edx;
        }
    print(" lar %08x lsl %08x", rights, limit);
    if (changed_descriptors() != before) print(" changed");
    report_end();
}

static void all_types(void) {
    char name[64];
    for (u32 type = 0; type < 32; type++)
        for (u32 dpl = 0; dpl < 4; dpl += 3) {
            gdt[SCRATCH(0) / 8] = segment(0x12345678, 0x5abcd, PRESENT | DPL(dpl) | type, GRANULAR);
            format_text(name, sizeof name, "type %02x dpl %u", type, dpl);
            look_at(name, SCRATCH(0));
        }
    gdt[SCRATCH(0) / 8] = segment(0x12345678, 0x5abcd, DPL(3) | TYPE_DATA, 0xf);
    look_at("absent", SCRATCH(0));
    gdt[SCRATCH(0) / 8] = segment(0x12345678, 0x5abcd, PRESENT | DPL(1) | TYPE_DATA, 0x1);
    look_at("byte granular, dpl 1", SCRATCH(0));
    ldt[3] = segment(0, 0xfff, PRESENT | DPL(3) | TYPE_CODE, BIG);
    look_at("ldt", LOCAL(3));
    look_at("ldt, null entry", LOCAL(0));
    look_at("ldt, last", LOCAL(15));
    look_at("ldt, outside", LOCAL(16));
    look_at("null", 0);
    look_at("gdt, last", (GDT_ENTRIES - 1) * 8);
    look_at("gdt, outside", GDT_ENTRIES * 8);
    asm volatile("lldt %w0" ::"r"(0));
    look_at("no ldt", LOCAL(3));
    asm volatile("lldt %w0" ::"r"(LDT_SELECTOR));
}

static void registers(u32 ring) {
    char name[64];
    format_text(name, sizeof name, "mov ring %u", ring);
    struct frame f = probe_state(ring, selectors_mov);
    f.fs = 3;
    f.gs = 0;
    struct frame end = run(&f);
    report(name, "cs %x ss %x ds %x es %x fs %x gs %x", end.eax, end.ebx, end.ecx, end.edx, selectors_words[0] & 0xffff,
           selectors_words[1] & 0xffff);
    format_text(name, sizeof name, "push ring %u", ring);
    f = probe_state(ring, selectors_push);
    f.fs = 2;
    f.gs = data_of(3);
    end = run(&f);
    report(name, "cs %x ss %x ds %x es %x fs %x gs %x", end.eax & 0xffff, end.ebx & 0xffff, end.ecx & 0xffff,
           end.edx & 0xffff, end.esi & 0xffff, end.edi & 0xffff);
    format_text(name, sizeof name, "push 16 bits ring %u", ring);
    end = probe(ring, selectors_push16);
    report(name, "%08x esp %d", end.eax, (int)(end.esp - stack_top(ring)));
    format_text(name, sizeof name, "str, sldt ring %u", ring);
    memset(selectors_words, 0xff, sizeof selectors_words);
    end = probe(ring, selectors_str);
    report(name, "%x %x %x %x %x %x", end.eax, end.ebx, end.ecx, end.edx, selectors_words[0], selectors_words[1]);
    format_text(name, sizeof name, "sgdt, sidt ring %u", ring);
    memset(selectors_words, 0xff, sizeof selectors_words);
    end = probe(ring, selectors_tables);
    report(name, "%x %x %x %x", selectors_words[0], selectors_words[1], selectors_words[2], selectors_words[3]);
    format_text(name, sizeof name, "sgdt, sidt 16 bits ring %u", ring);
    memset(selectors_words, 0xff, sizeof selectors_words);
    end = probe(ring, selectors_tables16);
    report(name, "%x %x %x %x", selectors_words[0], selectors_words[1], selectors_words[2], selectors_words[3]);
    format_text(name, sizeof name, "smsw ring %u", ring);
    memset(selectors_words, 0xff, sizeof selectors_words);
    end = probe(ring, selectors_smsw);
    report(name, "%x %x %x", end.eax, end.ebx, selectors_words[0]);
    format_text(name, sizeof name, "arpl ring %u", ring);
    report_begin(name);
    for (u32 rpl = 0; rpl < 16; rpl++) {
        f = probe_state(ring, selectors_arpl);
        f.eax = 0x1230 | (rpl & 3);
        f.ecx = 0x4560 | rpl >> 2;
        end = run(&f);
        print(" %x%c", end.eax & 0xffff, end.ebx & 1 ? 'z' : '-');
    }
    report_end();
    format_text(name, sizeof name, "null selectors ring %u", ring);
    report_begin(name);
    for (u32 rpl = 0; rpl < 4; rpl++) {
        f = probe_state(ring, selectors_load_fs);
        f.eax = rpl;
        end = run(&f);
        print(" %x", end.ebx);
    }
    report_end();
}

static void everything(void) {
    for (u32 ring = 0; ring < 4; ring++)
        registers(ring);
    all_types();
    struct frame f = probe_state(3, selectors_lar16);
    f.eax = data_of(3);
    const struct frame end = run(&f);
    report("lar, lsl 16 bits", "%08x %08x", end.ecx, end.edx);
    report_probe("group 6 /6", 0, selectors_real);
}

void group_selectors(void) {
    report_first_pass();
    everything();
    reset_tables();
    paging_on(PAGING_32);
    report_later_pass("with paging");
    everything();
}

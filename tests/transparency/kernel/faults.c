// Each exception with its error code, the frame as it is pushed, from ring 0 and ring 3, and the state it leaves.
#include "descriptors.h"
#include "paging.h"
#include "report.h"
#include "trap.h"

SNIPPET(fault_divide, "xor %edx, %edx\nxor %ecx, %ecx\ndiv %ecx\n" STOP);
SNIPPET(fault_divide_big, "mov $2, %edx\nmov $1, %ecx\ndiv %ecx\n" STOP);
SNIPPET(fault_idiv_min, "mov $0x80000000, %eax\ncltd\nmov $-1, %ecx\nidiv %ecx\n" STOP);
SNIPPET(fault_aam, "mov $5, %al\n.byte 0xd4, 0\n" STOP);
SNIPPET(fault_int1, ".byte 0xf1\n" STOP);
SNIPPET(fault_int3, "int3\n" STOP);
SNIPPET(fault_int3_long, ".byte 0xcd, 3\n" STOP);
SNIPPET(fault_into, "mov $0x7fffffff, %eax\ninc %eax\ninto\n" STOP);
SNIPPET(fault_into_not, "xor %eax, %eax\ninto\n" STOP);
SNIPPET(fault_bound, "mov $9, %eax\nbound %eax, fault_bounds\n" STOP);
SNIPPET(fault_bound_below, "mov $-9, %eax\nbound %eax, fault_bounds\n" STOP);
SNIPPET(fault_bound_within, "mov $-8, %eax\nbound %eax, fault_bounds\n" STOP);
SNIPPET(fault_ud2, "ud2\n" STOP);
SNIPPET(fault_lock, ".byte 0xf0, 0x90\n" STOP);
SNIPPET(fault_lock_reg, ".byte 0xf0, 0x01, 0xc0\n" STOP);
SNIPPET(fault_lea_reg, ".byte 0x8d, 0xc0\n" STOP);
SNIPPET(fault_mov_cs, ".byte 0x8e, 0xc8\n" STOP);
SNIPPET(fault_hlt, "hlt\n" STOP);
SNIPPET(fault_cli, "cli\n" STOP);
SNIPPET(fault_lgdt, "lgdt fault_bounds\n" STOP);
SNIPPET(fault_ltr, "ltr %ax\n" STOP);
SNIPPET(fault_clts, "clts\n" STOP);
SNIPPET(fault_mov_cr0, "mov %cr0, %eax\n" STOP);
SNIPPET(fault_mov_dr0, "mov %dr0, %eax\n" STOP);
SNIPPET(fault_rdmsr, "mov $0x10, %ecx\nrdmsr\n" STOP);
SNIPPET(fault_in, "in $0x60, %al\n" STOP);
SNIPPET(fault_out, "out %al, $0x80\n" STOP);
SNIPPET(fault_insb, "mov $0x60, %edx\ninsb\n" STOP);
SNIPPET(fault_invd, "invd\n" STOP);
SNIPPET(fault_wbinvd, "wbinvd\n" STOP);
SNIPPET(fault_invlpg, "invlpg (%eax)\n" STOP);
SNIPPET(fault_lmsw, "lmsw %ax\n" STOP);
SNIPPET(fault_int_50, "int $0x50\n" STOP);
SNIPPET(fault_int_8, "int $8\n" STOP);
SNIPPET(fault_int_13, "int $13\n" STOP);
SNIPPET(fault_too_long, ".fill 15, 1, 0x66\nnop\n" STOP);
SNIPPET(fault_longest, ".fill 14, 1, 0x66\nnop\n" STOP);
SNIPPET(fault_alignment, "push %ecx\npopf\nmov fault_bounds + 1, %eax\n" STOP);
SNIPPET(fault_alignment_word, "push %ecx\npopf\nmovw fault_bounds + 2, %ax\nmovw fault_bounds + 3, %ax\n" STOP);
SNIPPET(fault_alignment_push, "push %ecx\npopf\nadd $2, %esp\npush %eax\n" STOP);
SNIPPET(fault_alignment_fild, "push %ecx\npopf\nfildll fault_bounds + 4\nfstp %st(0)\n" STOP);
SNIPPET(fault_load_ds, "mov %ecx, %ds\n" STOP);
SNIPPET(fault_load_ss, "mov %ecx, %ss\n" STOP);
SNIPPET(fault_far_jump, "push %ecx\npush $1f\nljmp *(%esp)\n1:\n" STOP);
SNIPPET(fault_page, "movl $5, 0x00500000(%eax)\n" STOP);
SNIPPET(fault_sysenter, "sysenter\n" STOP);
SNIPPET(fault_rsm, "rsm\n" STOP);
extern int fault_bounds[];
USER_DATA int fault_bounds[] = {-8, 8, 0, 0};

static const struct fault_case {
    const char *name;
    const u8 *code;
} cases[] = {{"div by zero", fault_divide},
             {"div overflow", fault_divide_big},
             {"idiv overflow", fault_idiv_min},
             {"aam 0", fault_aam},
             {"int1", fault_int1},
             {"int3", fault_int3},
             {"int 3", fault_int3_long},
             {"into", fault_into},
             {"into not", fault_into_not},
             {"bound above", fault_bound},
             {"bound below", fault_bound_below},
             {"bound within", fault_bound_within},
             {"ud2", fault_ud2},
             {"lock nop", fault_lock},
             {"lock add reg", fault_lock_reg},
             {"lea reg", fault_lea_reg},
             {"mov cs", fault_mov_cs},
             {"rsm", fault_rsm},
             {"int 50h", fault_int_50},
             {"prefixes too many", fault_too_long},
             {"prefixes most", fault_longest}};

// Instructions that ring 0 alone may execute. (Done at ring 0 elsewhere.)
static const struct fault_case privileged[] = {
    {"hlt", fault_hlt},         {"cli", fault_cli},         {"lgdt", fault_lgdt},     {"ltr", fault_ltr},
    {"clts", fault_clts},       {"mov cr0", fault_mov_cr0}, {"mov dr0", fault_mov_dr0}, {"rdmsr", fault_rdmsr},
    {"in", fault_in},           {"out", fault_out},         {"insb", fault_insb},     {"invd", fault_invd},
    {"wbinvd", fault_wbinvd},   {"invlpg", fault_invlpg},   {"lmsw", fault_lmsw},     {"int 8", fault_int_8},
    {"int 13", fault_int_13}};

static void case_at(const struct fault_case *c, u32 ring) {
    char text[80];
    format_text(text, sizeof text, "%s ring %u", c->name, ring);
    report_probe(text, ring, c->code);
}

// Selectors that may not be loaded, and why (SDM Vol. 2B MOV).
static void selectors(void) {
    gdt[SCRATCH(0) / 8] = segment(0, 0xfffff, DPL(3) | TYPE_DATA, GRANULAR | BIG);
    gdt[SCRATCH(1) / 8] = segment(0, 0xfffff, PRESENT | DPL(0) | TYPE_DATA, GRANULAR | BIG);
    gdt[SCRATCH(2) / 8] = segment(0, 0xfffff, PRESENT | DPL(3) | TYPE_CODE_EXECUTE_ONLY, GRANULAR | BIG);
    gdt[SCRATCH(3) / 8] = segment(0, 0xfffff, PRESENT | DPL(3) | TYPE_DATA_READ_ONLY, GRANULAR | BIG);
    gdt[SCRATCH(4) / 8] = segment(0, 0xfffff, PRESENT | DPL(3) | TYPE_CODE, GRANULAR | BIG);
    gdt[SCRATCH(5) / 8] = segment(0, 0xfffff, DPL(3) | TYPE_CODE, GRANULAR | BIG);
    static const u32 wanted[] = {0,           3,           SCRATCH(0) | 3,        SCRATCH(1) | 3, SCRATCH(1), SCRATCH(2) | 3,
                                 SCRATCH(3) | 3, SCRATCH(4) | 3, SCRATCH(5) | 3, TSS_SELECTOR,   LOCAL(0) | 3, LOCAL(100) | 3,
                                 0xfff8,      0xffff};
    static const struct fault_case loads[] = {
        {"mov ds", fault_load_ds}, {"mov ss", fault_load_ss}, {"far jump", fault_far_jump}};
    for (u32 ring = 0; ring < 4; ring += 3)
        for (u32 l = 0; l < COUNT(loads); l++)
            for (u32 i = 0; i < COUNT(wanted); i++) {
                char text[80];
                format_text(text, sizeof text, "%s %04x ring %u", loads[l].name, wanted[i], ring);
                struct frame f = probe_state(ring, loads[l].code);
                f.ecx = wanted[i];
                const struct frame end = run(&f);
                report_end_of(text, &end, loads[l].code, stack_top(ring));
                for (u32 s = 0; s < 6; s++) // the loads set it
                    gdt[SCRATCH(s) / 8] &= ~(1ull << 40);
            }
}

static void alignment(void) {
    static const struct fault_case list[] = {{"alignment dword", fault_alignment},
                                             {"alignment word", fault_alignment_word},
                                             {"alignment push", fault_alignment_push},
                                             {"alignment fild", fault_alignment_fild}};
    for (u32 mask = 0; mask < 2; mask++)
        for (u32 ac = 0; ac < 2; ac++)
            for (u32 ring = 0; ring < 4; ring++)
                for (u32 i = 0; i < COUNT(list); i++) {
                    char text[80];
                    format_text(text, sizeof text, "%s am %u ac %u ring %u", list[i].name, mask, ac, ring);
                    write_cr0(read_cr0() | (mask ? CR0_AM : 0));
                    struct frame f = probe_state(ring, list[i].code);
                    f.ecx = 2 | (ac ? FLAG_AC : 0);
                    const struct frame end = run(&f);
                    write_cr0(read_cr0() & ~CR0_AM);
                    report_end_of(text, &end, list[i].code, stack_top(ring));
                }
}

static void doors_of_faults(void) {
    // A gate that is absent, of a wrong type, with a bad selector; the error code tells of the IDT.
    static const struct {
        const char *name;
        u32 selector, access;
    } gates[] = {{"gate absent", 8, DPL(3) | TYPE_INTERRUPT_GATE},
                 {"gate of type data", 8, PRESENT | DPL(3) | TYPE_DATA},
                 {"gate of type call", 8, PRESENT | DPL(3) | TYPE_CALL_GATE},
                 {"gate with null selector", 0, PRESENT | DPL(3) | TYPE_INTERRUPT_GATE},
                 {"gate to data", 0x10, PRESENT | DPL(3) | TYPE_INTERRUPT_GATE},
                 {"gate to ring 3", 0x3b, PRESENT | DPL(3) | TYPE_INTERRUPT_GATE},
                 {"gate to ring 1", 0x19, PRESENT | DPL(3) | TYPE_INTERRUPT_GATE},
                 {"gate outside the table", 0xfff8, PRESENT | DPL(3) | TYPE_INTERRUPT_GATE},
                 {"gate of dpl 0", 8, PRESENT | TYPE_INTERRUPT_GATE},
                 {"trap gate", 8, PRESENT | DPL(3) | TYPE_TRAP_GATE}};
    for (u32 ring = 0; ring < 4; ring += 3)
        for (u32 i = 0; i < COUNT(gates); i++) {
            // To ring 1 and 3 only what is refused: the doors run at ring 0.
            if (ring == 3 && (gates[i].selector & 3)) continue;
            char text[80];
            format_text(text, sizeof text, "%s ring %u", gates[i].name, ring);
            idt[0x50] = gate(gates[i].selector, door_of(0x50), gates[i].access, 0);
            report_probe(text, ring, fault_int_50);
        }
    reset_idt();
    load_idt((u32)idt, 0x7f * 8 + 7);
    report_probe("int inside the limit", 3, fault_int_50);
    reset_idt();
}

// An exception whose delivery faults (SDM Vol. 3A table 6-5).
static void double_faults(void) {
    static const struct {
        const char *name;
        const u8 *code;
        u32 first, second; // vectors whose gates are absent
    } pairs[] = {{"#GP, then #NP: double", fault_lgdt, 13, 0},
                 {"#UD, then #NP: not double", fault_ud2, 6, 0},
                 {"#DE, then #NP: double", fault_divide, 0, 0},
                 {"#DE, then #NP, #NP absent: double", fault_divide, 0, 11},
                 {"#PF, then #NP: double", fault_page, 14, 0},
                 {"#BR, then #NP: not double", fault_bound, 5, 0}};
    for (u32 i = 0; i < COUNT(pairs); i++) {
        idt[pairs[i].first] &= ~((u64)PRESENT << 40);
        if (pairs[i].second) idt[pairs[i].second] &= ~((u64)PRESENT << 40);
        report_probe(pairs[i].name, 3, pairs[i].code);
        reset_idt();
    }
}

void group_faults(void) {
    for (u32 paged = 0; paged < 2; paged++) {
        if (paged) {
            paging_on(PAGING_32);
            report_later_pass("with paging");
        } else
            report_first_pass();
        for (u32 ring = 0; ring < 4; ring++)
            for (u32 i = 0; i < COUNT(cases); i++)
                case_at(&cases[i], ring);
        for (u32 ring = 1; ring < 4; ring++)
            for (u32 i = 0; i < COUNT(privileged); i++)
                case_at(&privileged[i], ring);
        if (!(features & FEATURE_SEP)) report_probe("sysenter hidden ring 3", 3, fault_sysenter);
        selectors();
        alignment();
        doors_of_faults();
    }
    report_passes_done();
    for (u32 ring = 0; ring < 4; ring++) {
        const struct fault_case page = {"page", fault_page};
        case_at(&page, ring);
    }
    double_faults();
}

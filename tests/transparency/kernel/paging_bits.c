// Accessed and dirty bits, exactly as they are left by each kind of access (SDM Vol. 3A 4.8), and what follows from the
// tables being memory like any other.
#include "descriptors.h"
#include "paging.h"
#include "report.h"
#include "trap.h"

#define RIGHTS (PTE_P | PTE_W | PTE_U)

// A small access each; ESI is at the end of page 0 less 2 bytes, EDI in page 2.
SNIPPET(bits_read, "movb (%edi), %al\n" STOP);
SNIPPET(bits_write, "movb %al, (%edi)\n" STOP);
SNIPPET(bits_add, "addl $1, (%edi)\n" STOP);
SNIPPET(bits_cmp, "cmpl $1, (%edi)\n" STOP);
SNIPPET(bits_test, "testl $1, (%edi)\n" STOP);
SNIPPET(bits_bt, "btl $1, (%edi)\n" STOP);
SNIPPET(bits_bts, "btsl $1, (%edi)\n" STOP);
SNIPPET(bits_xchg, "xchgl %eax, (%edi)\n" STOP);
SNIPPET(bits_cmpxchg_unequal, "mov $0x1234, %eax\ncmpxchgl %ecx, (%edi)\n" STOP);
SNIPPET(bits_cmpxchg8b_unequal, "mov $0x1234, %eax\ncmpxchg8b (%edi)\n" STOP);
SNIPPET(bits_lea, "lea (%edi), %eax\n" STOP);
SNIPPET(bits_cross_read, "movl (%esi), %eax\n" STOP);
SNIPPET(bits_cross_write, "movl %eax, (%esi)\n" STOP);
SNIPPET(bits_push, "mov %edi, %esp\npush %eax\n" STOP);
SNIPPET(bits_pop, "mov %edi, %esp\npop %eax\n" STOP);
SNIPPET(bits_call, "mov %edi, %esp\ncall 1f\n1:\n" STOP);
SNIPPET(bits_movs, "mov $3, %ecx\nrep movsb\n" STOP);
SNIPPET(bits_stos, "mov $1, %ecx\nrep stosb\n" STOP);
SNIPPET(bits_stos_none, "xor %ecx, %ecx\nrep stosb\n" STOP);
SNIPPET(bits_scas, "scasb\n" STOP);
SNIPPET(bits_cmov_false, "cmp %eax, %eax\ncmovnel (%edi), %eax\n" STOP);
SNIPPET(bits_sidt, "sidt (%edi)\n" STOP);
SNIPPET(bits_fnstcw, "fnstcw (%edi)\n" STOP);
SNIPPET(bits_bound, "xor %eax, %eax\nbound %eax, (%edi)\n" STOP);
SNIPPET(bits_enter, "mov %edi, %esp\nenter $16, $0\n" STOP);
SNIPPET(bits_jump, "jmp *%edi\n");

static const struct {
    const char *name;
    const u8 *code;
} cases[] = {{"read", bits_read},
             {"write", bits_write},
             {"add", bits_add},
             {"cmp", bits_cmp},
             {"test", bits_test},
             {"bt", bits_bt},
             {"bts", bits_bts},
             {"xchg", bits_xchg},
             {"cmpxchg unequal", bits_cmpxchg_unequal},
             {"cmpxchg8b unequal", bits_cmpxchg8b_unequal},
             {"lea", bits_lea},
             {"read across pages", bits_cross_read},
             {"write across pages", bits_cross_write},
             {"push", bits_push},
             {"pop", bits_pop},
             {"call", bits_call},
             {"rep movsb", bits_movs},
             {"rep stosb", bits_stos},
             {"rep stosb of none", bits_stos_none},
             {"scasb", bits_scas},
             {"cmov false", bits_cmov_false},
             {"sidt", bits_sidt},
             {"fnstcw", bits_fnstcw},
             {"bound", bits_bound},
             {"enter", bits_enter},
             {"jump", bits_jump}};

static void clear_window(u64 rights_of_page_2) {
    set_pde(WINDOW, table_of(WINDOW) | RIGHTS);
    for (u32 i = 0; i < 4; i++)
        set_pte(LINEAR(i), (u32)arena[i] | (i == 2 ? rights_of_page_2 : RIGHTS));
    flush();
}

static void print_bits(void) {
    print(" %x:", (u32)get_pde(WINDOW) >> 5 & 3);
    for (u32 i = 0; i < 4; i++)
        print("%x", (u32)get_pte(LINEAR(i)) >> 5 & 3);
}

// " writable 1:0030 ok": the rights of page 2, the A and D bits that the directory entry: and
// the four pages are left with, the end.
static void print_case(const u8 *code, u32 ring, const char *rights_name, u64 rights) {
    clear_window(rights);
    memset(arena[2], 0, PAGE);
    arena[2][0x800] = 0xcd; // what `jump` finds
    arena[2][0x801] = DONE;
    struct frame f = probe_state(ring, code);
    f.esi = LINEAR(1) - 2;
    f.edi = LINEAR(2) + 0x800;
    const struct frame end = run(&f);
    print(" %s", rights_name);
    print_bits();
    if (end.vector == DONE)
        print(" ok");
    else
        print(" #%u,%x,%x", end.vector, end.error, trap_cr2);
}

// The processor's own accesses to its tables, each in a page of the window.
SNIPPET(bits_load_fs, "mov %ax, %fs\n" STOP);
SNIPPET(bits_lar, "lar %ax, %ecx\n" STOP);
SNIPPET(bits_verr, "verr %ax\n" STOP);
SNIPPET(bits_gate, "int $0x60\n" STOP);

static void report_tables(const char *name) {
    report_begin(name);
    print_bits();
    report_end();
}

static void table_walks(void) {
    // The GDT in page 0, the IDT in page 1, the TSS in page 2, the ring 0 stack in page 3.
    memcpy(arena[0], gdt, sizeof gdt);
    memcpy(arena[1], idt, sizeof idt);
    memcpy(arena[2], &main_tss, sizeof main_tss);
    u64 *const copied_gdt = (u64 *)arena[0];
    copied_gdt[SCRATCH(0) / 8] = segment(0, 0xfffff, PRESENT | DPL(3) | TYPE_DATA, GRANULAR | BIG);
    copied_gdt[SCRATCH(1) / 8] = segment(0, 0xfffff, PRESENT | DPL(3) | TYPE_DATA | 1, GRANULAR | BIG);
    copied_gdt[SCRATCH(2) / 8] = segment(0, 0xfffff, DPL(3) | TYPE_DATA, GRANULAR | BIG);
    copied_gdt[TSS_SELECTOR / 8] = segment(LINEAR(2), sizeof main_tss - 1, PRESENT | TYPE_TSS, 0);
    clear_window(RIGHTS);
    ((struct tss *)LINEAR(2))->esp0 = LINEAR(4) - 16;
    load_gdt(LINEAR(0), sizeof gdt - 1);
    load_idt(LINEAR(1), sizeof idt - 1);
    clear_window(RIGHTS);
    asm volatile("ltr %w0" ::"r"(TSS_SELECTOR));
    report_tables("ltr");

    static const struct {
        const char *name;
        const u8 *code;
        u32 scratch;
    } loads[] = {{"segment load sets accessed", bits_load_fs, 0},
                 {"segment load, accessed", bits_load_fs, 1},
                 {"segment load, not present", bits_load_fs, 2},
                 {"lar", bits_lar, 2},
                 {"verr", bits_verr, 0},
                 {"gate not allowed", bits_gate, 0}};
    for (u32 i = 0; i < COUNT(loads); i++) {
        // Everything the way in and out touches is touched alike; what differs is what the instruction does.
        copied_gdt[SCRATCH(0) / 8] = segment(0, 0xfffff, PRESENT | DPL(3) | TYPE_DATA, GRANULAR | BIG);
        struct frame f = probe_state(3, loads[i].code);
        f.eax = SCRATCH(loads[i].scratch) | 3;
        clear_window(RIGHTS);
        const struct frame end = run(&f);
        report_begin(loads[i].name);
        print_bits();
        print(" vector %u error %x descriptor %x", end.vector, end.error,
              (u32)(copied_gdt[SCRATCH(loads[i].scratch) / 8] >> 40) & 0xff);
        report_end();
    }
    reset_tables();
}

static void all_bits(void) {
    for (u32 ring = 0; ring < 4; ring += 3)
        for (u32 i = 0; i < COUNT(cases); i++) {
            char text[64];
            format_text(text, sizeof text, "%s ring %u", cases[i].name, ring);
            report_begin(text);
            print_case(cases[i].code, ring, "writable", RIGHTS);
            // A stack that cannot be written would be a double fault at ring 0.
            const int moves_stack = cases[i].code == bits_push || cases[i].code == bits_pop ||
                                    cases[i].code == bits_call || cases[i].code == bits_enter;
            if (ring == 3 || !moves_stack) {
                print_case(cases[i].code, ring, "read-only", PTE_P | PTE_U);
                print_case(cases[i].code, ring, "absent", 0);
            }
            report_end();
        }
    table_walks();
}

void group_paging_bits(void) {
    paging_on(PAGING_32);
    all_bits();
}

void group_paging_bits_pae(void) {
    if (!(features & FEATURE_PAE)) return;
    paging_on(PAGING_PAE);
    all_bits();
}

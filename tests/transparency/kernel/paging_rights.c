// Who may read, write and fetch what: every combination of the rights in both levels, CR0.WP and the ring, with the
// error code and the accessed and dirty bits that are left (SDM Vol. 3A 4.6 to 4.8).
#include "paging.h"
#include "report.h"
#include "trap.h"

SNIPPET(access_read, "mov (%esi), %eax\n" STOP);
SNIPPET(access_write, "mov %eax, 0x40(%esi)\n" STOP);
SNIPPET(access_fetch, "jmp *%esi\n");

#define MSR_EFER 0xc0000080u
#define EFER_NXE 0x800u

static const struct {
    char letter;
    const u8 *code;
} accesses[] = {{'r', access_read}, {'w', access_write}, {'x', access_fetch}};

static const u8 stop_code[] = {0xcd, DONE};

static void write_efer(u32 v) { asm volatile("wrmsr" ::"c"(MSR_EFER), "a"(v), "d"(0)); }

// " r0 ok 1,1": the access, its end, and the A and D bits: the directory's, then the table's.
static void print_access(char letter, const u8 *code, u32 ring, u64 pde, u64 pte) {
    set_pde(WINDOW, pde);
    set_pte(WINDOW, pte);
    flush();
    struct frame f = probe_state(ring, code);
    f.esi = WINDOW + 0x10;
    const struct frame end = run(&f);
    print(" %c%u ", letter, ring);
    if (end.vector == DONE)
        print("ok");
    else if (end.vector == 14 && trap_cr2 == WINDOW + (letter == 'w' ? 0x50 : 0x10))
        print("pf%x", end.error);
    else
        print("vector %u error %x cr2 %x", end.vector, end.error, trap_cr2);
    print(" %x,%x", (u32)get_pde(WINDOW) >> 5 & 3, (u32)get_pte(WINDOW) >> 5 & 3);
}

static void name_rights(char *to, u64 entry) {
    *to++ = entry & PTE_P ? 'p' : '-';
    *to++ = entry & PTE_U ? 'u' : '-';
    *to++ = entry & PTE_W ? 'w' : '-';
    *to++ = entry & PTE_NX ? 'n' : '-';
    if (entry & PTE_PCD) *to++ = 'c';
    *to = 0;
}

static int nxe;

static void report_rights(u64 pde_rights, u64 pte_rights, int wp) {
    char pde_name[8], pte_name[8], name[64];
    name_rights(pde_name, pde_rights);
    name_rights(pte_name, pte_rights);
    format_text(name, sizeof name, "%s %s wp%d%s", pde_name, pte_name, wp, nxe ? " nxe" : "");
    set_wp(wp);
    report_begin(name);
    for (u32 ring = 0; ring < 4; ring += 3)
        for (u32 i = 0; i < COUNT(accesses); i++)
            print_access(accesses[i].letter, accesses[i].code, ring, table_of(WINDOW) | pde_rights,
                         (u32)arena[0] | pte_rights);
    report_end();
}

static void all_rights(u64 extra_pde, u64 extra_pte) {
    for (u32 pde = 0; pde < 4; pde++)
        for (u32 pte = 0; pte < 4; pte++)
            for (int wp = 0; wp < 2; wp++)
                report_rights(PTE_P | pde * PTE_W | extra_pde, PTE_P | pte * PTE_W | extra_pte, wp);
    report_rights(0 | PTE_W | PTE_U, PTE_P | PTE_W | PTE_U, 1);
    report_rights(PTE_P | PTE_W | PTE_U, 0, 1);
    report_rights(PTE_P | PTE_W | PTE_U, PTE_W | PTE_U, 1);
    report_rights(PTE_P | PTE_W | PTE_U | extra_pde, PTE_P | PTE_W | PTE_U | PTE_PWT | PTE_PCD, 1);
}

void group_paging_rights(void) {
    memcpy(arena[0] + 0x10, stop_code, sizeof stop_code);
    paging_on(PAGING_32);
    all_rights(0, 0);
}

void group_paging_rights_pae(void) {
    if (!(features & FEATURE_PAE)) return;
    memcpy(arena[0] + 0x10, stop_code, sizeof stop_code);
    paging_on(PAGING_PAE);
    all_rights(0, 0);
    // Without EFER.NXE the bit is reserved.
    report_rights(PTE_P | PTE_W | PTE_U, PTE_P | PTE_W | PTE_U | PTE_NX, 1);
    report_rights(PTE_P | PTE_W | PTE_U | PTE_NX, PTE_P | PTE_W | PTE_U, 1);
    if (!(extended_features & EXTENDED_NX)) return;
    write_efer(EFER_NXE);
    nxe = 1;
    all_rights(0, PTE_NX);
    for (u32 wp = 0; wp < 2; wp++)
        report_rights(PTE_P | PTE_W | PTE_U | PTE_NX, PTE_P | PTE_W | PTE_U, (int)wp);
    report_rights(PTE_P | PTE_W | PTE_U, PTE_P | PTE_W | PTE_U, 1);
    nxe = 0;
    paging_off();
    write_efer(0);
}

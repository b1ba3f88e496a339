// Page tables of every shape: large pages, global pages, tables that map themselves, pages seen at two places, several
// address spaces, and what is stale when. Only what the manual promises is printed (SDM Vol. 3A 4.10).
#include "paging.h"
#include "report.h"
#include "trap.h"

#define RIGHTS (PTE_P | PTE_W | PTE_U)
#define READ(linear) (*(volatile u32 *)(linear))

SNIPPET(shapes_read, "mov (%esi), %eax\n" STOP);
SNIPPET(shapes_write, "mov %eax, (%esi)\n" STOP);
SNIPPET(shapes_both, "mov %eax, (%esi)\nmov (%edi), %ebx\nmov %eax, 4(%edi)\nmov 4(%esi), %ecx\n" STOP);

static void report_access(const char *name, const u8 *code, u32 ring, u32 linear) {
    char text[80];
    struct frame f = probe_state(ring, code);
    f.esi = linear;
    f.eax = 0x600df00d;
    const struct frame end = run(&f);
    format_text(text, sizeof text, "%s ring %u", name, ring);
    if (end.vector == DONE)
        report(text, "%08x", end.eax);
    else
        report(text, "#%u,%x cr2 %s", end.vector, end.error, end.vector == 14 && trap_cr2 == linear ? "right" : "wrong");
}

// A large page at 12 MB shows the physical memory at 0.
static void large_pages(void) {
    const u32 at = 0xc00000, inside = (u32)arena[3] & 0x1fffff, half = (u32)arena[3] & ~0x1fffffu;
    const u32 size = paging_kind == PAGING_PAE ? 0x200000 : 0x400000;
    const u32 place = paging_kind == PAGING_PAE ? at + inside : at + (half & (size - 1)) + inside;
    const u32 frame = paging_kind == PAGING_PAE ? half : half & ~(size - 1);
    READ(arena[3]) = 0xb16b16;
    if (paging_kind == PAGING_32) {
        // Without CR4.PSE the bit means nothing: this is a page table at `frame`.
        write_cr4(read_cr4() & ~CR4_PSE);
        set_pde(at, (u32)table_of(WINDOW) | PTE_PS | RIGHTS);
        set_pte(WINDOW, (u32)arena[3] | RIGHTS);
        flush();
        report("ps without pse", "%x", READ(at));
        write_cr4(read_cr4() | CR4_PSE);
    }
    set_pde(at, frame | PTE_PS | RIGHTS);
    flush();
    report("large page", "%x pde %x", READ(place), (u32)get_pde(at) & 0xfff);
    READ(place) = 0xd117;
    report("large page written", "%x pde %x", READ(arena[3]), (u32)get_pde(at) & 0xfff);
    for (u32 rights = 0; rights < 4; rights++)
        for (u32 ring = 0; ring < 4; ring += 3) {
            char name[64];
            set_pde(at, frame | PTE_PS | PTE_P | rights * PTE_W);
            flush();
            format_text(name, sizeof name, "large read %c%c", rights & 2 ? 'u' : '-', rights & 1 ? 'w' : '-');
            report_access(name, shapes_read, ring, place);
            format_text(name, sizeof name, "large write %c%c", rights & 2 ? 'u' : '-', rights & 1 ? 'w' : '-');
            report_access(name, shapes_write, ring, place);
        }
    // A reserved bit of the frame address.
    set_pde(at, frame | PTE_PS | RIGHTS | (paging_kind == PAGING_PAE ? 0x2000 : 0x200000));
    flush();
    report_access("large, reserved bit", shapes_read, 3, place);
    set_pde(at, 0);
    flush();
    report_access("large, gone", shapes_read, 0, place);
}

// The directory as one of its own page tables: all tables show up in one range.
static void self_map(void) {
    const u32 top = 0xffc00000;
    set_pde(top, (read_cr3() & ~0xfffu) | RIGHTS);
    flush();
    map(LINEAR(5), 5, RIGHTS);
    READ(arena[5]) = 0x5e1f;
    volatile u32 *const entry = (volatile u32 *)(top + (LINEAR(5) >> 12) * 4);
    report("self map", "entry %s", *entry == (u32)get_pte(LINEAR(5)) ? "seen" : "differs");
    report("self map, value", "%x bits %x", READ(LINEAR(5)), *entry & 0x60);
    READ(arena[6]) = 0x5e20;
    *entry = (u32)arena[6] | RIGHTS;
    invlpg(LINEAR(5));
    report("self map, changed", "%x bits %x", READ(LINEAR(5)), *entry & 0x60);
    // The directory through itself, twice.
    report("self map, twice", "%s", *(volatile u32 *)0xfffffffc == (u32)get_pde(top) ? "seen" : "differs");
    report("self map, bits", "%x", (u32)get_pde(top) & 0x60);
    set_pde(top, 0);
    flush();
    report_access("self map, gone", shapes_read, 0, top);
}

static void aliases(void) {
    memset(arena[0], 0, PAGE);
    map(LINEAR(0), 0, RIGHTS);
    map(LINEAR(9), 0, RIGHTS);
    for (u32 ring = 0; ring < 4; ring += 3) {
        struct frame f = probe_state(ring, shapes_both);
        f.esi = LINEAR(0) + 0x10;
        f.edi = LINEAR(9) + 0x10;
        f.eax = 0xa11a5 + ring;
        const struct frame end = run(&f);
        char name[32];
        format_text(name, sizeof name, "alias ring %u", ring);
        report(name, "%x %x physical %x %x", end.ebx, end.ecx, READ(arena[0] + 0x10), READ(arena[0] + 0x14));
    }
    // The same page table under two directory entries.
    const u32 other = 0xd000000;
    set_pde(other & ~0x3fffffu, table_of(WINDOW) | RIGHTS);
    flush();
    READ(arena[0]) = 0x7ab1e;
    report("table at two places", "%x %x", READ(LINEAR(0)), READ((other & ~0x3fffffu) + (WINDOW & 0x1fffff)));
    set_pte(LINEAR(0), (u32)arena[1] | RIGHTS);
    READ(arena[1]) = 0x7ab1f;
    flush();
    report("table at two places, changed", "%x %x", READ(LINEAR(0)), READ((other & ~0x3fffffu) + (WINDOW & 0x1fffff)));
    set_pde(other & ~0x3fffffu, 0);
    flush();
}

// A changed entry counts after INVLPG or a load of CR3; a raised right needs neither (a fault looks again).
static void changes(void) {
    READ(arena[0]) = 0xc0;
    READ(arena[1]) = 0xc1;
    map(LINEAR(0), 0, RIGHTS);
    (void)READ(LINEAR(0));
    set_pte(LINEAR(0), (u32)arena[1] | RIGHTS);
    invlpg(LINEAR(0) + 0x123);
    report("after invlpg", "%x", READ(LINEAR(0)));
    set_pte(LINEAR(0), (u32)arena[0] | RIGHTS);
    flush();
    report("after cr3", "%x", READ(LINEAR(0)));
    set_pte(LINEAR(0), (u32)arena[1] | RIGHTS);
    write_cr0(read_cr0() & ~CR0_PG);
    write_cr0(read_cr0() | CR0_PG);
    report("after paging off and on", "%x", READ(LINEAR(0)));
    set_pte(LINEAR(0), 0);
    invlpg(LINEAR(0));
    report_access("absent", shapes_read, 3, LINEAR(0));
    set_pte(LINEAR(0), (u32)arena[0] | RIGHTS);
    report_access("present, no invlpg", shapes_read, 3, LINEAR(0));
    set_pte(LINEAR(0), (u32)arena[0] | PTE_P | PTE_U);
    invlpg(LINEAR(0));
    report_access("read-only", shapes_write, 3, LINEAR(0));
    set_pte(LINEAR(0), (u32)arena[0] | RIGHTS);
    report_access("writable, no invlpg", shapes_write, 3, LINEAR(0));
    // Clearing A and D, then INVLPG: they come back.
    set_pte(LINEAR(0), (u32)arena[0] | RIGHTS);
    invlpg(LINEAR(0));
    (void)READ(LINEAR(0));
    report("accessed again", "%x", (u32)get_pte(LINEAR(0)) & 0x60);
    READ(LINEAR(0)) = 1;
    report("dirty again", "%x", (u32)get_pte(LINEAR(0)) & 0x60);
}

static void global_pages(void) {
    if (!(features & FEATURE_PGE)) return;
    READ(arena[0]) = 0x90;
    READ(arena[1]) = 0x91;
    write_cr4(read_cr4() | CR4_PGE);
    map(LINEAR(0), 0, RIGHTS | PTE_G);
    map(LINEAR(1), 0, RIGHTS);
    (void)READ(LINEAR(0));
    (void)READ(LINEAR(1));
    set_pte(LINEAR(0), (u32)arena[1] | RIGHTS | PTE_G);
    set_pte(LINEAR(1), (u32)arena[1] | RIGHTS);
    flush();
    // What a global page shows after CR3 alone, the manual leaves open.
    report("not global, after cr3", "%x", READ(LINEAR(1)));
    invlpg(LINEAR(0));
    report("global, after invlpg", "%x", READ(LINEAR(0)));
    set_pte(LINEAR(0), (u32)arena[0] | RIGHTS | PTE_G);
    write_cr4(read_cr4() & ~CR4_PGE);
    report("global, after cr4.pge", "%x", READ(LINEAR(0)));
}

static u32 second_directory[1024] __attribute__((aligned(4096)));
static u32 second_table[1024] __attribute__((aligned(4096)));

// Two address spaces that differ in the window, gone back and forth.
static void address_spaces(void) {
    const u32 first = read_cr3();
    for (u32 i = 0; i < 4; i++)
        second_directory[i] = (u32)get_pde(i << 22);
    second_directory[WINDOW >> 22] = (u32)second_table | RIGHTS;
    READ(arena[2]) = 0xa2;
    READ(arena[3]) = 0xa3;
    set_pte(LINEAR(0), (u32)arena[2] | RIGHTS);
    second_table[0] = (u32)arena[3] | RIGHTS;
    report_begin("address spaces");
    for (u32 i = 0; i < 6; i++) {
        write_cr3(i & 1 ? (u32)second_directory : first);
        print(" %x", READ(LINEAR(0)));
        READ(LINEAR(0)) += 0x100;
    }
    report_end();
    // Changed while it is not in use.
    second_table[0] = (u32)arena[2] | RIGHTS;
    write_cr3((u32)second_directory);
    report("changed elsewhere", "%x", READ(LINEAR(0)));
    write_cr3(first);
    report("bits there", "%x", second_table[0] & 0x60);
    report("cr3", "%s", read_cr3() == first ? "as written" : "differs");
}

void group_paging_shapes(void) {
    paging_on(PAGING_32);
    if (features & FEATURE_PSE) large_pages();
    self_map();
    aliases();
    changes();
    global_pages();
    address_spaces();
}

void group_paging_shapes_pae(void) {
    if (!(features & FEATURE_PAE)) return;
    paging_on(PAGING_PAE);
    large_pages();
    aliases();
    changes();
    global_pages();
}

// Programs that make the tables of the processor nonsense.
#include "guest.h"

static u32 rounds;

static void skip(struct trap *trap) {
    if (!rounds--) finish();
    // The accesses below are of two bytes each.
    trap->eip += 2;
}

static void touch(u32 at) {
    u32 v;
    asm volatile(".byte 0x8b, 0x02" : "=a"(v) : "d"(at) : "memory"); // mov eax, [edx]
    asm volatile(".byte 0x89, 0x02" ::"a"(v), "d"(at) : "memory");
}

// Entries that point anywhere: at nothing, at devices, at the tables themselves, at reserved addresses.
static u64 any_entry(int pae) {
    static const u32 places[] = {0, DIRECTORY, PAGE_TABLES, 0xa0000, 0xb8000, 0xf0000, MEMORY - PAGE, MEMORY, 0xfec00000,
                                 0xfee00000, 0xfffff000, TABLES};
    u64 entry = below(4) ? places[below(COUNT(places))] | (chance() & 0xfff) : chance();
    if (pae && !below(4)) entry |= (u64)chance() << 32;
    return below(8) ? entry | 1 : entry;
}

void page_tables(int pae) {
    u32 *const directory = (u32 *)DIRECTORY, *const table = (u32 *)PAGE_TABLES;
    on_trap = skip;
    rounds = 100000;
    if (pae) {
        u64 *const pointers = (u64 *)(TABLES + 0x3000), *const directories = (u64 *)DIRECTORY, *const tables = (u64 *)0x110000;
        for (u32 i = 0; i < 4; i++)
            pointers[i] = (DIRECTORY + i * PAGE) | 1;
        for (u32 i = 0; i < 2048; i++)
            directories[i] = i < 8 ? (0x110000 + i * PAGE) | 7 : 0;
        for (u32 i = 0; i < MEMORY / PAGE; i++)
            tables[i] = i * PAGE | 7;
        asm volatile("mov %%cr4, %%eax\nor $0x30, %%eax\nmov %%eax, %%cr4" ::: "eax");
        asm volatile("mov %0, %%cr3\nmov %%cr0, %%eax\nor $0x80000000, %%eax\nmov %%eax, %%cr0" ::"r"(pointers) : "eax", "memory");
        for (u32 round = 0; round < 3000; round++) {
            // The first megabytes stay: this program runs there.
            directories[8 + below(2040)] = any_entry(1);
            tables[1024 + below(3072)] = any_entry(1);
            if (!below(16)) asm volatile("mov %%cr3, %%eax\nmov %%eax, %%cr3" ::: "eax", "memory");
            touch(chance());
            touch(0x400000 + below(MEMORY - 0x400000));
            if (!below(64)) asm volatile("mov %0, %%cr3" ::"r"(pointers) : "memory");
        }
        return;
    }
    set_up_paging();
    asm volatile("mov %%cr4, %%eax\nor $0x10, %%eax\nmov %%eax, %%cr4" ::: "eax");
    for (u32 round = 0; round < 3000; round++) {
        directory[4 + below(1020)] = (u32)any_entry(0);
        table[1024 + below(3072)] = (u32)any_entry(0);
        if (!below(16)) asm volatile("mov %%cr3, %%eax\nmov %%eax, %%cr3" ::: "eax", "memory");
        touch(chance());
        touch(0x400000 + below(MEMORY - 0x400000));
        asm volatile("invlpg (%0)" ::"r"(chance()));
    }
    // The whole directory at random, this program's own pages among it.
    for (u32 i = 0; i < 1024; i++)
        directory[i] = (u32)any_entry(0);
    asm volatile("mov %0, %%cr3" ::"r"(DIRECTORY) : "memory");
    touch(chance());
}

// Descriptor tables that lie at the end of the address space, cross it, and lie where nothing is.
void tables_at_the_top(void) {
    static const u32 bases[] = {0xfffff800, 0xfffffff8, 0xffffffff, 0xfffffffc, MEMORY - 8, MEMORY, 0xfec00000, 0xa0000, 0xb8000,
                                0xf0000};
    on_trap = skip;
    rounds = 10000;
    set_up_paging();
    // Pages for the tables at the top: the real ones, seen there as well.
    u32 *const directory = (u32 *)DIRECTORY, *const last = (u32 *)0x105000;
    for (u32 i = 0; i < 1024; i++)
        last[i] = TABLES | 7;
    directory[1023] = 0x105000 | 7;
    for (u32 round = 0; round < 400; round++) {
        load("gdt", bases[below(COUNT(bases))], chance());
        // mov fs, ax: of two bytes
        asm volatile(".byte 0x8e, 0xe0" ::"a"(chance() & 0xffff));
        load("gdt", (u32)GDT, 0x7f);
        asm volatile("mov %0, %%fs" ::"r"(0x10));
    }
    // The GDT at the top for good, then an interrupt through an IDT beside it.
    load("gdt", 0xfffff000, 0x7f);
    asm volatile("mov %0, %%fs" ::"r"(0x10));
    load("idt", 0xfffff000 + 0x800, 0x7ff);
    GDT[5] = descriptor(0xfffffff0, 0x67, 0x89);
    asm volatile("ltr %w0" ::"r"(0x28));
    for (u32 i = 0; i < 256; i++)
        *(volatile u64 *)(TABLES + 0x800 + 8 * (i & 0xff)) = IDT[i];
    go(3, ARENA, 0x3000);
}

static void stay(struct trap *trap) { (void)trap; }

// Faults without end: an instruction that faults for ever; a handler that faults in itself; a stack that is not there.
void endless_faults(u32 way) {
    set_up_paging();
    *(volatile u32 *)ARENA = 0x0b0f; // ud2
    on_trap = stay;
    if (way == 0) go(3, ARENA, 0);
    if (way == 1) {
        IDT[6] = gate(8, ARENA, 0x8e);
        go(3, ARENA, 0);
    }
    ((u32 *)PAGE_TABLES)[STACKS / PAGE + 15] = 0;
    go(3, ARENA, 0);
}

// Task gates for all vectors, task state segments full of chance.
void task_storm(void) {
    on_trap = skip;
    rounds = 1000;
    for (u32 i = 6; i < 16; i++)
        GDT[i] = descriptor(ARENA + i * 128, chance() & 0xff, 0x89);
    fill_with_chance(ARENA, 0x10000);
    for (u32 i = 6; i < 16; i++) {
        u32 *const tss = (u32 *)(ARENA + i * 128);
        static const u16 selectors[] = {8, 0x10, 0x1b, 0x23, 0, 0x28};
        for (u32 s = 18; s < 24; s++)
            if (below(8)) tss[s] = selectors[s == 19 ? below(2) * 2 : 1 + below(2) * 2];
        tss[24] = 0;
        tss[7] = below(2) ? DIRECTORY : chance();
        tss[8] = below(2) ? ARENA + 0x1000 + below(0x1000) : chance();
    }
    if (below(2)) set_up_paging();
    for (u32 v = 0; v < 256; v++)
        if (below(4)) IDT[v] = gate((u16)(8 * (6 + below(10))), 0, 0xe5);
    go(below(2) ? 3 : 0, ARENA + 0x2000, 0x3000 | (chance() & 0x4000));
}

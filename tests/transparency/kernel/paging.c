#include "paging.h"

u8 arena[ARENA_PAGES][PAGE] __attribute__((aligned(4096)));
enum paging_kind paging_kind;
extern u8 user_region[], user_region_end[];

// Room for either kind: PAE needs twice as many tables. In the user region nothing of this lies.
static u32 directory[2048] __attribute__((aligned(4096)));
static u32 tables[4096] __attribute__((aligned(4096)));
static u64 pointers[4] __attribute__((aligned(32)));

static void *entry_at(void *table, u32 index) {
    return (u8 *)table + index * (paging_kind == PAGING_PAE ? 8 : 4);
}
static void store(void *at, u64 v) {
    if (paging_kind == PAGING_PAE)
        *(volatile u64 *)at = v;
    else
        *(volatile u32 *)at = (u32)v;
}
static u64 fetch(void *at) { return paging_kind == PAGING_PAE ? *(volatile u64 *)at : *(volatile u32 *)at; }
// Below 8 MB the tables lie one after the other.
static void *pte_at(u32 linear) { return entry_at(tables, linear >> 12); }
static void *pde_at(u32 linear) { return entry_at(directory, paging_kind == PAGING_PAE ? linear >> 21 : linear >> 22); }

void set_pte(u32 linear, u64 entry) { store(pte_at(linear), entry); }
u64 get_pte(u32 linear) { return fetch(pte_at(linear)); }
void set_pde(u32 linear, u64 entry) { store(pde_at(linear), entry); }
u64 get_pde(u32 linear) { return fetch(pde_at(linear)); }
u32 table_of(u32 linear) { return (u32)pte_at(linear) & ~(PAGE - 1); }

void map(u32 linear, u32 arena_page, u64 rights) {
    set_pte(linear, (u32)arena[arena_page] | rights);
    invlpg(linear);
}

void invlpg(u32 linear) { asm volatile("invlpg (%0)" ::"r"(linear) : "memory"); }
void flush(void) { write_cr3(read_cr3()); }
void set_wp(int on) { write_cr0((read_cr0() & ~CR0_WP) | (on ? CR0_WP : 0)); }

void paging_on(enum paging_kind kind) {
    paging_off();
    paging_kind = kind;
    memset(directory, 0, sizeof directory);
    memset(tables, 0, sizeof tables);
    const u32 span = kind == PAGING_PAE ? 0x200000 : 0x400000;
    for (u32 at = 0; at < 0x800000; at += span)
        set_pde(at, (u32)pte_at(at) | PTE_P | PTE_W | PTE_U);
    for (u32 at = 0; at < 0x400000; at += PAGE) {
        const int user = at >= (u32)user_region && at < (u32)user_region_end;
        set_pte(at, at | PTE_P | PTE_W | (user ? PTE_U : 0));
    }
    if (kind == PAGING_PAE) {
        memset(pointers, 0, sizeof pointers);
        for (u32 i = 0; i < 2; i++)
            pointers[i] = ((u32)directory + i * PAGE) | PTE_P;
        write_cr4(read_cr4() | CR4_PAE);
        write_cr3((u32)pointers);
    } else
        write_cr3((u32)directory);
    write_cr0(read_cr0() | CR0_PG | CR0_WP);
}

void paging_off(void) {
    write_cr0(read_cr0() & ~(CR0_PG | CR0_WP));
    write_cr4(0);
    write_cr3(0);
}

// Page tables for the tests: the first 4 MB as they are, then a window of pages for the tests to play with.
#pragma once

#include "base.h"

#define PTE_P 0x01u
#define PTE_W 0x02u
#define PTE_U 0x04u
#define PTE_PWT 0x08u
#define PTE_PCD 0x10u
#define PTE_A 0x20u
#define PTE_D 0x40u
#define PTE_PS 0x80u
#define PTE_G 0x100u
#define PTE_NX (1ull << 63)

#define CR0_PE 0x1u
#define CR0_MP 0x2u
#define CR0_EM 0x4u
#define CR0_TS 0x8u
#define CR0_ET 0x10u
#define CR0_NE 0x20u
#define CR0_WP 0x10000u
#define CR0_AM 0x40000u
#define CR0_PG 0x80000000u
#define CR4_VME 0x1u
#define CR4_PVI 0x2u
#define CR4_TSD 0x4u
#define CR4_DE 0x8u
#define CR4_PSE 0x10u
#define CR4_PAE 0x20u
#define CR4_PGE 0x80u

// Linear pages of the window: page i.
#define WINDOW 0x400000u
#define WINDOW_PAGES 64u
#define LINEAR(i) (WINDOW + (i) * PAGE)

// Physical pages for the tests.
#define ARENA_PAGES 16
extern u8 arena[ARENA_PAGES][PAGE];

enum paging_kind { PAGING_32, PAGING_PAE };
extern enum paging_kind paging_kind;

// Builds fresh tables: identity below 4 MB (ring 3 may use the user region only), an empty window; turns paging on,
// with CR0.WP set.
void paging_on(enum paging_kind kind);
void paging_off(void);

// Entries of either kind. The directory entry of the window is PTE_P|PTE_W|PTE_U at first.
void set_pte(u32 linear, u64 entry);
u64 get_pte(u32 linear);
void set_pde(u32 linear, u64 entry);
u64 get_pde(u32 linear);
// The page table's physical address.
u32 table_of(u32 linear);
// Maps a page of the window onto an arena page.
void map(u32 linear, u32 arena_page, u64 rights);
void invlpg(u32 linear);
void flush(void);
void set_wp(int on);

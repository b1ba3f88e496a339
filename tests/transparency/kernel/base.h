// The words every file uses.
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define PAGE 4096u

// Code to be probed, in memory that ring 3 may run and write. It is 32-bit unless it says otherwise and ends by STOP.
#define SNIPPET(name, text)                                                                                            \
    extern u8 name[];                                                                                                  \
    asm(".pushsection .snippets, \"awx\"\n.balign 16\n" #name ":\n" text "\n.code32\n.popsection\n")
#define STOP "int $0x7f\n"

// Data that ring 3 may reach.
#define USER_DATA __attribute__((section(".user"), aligned(16)))

static inline u32 flags_of(void) {
    u32 v;
    asm volatile("pushf; pop %0" : "=r"(v));
    return v;
}
#define READ_REGISTER(name)                                                                                            \
    static inline u32 read_##name(void) {                                                                              \
        u32 v;                                                                                                         \
        asm volatile("mov %%" #name ", %0" : "=r"(v)::"memory");                                                       \
        return v;                                                                                                      \
    }                                                                                                                  \
    static inline void write_##name(u32 v) { asm volatile("mov %0, %%" #name ::"r"(v) : "memory"); }
READ_REGISTER(cr0)
READ_REGISTER(cr2)
READ_REGISTER(cr3)
READ_REGISTER(cr4)
READ_REGISTER(dr0)
READ_REGISTER(dr1)
READ_REGISTER(dr2)
READ_REGISTER(dr3)
READ_REGISTER(dr6)
READ_REGISTER(dr7)

static inline void out8(u16 port, u8 v) { asm volatile("outb %0, %1" ::"a"(v), "Nd"(port)); }
static inline u8 in8(u16 port) {
    u8 v;
    asm volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}

void *memcpy(void *to, const void *from, u32 n);
void *memset(void *to, int c, u32 n);
int memcmp(const void *a, const void *b, u32 n);

// What the processor offers, from CPUID leaf 1 EDX and 80000001h EDX.
#define FEATURE_FPU (1u << 0)
#define FEATURE_VME (1u << 1)
#define FEATURE_PSE (1u << 3)
#define FEATURE_TSC (1u << 4)
#define FEATURE_PAE (1u << 6)
#define FEATURE_CX8 (1u << 8)
#define FEATURE_SEP (1u << 11)
#define FEATURE_PGE (1u << 13)
#define FEATURE_CMOV (1u << 15)
#define FEATURE_FXSR (1u << 24)
#define FEATURE_SSE (1u << 25)
#define EXTENDED_NX (1u << 20)
extern u32 features, extended_features;

// The few things that differ between the three builds of the core. BTVM_MONITOR: ring 0 in the guest world;
// BTVM_MODULE: the host kernel; neither: a hosted program, where the processor's own state is out of reach.
#pragma once

#include "vmm/base/types.hh"

#ifdef BTVM_MODULE
extern "C" void btvm_host_fpu_begin(void);
extern "C" void btvm_host_fpu_end(void);
#endif

namespace btvm::platform {

#if defined(BTVM_MONITOR)
inline constexpr bool kInGuestWorld = true;
#else
inline constexpr bool kInGuestWorld = false;
#endif

inline u64 read_tsc() {
    u32 low, high;
    asm volatile("rdtsc" : "=a"(low), "=d"(high));
    return static_cast<u64>(high) << 32 | low;
}

/// Drops one page's translation. Outside the guest world its tables are not loaded, and entering loads CR3
/// anyway.
inline void invalidate_page([[maybe_unused]] GuestLinear at) {
#if defined(BTVM_MONITOR)
    asm volatile("invlpg (%0)" ::"r"(at.value) : "memory");
#endif
}

/// Drops all translations of the guest world.
inline void invalidate_all() {
#if defined(BTVM_MONITOR)
    u64 cr3;
    asm volatile("mov %%cr3, %0; mov %0, %%cr3" : "=r"(cr3)::"memory");
#endif
}

/// Writes DR0 to DR3, if this build runs where the guest's debug registers are live.
inline void write_breakpoint([[maybe_unused]] unsigned n, [[maybe_unused]] u64 address) {
#if defined(BTVM_MONITOR)
    switch (n) {
    case 0: asm volatile("mov %0, %%dr0" ::"r"(address)); break;
    case 1: asm volatile("mov %0, %%dr1" ::"r"(address)); break;
    case 2: asm volatile("mov %0, %%dr2" ::"r"(address)); break;
    default: asm volatile("mov %0, %%dr3" ::"r"(address)); break;
    }
#endif
}

inline void write_dr7([[maybe_unused]] u64 value) {
#if defined(BTVM_MONITOR)
    asm volatile("mov %0, %%dr7" ::"r"(value));
#endif
}

/// Puts a pair of descriptor tables in force. The arguments are images as LGDT and LIDT take them. The table
/// that goes last is the one that the old pair cannot do without (see kmod/switch.S).
inline void load_idt_then_gdt([[maybe_unused]] const void* idt, [[maybe_unused]] const void* gdt) {
#if defined(BTVM_MONITOR)
    asm volatile("lidt (%0); lgdt (%1)" ::"r"(idt), "r"(gdt) : "memory");
#endif
}
inline void load_gdt_then_idt([[maybe_unused]] const void* gdt, [[maybe_unused]] const void* idt) {
#if defined(BTVM_MONITOR)
    asm volatile("lgdt (%0); lidt (%1)" ::"r"(gdt), "r"(idt) : "memory");
#endif
}

inline void write_cr4([[maybe_unused]] u64 value) {
#if defined(BTVM_MONITOR)
    asm volatile("mov %0, %%cr4" ::"r"(value) : "memory");
#endif
}

/// Writes PKRU if it is another value; CR4.PKE must be set. The host's is set at each entry.
inline void write_pkru([[maybe_unused]] u32 value) {
#if defined(BTVM_MONITOR)
    u32 now, upper;
    asm volatile("rdpkru" : "=a"(now), "=d"(upper) : "c"(0));
    if (now != value) asm volatile("wrpkru" ::"a"(value), "c"(0), "d"(0));
#endif
}

/// Brackets whatever uses the x87, MMX or SSE registers outside the guest's own native execution. In the
/// monitor such instructions are never interpreted: they are left to the host world.
inline void fpu_begin() {
#if defined(BTVM_MODULE)
    btvm_host_fpu_begin();
#endif
}
inline void fpu_end() {
#if defined(BTVM_MODULE)
    btvm_host_fpu_end();
#endif
}

} // namespace btvm::platform

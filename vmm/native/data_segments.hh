// Loading DS, ES, FS and GS for ring 3: at once in the guest world, by the world switch elsewhere.
#pragma once

#include "monitor/switch_context.h"
#include "vmm/cpu/registers.hh"
#include "vmm/cpu/segment.hh"

namespace btvm::native {

inline constexpr SegReg kDataSegments[] = {Ds, Es, Fs, Gs};

/// The selector in the context that stands for one of kDataSegments.
inline btvm_u16& selector_of(btvm_switch_context& context, SegReg which) {
    switch (which) {
    case Ds: return context.ds;
    case Es: return context.es;
    case Fs: return context.fs;
    default: return context.gs;
    }
}

inline void load_selector([[maybe_unused]] SegReg which, [[maybe_unused]] u16 selector) {
#if defined(BTVM_MONITOR)
    const u32 value = selector;
    switch (which) {
    case Ds: asm volatile("mov %0, %%ds" ::"r"(value) : "memory"); break;
    case Es: asm volatile("mov %0, %%es" ::"r"(value) : "memory"); break;
    case Fs: asm volatile("mov %0, %%fs" ::"r"(value) : "memory"); break;
    default: asm volatile("mov %0, %%gs" ::"r"(value) : "memory"); break;
    }
#endif
}

/// The descriptor that gives a segment register this hidden part. G goes by the limit's size; accessed, so
/// that the processor has nothing to write back; never a 64-bit segment.
[[nodiscard]] constexpr u64 descriptor_of(const Segment& s) {
    constexpr u64 kAccessed = 1;
    constexpr u64 kLongAndGranularity = 0xa000;
    constexpr u64 kGranularity = 0x8000;
    const bool pages = s.limit > 0xfffff;
    const u64 limit = pages ? s.limit >> 12 : s.limit;
    const u64 access = (s.access.value & ~kLongAndGranularity) | kAccessed | (pages ? kGranularity : 0);
    return (limit & 0xffff) | (s.base & 0xffffff) << 16 | (access & 0xf0ff) << 40 |
           (limit >> 16 & 0xf) << 48 | (s.base >> 24 & 0xff) << 56;
}

} // namespace btvm::native

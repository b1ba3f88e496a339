#include "vmm/interrupts/pm_timer.hh"

namespace btvm {

u32 PmTimer::read(u16 at, u8 size, u64 now_ns) const {
    constexpr u64 kSecond = 1000000000;
    // In two parts, so that the product stays within 64 bits at any time.
    const u64 ticks = now_ns / kSecond * kHertz + now_ns % kSecond * kHertz / kSecond;
    const u32 count = static_cast<u32>(ticks) & ((1u << kBits) - 1);
    const u32 value = count >> 8 * (at - port);
    return size >= 4 ? value : value & ((1u << 8 * size) - 1);
}

} // namespace btvm

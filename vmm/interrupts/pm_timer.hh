// The ACPI power management timer (ACPI 2.0, 4.7.3.3): a counter of 24 bits at 3.579545 MHz that can only be
// read. Firmware and Linux read it in loops to wait, so it is in the core; all else of power management, the
// timer's status bit and interrupt too, is userland's, which says where the counter is. Nothing ticks: the
// count is computed from guest time.
#pragma once

#include "vmm/base/types.hh"

namespace btvm {

struct PmTimer {
    static constexpr u64 kHertz = 3579545;
    static constexpr u32 kBits = 24;
    static constexpr u16 kBytes = 4;
    /// The last port it can be at.
    static constexpr u16 kLastPort = 0xffff - (kBytes - 1);

    u16 port{}; ///< The first of its four ports; 0: it is not there.

    /// Whether an access of `size` bytes at `at` touches the counter and nothing else.
    [[nodiscard]] bool owns(u16 at, u8 size) const {
        return port && at >= port && u32{at} + size <= u32{port} + kBytes;
    }
    /// What such a read gives at a guest time in nanoseconds.
    [[nodiscard]] u32 read(u16 at, u8 size, u64 now_ns) const;
};

} // namespace btvm

// An APIC machine without a processor: registers by their addresses, as a guest reaches them.
#pragma once

#include <gtest/gtest.h>

#include "vmm/interrupts/interrupt_controllers.hh"

namespace btvm::test {

struct ApicRig : testing::Test {
    static constexpr u64 kLocal = 0xfee00000, kIo = 0xfec00000;
    static constexpr u32 kMasked = 1u << 16, kPeriodic = 1u << 17, kLevel = 1u << 15, kRemoteIrr = 1u << 14;
    static constexpr u32 kSelf = 1u << 18, kAll = 2u << 18, kOthers = 3u << 18;

    CpuState cpu;
    Pic pic;
    Apics apics;
    InterruptControllers controllers{cpu, pic, apics};

    ApicRig() {
        cpu.features.basic |= cpuid_feature::kApic;
        btvm::reset(cpu);
        pic.reset();
        apics.reset();
    }
    u32 get(u64 address) {
        u32 value;
        controllers.read(GuestPhysical(address), &value, sizeof value);
        return value;
    }
    void put(u64 address, u32 value) { controllers.write(GuestPhysical(address), &value, sizeof value); }
    u32 local(u32 offset) { return get(kLocal + offset); }
    void local(u32 offset, u32 value) { put(kLocal + offset, value); }
    u32 io(u32 number) {
        put(kIo, number);
        return get(kIo + 0x10);
    }
    void io(u32 number, u32 value) {
        put(kIo, number);
        put(kIo + 0x10, value);
    }
    void enable() { local(0xf0, 0x1ff); }
    /// An entry of the redirection table.
    void pin(unsigned number, u32 low, u8 destination = 0) {
        io(0x11 + 2 * number, u32{destination} << 24);
        io(0x10 + 2 * number, low);
    }
    void ipi(u32 low, u8 destination = 0) {
        local(0x310, u32{destination} << 24);
        local(0x300, low);
    }
    /// What the processor is given, or -1.
    int take() { return controllers.pending() ? controllers.acknowledge() : -1; }
    void end() { local(0xb0, 0); }
    /// Guest time goes on; whether the timer's vector is now taken.
    int take_at(u64 ns) {
        controllers.now_ns = ns;
        lost += controllers.follow_time();
        return take();
    }
    u64 lost{};
};

} // namespace btvm::test

// The monitor: the hypervisor at ring 0 of the guest world. kmod/switch.S calls it at each trap of the guest,
// on a stack of its own, with the host's interrupts off.
#include "vmm/hypervisor/quick_trap.hh"
#include "vmm/hypervisor/tracer.hh"

namespace {

/// For the test of what a fault in here does: an address that nothing maps.
void fault_on_purpose() {
    constexpr btvm::u64 kUnmapped = 0xffffff7fdead0000;
    asm volatile("movb $0, (%0)" ::"r"(kUnmapped) : "memory");
}

[[gnu::noinline]] btvm::u32 answer(btvm::World& world) {
    btvm::Tracer tracer(world, world.monitor);
    return tracer.trap() == btvm::Verdict::Resume ? BTVM_MONITOR_RESUME : BTVM_MONITOR_LEAVE;
}

} // namespace

/// Answers the trap in `context`. BTVM_MONITOR_RESUME: go on at ring 3 with the frame; BTVM_MONITOR_LEAVE:
/// the host world is needed, World::request tells for what.
///
/// The short way stands as a whole in the image's first page, with what calls it: an emulated processor looks
/// up where to go on at each call, return and change of page.
extern "C" [[gnu::section(".text.quick"), gnu::flatten]] btvm::u32
btvm_monitor_trap(btvm_switch_context* /*context*/, btvm::World* world) {
    if (world->config.flags & BTVM_CONFIG_TEST_MONITOR_FAULT) fault_on_purpose();
    world->stats.handled_in_monitor++;
    if (btvm::quick_trap(*world, world->monitor)) return BTVM_MONITOR_RESUME;
    return answer(*world);
}

// Runs the guest through the kernel module.
#pragma once

#include <atomic>
#include <memory>
#include <pthread.h>

#include "userland/abi/system.hh"
#include "userland/machine/engine.hh"
#include "userland/machine/guest_clock.hh"
#include "userland/machine/physical_memory.hh"

namespace btvm {

class KernelEngine final : public Engine {
public:
    /// Makes the VM and its vCPU. Throws abi::AbiError.
    KernelEngine(PhysicalMemory& memory, const EngineConfig& config,
                 const std::string& device = abi::System::kDefaultPath);

    [[nodiscard]] std::string_view name() const override { return "kernel"; }
    [[nodiscard]] EngineExit run(GuestTime deadline) override;
    void kick() override;
    void set_irq(unsigned line, bool level) override;
    void nmi() override;
    void set_a20(bool enabled) override;
    [[nodiscard]] bool a20() const override { return a20_; }
    void set_pm_timer(std::uint16_t port) override;
    void reset() override;
    void memory_written(std::uint64_t guest_physical, std::uint64_t size) override;
    void take_dirty(std::size_t region, std::span<std::uint64_t> bitmap) override;
    [[nodiscard]] GuestTime now() const override { return clock_.now(); }
    void freeze_time() override;
    void thaw_time() override;
    [[nodiscard]] btvm_state state() const override;
    [[nodiscard]] bool set_state(const btvm_state& state, GuestTime time) override;
    [[nodiscard]] Registers registers() const override;
    [[nodiscard]] btvm_stats stats() const override;
    [[nodiscard]] std::vector<btvm_trace_entry> trace(unsigned count) const override;

private:
    [[nodiscard]] EngineExit port_exit();
    [[nodiscard]] EngineExit failure();

    abi::System system_;
    abi::Vm vm_;
    std::unique_ptr<abi::Vcpu> vcpu_;
    GuestClock clock_;
    bool a20_{true};
    std::uint16_t pm_timer_{};
    std::uint16_t irq_levels_{}; ///< What the core has been told, to leave out calls that change nothing.
    std::atomic<bool> in_run_{};
    std::atomic<pthread_t> runner_{};
};

} // namespace btvm

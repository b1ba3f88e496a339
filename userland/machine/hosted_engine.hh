// Runs the guest by interpreting every instruction in this process, with the same core that the module has.
// Slower than the kernel engine by far, but it needs neither the module nor privileges.
#pragma once

#include <atomic>
#include <deque>
#include <optional>

#include "userland/abi/file_descriptor.hh"
#include "userland/machine/engine.hh"
#include "userland/machine/guest_clock.hh"
#include "userland/machine/physical_memory.hh"
#include "vmm/cpu/state.hh"
#include "vmm/interpret/interpreter.hh"
#include "vmm/interrupts/interrupt_controllers.hh"
#include "vmm/interrupts/pic.hh"
#include "vmm/interrupts/pit.hh"
#include "vmm/interrupts/pm_timer.hh"
#include "vmm/io/port_bus.hh"
#include "vmm/memory/guest_memory.hh"

namespace btvm {

class HostedEngine final : public Engine {
public:
    HostedEngine(PhysicalMemory& memory, const EngineConfig& config);

    [[nodiscard]] std::string_view name() const override { return "interpreter"; }
    [[nodiscard]] EngineExit run(GuestTime deadline) override;
    /// What run() does again and again: delivers what is due, then runs up to so many instructions. Nothing
    /// is given if there is no reason to stop. For tests that look at the guest between any two of its
    /// instructions.
    [[nodiscard]] std::optional<EngineExit> turn(GuestTime deadline, unsigned instructions);
    void kick() override;
    void set_irq(unsigned line, bool level) override { controllers_.set_irq(line, level); }
    void nmi() override { controllers_.pulse_nmi(); }
    void set_a20(bool enabled) override {
        cpu_.a20_mask_off = !enabled;
        translations_.flush();
    }
    [[nodiscard]] bool a20() const override { return !cpu_.a20_mask_off; }
    void set_pm_timer(std::uint16_t port) override { pm_timer_.port = port; }
    void reset() override;
    void memory_written(std::uint64_t guest_physical, std::uint64_t size) override;
    void take_dirty(std::size_t region, std::span<std::uint64_t> bitmap) override;
    [[nodiscard]] GuestTime now() const override { return clock_.now(); }
    void freeze_time() override { clock_.freeze(); }
    void thaw_time() override { clock_.thaw(); }
    [[nodiscard]] btvm_state state() const override;
    [[nodiscard]] bool set_state(const btvm_state& state, GuestTime time) override;
    [[nodiscard]] Registers registers() const override;
    [[nodiscard]] btvm_stats stats() const override;
    [[nodiscard]] std::vector<btvm_trace_entry> trace(unsigned count) const override;

private:
    /// Steps between two looks at the clock and the kick: a few microseconds' worth.
    static constexpr unsigned kSlice = 256;
    static constexpr std::size_t kTraceEntries = 4096;

    /// Brings timers, port bus and TSC to the present.
    void tick();
    void tick_pit();
    /// Delivers an NMI or interrupt if one can be taken at this boundary.
    [[nodiscard]] StepStatus deliver_pending();
    [[nodiscard]] bool between_instructions() const;
    [[nodiscard]] bool interruptible() const;
    [[nodiscard]] StepStatus slice(unsigned instructions);
    /// Waits in HLT for a kick or until `deadline` or the timer's next edge.
    void sleep_until(GuestTime deadline);
    [[nodiscard]] EngineExit io_exit();
    void note(std::uint32_t kind, std::uint32_t a, std::uint64_t b = 0, std::uint64_t c = 0);
    [[nodiscard]] EngineExit leave(EngineExit::Reason reason, std::uint32_t trace_code);

    GuestClock clock_;
    CpuState cpu_{};
    GuestMemory memory_{};
    std::vector<std::vector<u8>> page_states_; ///< Of each slot.
    Pic pic_{};
    Apics apics_{};
    Pit pit_{};
    PmTimer pm_timer_{};
    PortRequest request_{};
    PortCounters port_counters_{};
    PortBus ports_;
    InterruptControllers controllers_;
    InterpreterCounters counters_{};
    TranslationCache translations_{};
    Interpreter interpreter_;

    FileDescriptor wake_; ///< An eventfd: wakes sleep_until().
    std::atomic<bool> kicked_{};
    u32 owed_ticks_{};
    std::uint64_t lost_ticks_{};
    std::uint64_t halts_{};
    std::uint64_t interrupts_{};
    bool keep_trace_;
    std::uint64_t trace_sequence_{};
    std::deque<btvm_trace_entry> trace_;
};

} // namespace btvm

// The machine: an engine, physical memory, the port map and the devices on it, driven by one thread. Other
// threads reach it by posting commands, so no device needs a lock.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "userland/devices/device.hh"
#include "userland/machine/engine.hh"
#include "userland/machine/physical_memory.hh"
#include "userland/machine/port_map.hh"
#include "userland/machine/post_codes.hh"

namespace btvm {

enum class MachineState {
    Running,
    Paused,
    Halted,     ///< HLT with interrupts off: an NMI or a reset goes on.
    Shutdown,   ///< Triple fault: a reset goes on.
    Failed,     ///< The engine gave up; the report tells why. Nothing goes on.
    PoweredOff, ///< The guest turned the machine off, or quit() was called: run() has ended or is about to.
};

/// A word for the state, as status lines and the control protocol show it.
[[nodiscard]] const char* to_string(MachineState state);

/// Thrown by call() when the machine's thread no longer takes commands.
class MachineStopped : public std::runtime_error {
public:
    MachineStopped() : std::runtime_error("the machine has stopped") {}
};

class Machine final : public Platform {
public:
    Machine(std::unique_ptr<PhysicalMemory> memory, std::unique_ptr<Engine> engine);
    ~Machine() override;

    /// Puts a device on the board. Before run().
    void add(Device& device);

    // ---- from any thread

    /// Runs `command` on the machine's thread, soon. Dropped when the machine has stopped.
    void post(std::function<void()> command);
    /// Runs `function` on the machine's thread and gives its result or exception. Throws MachineStopped. Must
    /// not be called from the machine's own thread.
    template <class F>
    auto call(F function) -> std::invoke_result_t<F&> {
        using Result = std::invoke_result_t<F&>;
        if constexpr (std::is_void_v<Result>) {
            run_and_wait(std::ref(function));
        } else {
            std::optional<Result> result;
            run_and_wait([&] { result.emplace(function()); });
            return *std::move(result);
        }
    }
    [[nodiscard]] MachineState state() const { return state_; }
    /// What the engine said when the state became Failed.
    [[nodiscard]] std::string failure() const;
    /// Ends run().
    void quit();

    // ---- on the machine's thread: that of run(), or before it

    /// Powers the machine on and runs it until quit(), power-off or failure. Never throws: an exception of a
    /// device or of the engine makes the state Failed.
    void run();
    /// Devices and engine have been given the state of a saved machine: run() does not turn on, it goes on.
    void restored(bool paused, std::uint64_t resets);
    /// Devices and engine have been taken back to an earlier state of this machine, with so many resets: it
    /// runs on, also after a halt or a triple fault, unless it is paused.
    void rewound(std::uint64_t resets);
    void pause();
    void resume();
    /// Resets processor and devices; a halted or shut-down machine runs again. RAM stays.
    void reset();
    void nmi();
    /// Calls `work` each time so much guest time has passed, between two instructions; 0: no more. What it
    /// throws makes the state Failed.
    void every(GuestTime period, std::function<void()> work);
    /// The guest asked the firmware to turn the machine off.
    void power_off();

    [[nodiscard]] Engine& engine() { return *engine_; }
    [[nodiscard]] PhysicalMemory& memory() { return *memory_; }
    [[nodiscard]] PortMap& ports() { return ports_; }
    [[nodiscard]] std::uint64_t resets() const { return resets_; }
    [[nodiscard]] const std::vector<PostCode>& post_codes() const { return post_codes_.recent(); }
    [[nodiscard]] std::span<Device* const> devices() const { return devices_; }

    // ---- Platform: what devices see

    void set_irq(unsigned line, bool level) override { engine_->set_irq(line, level); }
    void dma_read(std::uint64_t at, std::span<std::uint8_t> out) override { memory_->read(at, out); }
    void dma_write(std::uint64_t at, std::span<const std::uint8_t> in) override;
    [[nodiscard]] GuestTime now() const override { return engine_->now(); }
    void set_a20(bool enabled) override { engine_->set_a20(enabled); }
    [[nodiscard]] bool a20() const override { return engine_->a20(); }
    void set_pm_timer(std::uint16_t port) override { engine_->set_pm_timer(port); }
    void request_reset() override { reset_requested_ = true; }
    void ports_changed(Device& device) override { ports_.update(device); }

private:
    bool enqueue(std::function<void()> command);
    /// call() for what gives no result; no template, since each use of std::packaged_task takes long to
    /// compile.
    void run_and_wait(std::function<void()> command);
    void run_commands();
    void wait_for_command();
    void close_queue();
    void set_state(MachineState state);
    /// Into a state without time.
    void come_to_rest(MachineState state);
    void fail(const std::string& report);
    void run_guest();
    void handle_io(PortAccess access);
    [[nodiscard]] GuestTime next_deadline() const;
    void run_devices();
    void do_work();

    std::unique_ptr<PhysicalMemory> memory_;
    std::unique_ptr<Engine> engine_;
    PortMap ports_;
    PostCodes post_codes_;
    std::vector<Device*> devices_;

    std::atomic<MachineState> state_{MachineState::Running};
    std::atomic<bool> quit_{};
    bool reset_requested_{};
    std::optional<MachineState> goes_on_as_; ///< It was restored: not to be turned on.
    std::uint64_t resets_{};
    GuestTime period_{}; ///< Of the work; 0: none.
    GuestTime work_due_{};
    std::function<void()> work_;

    mutable std::mutex mutex_; ///< Guards what follows.
    std::condition_variable wake_;
    std::deque<std::function<void()>> commands_;
    bool closed_{};
    std::string failure_;
};

} // namespace btvm

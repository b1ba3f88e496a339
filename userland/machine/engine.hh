// What runs guest code: the kernel module, or the same core hosted in this process. An engine owns the
// processor, the interrupt controllers, the timer and guest time; everything else of the PC is the machine's.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "btvm/btvm.h"
#include "userland/devices/device.hh"

namespace btvm {

/// An access to a port that no part of the core answers, or several to the same one in a row (INS, OUTS).
struct PortAccess {
    bool write{};
    std::uint8_t size{}; ///< 1, 2 or 4 bytes.
    std::uint16_t port{};
    /// One or more elements of `size` bytes: what is written, or where the answer goes. Valid until the next
    /// run().
    std::span<std::uint8_t> data{};
};

/// Why run() came back.
struct EngineExit {
    enum class Reason {
        Io,       ///< `io` is to be answered: a read by filling its data before the next run().
        Deadline, ///< Guest time has reached the deadline.
        Kicked,   ///< kick() was called or a signal came in.
        Halted,   ///< HLT with interrupts off: only an NMI or a reset goes on.
        Shutdown, ///< Triple fault: only a reset goes on.
        Failed    ///< The engine cannot go on; `report` tells why, in lines for a human.
    };
    Reason reason{Reason::Kicked};
    PortAccess io{};
    std::string report{};
};

/// The processor's registers for reports and tools.
struct Registers {
    btvm_regs general{};
    btvm_sregs system{};
};

/// How guest code is run.
struct EngineConfig {
    unsigned breakpoints{4}; ///< Debug registers the planner may use, 1 to 4.
    bool monitor{true};      ///< Handle traps in the guest world.
    bool verify{};           ///< Single-step traced code and check the invariants.
    bool plan_cache{true};
    bool lookahead{}; ///< The look-ahead planner instead of the breadth-first one.
    /// How breakpoints are made real: by debug registers, or by execute-only copies of the code.
    enum class Provider : unsigned char { DebugRegisters, ExecuteOnly, Auto };
    Provider provider{Provider::Auto};
    /// Shadow page tables at the guest's TLB flushes: drop only what was made from tables that changed...
    bool table_tracking{true};
    bool table_compare{true}; ///< ... and of directories only the entries that did.
    unsigned slowdown{1};     ///< Guest time passes so many times slower than the host's.
    bool trace{};             ///< Keep the trace ring.
    bool interpret{};         ///< Never run guest code natively (kernel engine only).
    bool apic{};              ///< The machine has a local APIC and an I/O APIC.
    bool post_port{};         ///< Port 80h is for POST codes, and not for delays.
    /// BTVM_CONFIG_TEST_*: for tests of the checks themselves.
    std::uint32_t test_flags{};
};

/// Everything but kick() is called from the vCPU thread only. Calls throw std::runtime_error when the engine
/// is broken.
class Engine {
public:
    /// A deadline that never comes.
    static constexpr GuestTime kNever = GuestTime::max();

    virtual ~Engine() = default;

    [[nodiscard]] virtual std::string_view name() const = 0;

    /// Runs the guest until there is a reason to stop. Guest time must be running.
    [[nodiscard]] virtual EngineExit run(GuestTime deadline) = 0;
    /// Makes run() return soon, or return at once if it is not running. From any thread and from signal
    /// handlers.
    virtual void kick() = 0;

    virtual void set_irq(unsigned line, bool level) = 0;
    virtual void nmi() = 0;
    virtual void set_a20(bool enabled) = 0;
    [[nodiscard]] virtual bool a20() const = 0;
    /// Where the guest reads the counter of the ACPI timer without anybody's help: the first of four ports;
    /// 0: nowhere, as after reset().
    virtual void set_pm_timer(std::uint16_t port) = 0;
    /// The processor, the interrupt controllers and the timer as after RESET.
    virtual void reset() = 0;
    /// Somebody other than the guest's processor has written guest memory.
    virtual void memory_written(std::uint64_t guest_physical, std::uint64_t size) = 0;

    /// Which pages of a memory region (by its number in PhysicalMemory::regions()) were written since the
    /// last call, by the guest or as memory_written() told: bit n, 64 a word, is page n. The bitmap has
    /// dirty_words() words. The first call may leave pages out.
    virtual void take_dirty(std::size_t region, std::span<std::uint64_t> bitmap) = 0;
    /// Words of a bitmap for a region of so many bytes.
    [[nodiscard]] static constexpr std::size_t dirty_words(std::uint64_t bytes) {
        return (bytes / 4096 + 63) / 64;
    }

    /// Guest time; it stands still from freeze_time() to thaw_time(). Frozen at 0 at first.
    [[nodiscard]] virtual GuestTime now() const = 0;
    virtual void freeze_time() = 0;
    virtual void thaw_time() = 0;

    /// All that the engine owns but guest time, which must stand still.
    [[nodiscard]] virtual btvm_state state() const = 0;
    /// Puts a state in place of the present one, at that guest time. Memory and the devices must have been
    /// put in their places before: what they do to interrupt lines is part of the state already. False if it
    /// is no state of a machine, or of one whose processor has features that this one lacks, or if only one
    /// of the two has APICs.
    [[nodiscard]] virtual bool set_state(const btvm_state& state, GuestTime time) = 0;
    [[nodiscard]] virtual Registers registers() const = 0;
    [[nodiscard]] virtual btvm_stats stats() const = 0;
    /// The newest `count` entries of the trace, oldest first.
    [[nodiscard]] virtual std::vector<btvm_trace_entry> trace(unsigned count) const = 0;
};

} // namespace btvm

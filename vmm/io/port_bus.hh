// The guest's I/O ports as the core sees them. PIC, PIT, ports 61h and F0h and the counter of the ACPI timer
// live in the core; every other port belongs to userland, and an access to it ends in an exit: the
// instruction is left undone, userland answers, and the instruction is executed again and finds the answer
// waiting. So an access can be frozen, saved and restored at any point.
#pragma once

#include "vmm/base/types.hh"

namespace btvm {

class Pic;
class Pit;
struct PmTimer;

enum class IoStatus : u8 {
    Done,
    NeedsUserland ///< PortRequest is filled in; run the same instruction again once it is answered.
};

/// One port access, or a run of equal ones to one port, on its way to userland and back. Part of the world's
/// saved state.
struct PortRequest {
    /// What fits beside btvm_run in the page that is shared with userland.
    static constexpr u32 kMostBytes = 3584;

    enum class Phase : u8 { Idle, Asked, Answered };
    Phase phase{Phase::Idle};
    u8 write{};
    u8 size{}; ///< Of one element: 1, 2 or 4 bytes.
    u8 reserved{};
    u16 port{};
    u16 reserved2{};
    u32 count{};           ///< Elements; count * size is at most kMostBytes.
    u8 data[kMostBytes]{}; ///< What is written, or the answer to a read: element after element.

    [[nodiscard]] u32 bytes() const { return count * size; }
    /// The first element, zero-extended.
    [[nodiscard]] u32 value() const {
        u32 v = 0;
        __builtin_memcpy(&v, data, size);
        return v;
    }
    /// Sets the first element to the low bytes of `v`.
    void set_value(u32 v) { __builtin_memcpy(data, &v, size); }
    /// No request, and no answer either. What the data were does not matter.
    void forget() { phase = Phase::Idle; }
};

/// Counts of port accesses, for statistics.
struct PortCounters {
    u64 in_core{};
    u64 userland{};
};

class PortBus {
public:
    PortBus(Pic& pic, Pit& pit, PortRequest& request, PortCounters& counters)
        : pic_(pic), pit_(pit), request_(request), counters_(counters) {}

    /// Guest time in nanoseconds, for PIT reads. The owner keeps it fresh.
    u64 now_ns{};
    /// The ACPI timer, or null: it is userland's then, as any port.
    const PmTimer* pm_timer{};
    /// Bytes written to port 80h go to userland, as any port's, and not to nobody.
    bool post_port{};

    [[nodiscard]] IoStatus read(u16 port, u8 size, u32& value);
    [[nodiscard]] IoStatus write(u16 port, u8 size, u32 value);

    /// The processor's two pins to the coprocessor error logic: see Pic::FpuError.
    void set_ferr(bool level);
    [[nodiscard]] bool ignne() const;

    /// Whether such an access is done here, without userland. Those have no blocks.
    [[nodiscard]] bool in_core(bool write, u16 port, u8 size) const;
    /// Reads `count` elements, at least 1, from one port of userland: in, how many may be asked for; out,
    /// with Done, how many were, and `data` holds them until the next access.
    [[nodiscard]] IoStatus read_block(u16 port, u8 size, u32& count, const u8*& data);
    /// Writes likewise. With NeedsUserland, the caller puts count elements to `data` before anything else.
    [[nodiscard]] IoStatus write_block(u16 port, u8 size, u32& count, u8*& data);

private:
    [[nodiscard]] bool is_delay(u16 port) const;
    [[nodiscard]] bool timer_owns(u16 port, u8 size) const;
    [[nodiscard]] u8 core_read(u16 port);
    void core_write(u16 port, u8 value);
    [[nodiscard]] IoStatus ask(bool write, u16 port, u8 size, u32& value);
    [[nodiscard]] bool answered(bool write, u16 port, u8 size) const;
    void ask_for(bool write, u16 port, u8 size, u32 count);
    [[nodiscard]] IoStatus block(bool write, u16 port, u8 size, u32& count);

    Pic& pic_;
    Pit& pit_;
    PortRequest& request_;
    PortCounters& counters_;
};

} // namespace btvm

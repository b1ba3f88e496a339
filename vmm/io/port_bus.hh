// The guest's I/O ports as the core sees them. PIC, PIT and port 61h live in the core; every other port
// belongs to userland, and an access to it ends in an exit: the instruction is left undone, userland answers,
// and the instruction is executed again and finds the answer waiting. So an access can be frozen, saved and
// restored at any point.
#pragma once

#include "vmm/base/types.hh"

namespace btvm {

class Pic;
class Pit;

enum class IoStatus : u8 {
    Done,
    NeedsUserland ///< PortRequest is filled in; run the same instruction again once it is answered.
};

/// One port access on its way to userland and back. Part of the world's saved state.
struct PortRequest {
    enum class Phase : u8 { Idle, Asked, Answered };
    Phase phase{Phase::Idle};
    u8 write{};
    u8 size{}; ///< 1, 2 or 4 bytes.
    u8 reserved{};
    u16 port{};
    u16 reserved2{};
    u32 value{};
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

    [[nodiscard]] IoStatus read(u16 port, u8 size, u32& value);
    [[nodiscard]] IoStatus write(u16 port, u8 size, u32 value);

private:
    [[nodiscard]] bool in_core(u16 port) const;
    [[nodiscard]] u8 core_read(u16 port);
    void core_write(u16 port, u8 value);
    [[nodiscard]] IoStatus ask(bool write, u16 port, u8 size, u32& value);

    Pic& pic_;
    Pit& pit_;
    PortRequest& request_;
    PortCounters& counters_;
};

} // namespace btvm

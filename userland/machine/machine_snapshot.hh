// A machine at one moment, kept in memory: what a checkpoint holds, and what a state file is written from.
#pragma once

#include <vector>

#include "btvm/btvm.h"
#include "userland/checkpoint/page_store.hh"
#include "userland/machine/media_snapshot.hh"

namespace btvm {

struct MachineSnapshot {
    GuestTime time{};
    std::uint64_t resets{};
    btvm_state core{};
    std::vector<std::vector<std::uint8_t>>
        devices; ///< A section each, in the order of the machine's devices.
    PageMap memory;
    MediaSnapshot media;

    [[nodiscard]] std::uint64_t device_bytes() const;
};

} // namespace btvm

// A whole machine at one moment, ready to be written to a state file while the machine runs on. It shares its
// pages and blocks with checkpoints and images: it is made and let go by the machine's thread, and another
// one may look at it meanwhile.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "userland/machine/frozen_tree.hh"

namespace btvm {

struct FrozenMachine {
    struct Region {
        std::string section;
        std::uint64_t first{}; ///< Guest-physical.
        std::uint64_t size{};  ///< Bytes.
    };
    /// What the guest has written to a medium, shared with its image.
    struct Medium {
        std::string section;
        std::function<PageEncoder()> encode;
    };

    MachineDescription description;
    std::optional<std::string> screen; ///< As text; none in graphics modes.
    MachineSnapshot machine;
    std::vector<Region> regions;
    std::vector<Medium> media;
    std::optional<FrozenTree> tree; ///< Its checkpoints, if they are wanted.
    const Firmware* firmware{};     ///< The machine's configuration, which stays as it is.
    /// What brings to the host's disk what the guest had written to its images. Throw what images throw.
    std::vector<std::function<void()>> flushes;
    std::vector<std::string> written_images;

    /// Of memory, to be written: with a tree, about so many.
    [[nodiscard]] std::uint64_t pages() const;
};

/// From any thread. `pages_done` counts the pages of memory. Throws
/// StateError.
void write_state(StateWriter& writer, const FrozenMachine& frozen, std::atomic<std::uint64_t>& pages_done);

} // namespace btvm

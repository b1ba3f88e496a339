// Guest memory as checkpoints see it: what it held at one moment, and what was written since. Both ways cost
// what was written, and for each page a bit.
#pragma once

#include <optional>

#include "userland/checkpoint/page_store.hh"
#include "userland/machine/engine.hh"
#include "userland/machine/physical_memory.hh"

namespace btvm {

class TrackedMemory {
public:
    TrackedMemory(Engine& engine, PhysicalMemory& memory);

    /// What memory holds now. The guest stands still. The first time all of memory is read.
    [[nodiscard]] const PageMap& capture();
    /// Makes memory hold what it held at that moment, which capture() has given. Returns how many pages were
    /// written.
    std::uint64_t restore(const PageMap& wanted);

    /// For tests of the log: a page that holds something else than capture() says. All of memory is read.
    [[nodiscard]] std::optional<std::uint64_t> unnoticed() const;

    /// Pages whose content differs.
    [[nodiscard]] static std::uint64_t differing_pages(const PageMap& a, const PageMap& b);
    [[nodiscard]] const PageStore& store() const { return store_; }

private:
    struct Region {
        std::size_t number; ///< As the engine counts.
        std::uint64_t first_frame;
        std::uint64_t pages;
        std::uint8_t* memory;
    };
    using Bytes = std::span<std::uint8_t, kStoredPage>;

    /// Calls f(frame, bytes) for each page that was written since the last call, in order.
    template <class F>
    void for_each_dirty(F f);
    [[nodiscard]] const Region& region_of(std::uint64_t frame) const;
    /// Whether the page is as it was when it was last looked at.
    [[nodiscard]] bool is_known(std::uint64_t frame, Bytes bytes) const;
    void note(std::uint64_t frame, Bytes bytes);
    void write(std::span<const std::uint64_t> frames, const PageMap& wanted);

    Engine& engine_;
    std::vector<Region> regions_; ///< Those that can be written, by address.
    std::vector<std::uint64_t> bitmap_;
    bool begun_{};    ///< What is known holds, but for the pages in the engine's log.
    PageStore store_; ///< Goes after the maps that hold its pages.
    PageMap known_;   ///< What memory held when its dirty pages were last taken.
};

} // namespace btvm

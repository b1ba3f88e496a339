// Guest memory as checkpoints see it: what it held at one moment, and what was written since. Both ways cost
// what was written, and for each page a bit.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>

#include "userland/checkpoint/page_store.hh"
#include "userland/machine/engine.hh"
#include "userland/machine/physical_memory.hh"

namespace btvm {

class TrackedMemory {
public:
    TrackedMemory(Engine& engine, PhysicalMemory& memory);

    /// What memory holds now. The guest stands still. The first time all of memory is read, unless it has
    /// been gathered.
    [[nodiscard]] const PageMap& capture();

    /// The first capture() prepared while the guest runs, in rounds: all pages are read, then those that were
    /// written meanwhile, and so on; what has been written since the last round is left for capture().
    ///
    /// Begins the next round; the guest stands still. How many pages it has; 0: capture() has nothing to
    /// gain.
    [[nodiscard]] std::uint64_t begin_round();
    /// Reads the pages of the round: from another thread, while the guest writes some of them and the others'
    /// calls but these two wait. Nobody else may touch pages of store() then. Ends early once `give_up`.
    void gather(const std::atomic<bool>& give_up);
    /// Pages that gather() has read in this round. From any thread.
    [[nodiscard]] std::uint64_t gathered() const { return gathered_; }

    /// As capture(), but the pages that are left of the rounds are only copied, as many as reserve_aside()
    /// made room for: to compare and to store them takes many times as long, and take_aside() does it while
    /// the guest runs on.
    void set_aside();
    /// What memory held then: once, and none if nothing was set aside. From another thread, as gather().
    [[nodiscard]] PageMap take_aside();
    /// Before set_aside(), from another thread, too: the guest does not wait for room to be made.
    void reserve_aside(std::uint64_t pages);

    /// What is known of memory, and the store with its pages: for the last one who uses them. What follows is
    /// as if nothing had been captured.
    struct Known {
        std::unique_ptr<PageStore> store =
            std::make_unique<PageStore>(); ///< Goes after the map of its pages.
        PageMap pages;
    };
    [[nodiscard]] Known forget();

    /// Makes memory hold what it held at that moment, which capture() has given, or store_page() page by
    /// page. Returns how many pages were written.
    std::uint64_t restore(const PageMap& wanted);

    /// A page with these bytes, for a map that restore() may be given; none for zeros.
    [[nodiscard]] Ref<PageStore::Page> store_page(std::span<const std::uint8_t, kStoredPage> bytes);

    /// Whether there is a page that can be written, so that a map for restore() may have it.
    [[nodiscard]] bool holds(std::uint64_t frame) const;

    /// For tests of the log: a page that holds something else than capture() says. All of memory is read.
    [[nodiscard]] std::optional<std::uint64_t> unnoticed() const;

    /// Pages whose content differs.
    [[nodiscard]] static std::uint64_t differing_pages(const PageMap& a, const PageMap& b);
    [[nodiscard]] const PageStore& store() const { return *known_.store; }

private:
    struct Region {
        std::size_t number; ///< As the engine counts.
        std::uint64_t first_frame;
        std::uint64_t pages;
        std::uint8_t* memory;
    };
    using Bytes = std::span<std::uint8_t, kStoredPage>;
    using Lock = std::lock_guard<std::mutex>;

    /// Calls f(frame, bytes) for each page that was written since the last call, in order.
    template <class F>
    void for_each_dirty(F f);
    [[nodiscard]] const Region& region_of(std::uint64_t frame) const;
    [[nodiscard]] Bytes bytes_of(std::uint64_t frame) const;
    template <class F>
    void for_each_page(F f) const;
    std::uint64_t begin_round_locked();
    /// Fills in the pages of a round that has all of them.
    void name_round();
    void read_round(const std::atomic<bool>& give_up);
    /// Makes what was set aside known. Should memory run out, it is still set aside.
    void settle_aside();
    void drop_aside();
    const PageMap& capture_locked();
    /// Whether the page is as it was when it was last looked at.
    [[nodiscard]] bool is_known(std::uint64_t frame, Bytes bytes) const;
    [[nodiscard]] Ref<PageStore::Page> stored(std::span<const std::uint8_t, kStoredPage> bytes);
    void note(std::uint64_t frame, Bytes bytes);
    void write(std::span<const std::uint64_t> frames, const PageMap& wanted);

    Engine& engine_;
    std::vector<Region> regions_; ///< Those that can be written, by address.
    std::vector<std::uint64_t> bitmap_;
    /// What is known holds, but for the pages in the engine's log...
    bool begun_{};
    bool gathering_{};                      ///< ... and those of the round.
    bool round_is_all_{};                   ///< All pages, and not yet in `round_`.
    std::vector<std::uint64_t> round_;      ///< Page frames.
    std::atomic<std::uint64_t> gathered_{}; ///< So many of them have been read.
    bool aside_pending_{};                  ///< Of these pages what is known is older than their copies.
    std::vector<std::uint64_t> set_aside_;  ///< Page frames...
    std::vector<std::uint8_t> aside_;       ///< ... and room for copies.
    std::optional<PageMap> moment_;         ///< What memory held when it was set aside.
    mutable std::mutex mutex_;              ///< Who holds it looks at pages.
    Known known_;                           ///< What memory held when its dirty pages were last taken.
};

} // namespace btvm

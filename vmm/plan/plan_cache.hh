// Plans by where they start: a loop of the guest meets the same few traps again and again.
//
// Plain data in memory shared between worlds; all zeroes is an empty cache.
#pragma once

#include "vmm/base/types.hh"
#include "vmm/plan/plan.hh"
#include "vmm/plan/planner.hh"

namespace btvm {

struct PlanCacheCounters {
    u64 hits{};
    u64 misses{}; ///< Stale ones included.
    u64 stale{};  ///< Found, but a page it was made from is gone.
    u64 inserted{};
    u64 replaced{}; ///< Inserted over a plan of another key.
    u64 flushes{};
};

/// What a plan was made for.
struct PlanKey {
    u64 pc{};    ///< Linear.
    u32 space{}; ///< A number for what else tells mappings apart (address line 20).
    CodeSize size{CodeSize::Bits32};
    u8 breakpoints{kMaxBreakpoints};
    PlannerKind kind{PlannerKind::BreadthFirst};

    constexpr bool operator==(const PlanKey&) const = default;
};

class PlanCache {
public:
    static constexpr u32 kSets = 4096;
    static constexpr u32 kWays = 4;

    PlanCacheCounters counters;

    /// The plan for `key` if all it was made from is current, or null. Points into the cache: copy it before
    /// insert(). `epoch` is a number that the owner changes whenever a linear address may lead elsewhere (CR3
    /// load, TLB flush): a plan of another epoch is asked, page by page, whether it still fits.
    [[nodiscard]] const Plan* lookup(const PlanKey& key, CodeCache& code, const CodeTranslation& translation,
                                     u64 epoch);
    /// Keeps `plan`, made in `epoch`, unless it is provisional.
    void insert(const PlanKey& key, const Plan& plan, u64 epoch);
    /// Forgets all plans. Cheap.
    void flush();

private:
    struct Entry {
        u64 epoch; ///< Live when it is epoch_ + 1.
        u64 last_used;
        u64 translated; ///< The epoch in which its pages were last seen where they were.
        PlanKey key;
        Plan plan;
    };

    [[nodiscard]] static u32 set_of(const PlanKey& key);

    u64 epoch_;
    u64 clock_;
    Entry entries_[kSets][kWays];
};

} // namespace btvm

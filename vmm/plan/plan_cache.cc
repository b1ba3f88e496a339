#include "vmm/plan/plan_cache.hh"

#include <type_traits>

namespace btvm {

static_assert(std::is_trivially_copyable_v<PlanCache>, "plain data, shared between worlds");

namespace {

bool translates_alike(const Plan& plan, const CodeCache& code, const CodeTranslation& translation) {
    for (u32 i = 0; i < plan.pages.count; i++) {
        u64 frame;
        if (!translation.translate(plan.pages.linear_page[i], frame) || !code.holds(plan.pages.id[i], frame))
            return false;
    }
    return true;
}

} // namespace

u32 PlanCache::set_of(const PlanKey& key) {
    // Fibonacci hashing: neighbouring traps are a few bytes apart.
    const u64 mixed = (key.pc ^ static_cast<u64>(key.space) << 32) * 0x9e3779b97f4a7c15;
    return static_cast<u32>(mixed >> 32) % kSets;
}

const Plan* PlanCache::lookup(const PlanKey& key, CodeCache& code, const CodeTranslation& translation,
                              u64 epoch) {
    for (Entry& entry : entries_[set_of(key)]) {
        if (entry.epoch != epoch_ + 1 || entry.key != key) continue;
        if (!current(entry.plan, code) ||
            (entry.translated != epoch && !translates_alike(entry.plan, code, translation))) {
            entry.epoch = 0;
            counters.stale++;
            break;
        }
        entry.translated = epoch;
        entry.last_used = ++clock_;
        counters.hits++;
        return &entry.plan;
    }
    counters.misses++;
    return nullptr;
}

void PlanCache::insert(const PlanKey& key, const Plan& plan, u64 epoch) {
    if (plan.provisional) return;
    Entry* place = nullptr;
    for (Entry& entry : entries_[set_of(key)]) {
        if (entry.epoch == epoch_ + 1 && entry.key == key) {
            place = &entry;
            break;
        }
        const bool free = entry.epoch != epoch_ + 1;
        const bool place_free = place && place->epoch != epoch_ + 1;
        if (!place || (free && !place_free) || (free == place_free && entry.last_used < place->last_used))
            place = &entry;
    }
    if (place->epoch == epoch_ + 1 && place->key != key) counters.replaced++;
    place->epoch = epoch_ + 1;
    place->last_used = ++clock_;
    place->translated = epoch;
    place->key = key;
    place->plan = plan;
    counters.inserted++;
}

void PlanCache::flush() {
    epoch_++;
    counters.flushes++;
}

} // namespace btvm

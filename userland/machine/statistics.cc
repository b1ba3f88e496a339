#include "userland/machine/statistics.hh"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace btvm {

namespace {

struct Counter {
    const char* name;
    __u64 btvm_stats::*value;
};

#define BTVM_COUNTER(name)                                                                                   \
    { #name, &btvm_stats::name }
constexpr Counter kCounters[] = {
    BTVM_COUNTER(trap_breakpoint),
    BTVM_COUNTER(trap_single_step),
    BTVM_COUNTER(trap_privileged),
    BTVM_COUNTER(trap_page_fault),
    BTVM_COUNTER(trap_exception),
    BTVM_COUNTER(trap_host_interrupt),
    BTVM_COUNTER(trap_nmi),
    BTVM_COUNTER(handled_in_monitor),
    BTVM_COUNTER(handled_in_host),
    BTVM_COUNTER(world_switches),
    BTVM_COUNTER(leave_host_interrupt),
    BTVM_COUNTER(leave_userland_io),
    BTVM_COUNTER(leave_mode_switch),
    BTVM_COUNTER(leave_budget),
    BTVM_COUNTER(leave_other),
    BTVM_COUNTER(traced_instructions),
    BTVM_COUNTER(emulated_instructions),
    BTVM_COUNTER(branches_resolved),
    BTVM_COUNTER(plans_made),
    BTVM_COUNTER(plan_cache_hits),
    BTVM_COUNTER(plan_cache_flushes),
    BTVM_COUNTER(instructions_decoded),
    BTVM_COUNTER(decode_cache_hits),
    BTVM_COUNTER(code_pages_dropped),
    BTVM_COUNTER(interpreted_instructions),
    BTVM_COUNTER(exceptions_delivered),
    BTVM_COUNTER(interrupts_delivered),
    BTVM_COUNTER(hidden_page_faults),
    BTVM_COUNTER(shadow_pages),
    BTVM_COUNTER(port_in_core),
    BTVM_COUNTER(port_userland),
    BTVM_COUNTER(halts),
    BTVM_COUNTER(lost_timer_ticks),
    BTVM_COUNTER(verify_steps),
    BTVM_COUNTER(verify_violations),
    BTVM_COUNTER(true_page_faults),
    BTVM_COUNTER(tlb_flushes),
    BTVM_COUNTER(changed_tables),
    BTVM_COUNTER(shadow_entries_kept),
    BTVM_COUNTER(shadow_entries_dropped),
    BTVM_COUNTER(shadow_pages_evicted),
    BTVM_COUNTER(spaces_loaded),
    BTVM_COUNTER(shadow_pages_peak),
    BTVM_COUNTER(shadow_pages_limit),
    BTVM_COUNTER(host_memory),
    BTVM_COUNTER(copies_made),
    BTVM_COUNTER(copies_dropped),
    BTVM_COUNTER(instructions_covered),
    BTVM_COUNTER(copy_data_accesses),
    BTVM_COUNTER(world_tlb_flushes),
    BTVM_COUNTER(world_tlb_pages),
};
#undef BTVM_COUNTER

// A counter that the ABI gains must be named here too.
static_assert(sizeof(btvm_stats) == 2 * sizeof(__u32) + std::size(kCounters) * sizeof(__u64));

} // namespace

nlohmann::ordered_json statistics_json(const btvm_stats& stats) {
    nlohmann::ordered_json out = nlohmann::ordered_json::object();
    for (const Counter& counter : kCounters)
        out[counter.name] = static_cast<std::uint64_t>(stats.*counter.value);
    return out;
}

std::string statistics_text(const nlohmann::ordered_json& stats) {
    std::size_t width = 0;
    for (const auto& [name, value] : stats.items())
        width = std::max(width, name.size());
    std::string text;
    for (const auto& [name, value] : stats.items()) {
        const std::string number = value.is_string() ? value.get<std::string>() : value.dump();
        text += name + std::string(width + 2 - name.size(), ' ') +
                std::string(number.size() < 14 ? 14 - number.size() : 0, ' ') + number + "\n";
    }
    return text;
}

} // namespace btvm

// The ring of recent events: traps, world switches, plans, exits. Costs one test when off.
#pragma once

#include <btvm/btvm.h>

#include "vmm/base/platform.hh"

namespace btvm {

class TraceRing {
public:
    static constexpr u32 kEntries = 4096;

    bool enabled{};

    void add(u32 kind, u64 rip, u32 a = 0, u64 b = 0, u64 c = 0) {
        if (!enabled) return;
        btvm_trace_entry& e = entries_[next_ % kEntries];
        next_++;
        e = {next_, platform::read_tsc(), kind, a, rip, b, c};
    }

    /// How many entries are there, at most kEntries.
    [[nodiscard]] u32 size() const { return next_ < kEntries ? static_cast<u32>(next_) : kEntries; }
    /// The `index`-th newest entry, 0 being the newest; index < size().
    [[nodiscard]] const btvm_trace_entry& newest(u32 index) const {
        return entries_[(next_ - 1 - index) % kEntries];
    }

private:
    u64 next_{};
    btvm_trace_entry entries_[kEntries]{};
};

} // namespace btvm

// What the processor's TLB must forget before guest code runs again: a few pages by name, or everything.
#pragma once

#include "vmm/base/types.hh"

namespace btvm {

class StaleTranslations {
public:
    /// Beyond so many pages forgetting everything is cheaper.
    static constexpr u32 kMost = 16;

    void add_all() { all_ = true; }
    void add(GuestLinear at) {
        if (all_) return;
        for (u32 i = 0; i < count_; i++)
            if (pages_[i] == at.frame()) return;
        if (count_ == kMost)
            all_ = true;
        else
            pages_[count_++] = static_cast<u32>(at.frame());
    }

    [[nodiscard]] bool all() const { return all_; }
    [[nodiscard]] u32 count() const { return all_ ? 0 : count_; }
    /// Page `i` of count().
    [[nodiscard]] GuestLinear page(u32 i) const { return GuestLinear(u64{pages_[i]} << kPageShift); }

    void clear() {
        all_ = false;
        count_ = 0;
    }

private:
    bool all_{};
    u32 count_{};
    u32 pages_[kMost]{};
};

} // namespace btvm

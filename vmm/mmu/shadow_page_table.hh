// Shadow page tables: what the processor walks while guest code runs natively. The tables come from a pool of
// pages that both worlds see; entries are made when the guest faults on them (hidden faults, paper
// section 3.4.2) and dropped when the guest changes what they were made from. Guests with paging off have one
// space, guest-linear = guest-physical; guests with paging will have one root per CR3 and view from the same
// pool.
#pragma once

#include "vmm/base/types.hh"

namespace btvm {

/// Where this build of the core sees the pool, and which host frames it is.
struct ShadowPoolView {
    u64* pages{};             ///< Page n of the pool starts at pages + 512 * n.
    const u64* host_frames{}; ///< Host page-frame number of each page.
};

/// An x86-64 page-table entry of ours (SDM Vol. 3A 4.5).
struct ShadowEntry {
    static constexpr u64 kPresent = 1u << 0;
    static constexpr u64 kWritable = 1u << 1;
    static constexpr u64 kUser = 1u << 2;
    static constexpr u64 kAccessed = 1u << 5;
    static constexpr u64 kDirty = 1u << 6;
    static constexpr u64 kFrameMask = 0x000ffffffffff000;
};

class ShadowPageTable {
public:
    /// Page 0 of the pool is the page-directory-pointer table of guest-linear 0 to 4 GiB.
    static constexpr u32 kRootPage = 0;

    /// Empties the tables; `pages` is the pool's size, at least 8.
    void initialise(const ShadowPoolView& pool, u32 pages);

    /// Maps one 4 KiB page below 4 GiB. When the pool is used up, everything mapped is dropped first: what is
    /// still needed faults in again.
    void map(const ShadowPoolView& pool, GuestLinear at, u64 host_frame, bool writable);
    /// Takes write access from one page, if it is mapped.
    void write_protect(const ShadowPoolView& pool, GuestLinear at);
    /// Drops every mapping.
    void flush(const ShadowPoolView& pool);

    [[nodiscard]] u32 pages_in_use() const { return used_; }

private:
    /// The leaf entry of a page, or null where no table leads there.
    [[nodiscard]] u64* find(const ShadowPoolView& pool, GuestLinear at) const;
    /// The same, making tables on the way; null when the pool is used up.
    [[nodiscard]] u64* make(const ShadowPoolView& pool, GuestLinear at);

    u32 capacity_{};
    u32 used_{};
};

} // namespace btvm

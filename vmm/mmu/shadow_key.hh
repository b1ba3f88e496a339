// What a shadow page stands for: a table of the guest, seen in one of two views, or a run of guest memory.
#pragma once

#include "vmm/base/types.hh"

namespace btvm {

/// Whose accesses a shadow page serves. Guest kernel code runs at ring 3 like user code, so what keeps them
/// apart is that each has tables of its own.
enum class ShadowSide : u8 { Kernel, User };

enum class ShadowKind : u8 {
    Directory, ///< Of the guest's page directory, 1 GiB of it; with paging off, of 1 GiB of guest-physical.
    Table,     ///< Of a guest's page table, 2 MiB of it.
    Direct     ///< 2 MiB of guest-physical memory: a large page of the guest's, or paging is off.
};

/// Two shadow pages with the same key would have the same contents: so address spaces share them.
struct ShadowKey {
    u32 frame{}; ///< Guest frame of the guest's table; Direct: of the first page; paging off: the GiB's
                 ///< number.
    ShadowKind kind{};
    ShadowSide side{};
    u8 part{}; ///< Which GiB of a 32-bit directory (0-3), which half of a 32-bit table (0-1).
    /// ShadowOptions::execute_only: which GiB of the linear addresses a directory serves, which 2 MiB a
    /// table.
    u16 linear{};
    bool pae : 1 {};           ///< The guest's tables have 8-byte entries.
    bool large_pages : 1 {};   ///< Directory entries may map memory themselves (CR4.PSE or PAE).
    bool write_protect : 1 {}; ///< CR0.WP; kernel side only, else set.
    bool writable : 1 {};      ///< What the levels above allow, as the page walk combines it.
    bool executable : 1 {};
    bool paging : 1 {};

    constexpr bool operator==(const ShadowKey&) const = default;
};

} // namespace btvm

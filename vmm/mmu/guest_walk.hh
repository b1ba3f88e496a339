// The walk of the guest's own page tables: guest-linear to guest-physical as the guest's CR0, CR3, CR4 and
// EFER say (SDM Vol. 3A chapter 4). Used for every interpreted access and to fill shadow page tables.
#pragma once

#include "vmm/cpu/state.hh"
#include "vmm/memory/guest_memory.hh"

namespace btvm {

/// What the access is, as the page-fault error code tells it.
struct PageAccess {
    bool write{};
    bool user{}; ///< At CPL 3 and not an implicit system access (descriptor tables, TSS).
    bool fetch{};
};

/// The outcome of a walk.
struct GuestWalk {
    GuestPhysical address{}; ///< Of the byte asked for, address line 20 applied. Valid if the walk succeeded.
    u32 page_size{};         ///< 4 KiB, 2 MiB or 4 MiB; 4 KiB with paging off.
    bool writable{};         ///< R/W of all levels combined; CR0.WP not applied.
    bool user{};             ///< U/S of all levels combined.
    bool executable{};       ///< XD of all levels combined.
    bool global{};           ///< The leaf's G, with CR4.PGE.
    bool dirty{};            ///< The leaf's D as it stands after the walk.
    u8 levels{}; ///< Table entries read: 0 with paging off, else 1 or 2 (the PDPTE registers not counted).
    u8 entry_size{};          ///< 4, or 8 with PAE.
    GuestPhysical entry[2]{}; ///< Where they lie, root first.
    u64 leaf{};      ///< The last entry read, accessed and dirty bits as they stand after the walk...
    u64 directory{}; ///< ... and the first one; the same for a large page.
    u32 error{};     ///< The page-fault error code if the walk failed.

    /// Whether the accessed bits say so at every level.
    [[nodiscard]] constexpr bool accessed() const {
        constexpr u64 kAccessed = 1u << 5;
        return levels == 0 || (directory & leaf & kAccessed);
    }
};

enum class WalkMark : u8 {
    No, ///< Look only.
    Yes ///< Set the accessed and dirty bits, as the processor does for an access it makes; if it is refused,
        ///< the accessed bit of what led to the refusing entry.
};

/// Walks for one byte. False: a page fault with `out.error`.
[[nodiscard]] bool guest_walk(const CpuState& cpu, GuestMemory& memory, GuestLinear linear, PageAccess access,
                              WalkMark mark, GuestWalk& out);

/// What the processor does with a physical address on its way out: forces line 20 low while A20 is masked.
[[nodiscard]] constexpr GuestPhysical bus_address(const CpuState& cpu, u64 physical) {
    return GuestPhysical(cpu.a20_mask_off ? physical & ~(u64{1} << 20) : physical);
}

/// Whether MOV to CR3 takes such a page directory pointer (SDM Vol. 3A 4.4.1).
[[nodiscard]] bool valid_pdpte(u64 entry);

/// Reads the four PDPTEs CR3 points at (SDM Vol. 3A 4.4.1). False: a present one has reserved bits set, so
/// the MOV to a control register gives #GP(0).
[[nodiscard]] bool read_pdptes(const CpuState& cpu, const GuestMemory& memory, u64 cr3, u64 (&out)[4]);

} // namespace btvm

// Segment registers with their hidden part, and descriptors as they lie in the GDT, LDT and IDT (SDM Vol.
// 3A 3.4-3.5).
#pragma once

#include "vmm/base/types.hh"
#include "vmm/cpu/registers.hh"

namespace btvm {

/// The access rights of a descriptor, laid out as LAR shows them shifted right by 8: bits 0-7 are the type
/// byte (type, S, DPL, P), bits 12-15 are AVL, L, D/B and G (SDM Vol. 3A 3.4.5). Bits 8-11 are zero.
struct AccessRights {
    u16 value{};

    [[nodiscard]] constexpr u8 type() const { return value & 0xf; }
    [[nodiscard]] constexpr bool is_code_or_data() const { return value & 0x10; }
    [[nodiscard]] constexpr u8 dpl() const { return (value >> 5) & 3; }
    [[nodiscard]] constexpr bool present() const { return value & 0x80; }
    [[nodiscard]] constexpr bool long_mode() const { return value & 0x2000; }
    [[nodiscard]] constexpr bool default_big() const { return value & 0x4000; }
    [[nodiscard]] constexpr bool granularity() const { return value & 0x8000; }

    [[nodiscard]] constexpr bool is_code() const { return (value & 0x18) == 0x18; }
    [[nodiscard]] constexpr bool is_data() const { return (value & 0x18) == 0x10; }
    [[nodiscard]] constexpr bool writable() const { return is_data() && (value & 2); }
    [[nodiscard]] constexpr bool readable() const { return is_data() || (value & 2); }
    [[nodiscard]] constexpr bool expand_down() const { return is_data() && (value & 4); }
    [[nodiscard]] constexpr bool conforming() const { return is_code() && (value & 4); }
    constexpr bool operator==(const AccessRights&) const = default;
};

/// A segment register: the visible selector and the hidden descriptor cache.
struct Segment {
    u64 base{};
    u32 limit{}; ///< In bytes, granularity already applied: the last valid offset (first invalid one below,
                 ///< expand-down).
    u16 selector{};
    AccessRights access{};

    /// Unusable: loaded with a null selector in protected mode.
    [[nodiscard]] constexpr bool null() const { return !access.present(); }
    /// All of it at once: this is asked at each entry into native code.
    constexpr bool operator==(const Segment& other) const {
        return __builtin_bit_cast(unsigned __int128, *this) == __builtin_bit_cast(unsigned __int128, other);
    }
};
static_assert(sizeof(Segment) == 16);

/// Segment registers: bit n stands for SegReg n.
using SegmentSet = u8;
[[nodiscard]] constexpr SegmentSet only(SegReg r) { return static_cast<SegmentSet>(1u << r); }

/// GDTR and IDTR (SDM Vol. 3A 2.4).
struct TableRegister {
    u64 base{};
    u16 limit{}; ///< The last valid byte offset.
    u16 reserved[3]{};
    constexpr bool operator==(const TableRegister&) const = default;
};
static_assert(sizeof(TableRegister) == 16);

/// An 8-byte descriptor as it lies in memory.
struct Descriptor {
    u64 raw{};

    [[nodiscard]] constexpr u32 base() const {
        return static_cast<u32>((raw >> 16 & 0xffffff) | (raw >> 32 & 0xff000000));
    }
    [[nodiscard]] constexpr AccessRights access() const {
        return AccessRights{static_cast<u16>(raw >> 40 & 0xf0ff)};
    }
    /// The limit in bytes, granularity applied.
    [[nodiscard]] constexpr u32 limit() const {
        const u32 field = static_cast<u32>((raw & 0xffff) | (raw >> 32 & 0xf0000));
        return access().granularity() ? (field << 12 | 0xfff) : field;
    }
    /// The register contents that loading this descriptor through `selector` gives.
    [[nodiscard]] constexpr Segment segment(u16 selector) const {
        return {base(), limit(), selector, access()};
    }
};
static_assert(sizeof(Descriptor) == 8);

} // namespace btvm

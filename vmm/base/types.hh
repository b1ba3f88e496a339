// The vocabulary of addresses. Guest-linear, guest-physical and host-physical addresses are three types that
// do not convert into each other by accident: only a page walk turns one into the next.
//
// vmm/ is compiled three times: into the monitor (position independent, ring 0 in the guest world), into the
// kernel module, and hosted for tests and tools. So nothing in it may use the C library, static constructors,
// virtual functions or constant tables of pointers (each would need a dynamic relocation in the monitor),
// floating point, or allocation.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>

namespace btvm {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using s8 = std::int8_t;
using s16 = std::int16_t;
using s32 = std::int32_t;
using s64 = std::int64_t;

inline constexpr u64 kPageSize = 4096;
inline constexpr u64 kPageMask = kPageSize - 1;
inline constexpr unsigned kPageShift = 12;

/// An address in the space that Tag names. Arithmetic is with plain byte counts and wraps at 64 bits.
template <class Tag>
struct Address {
    u64 value{};

    constexpr Address() = default;
    constexpr explicit Address(u64 v) : value(v) {}

    constexpr Address operator+(u64 bytes) const { return Address(value + bytes); }
    constexpr Address operator-(u64 bytes) const { return Address(value - bytes); }
    /// The distance in bytes between two addresses of the same space.
    constexpr u64 operator-(Address other) const { return value - other.value; }
    constexpr auto operator<=>(const Address&) const = default;

    /// The 4 KiB page number.
    [[nodiscard]] constexpr u64 frame() const { return value >> kPageShift; }
    /// The offset in the 4 KiB page, 0 to 4095.
    [[nodiscard]] constexpr u32 page_offset() const { return static_cast<u32>(value & kPageMask); }
    /// The first address of the page this address lies in.
    [[nodiscard]] constexpr Address page() const { return Address(value & ~kPageMask); }
};

/// What guest segmentation yields and guest paging consumes (SDM Vol. 3A 3.1).
using GuestLinear = Address<struct GuestLinearTag>;
/// What guest paging yields: an address on the guest's memory bus.
using GuestPhysical = Address<struct GuestPhysicalTag>;
/// A machine address of the host.
using HostPhysical = Address<struct HostPhysicalTag>;

} // namespace btvm

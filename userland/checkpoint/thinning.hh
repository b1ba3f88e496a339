// Which of the checkpoints that the clock takes are kept: all of the youngest, then of each span of time
// twice as long as the one before it four.
#pragma once

#include <bit>
#include <cstdint>

namespace btvm {

inline constexpr std::uint64_t kKeptInFull = 8;

/// Whether number `n` (from 1) is kept when number `newest` has just been taken. What is not kept once is not
/// kept later either.
[[nodiscard]] constexpr bool is_kept(std::uint64_t n, std::uint64_t newest) {
    const std::uint64_t age = newest - n;
    if (age < kKeptInFull) return true;
    // In the k-th span, ages 8 * 2^(k-1) and up, every 2^k-th.
    const int k = std::bit_width(age / kKeptInFull);
    return n % (std::uint64_t{1} << k) == 0;
}

} // namespace btvm

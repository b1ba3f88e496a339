// A program for the processor whose state is tested: tables and handlers at fixed places, and a long row of
// snippets drawn at random, each of which sets some of the state or shows some of it.
#pragma once

#include <map>

#include "tests/unit/state/bench.hh"

namespace btvm::test::program {

using Code = std::vector<std::uint8_t>;

// Where things are.
inline constexpr std::uint32_t kGdts[] = {0x1000, 0x1800}, kIdts[] = {0x2000, 0x2800},
                               kLdts[] = {0x3000, 0x3400}, kTss[] = {0x4000, 0x4100, 0x4200},
                               kDirectories[] = {0x8000, 0x9000};
inline constexpr std::uint32_t kPointers = 0xa000; ///< Of PAE page directories.
inline constexpr std::uint32_t kShown = 0x5000;    ///< What the program shows, with what follows it: 4 KiB.
inline constexpr std::uint32_t kStack = 0x20000;   ///< Its end.
inline constexpr std::uint32_t kData = 0x30000;    ///< What segments and breakpoints lead to: 32 KiB.
inline constexpr std::uint32_t kUserland = 0x80, kNmiPort = 0x82, kTimerPort = 0xb008; ///< Ports.

/// How the instructions begin before which EAX, EDX or EFLAGS have something of the host's
/// time in them.
inline constexpr std::array<std::uint8_t, 3> kAfterRdtsc[] = {
    {0x31, 0xc0, 0xc1}, {0xc1, 0xea, 0x18}, {0x85, 0xd2, 0x52}};

/// Real-mode code for F000:0000 that enters protected mode and the program.
[[nodiscard]] Code firmware();
/// Everything else, by its place in memory.
[[nodiscard]] std::map<std::uint32_t, Code> make(Random& random, unsigned snippets);

} // namespace btvm::test::program

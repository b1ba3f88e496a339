// What tables and snippets of the processor's program share: places, selectors, and bytes as they come.
#pragma once

#include "tests/unit/state/processor_program.hh"

namespace btvm::test::program {

// What handlers keep.
inline constexpr std::uint32_t kVector = kShown, kFaults = kShown + 4, kResume = kShown + 8,
                               kKernelResume = kShown + 12, kError = kShown + 16, kTicks = kShown + 20,
                               kDebugs = kShown + 24, kFlat = kShown + 0x7f0;
// Where the program writes what it has read.
inline constexpr std::uint32_t kRegisters = kShown + 0x100, kTables = kShown + 0x180, kFpu = kShown + 0x200;
inline constexpr std::uint32_t kStubs[] = {0x6000, 0x6400}, kHandlers = 0x6800, kStart = 0x10000,
                               kSnippets = 0x40000;
inline constexpr std::uint32_t kTimerVector = 0x20, kReturnVector = 0x30;
inline constexpr std::uint16_t kCode0 = 0x08, kData0 = 0x10, kCode3 = 0x73, kData3 = 0x7b;
inline constexpr std::uint16_t kDataSelectors[] = {0x10, 0x18, 0x20, 0x28, 0x04, 0x0c};
inline constexpr std::uint16_t kLdtSelectors[] = {0x30, 0x38}, kTssSelectors[] = {0x40, 0x48, 0x50};

/// Machine code as it comes.
struct Emitter {
    Code out;
    Emitter& b(std::initializer_list<unsigned> bytes) {
        for (const unsigned byte : bytes)
            out.push_back(static_cast<std::uint8_t>(byte));
        return *this;
    }
    Emitter& d(std::uint32_t value) {
        for (int i = 0; i < 4; i++)
            out.push_back(static_cast<std::uint8_t>(value >> 8 * i));
        return *this;
    }
    Emitter& flat_ds() { return b({0x6a, kData0, 0x1f}); }           // push; pop ds
    Emitter& eax(std::uint32_t value) { return b({0xb8}).d(value); } // mov eax,value
    Emitter& store(std::uint32_t at, std::uint32_t value) {          // mov dword [at],value
        return b({0xc7, 0x05}).d(at).d(value);
    }
    Emitter& show_eax() { return b({0x50, 0x58}); } // push; pop: the stack is looked at
};

/// One snippet, for this place: it ends where the next one begins, whatever faults in it.
[[nodiscard]] Code make_snippet(Random& random, std::uint32_t at);

} // namespace btvm::test::program

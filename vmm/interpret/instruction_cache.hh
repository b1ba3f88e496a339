// Decoded instructions, kept from one step to the next. An entry is used only if the bytes in memory still
// are those it was decoded from, so nothing has to be told about writes. Measured (bench of a loop of ALU and
// memory instructions): decoding is 40% of a step without it.
#pragma once

#include "vmm/decode/instruction.hh"

namespace btvm {

/// Memory for the cache; the owner of an Interpreter may give it one (about 100 KiB, zeroed) or none.
struct InstructionCache {
    static constexpr u32 kEntries = 1024;
    /// The bytes that are compared: an instruction and one more, so two words.
    static constexpr u32 kBytes = 16;

    struct Entry {
        u64 key{}; ///< Guest-physical address and code size, plus 1; 0: empty.
        u64 bytes[2]{};
        u64 mask[2]{}; ///< Which of them belong to the instruction.
        Instruction instruction{};
    };
    Entry entries[kEntries]{};

    [[nodiscard]] static constexpr u64 key(u64 physical, CodeSize size) {
        return (physical << 2 | static_cast<u64>(size)) + 1;
    }
    [[nodiscard]] Entry& entry(u64 physical) { return entries[(physical ^ physical >> 10) & (kEntries - 1)]; }

    /// Whether `e` is the instruction at `key` whose memory is at `code` (kBytes of it readable).
    [[nodiscard]] static bool matches(const Entry& e, u64 key, const u8* code) {
        u64 now[2];
        __builtin_memcpy(now, code, sizeof now);
        return e.key == key && !((now[0] ^ e.bytes[0]) & e.mask[0]) && !((now[1] ^ e.bytes[1]) & e.mask[1]);
    }
    static void fill(Entry& e, u64 key, const u8* code, const Instruction& i) {
        const unsigned n = i.length;
        __builtin_memcpy(e.bytes, code, sizeof e.bytes);
        e.mask[0] = n >= 8 ? ~u64{0} : (u64{1} << (8 * n)) - 1;
        e.mask[1] = n <= 8 ? 0 : (u64{1} << (8 * (n - 8))) - 1;
        e.instruction = i;
        e.key = key;
    }
};

} // namespace btvm

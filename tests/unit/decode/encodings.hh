// Encodings to compare the decoder with other disassemblers by: every opcode of every map, systematically,
// then at random.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <random>
#include <string>

#include "vmm/decode/instruction.hh"

namespace btvm::test {

/// As many bytes as any instruction needs; what lies behind the instruction is noise.
using Encoding = std::array<u8, kMaxInstructionLength>;

using Visitor = std::function<void(const Encoding&)>;
using Random = std::mt19937;

/// Every opcode and ModRM byte of the legacy maps, alone and under each of the usual prefix combinations
/// (there with a sample of ModRM bytes, with all of them where the ModRM byte is an opcode of its own).
void legacy_encodings(CodeSize size, Random& random, const Visitor& visit);

/// Every ModRM and SIB byte, with both address sizes.
void addressing_encodings(Random& random, const Visitor& visit);

/// Every opcode of every VEX, XOP and EVEX map with every W, vector length and mandatory prefix, with a
/// register, a memory and a SIB operand, the other fields at rest. `evex` false: VEX and XOP only; true: EVEX
/// only.
void vector_encodings(bool evex, Random& random, const Visitor& visit);

/// `count` vector encodings with random fields.
void random_vector_encodings(unsigned count, Random& random, const Visitor& visit);

/// `count` random byte strings behind up to 12 random prefixes.
void random_encodings(CodeSize size, unsigned count, Random& random, const Visitor& visit);

[[nodiscard]] std::string hex(const u8* bytes, unsigned count);

} // namespace btvm::test

// Capstone as an oracle of length, validity and class.
#pragma once

#include <capstone/capstone.h>
#include <string>

#include "tests/unit/decode/encodings.hh"

namespace btvm::test {

/// What Capstone makes of the bytes.
struct CapstoneView {
    unsigned length{}; ///< 0: not an instruction
    unsigned id{};     ///< An x86_insn
    InstructionClass cls{InstructionClass::Unrecognised};
    std::string text;
};

class CapstoneOracle {
public:
    explicit CapstoneOracle(CodeSize size);
    ~CapstoneOracle();
    CapstoneOracle(const CapstoneOracle&) = delete;
    CapstoneOracle& operator=(const CapstoneOracle&) = delete;

    /// The first instruction in `encoding`. `text` is filled only if `with_text`.
    [[nodiscard]] CapstoneView view(const Encoding& encoding, bool with_text = false);

private:
    csh handle_{};
    cs_insn* instruction_{};
};

} // namespace btvm::test

// binutils' objdump as an oracle of length and validity, for what Capstone is too old for.
#pragma once

#include <string>
#include <vector>

#include "tests/unit/decode/encodings.hh"

namespace btvm::test {

struct ObjdumpView {
    unsigned length{}; ///< 0: not an instruction
    std::string text;
};

/// Whether objdump can be run.
[[nodiscard]] bool objdump_available();

/// What objdump makes of each of `encodings`, in the same order; empty if it could not be run.
[[nodiscard]] std::vector<ObjdumpView> objdump(CodeSize size, const std::vector<Encoding>& encodings);

} // namespace btvm::test

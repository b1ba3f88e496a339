// Where the decoder and Capstone 4.0.2 disagree, and why: one entry a reason. Whatever no entry explains
// fails the test, and so does an entry that nothing needs any more.
#pragma once

#include <span>

#include "tests/unit/decode/capstone_oracle.hh"

namespace btvm::test {

struct Comparison {
    CodeSize size{};
    Encoding encoding{};
    DecodeStatus status{};
    Instruction ours{};
    CapstoneView theirs;

    [[nodiscard]] bool ok() const { return status == DecodeStatus::Ok; }
    [[nodiscard]] bool agrees() const {
        return ok() ? ours.length == theirs.length && ours.cls == theirs.cls : theirs.length == 0;
    }
};

struct Difference {
    const char* name;
    const char* reason;
    bool (*applies)(const Comparison&);
};

/// Only reasons that have a cause in the encoding itself; each is as narrow as its cause.
[[nodiscard]] std::span<const Difference> capstone_differences();

} // namespace btvm::test

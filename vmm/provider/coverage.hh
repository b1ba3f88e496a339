// Covering: which instructions of a copy may run natively. It follows the control flow from one place of a
// page along both sides of its branches, as the planner does, but with as many breakpoints as there are
// bytes: whatever is not covered is INT3.
//
// What holds of every copy, at each moment that guest code runs (invariants I1 and I2):
//   - a covered instruction is Plain, or a direct branch, and lies in one page;
//   - wherever control can go from it natively, in this page or another, no instruction is covered across the
//     place, so a covered one begins there or it traps;
//   - a place that is not covered holds INT3.
// What follows a CALL or an instruction to be emulated is covered with it: control is expected there soon.
// So control may enter at any covered instruction, and no plan is looked up.
#pragma once

#include "vmm/provider/code_copies.hh"

namespace btvm {

/// What covering works on; lives on the stack of whoever does.
struct CoverView {
    CodeCache& cache;
    GuestMemory& memory;
    CodeCopies& copies;
    const CopyView& view;
    bool plant_bug{}; ///< BTVM_CONFIG_TEST_PLANNER_BUG: sensitive instructions are covered.
};

enum class CoverResult : u8 {
    Done,
    Lost,  ///< The page was dropped from the code cache: so must be the copy.
    NoRoom ///< There are too many branch targets: all copies must be dropped.
};

/// Covers what can be reached from `offset` of `copy`, at most so many instructions as one stay in the
/// monitor may decode. After Done either a covered instruction begins at `offset` or its mark has kStop.
[[nodiscard]] CoverResult cover_from(const CoverView& on, u32 copy, u32 offset);

} // namespace btvm

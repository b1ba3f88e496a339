// The control-flow graph of guest code, made as far as the planner asks for it: from an address along
// straight-line code to the next point of interest, and from a branch to where it can go.
#pragma once

#include "vmm/base/types.hh"
#include "vmm/cfg/code_cache.hh"

namespace btvm {

/// What is needed to look at guest code; lives on the stack of whoever does.
struct CodeView {
    CodeCache& cache;
    GuestMemory& memory;
    const CodeTranslation& translation;
    CodeSize size;

    /// `pc` as the instruction pointer wraps it in code of this size.
    [[nodiscard]] constexpr u64 wrap(u64 pc) const {
        return size == CodeSize::Bits16 ? pc & 0xffff : size == CodeSize::Bits32 ? pc & 0xffffffff : pc;
    }
};

/// The pages that an analysis has looked at, at most as many as a plan can depend on.
struct CodePages {
    static constexpr u32 kMax = 8;

    u64 linear_page[kMax]{};
    CodePageId id[kMax]{};
    u8 count{};

    /// The index of a page, or -1.
    [[nodiscard]] constexpr int find(u64 page) const {
        for (int i = 0; i < count; i++)
            if (linear_page[i] == page) return i;
        return -1;
    }
    [[nodiscard]] constexpr bool room_for(u64 page) const { return count < kMax || find(page) >= 0; }
    /// The bit (1 << index) of a page there is room for.
    constexpr u8 add(u64 page, const CodePageId& page_id) {
        int i = find(page);
        if (i < 0) i = count++;
        linear_page[i] = page;
        id[i] = page_id;
        return static_cast<u8>(1u << i);
    }
};

/// Why a walk ended.
enum class StopKind : u8 {
    Instruction, ///< At an instruction whose class is not Plain.
    Unreadable,  ///< At an instruction that cannot be fetched or watched (see CodeStatus): not run natively.
    Limit        ///< At an instruction like any other, because the walk had to end: bounds on length, pages,
                 ///< decoding.
};

struct PointOfInterest {
    u64 pc{};
    StopKind kind{StopKind::Limit};
    InstructionClass cls{InstructionClass::Unrecognised}; ///< Unless `kind` is Instruction: Unrecognised.
    u8 length{};
    u8 pages{}; ///< Bits of the CodePages walked through, the point's own included when `kind` is
                ///< Instruction.
};

/// Bounds on the work of one analysis: the monitor runs with interrupts off.
struct WalkBudget {
    u32 instructions{1024}; ///< Looked at; following a branch counts as several.
    u32 decodes{96};        ///< Decoded because they were not cached.
    u32 straight{512};      ///< Looked at in one walk.
};

class ControlFlow {
public:
    ControlFlow(CodeView& code, CodePages& pages, const WalkBudget& budget)
        : code_(code), pages_(pages), budget_(budget) {}

    /// Walks from `pc` to the next point of interest, which may be `pc` itself. With `free_first` the
    /// instruction at `pc` does not end the walk for lack of budget: whoever runs always gets on by one
    /// instruction.
    [[nodiscard]] PointOfInterest walk(u64 pc, bool free_first = false);

    /// Where the relative branch at `branch` goes when taken. False when it cannot be read any more.
    [[nodiscard]] bool target(const PointOfInterest& branch, u64& to);
    /// The instruction after `point`.
    [[nodiscard]] u64 following(const PointOfInterest& point) const {
        return code_.wrap(point.pc + point.length);
    }

    /// Whether a walk ended for lack of WalkBudget::decodes: another analysis of the same code, with what is
    /// decoded by now, would get further.
    [[nodiscard]] bool starved() const { return starved_; }

private:
    CodeView& code_;
    CodePages& pages_;
    WalkBudget budget_;
    bool starved_{};
};

} // namespace btvm

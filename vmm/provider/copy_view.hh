// Where one build of the core sees the execute-only copies of guest code and the notes about them.
//
// vmm/provider is the second breakpoint provider: kernel code of the guest runs in copies of its pages, in
// which every byte that is not part of a covered instruction is CCh (INT3). A protection key lets the
// processor fetch from a copy and nothing else (SDM Vol. 3A 4.6.2), so the guest never reads one.
#pragma once

#include "vmm/cfg/code_cache.hh"

namespace btvm {

inline constexpr u8 kInt3 = 0xcc;

/// What is known of one byte of a copy.
namespace code_mark {
inline constexpr u8 kLength =
    0x0f; ///< With kStart: of the instruction; with kStop: its InstructionClass or QuickStop.
inline constexpr u8 kStart = 0x10; ///< A covered instruction begins here: its bytes are in the copy.
inline constexpr u8 kBody = 0x20;  ///< A later byte of one.
inline constexpr u8 kEntry = 0x40; ///< Control may arrive here: no instruction may be covered across it.
inline constexpr u8 kStop = 0x80;  ///< An instruction that is not to be covered begins here.
} // namespace code_mark

/// What a kStop tells of the instruction: its InstructionClass, or that it is one of those that are answered
/// without a decoder (vmm/hypervisor/quick_trap.hh). None has a prefix.
enum class QuickStop : u8 {
    NearReturn = 8, ///< C3
    PushFlags,
    PopFlags,
    ClearInterrupt,
    SetInterrupt,
    IndirectBranch ///< FF /2 and /4: near CALL and JMP through a register or memory.
};

[[nodiscard]] constexpr u8 stop_mark(const Instruction& i) {
    const auto mark = [](QuickStop kind) {
        return static_cast<u8>(code_mark::kStop | static_cast<u8>(kind));
    };
    if (i.length == 1 && i.map == OpcodeMap::OneByte) {
        switch (i.opcode) {
        case 0xc3: return mark(QuickStop::NearReturn);
        case 0x9c: return mark(QuickStop::PushFlags);
        case 0x9d: return mark(QuickStop::PopFlags);
        case 0xfa: return mark(QuickStop::ClearInterrupt);
        case 0xfb: return mark(QuickStop::SetInterrupt);
        default: break;
        }
    }
    const bool no_prefix = i.length == 2u + i.has_sib + i.displacement_size;
    if (i.map == OpcodeMap::OneByte && i.opcode == 0xff && (i.reg() == 2 || i.reg() == 4) && no_prefix)
        return mark(QuickStop::IndirectBranch);
    return static_cast<u8>(code_mark::kStop | static_cast<u8>(i.cls));
}

/// The class of the instruction that has this mark.
[[nodiscard]] constexpr InstructionClass stopped_class(u8 mark) {
    switch (static_cast<QuickStop>(mark & code_mark::kLength)) {
    case QuickStop::NearReturn:
    case QuickStop::IndirectBranch: return InstructionClass::PointerBranch;
    case QuickStop::PushFlags:
    case QuickStop::PopFlags: return InstructionClass::Sensitive;
    case QuickStop::ClearInterrupt:
    case QuickStop::SetInterrupt: return InstructionClass::Privileged;
    }
    return static_cast<InstructionClass>(mark & code_mark::kLength);
}

/// The note about one copy: of guest frame `frame` as it is executed at linear page `linear_page`.
struct CopyNote {
    u32 frame{};
    u32 linear_page{};
    u32 next_of_frame{}; ///< In its hash chain, index + 1; 0 ends it. Free copies are chained by it too.
    u32 next_of_linear{};
    CodePageId code{}; ///< The decoded state that the copy was made from, and is dropped with.
    u8 used{};
    u8 touched{}; ///< Since the clock hand last passed.
    u8 reserved[6]{};
    u8 marks[kPageSize]{}; ///< code_mark
};

/// The places in one linear page to which covered branches of other pages lead: one bit a byte.
struct TargetPage {
    u32 linear_page{};
    u32 next{}; ///< In its hash chain, index + 1.
    u64 bits[kPageSize / 64]{};
};

struct CopyView {
    u8* pages{};              ///< Copy n is pages[4096 * n].
    const u64* host_frames{}; ///< Host page-frame number of each.
    CopyNote* notes{};        ///< One a copy...
    TargetPage* targets{};    ///< ... and kTargetsPerCopy of these.

    [[nodiscard]] u8* page(u32 copy) const { return pages + u64{copy} * kPageSize; }
};

/// A page of code calls several others.
inline constexpr u32 kTargetsPerCopy = 2;

/// Bytes of the notes about `copies` copies: CopyNotes first.
[[nodiscard]] constexpr u64 copy_notes_size(u32 copies) {
    return u64{copies} * (sizeof(CopyNote) + kTargetsPerCopy * sizeof(TargetPage));
}

} // namespace btvm

#include "vmm/provider/coverage.hh"

namespace btvm {

namespace {

using namespace code_mark;

constexpr u32 kPageBytes = static_cast<u32>(kPageSize);

constexpr bool runs_natively(InstructionClass cls) {
    return cls == InstructionClass::Plain || cls == InstructionClass::ConditionalBranch ||
           cls == InstructionClass::UnconditionalBranch;
}

/// Whether control is expected at the next instruction some time after this one, which does not run natively
/// or is a CALL. Wrong guesses cost time only.
constexpr bool comes_back(const Instruction& i) {
    constexpr u8 kCallRelative = 0xe8;
    constexpr u8 kGroup5 = 0xff;
    constexpr u8 kCallOfGroup5 = 2;
    switch (i.cls) {
    case InstructionClass::UnconditionalBranch:
        return i.map == OpcodeMap::OneByte && i.opcode == kCallRelative;
    case InstructionClass::PointerBranch:
        return i.map == OpcodeMap::OneByte && i.opcode == kGroup5 && i.reg() == kCallOfGroup5;
    case InstructionClass::Sensitive:
    case InstructionClass::Privileged: break;
    default: return false;
    }
    if (i.map == OpcodeMap::Map0f)
        return i.opcode != 0x0b && i.opcode != 0x07 && i.opcode != 0x35; // UD2, returns
    if (i.map != OpcodeMap::OneByte) return false;
    switch (i.opcode) {
    case 0xca: // Far RET
    case 0xcb:
    case 0xcf: // IRET
    case 0xea: // Far JMP
        return false;
    default: return i.opcode != kGroup5 || i.reg() != 5;
    }
}

class Coverer {
public:
    Coverer(const CoverView& on, u32 copy) : on_(on), copy_(copy), note_(on.view.notes[copy]) {}

    CoverResult from(u32 offset) {
        if (!on_.cache.holds(note_.code, note_.frame) || !on_.cache.current(note_.code))
            return CoverResult::Lost;
        page_ = on_.memory.readable(GuestPhysical(u64{note_.frame} << kPageShift), kPageSize);
        if (!page_) return CoverResult::Lost;
        arrive(offset);
        CoverResult result = CoverResult::Done;
        while (pending_count_ && budget_ && result == CoverResult::Done)
            result = straight(pending_[--pending_count_]);
        CodeCopies::write_covered(on_.view, copy_, page_, covered_begin_, covered_end_);
        return result;
    }

private:
    static constexpr u32 kBudget = 96; ///< Instructions decoded: the monitor runs with interrupts off.
    static constexpr u32 kPending = 32;

    /// Control may arrive at `offset`: it is looked at later, or when it does arrive.
    void arrive(u32 offset) {
        on_.copies.mark_entry(on_.view, copy_, offset);
        if (!(note_.marks[offset] & (kStart | kStop)) && pending_count_ < kPending)
            pending_[pending_count_++] = offset;
    }

    void stop(u32 offset, u8 mark) { note_.marks[offset] |= mark; }
    void stop(u32 offset, InstructionClass cls) {
        stop(offset, static_cast<u8>(kStop | static_cast<u8>(cls)));
    }

    [[nodiscard]] bool covers(InstructionClass cls) const {
        return runs_natively(cls) || (on_.plant_bug && cls == InstructionClass::Sensitive);
    }

    void cover(u32 offset, u32 length) {
        on_.copies.cover(on_.view, copy_, offset, length);
        if (offset < covered_begin_) covered_begin_ = offset;
        if (offset + length > covered_end_) covered_end_ = offset + length;
    }

    /// Whether control may arrive within the instruction, or another is covered there.
    [[nodiscard]] bool overlaps(u32 offset, u32 length) const {
        for (u32 i = offset + 1; i < offset + length; i++)
            if (note_.marks[i] & (kEntry | kStart | kBody)) return true;
        return false;
    }

    /// Covers straight-line code.
    CoverResult straight(u32 offset) {
        while (offset < kPageBytes && !(note_.marks[offset] & (kStart | kStop)) && budget_) {
            budget_--;
            on_.copies.mark_entry(on_.view, copy_, offset);
            Instruction instruction;
            const DecodeStatus status =
                decode(page_ + offset, kPageBytes - offset, CodeSize::Bits32, instruction);
            on_.cache.counters.decoded++;
            if (status != DecodeStatus::Ok) {
                // Not an instruction, or one that goes on in the next page.
                stop(offset, InstructionClass::Unrecognised);
                return CoverResult::Done;
            }
            instruction.cls = on_.cache.class_of(instruction);
            const u32 length = instruction.length;
            on_.cache.keep(note_.code, offset, length, instruction.cls);
            if (!covers(instruction.cls) || overlaps(offset, length)) {
                if (runs_natively(instruction.cls))
                    stop(offset, InstructionClass::Sensitive);
                else
                    stop(offset, stop_mark(instruction));
                if (comes_back(instruction) && offset + length < kPageBytes) arrive(offset + length);
                return CoverResult::Done;
            }
            const CoverResult result = successors(instruction, offset);
            if (result != CoverResult::Done) return result;
            if (note_.marks[offset] & kStop) return CoverResult::Done;
            cover(offset, length);
            if (instruction.cls == InstructionClass::UnconditionalBranch) {
                if (comes_back(instruction) && offset + length < kPageBytes) arrive(offset + length);
                return CoverResult::Done;
            }
            offset += length;
        }
        return CoverResult::Done;
    }

    /// Marks where the instruction leads, or gives it a kStop.
    CoverResult successors(const Instruction& instruction, u32 offset) {
        const u32 next = offset + instruction.length;
        if (instruction.cls == InstructionClass::ConditionalBranch ||
            instruction.cls == InstructionClass::UnconditionalBranch) {
            const u64 pc = (u64{note_.linear_page} << kPageShift) + offset;
            const GuestLinear to(branch_target(instruction, pc) & 0xffffffff);
            const bool here = to.value >> kPageShift == note_.linear_page;
            const u32 place = to.page_offset();
            if (here && place > offset && place < next) {
                stop(offset, InstructionClass::Sensitive);
                return CoverResult::Done;
            }
            if (here)
                arrive(place);
            else if (!on_.copies.mark_target(on_.view, to))
                return CoverResult::NoRoom;
        }
        // An instruction that ends with its page goes on at the first byte of the next, which is in nobody's
        // middle: none is covered that crosses.
        if (instruction.cls != InstructionClass::UnconditionalBranch && next < kPageBytes)
            on_.copies.mark_entry(on_.view, copy_, next);
        return CoverResult::Done;
    }

    const CoverView& on_;
    const u32 copy_;
    CopyNote& note_;
    const u8* page_{}; ///< The true one.
    u32 covered_begin_{kPageBytes};
    u32 covered_end_{};
    u32 budget_{kBudget};
    u32 pending_count_{};
    u32 pending_[kPending];
};

} // namespace

CoverResult cover_from(const CoverView& on, u32 copy, u32 offset) { return Coverer(on, copy).from(offset); }

} // namespace btvm

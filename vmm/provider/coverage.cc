#include "vmm/provider/coverage.hh"

namespace btvm {

namespace {

using namespace code_mark;

constexpr u32 kPageBytes = static_cast<u32>(kPageSize);

constexpr bool runs_natively(InstructionClass cls) {
    return cls == InstructionClass::Plain || cls == InstructionClass::ConditionalBranch ||
           cls == InstructionClass::UnconditionalBranch;
}

class Coverer {
public:
    Coverer(const CoverView& on, u32 copy) : on_(on), copy_(copy), note_(on.view.notes[copy]) {}

    CoverResult from(u32 offset) {
        if (!on_.cache.holds(note_.code, note_.frame) || !on_.cache.current(note_.code))
            return CoverResult::Lost;
        arrive(offset);
        while (pending_count_ && budget_) {
            const CoverResult result = straight(pending_[--pending_count_]);
            if (result != CoverResult::Done) return result;
        }
        return CoverResult::Done;
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

    void stop(u32 offset, InstructionClass cls) {
        note_.marks[offset] |= static_cast<u8>(kStop | static_cast<u8>(cls));
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
            u8 bytes[kMaxInstructionLength];
            const u32 rest = kPageBytes - offset;
            const u32 room = rest < kMaxInstructionLength ? rest : kMaxInstructionLength;
            on_.memory.read(GuestPhysical((u64{note_.frame} << kPageShift) + offset), bytes, room);
            Instruction instruction;
            const DecodeStatus status = decode(bytes, room, CodeSize::Bits32, instruction);
            on_.cache.counters.decoded++;
            if (status != DecodeStatus::Ok) {
                // Not an instruction, or one that goes on in the next page.
                stop(offset, InstructionClass::Unrecognised);
                return CoverResult::Done;
            }
            const u32 length = instruction.length;
            on_.cache.keep(note_.code, offset, length, instruction.cls);
            if (!runs_natively(instruction.cls) || overlaps(offset, length)) {
                stop(offset, runs_natively(instruction.cls) ? InstructionClass::Sensitive : instruction.cls);
                return CoverResult::Done;
            }
            const CoverResult result = successors(instruction, offset);
            if (result != CoverResult::Done) return result;
            if (note_.marks[offset] & kStop) return CoverResult::Done;
            on_.copies.cover(on_.view, copy_, offset, bytes, length);
            if (instruction.cls == InstructionClass::UnconditionalBranch) return CoverResult::Done;
            offset += length;
        }
        return CoverResult::Done;
    }

    /// Marks where the instruction leads, or gives it a kStop.
    CoverResult successors(const Instruction& instruction, u32 offset) {
        const u32 next = offset + instruction.length;
        if (instruction.cls != InstructionClass::Plain) {
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
    u32 budget_{kBudget};
    u32 pending_count_{};
    u32 pending_[kPending];
};

} // namespace

CoverResult cover_from(const CoverView& on, u32 copy, u32 offset) { return Coverer(on, copy).from(offset); }

} // namespace btvm

// The tracer with the second breakpoint provider: guest kernel code runs in execute-only copies
// (vmm/provider).
#include "vmm/base/platform.hh"
#include "vmm/hypervisor/tracer.hh"
#include "vmm/mmu/guest_walk.hh"
#include "vmm/native/native_state.hh"
#include "vmm/provider/coverage.hh"

namespace btvm {

namespace {

using namespace code_mark;

GuestLinear linear_pc(const CpuState& cpu) { return GuestLinear((cpu.seg[Cs].base + cpu.rip) & 0xffffffff); }

} // namespace

void Tracer::drop_copies_of(u32 frame) {
    CodeCopies& copies = world_.copies;
    world_.shadow.drop_copies(view_.shadow, view_.memory, frame);
    for (u32 copy; (copy = copies.find_any(view_.copies, frame)) != CodeCopies::kNone;)
        copies.release(view_.copies, copy);
}

void Tracer::drop_all_copies() {
    world_.shadow.purge(view_.shadow, view_.memory);
    world_.copies.initialise(view_.copies, world_.copies.capacity());
}

/// Copies go with the decoded page that they were made from.
void Tracer::drop_lost_copies() {
    CodeCache& code = world_.code;
    if (!code.lost_count()) return;
    if (code.lost_overflow()) {
        drop_all_copies();
    } else {
        for (u32 i = 0; i < code.lost_count(); i++)
            drop_copies_of(static_cast<u32>(code.lost(i)));
    }
    code.clear_lost();
}

/// The bits of the shadow entry for a copy of the page that `walk` has found, 0: there is none.
u64 Tracer::copy_bits(ShadowSide side, GuestLinear at, const GuestWalk& walk) {
    if (!traces_by_copies() || side != ShadowSide::Kernel) return 0;
    drop_lost_copies();
    const u32 copy = world_.copies.find(view_.copies, static_cast<u32>(walk.address.frame()),
                                        static_cast<u32>(at.frame()));
    return copy == CodeCopies::kNone ? 0 : CodeCopies::entry_bits(view_.copies, copy);
}

/// Maps a copy of the page at `pc`, making one if there is none. kNone: a fetch there faults, or there is no
/// memory; the interpreter finds out what.
u32 Tracer::map_copy(GuestLinear pc) {
    GuestMemory& memory = view_.memory;
    CodeCopies& copies = world_.copies;
    GuestWalk walk;
    const PageAccess fetch{.write = false, .user = false, .fetch = true};
    if (!guest_walk(cpu_, memory, pc, fetch, WalkMark::Yes, walk)) return CodeCopies::kNone;
    const MemorySlot* slot = memory.find(walk.address);
    if (!slot || !slot->host_frames) return CodeCopies::kNone;
    const u32 frame = static_cast<u32>(walk.address.frame());
    const u32 page = static_cast<u32>(pc.frame());
    u32 copy = copies.find(view_.copies, frame, page);
    if (copy == CodeCopies::kNone) {
        CodePageId code;
        if (world_.code.watch(memory, frame, CodeSize::Bits32, code) != CodeStatus::Ok)
            return CodeCopies::kNone;
        drop_lost_copies(); // watching it may have cost another page its place
        if (copies.full()) {
            copies.counters.evicted++;
            drop_copies_of(view_.copies.notes[copies.victim(view_.copies)].frame);
        }
        copy = copies.take(view_.copies, frame, page, code);
    }
    const u64 epoch = world_.shadow.translation_epoch;
    world_.shadow.load(view_.shadow, memory, cpu_, ShadowSide::Kernel);
    world_.shadow.map(view_.shadow, memory, cpu_, ShadowSide::Kernel, pc, walk,
                      CodeCopies::entry_bits(view_.copies, copy));
    if (world_.shadow.translation_epoch != epoch) world_.native.plan_valid = false;
    world_.stats.hidden_page_faults++;
    return copy;
}

/// Whether the instruction at the program counter is covered, covering from there if it must. What decides is
/// the shadow entry, which is what the processor will fetch by. If not, `what` is to be emulated there.
bool Tracer::covered(InstructionClass& what) {
    const GuestLinear pc = linear_pc(cpu_);
    what = InstructionClass::Sensitive;
    drop_lost_copies();
    world_.shadow.load(view_.shadow, view_.memory, cpu_, ShadowSide::Kernel);
    const u64 entry = ShadowMmu::entry(view_.shadow, pc);
    const u32 copy = CodeCopies::is_copy(entry) ? CodeCopies::mapped_copy(entry) : map_copy(pc);
    if (copy == CodeCopies::kNone) return false;
    CopyNote& note = view_.copies.notes[copy];
    note.touched = 1;
    const u8& mark = note.marks[pc.page_offset()];
    if (!(mark & (kStart | kStop))) {
        const CoverView on{world_.code, view_.memory, world_.copies, view_.copies,
                           (world_.config.flags & BTVM_CONFIG_TEST_PLANNER_BUG) != 0};
        switch (cover_from(on, copy, pc.page_offset())) {
        case CoverResult::Done: break;
        case CoverResult::Lost: drop_copies_of(note.frame); return false;
        case CoverResult::NoRoom:
            world_.copies.counters.resets++;
            drop_all_copies();
            return false;
        }
    }
    if (mark & kStart) return true;
    if (mark & kStop) what = stopped_class(mark);
    return false;
}

/// A place that is not covered, or an INT3 of the guest's own: proceed() tells which.
Verdict Tracer::on_int3() {
    world_.stats.trap_breakpoint++;
    cpu_.rip = (cpu_.rip - 1) & 0xffffffff;
    return proceed();
}

/// Whether the kernel's fault at `at` is one of the copy that stands for the page: only fetches reach it.
bool Tracer::meets_copy(GuestLinear at) const {
    return CodeCopies::is_copy(ShadowMmu::entry(view_.shadow, at));
}

/// I1 and I2 for the next instruction: it is covered, what the copy has is what memory has, and it may run.
Violation Tracer::check_covered() const {
    const GuestLinear pc = linear_pc(cpu_);
    const u64 entry = ShadowMmu::entry(view_.shadow, pc);
    if (!CodeCopies::is_copy(entry)) return Violation::None; // the fetch faults
    const u32 copy = CodeCopies::mapped_copy(entry);
    const CopyNote& note = view_.copies.notes[copy];
    const u32 offset = pc.page_offset();
    const u8* there = view_.copies.page(copy) + offset;
    if (!note.used || note.linear_page != pc.frame()) return Violation::NotPlanned;
    if (!(note.marks[offset] & kStart)) return *there == kInt3 ? Violation::None : Violation::NotDecoded;
    if (!world_.code.holds(note.code, note.frame)) return Violation::NotWatched;
    Instruction instruction;
    if (world_.code.fetch(view_.memory, translation(), pc.value, CodeSize::Bits32, instruction) !=
        CodeStatus::Ok)
        return Violation::NotDecoded;
    if (instruction.length != (note.marks[offset] & kLength)) return Violation::StaleDecode;
    for (u32 i = 0; i < instruction.length; i++)
        if (there[i] != view_.memory.load<u8>(GuestPhysical((u64{note.frame} << kPageShift) + offset + i)))
            return Violation::StaleDecode;
    switch (instruction.cls) {
    case InstructionClass::Plain:
    case InstructionClass::ConditionalBranch:
    case InstructionClass::UnconditionalBranch: return Violation::None;
    case InstructionClass::PointerBranch: return Violation::PointerBranch;
    default: return Violation::Sensitive;
    }
}

Verdict Tracer::resume_copies() {
    if (!prepare_native(ShadowSide::Kernel)) return leave(HostRequest::Fpu);
    u64 flags = 0;
    if (world_.config.flags & BTVM_CONFIG_VERIFY) {
        note_violation(check_covered(), linear_pc(cpu_).value);
        if (world_.error.suberror) return leave(HostRequest::Error);
        flags = eflags::kTf;
    }
    native::enter_kernel(world_, view_, nullptr, flags);
    world_.request = HostRequest::None;
    return Verdict::Resume;
}

} // namespace btvm

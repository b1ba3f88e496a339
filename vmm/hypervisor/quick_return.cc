#include "vmm/hypervisor/quick_return.hh"

#include "vmm/base/platform.hh"
#include "vmm/native/native_state.hh"

namespace btvm {

namespace {

using namespace code_mark;

constexpr u8 kRet = 0xc3;
constexpr u32 kWord = 4;

/// Whether the Tracer would do nothing but resolve the branch.
bool nothing_else_is_due(World& world) {
    constexpr u32 kWatched = BTVM_CONFIG_VERIFY | BTVM_CONFIG_TRACE;
    if ((world.config.flags & (BTVM_CONFIG_EXECUTE_ONLY | kWatched)) != BTVM_CONFIG_EXECUTE_ONLY)
        return false;
    if (native::from_user(world) || world.code.lost_count() || world.code.newly_watched_count()) return false;
    const CpuState& cpu = world.cpu;
    if (cpu.nmi_pending || cpu.interrupt_shadow) return false;
    if (world.owed_ticks || world.clock.at(platform::read_tsc()) >= world.next_timer_ns) return false;
    return !(cpu.rflags & eflags::kIf) || !world.pic.pending();
}

/// The note of the copy that control at `at` runs in, or null.
const CopyNote* note_at(const View& view, GuestLinear at) {
    const u64 entry = ShadowMmu::entry(view.shadow, at);
    return CodeCopies::is_copy(entry) ? &view.copies.notes[CodeCopies::mapped_copy(entry)] : nullptr;
}

bool is_ret(const View& view, GuestLinear at) {
    const CopyNote* note = note_at(view, at);
    if (!note) return false;
    const u8 mark = note->marks[at.page_offset()];
    if ((mark & kStop) == 0 ||
        static_cast<InstructionClass>(mark & kLength) != InstructionClass::PointerBranch)
        return false;
    const u8* byte =
        view.memory.readable(GuestPhysical((u64{note->frame} << kPageShift) + at.page_offset()), 1);
    return byte && *byte == kRet;
}

/// Reads what is on top of the stack where the access needs no walk and no fault.
bool read_stack(World& world, const View& view, u32 esp, u32& value) {
    if ((esp & kPageMask) > kPageSize - kWord) return false;
    GuestPhysical at;
    if (world.cpu.paging()) {
        world.translations.follow(world.shadow.translation_epoch);
        if (!world.translations.find(esp, {.write = false, .user = false, .fetch = false}, at)) return false;
    } else {
        at = bus_address(world.cpu, esp);
    }
    const u8* top = view.memory.readable(at, kWord);
    if (!top) return false;
    __builtin_memcpy(&value, top, kWord);
    return true;
}

} // namespace

bool quick_return(World& world, const View& view) {
    btvm_trap_frame& frame = view.context->frame;
    if (frame.vector != static_cast<u64>(Vector::Breakpoint) || !nothing_else_is_due(world)) return false;
    const u32 esp = static_cast<u32>(frame.rsp);
    u32 target;
    if (!is_ret(view, GuestLinear((frame.rip - 1) & 0xffffffff)) || !read_stack(world, view, esp, target))
        return false;
    const CopyNote* note = note_at(view, GuestLinear(target));
    if (!note || !(note->marks[GuestLinear(target).page_offset()] & kStart)) return false;
    frame.rip = target;
    frame.rsp = esp + kWord;
    frame.rsp &= 0xffffffff;
    world.stats.trap_breakpoint++;
    world.stats.branches_resolved++;
    return true;
}

} // namespace btvm

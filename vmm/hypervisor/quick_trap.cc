#include "vmm/hypervisor/quick_trap.hh"

#include "vmm/base/platform.hh"
#include "vmm/mmu/guest_walk.hh"
#include "vmm/native/native_state.hh"

namespace btvm {

namespace {

using namespace code_mark;

constexpr u32 kWord = 4;
/// Longer chains (returns to returns) are left to the Tracer, which looks at the time.
constexpr u32 kMostAtOnce = 8;
/// The clock is looked at once in so many traps: reading it costs as much as answering one.
constexpr u64 kTrapsBetweenClockReads = 8;
/// What a POPF at CPL 0 writes (SDM Vol. 2B, POPF).
constexpr u64 kPopped = eflags::kArithmetic | eflags::kTf | eflags::kIf | eflags::kDf | eflags::kIopl |
                        eflags::kNt | eflags::kAc | eflags::kId;

class QuickTrap {
public:
    QuickTrap(World& world, View& view)
        : world_(world), view_(view), cpu_(world.cpu), frame_(view.context->frame) {}

    bool answer() {
        if (frame_.vector != static_cast<u64>(Vector::Breakpoint) || something_else_is_due()) return false;
        if (cpu_.paging()) world_.translations.follow(world_.shadow.translation_epoch);
        pc_ = static_cast<u32>(frame_.rip - 1);
        bool covered = false;
        u32 n = 0;
        for (; find_note(); n++) {
            covered = mark() & kStart;
            if (covered || n == kMostAtOnce || !execute()) break;
        }
        if (n == 0) return false;
        frame_.rip = covered ? pc_ : u64{pc_} + 1;
        if (covered) world_.stats.trap_breakpoint++;
        return covered;
    }

private:
    [[nodiscard]] bool something_else_is_due() const {
        constexpr u32 kWatched = BTVM_CONFIG_VERIFY | BTVM_CONFIG_TRACE;
        if ((world_.config.flags & (BTVM_CONFIG_EXECUTE_ONLY | kWatched)) != BTVM_CONFIG_EXECUTE_ONLY ||
            native::from_user(world_) || world_.code.lost_count() || world_.code.newly_watched_count() ||
            world_.owes_tick_now() || cpu_.nmi_pending || cpu_.interrupt_shadow || cpu_.has_breakpoints() ||
            (cpu_.rflags & (eflags::kTf | eflags::kRf | eflags::kVm)))
            return true;
        // What is done here checks no limits.
        if (~cpu_.seg[Cs].limit || !native::is_whole(cpu_.seg[Ss]) || !native::is_whole(cpu_.seg[Ds]))
            return true;
        if (world_.stats.trap_breakpoint % kTrapsBetweenClockReads == 0 &&
            world_.clock.at(platform::read_tsc()) >= world_.next_timer_ns)
            return true;
        return (cpu_.rflags & eflags::kIf) && interrupt_requested();
    }

    [[nodiscard]] bool interrupt_requested() const { return world_.controllers().requested(); }

    /// Finds the note of the copy that control at pc_ runs in, if there is one.
    bool find_note() {
        if (note_ && note_->linear_page == pc_ >> kPageShift) return true;
        const u64 entry = ShadowMmu::entry(view_.shadow, GuestLinear(pc_));
        note_ = CodeCopies::is_copy(entry) ? &view_.copies.notes[CodeCopies::mapped_copy(entry)] : nullptr;
        if (note_) note_->touched = 1;
        return note_;
    }
    [[nodiscard]] u8 mark() const { return note_->marks[pc_ & kPageMask]; }

    /// Executes the instruction at pc_. False: it is another, or needs more; nothing has changed.
    bool execute() {
        if (!(mark() & kStop)) return false;
        switch (static_cast<QuickStop>(mark() & kLength)) {
        case QuickStop::NearReturn: return near_return();
        case QuickStop::PushFlags: return push_flags();
        case QuickStop::PopFlags: return pop_flags();
        case QuickStop::ClearInterrupt: cpu_.rflags &= ~eflags::kIf; return emulated();
        case QuickStop::SetInterrupt: return set_interrupt();
        case QuickStop::IndirectBranch: return indirect_branch();
        default: return false;
        }
    }

    bool emulated() {
        pc_++;
        world_.stats.emulated_instructions++;
        return true;
    }

    bool near_return() {
        if (!load(static_cast<u32>(frame_.rsp), pc_)) return false;
        frame_.rsp = (frame_.rsp + kWord) & 0xffffffff;
        world_.stats.branches_resolved++;
        return true;
    }

    bool indirect_branch() {
        const u8* code =
            view_.memory.readable(GuestPhysical((u64{note_->frame} << kPageShift) + (pc_ & kPageMask)), 2);
        if (!code) return false;
        const u8* end = code + 2;
        const u8 modrm = code[1];
        u32 target;
        if (modrm >> 6 == 3)
            target = reg(modrm & 7);
        else if (!load(static_cast<u32>(cpu_.seg[operand_segment(code)].base) + address(modrm, end), target))
            return false;
        constexpr u8 kCall = 2;
        if ((modrm >> 3 & 7) == kCall && !push(pc_ + static_cast<u32>(end - code))) return false;
        pc_ = target;
        world_.stats.branches_resolved++;
        return true;
    }

    [[nodiscard]] u32 reg(unsigned n) const {
        return static_cast<u32>(n == Rsp ? frame_.rsp : frame_.gpr[n]);
    }

    /// Addressing through EBP or ESP is of the stack segment (SDM Vol. 1 table 3-5).
    [[nodiscard]] static SegReg operand_segment(const u8* code) {
        const unsigned mod = code[1] >> 6;
        const unsigned rm = code[1] & 7;
        const unsigned base = rm == 4 ? code[2] & 7u : rm;
        return base == Rsp || (base == Rbp && mod) ? Ss : Ds;
    }

    /// The effective address of a memory operand (SDM Vol. 2A tables 2-2 and 2-3). `bytes`: behind the ModRM
    /// byte, then behind the operand.
    [[nodiscard]] u32 address(u8 modrm, const u8*& bytes) const {
        const unsigned mod = modrm >> 6;
        unsigned base = modrm & 7;
        u32 at = 0;
        if (base == 4) {
            const u8 sib = *bytes++;
            base = sib & 7;
            if ((sib >> 3 & 7) != 4) at = reg(sib >> 3 & 7) << (sib >> 6);
        }
        const bool absolute = base == Rbp && mod == 0;
        if (!absolute) at += reg(base);
        if (mod == 1) return at + static_cast<u32>(static_cast<s8>(*bytes++));
        if (mod == 2 || absolute) {
            u32 displacement;
            __builtin_memcpy(&displacement, bytes, kWord);
            bytes += kWord;
            at += displacement;
        }
        return at;
    }

    bool push_flags() {
        const u64 image = (cpu_.rflags & ~native::kFlags) | (frame_.rflags & native::kFlags);
        return push(static_cast<u32>(image)) && emulated();
    }

    bool pop_flags() {
        u32 image;
        if (!load(static_cast<u32>(frame_.rsp), image)) return false;
        if ((image & eflags::kTf) || ((image & eflags::kIf) && interrupt_requested())) return false;
        cpu_.rflags = (cpu_.rflags & ~kPopped) | (image & kPopped) | eflags::kFixed1;
        frame_.rflags = (frame_.rflags & ~native::kFlags) | (image & native::kFlags);
        frame_.rsp = (frame_.rsp + kWord) & 0xffffffff;
        return emulated();
    }

    /// STI, where the instruction after it runs natively: so no interrupt can come between.
    bool set_interrupt() {
        const u32 next = (pc_ & kPageMask) + 1;
        if (!(cpu_.rflags & eflags::kIf) &&
            (next == kPageSize || !(note_->marks[next] & kStart) || interrupt_requested()))
            return false;
        cpu_.rflags |= eflags::kIf;
        return emulated();
    }

    [[nodiscard]] bool translate(u32 linear, PageAccess access, GuestPhysical& at) const {
        if (!cpu_.paging()) {
            at = bus_address(cpu_, linear);
            return true;
        }
        return world_.translations.find(linear, access, at) || walk(linear, access, at);
    }

    [[gnu::noinline]] bool walk(u32 linear, PageAccess access, GuestPhysical& at) const {
        GuestWalk walk;
        if (!guest_walk(cpu_, view_.memory, GuestLinear(linear), access, WalkMark::No, walk) ||
            !walk.accessed() || (access.write && !walk.dirty))
            return false;
        at = walk.address;
        world_.translations.keep(linear, access, at);
        return true;
    }

    [[nodiscard]] bool load(u32 linear, u32& value) const {
        const u8* there = word(linear, false);
        if (there) __builtin_memcpy(&value, there, kWord);
        return there;
    }

    bool push(u32 value) {
        const u32 esp = static_cast<u32>(frame_.rsp) - kWord;
        u8* there = word(esp, true);
        if (!there) return false;
        __builtin_memcpy(there, &value, kWord);
        frame_.rsp = esp;
        return true;
    }

    /// The word at `linear`, where the access needs no walk, no fault and no notice; or null.
    [[nodiscard]] u8* word(u32 linear, bool write) const {
        if ((linear & kPageMask) > kPageSize - kWord) return nullptr;
        GuestPhysical at;
        if (!translate(linear, {.write = write, .user = false, .fetch = false}, at)) return nullptr;
        const MemorySlot* slot = view_.memory.find(at);
        if (!slot) return nullptr;
        const u64 offset = at.value - slot->first;
        if (write) {
            using namespace page_state;
            if (slot->read_only || !slot->state ||
                (slot->state[offset >> kPageShift] & (kDirty | kCode | kTable)) != kDirty)
                return nullptr;
        }
        return slot->memory + offset;
    }

    World& world_;
    View& view_;
    CpuState& cpu_;
    btvm_trap_frame& frame_;
    u32 pc_{};
    CopyNote* note_{};
};

} // namespace

bool quick_trap(World& world, View& view) { return QuickTrap(world, view).answer(); }

} // namespace btvm

// Hardware task switches (SDM Vol. 3A 7.3). Everything that can be checked is checked first; from the commit
// point on the processor is in the new task, and what goes wrong there is raised there.
#include "vmm/interpret/execution.hh"

namespace btvm {

namespace {

/// The parts of a 32-bit TSS that a switch reads or writes (SDM Vol. 3A figure 7-2).
struct Tss32 {
    u32 link, esp0, ss0, esp1, ss1, esp2, ss2, cr3, eip, eflags;
    u32 gpr[8];
    u32 seg[6];
    u32 ldt;
    u16 trap, io_map;
};
static_assert(sizeof(Tss32) == 0x68);

/// The same of a 16-bit TSS (figure 7-10).
struct Tss16 {
    u16 link, sp0, ss0, sp1, ss1, sp2, ss2, ip, flags;
    u16 gpr[8];
    u16 seg[4];
    u16 ldt;
};
static_assert(sizeof(Tss16) == 0x2c);

constexpr u64 kBusyBit = u64{1} << 41;
constexpr u32 kTaskTrap = 1u << 15; // DR6.BT

} // namespace

class TaskSwitch {
public:
    TaskSwitch(Execution& x, u16 selector, Descriptor d, u32 at)
        : x_(x), cpu_(x.cpu_), selector_(selector), error_(selector & 0xfffcu), d_(d), at_(at),
          big_(d.access().type() & 8) {}

    bool prepare(Execution::TaskReason reason, u32 ext);
    void commit(Execution::TaskReason reason, u32 return_ip, u32 flags);
    bool load_segments();

    [[nodiscard]] bool big() const { return big_; }

private:
    bool load_ldt();
    bool load_code(u16 selector);
    bool load_stack(u16 selector);
    bool load_data(SegReg s, u16 selector);
    void save_old(u32 return_ip, u32 flags);
    [[nodiscard]] u16 selector_of(SegReg s) const {
        if (big_) return static_cast<u16>(new32_.seg[s]);
        return s < Fs ? new16_.seg[s] : u16{0};
    }

    Execution& x_;
    CpuState& cpu_;
    const u16 selector_;
    const u32 error_;
    Descriptor d_;
    const u32 at_;
    const bool big_;
    bool old_big_{};
    Tss32 new32_{};
    Tss16 new16_{};
    MemoryRef old_ref_{}, new_ref_{}, link_ref_{};
    MemoryRef old_busy_{}, new_busy_{};
};

/// Reads the new TSS and opens everything the switch will write.
bool TaskSwitch::prepare(Execution::TaskReason reason, u32 ext) {
    using Mode = Execution::Mode;
    using Reason = Execution::TaskReason;
    const u32 size = big_ ? sizeof(Tss32) : sizeof(Tss16);
    if (d_.limit() < size - 1) return x_.fault(Vector::InvalidTss, error_ | ext);
    const u32 base = d_.base();
    // What the old task leaves behind: from its EIP to its last selector.
    old_big_ = cpu_.tr.access.type() & 8;
    const u32 old_base = static_cast<u32>(cpu_.tr.base);
    const u32 first = old_big_ ? offsetof(Tss32, eip) : offsetof(Tss16, ip);
    const u32 end = old_big_ ? offsetof(Tss32, ldt) : offsetof(Tss16, ldt);
    if (cpu_.tr.limit + 1 < (old_big_ ? sizeof(Tss32) : sizeof(Tss16)))
        return x_.fault(Vector::InvalidTss, (cpu_.tr.selector & 0xfffcu) | ext);
    if (!x_.resolve(old_base + first, end - first, Mode::Write, false, old_ref_)) return false;
    if (!x_.resolve(base, size, Mode::Read, false, new_ref_)) return false;
    if ((reason == Reason::Call || reason == Reason::Event) &&
        !x_.resolve(base, 2, Mode::Write, false, link_ref_))
        return false;
    if (reason == Reason::Jump || reason == Reason::Return) {
        // The type byte of the old descriptor, which loses its busy bit.
        const u32 old_at = static_cast<u32>(cpu_.gdtr.base) + (cpu_.tr.selector & 0xfff8u) + 5;
        if (!x_.resolve(old_at, 1, Mode::Write, false, old_busy_)) return false;
    }
    if (reason != Reason::Return && !x_.resolve(at_ + 5, 1, Mode::Write, false, new_busy_)) return false;
    return true;
}

void TaskSwitch::save_old(u32 return_ip, u32 flags) {
    if (old_big_) {
        Tss32 t;
        u8* const image = reinterpret_cast<u8*>(&t) + offsetof(Tss32, eip);
        x_.load_bytes(old_ref_, image); // the halves next to the selectors stay as they are
        t.eip = return_ip;
        t.eflags = flags;
        for (unsigned i = 0; i < 8; i++)
            t.gpr[i] = static_cast<u32>(cpu_.gpr[i]);
        for (unsigned i = 0; i < kSegRegCount; i++)
            t.seg[i] = (t.seg[i] & 0xffff0000) | cpu_.seg[i].selector;
        x_.store_bytes(old_ref_, image);
    } else {
        Tss16 t;
        t.ip = static_cast<u16>(return_ip);
        t.flags = static_cast<u16>(flags);
        for (unsigned i = 0; i < 8; i++)
            t.gpr[i] = static_cast<u16>(cpu_.gpr[i]);
        for (unsigned i = 0; i < 4; i++)
            t.seg[i] = cpu_.seg[i].selector;
        x_.store_bytes(old_ref_, reinterpret_cast<u8*>(&t) + offsetof(Tss16, ip));
    }
}

void TaskSwitch::commit(Execution::TaskReason reason, u32 return_ip, u32 old_flags) {
    using Reason = Execution::TaskReason;
    const bool nests = reason == Reason::Call || reason == Reason::Event;
    if (old_busy_.size) x_.store(old_busy_, x_.load(old_busy_) & ~2u);
    save_old(return_ip, reason == Reason::Return ? old_flags & ~static_cast<u32>(eflags::kNt) : old_flags);
    // Read after the old state is saved: a task may switch to itself.
    x_.load_bytes(new_ref_, big_ ? static_cast<void*>(&new32_) : static_cast<void*>(&new16_));
    if (nests) x_.store(link_ref_, cpu_.tr.selector);
    if (new_busy_.size) x_.store(new_busy_, x_.load(new_busy_) | 2u);

    d_.raw |= kBusyBit;
    cpu_.tr = d_.segment(selector_);
    cpu_.cr0 |= cr0::kTs;
    if (big_ && cpu_.paging()) {
        cpu_.cr3 = new32_.cr3;
        x_.invalidate_translations();
        // Bad PDPTEs in a task switch are a shutdown on some processors; here they read as not present.
        if ((cpu_.cr4 & cr4::kPae) && !read_pdptes(cpu_, x_.memory_, cpu_.cr3, cpu_.pae_pdpte))
            for (u64& e : cpu_.pae_pdpte)
                e = 0;
    }
    u64 flags =
        big_ ? new32_.eflags & eflags::kAll
             : (cpu_.rflags & 0xffff0000 & ~(eflags::kVm | eflags::kRf)) | (new16_.flags & eflags::kAll);
    if (nests) flags |= eflags::kNt;
    cpu_.rflags = flags | eflags::kFixed1;
    cpu_.rip = x_.next_ip_ = big_ ? new32_.eip : new16_.ip;
    for (unsigned i = 0; i < 8; i++)
        cpu_.gpr[i] = big_ ? new32_.gpr[i] : new16_.gpr[i] | 0xffff0000;
    cpu_.dr[7] &= ~u64{0x55}; // the local breakpoints (SDM Vol. 3B 17.2.4)

    // From here on faults belong to the new task. Until its segments are loaded they are unusable, and its
    // level is CS.RPL.
    const unsigned cpl = cpu_.v86() ? 3 : selector_of(Cs) & 3;
    for (unsigned i = 0; i < kSegRegCount; i++)
        cpu_.seg[i] = Segment{0, 0, selector_of(SegReg(i)), AccessRights{static_cast<u16>(cpl << 5)}};
    cpu_.ldtr = Segment{0, 0, static_cast<u16>(big_ ? new32_.ldt : new16_.ldt), AccessRights{}};
    if (big_ && (new32_.trap & 1)) x_.debug_hits_ |= kTaskTrap;
}

bool TaskSwitch::load_ldt() {
    const u16 selector = cpu_.ldtr.selector;
    const u32 error = selector & 0xfffcu;
    if (!error) return true;
    Descriptor d;
    u32 at;
    if (selector & 4) return x_.fault(Vector::InvalidTss, error);
    if (!x_.read_descriptor(selector, d, at, Vector::InvalidTss, error)) return false;
    if (d.access().is_code_or_data() || d.access().type() != 2 || !d.access().present())
        return x_.fault(Vector::InvalidTss, error);
    cpu_.ldtr = d.segment(selector);
    return true;
}

bool TaskSwitch::load_code(u16 selector) {
    const u32 error = selector & 0xfffcu;
    Descriptor d;
    u32 at;
    if (!error) return x_.fault(Vector::InvalidTss, 0);
    if (!x_.read_descriptor(selector, d, at, Vector::InvalidTss, error)) return false;
    const AccessRights a = d.access();
    const unsigned rpl = selector & 3;
    if (!a.is_code() || (a.conforming() ? a.dpl() > rpl : a.dpl() != rpl))
        return x_.fault(Vector::InvalidTss, error);
    if (!a.present()) return x_.fault(Vector::SegmentNotPresent, error);
    if (!x_.set_accessed(d, at)) return false;
    cpu_.seg[Cs] = d.segment(selector);
    return true;
}

bool TaskSwitch::load_stack(u16 selector) {
    Segment ss;
    if (!x_.prepare_stack_segment(selector, cpu_.cpl(), Vector::InvalidTss, 0, ss)) return false;
    cpu_.seg[Ss] = ss;
    return true;
}

bool TaskSwitch::load_data(SegReg s, u16 selector) {
    if (!(selector & 0xfffc)) return true; // unusable already
    Segment loaded;
    if (!x_.prepare_data_segment(selector, loaded)) {
        // The same checks as MOV Sreg makes, under another name.
        if (x_.fault_.vector == static_cast<u8>(Vector::GeneralProtection))
            x_.fault_.vector = static_cast<u8>(Vector::InvalidTss);
        return false;
    }
    cpu_.seg[s] = loaded;
    return true;
}

/// Loads LDTR and the segments in the order of SDM Vol. 3A table 7-1.
bool TaskSwitch::load_segments() {
    if (!load_ldt()) return false;
    if (cpu_.v86()) {
        for (unsigned i = 0; i < kSegRegCount; i++)
            cpu_.seg[i] = x_.real_segment(SegReg(i), selector_of(SegReg(i)));
    } else {
        if (!load_stack(selector_of(Ss)) || !load_code(selector_of(Cs))) return false;
        constexpr SegReg kData[] = {Ds, Es, Fs, Gs};
        for (SegReg s : kData)
            if (!load_data(s, selector_of(s))) return false;
    }
    if (x_.next_ip_ > cpu_.seg[Cs].limit) return x_.general_protection();
    return true;
}

bool Execution::switch_task(u16 selector, Descriptor d, u32 at, TaskReason reason, u32 return_ip, u32 ext,
                            const Event* event) {
    TaskSwitch task(*this, selector, d, at);
    if (!task.prepare(reason, ext)) return false;
    task.commit(reason, return_ip, event ? pushed_flags(*event) : static_cast<u32>(cpu_.rflags));
    keep_resume_ = true;
    no_single_step_ = true;
    if (!task.load_segments()) return false;
    return !event || !event->has_error || push(event->error, task.big() ? 4 : 2);
}

} // namespace btvm

#include "vmm/hypervisor/saved_state.hh"

#include "vmm/hypervisor/saved_apics.hh"
#include "vmm/mmu/guest_walk.hh"

namespace btvm {

namespace {

constexpr u64 kHigh = ~u64{0xffffffff};

btvm_segment to_abi(const Segment& s) { return {s.base, s.limit, s.selector, s.access.value}; }
Segment from_abi(const btvm_segment& s) { return {s.base, s.limit, s.selector, AccessRights{s.access}}; }

/// Whether a processor outside long mode can hold it: a base below 4 GiB, and no access rights that do not
/// exist.
bool is_segment(const btvm_segment& s) { return s.base <= 0xffffffff && !(s.access & 0x0f00); }
bool is_table(const btvm_dtable& t) {
    return t.base <= 0xffffffff && !(t.padding[0] | t.padding[1] | t.padding[2]);
}

btvm_pic_chip to_abi(const PicChip& c) {
    return {c.irr,  c.isr,      c.imr,    c.lines,        c.elcr,     c.vector_base, c.icw1,        c.icw3,
            c.icw4, c.next_icw, c.lowest, c.special_mask, c.read_isr, c.poll,        c.rotate_aeoi, 0};
}

PicChip from_abi(const btvm_pic_chip& c) {
    return {c.irr,  c.isr,      c.imr,    c.lines,        c.elcr,     c.vector_base, c.icw1,       c.icw3,
            c.icw4, c.next_icw, c.lowest, c.special_mask, c.read_isr, c.poll,        c.rotate_aeoi};
}

bool possible(const btvm_pic_chip& c) {
    return !(c.vector_base & 7) && c.next_icw != 1 && c.next_icw <= 4 && c.lowest <= 7 &&
           c.special_mask <= 1 && c.read_isr <= 1 && c.poll <= 1 && c.rotate_aeoi <= 1 && !c.padding;
}

btvm_pit_channel to_abi(const PitChannel& c) {
    btvm_pit_channel out{};
    out.load_tick = c.load_tick;
    out.held_elapsed = c.held_elapsed;
    out.next_load = c.next_load;
    out.count = c.count;
    out.next_count = c.next_count;
    out.latched_count = c.latched_count;
    out.count_before = c.count_before;
    out.run = static_cast<u8>(c.run);
    out.mode = c.mode;
    out.access = c.access;
    out.count_latched = c.count_latched;
    out.latched_status = c.latched_status;
    out.low_byte = c.low_byte;
    out.next_waits = c.next_waits;
    out.bcd = c.bcd;
    out.gate = c.gate;
    out.out_before = c.out_before;
    out.rises_at_load = c.rises_at_load;
    out.write_high = c.write_high;
    out.read_high = c.read_high;
    out.status_latched = c.status_latched;
    return out;
}

PitChannel from_abi(const btvm_pit_channel& c) {
    PitChannel out;
    out.load_tick = c.load_tick;
    out.held_elapsed = c.held_elapsed;
    out.next_load = c.next_load;
    out.count = c.count;
    out.next_count = c.next_count;
    out.run = static_cast<PitChannel::Run>(c.run);
    out.next_waits = c.next_waits;
    out.mode = c.mode;
    out.bcd = c.bcd;
    out.access = c.access;
    out.gate = c.gate;
    out.out_before = c.out_before;
    out.rises_at_load = c.rises_at_load;
    out.write_high = c.write_high;
    out.read_high = c.read_high;
    out.low_byte = c.low_byte;
    out.count_latched = c.count_latched;
    out.status_latched = c.status_latched;
    out.latched_status = c.latched_status;
    out.latched_count = c.latched_count;
    out.count_before = c.count_before;
    return out;
}

bool is_zero(const u8* bytes, u32 count) {
    for (u32 i = 0; i < count; i++)
        if (bytes[i]) return false;
    return true;
}

bool possible(const btvm_pit_channel& c) {
    const bool bits = (c.next_waits | c.bcd | c.gate | c.out_before | c.rises_at_load | c.write_high |
                       c.read_high | c.status_latched) <= 1;
    return bits && c.run <= static_cast<u8>(PitChannel::Run::Running) && c.mode <= 5 && c.access >= 1 &&
           c.access <= 3 && c.count_latched <= 2 && c.count >= 1 && c.count <= 0x10000 &&
           c.next_count <= 0x10000 && (c.next_count || !c.next_waits) && is_zero(c.padding, sizeof c.padding);
}

bool possible(const btvm_port_access& a) {
    if (a.padding1 || a.padding2 || a.padding3 || a.phase > static_cast<u8>(PortRequest::Phase::Answered))
        return false;
    if (!a.phase) return !a.write && !a.size && !a.port && !a.count && is_zero(a.data, sizeof a.data);
    return a.write <= 1 && (a.size == 1 || a.size == 2 || a.size == 4) && a.count >= 1 &&
           a.count <= PortRequest::kMostBytes / a.size;
}

} // namespace

bool has_apics(const btvm_state& state) { return state.features_basic & cpuid_feature::kApic; }

void get_regs(const CpuState& cpu, btvm_regs& out) {
    for (unsigned i = 0; i < kGprCount; i++)
        out.gpr[i] = cpu.gpr[i];
    out.rip = cpu.rip;
    out.rflags = cpu.rflags;
}

void put_regs(CpuState& cpu, const btvm_regs& in) {
    for (unsigned i = 0; i < kGprCount; i++)
        cpu.gpr[i] = i < 8 ? in.gpr[i] & 0xffffffff : 0;
    cpu.rip = in.rip & 0xffffffff;
    cpu.rflags = (in.rflags & eflags::kAll) | eflags::kFixed1;
}

void get_sregs(const CpuState& cpu, btvm_sregs& out) {
    out = {};
    for (unsigned i = 0; i < kSegRegCount; i++)
        out.segment[i] = to_abi(cpu.seg[i]);
    out.ldtr = to_abi(cpu.ldtr);
    out.tr = to_abi(cpu.tr);
    out.gdtr = {cpu.gdtr.base, cpu.gdtr.limit, {}};
    out.idtr = {cpu.idtr.base, cpu.idtr.limit, {}};
    out.cr0 = cpu.cr0;
    out.cr2 = cpu.cr2;
    out.cr3 = cpu.cr3;
    out.cr4 = cpu.cr4;
    for (unsigned i = 0; i < 8; i++)
        out.dr[i] = cpu.dr[i];
    out.efer = cpu.efer;
    out.a20_enabled = !cpu.a20_mask_off;
    out.activity = static_cast<u8>(cpu.activity);
    out.interrupt_shadow = cpu.interrupt_shadow;
}

bool possible(const btvm_sregs& in) {
    const bool paging_without_protection = (in.cr0 & cr0::kPg) && !(in.cr0 & cr0::kPe);
    if (paging_without_protection || (in.cr0 & kHigh) || (in.cr3 & kHigh) || (in.cr4 & kHigh) ||
        (in.efer & (efer::kLme | efer::kLma)) || in.activity > static_cast<u8>(Activity::Shutdown) ||
        in.a20_enabled > 1 || in.interrupt_shadow > 3 || in.interrupt_shadow == 2)
        return false;
    if ((in.cr0 & cr0::kNw) && !(in.cr0 & cr0::kCd)) return false;
    for (unsigned i = 0; i < kSegRegCount; i++)
        if (!is_segment(in.segment[i])) return false;
    return is_segment(in.ldtr) && is_segment(in.tr) && is_table(in.gdtr) && is_table(in.idtr);
}

void put_sregs(CpuState& cpu, const btvm_sregs& in) {
    for (unsigned i = 0; i < kSegRegCount; i++)
        cpu.seg[i] = from_abi(in.segment[i]);
    cpu.ldtr = from_abi(in.ldtr);
    cpu.tr = from_abi(in.tr);
    cpu.gdtr = {in.gdtr.base & ~kHigh, in.gdtr.limit, {}};
    cpu.idtr = {in.idtr.base & ~kHigh, in.idtr.limit, {}};
    cpu.cr0 = in.cr0 | cr0::kEt;
    cpu.cr2 = in.cr2 & ~kHigh;
    cpu.cr3 = in.cr3;
    cpu.cr4 = in.cr4;
    for (unsigned i = 0; i < 8; i++)
        cpu.dr[i] = in.dr[i] & ~kHigh;
    cpu.efer = in.efer;
    cpu.a20_mask_off = !in.a20_enabled;
    cpu.activity = static_cast<Activity>(in.activity);
    cpu.interrupt_shadow = in.interrupt_shadow;
}

void get_state(const ConstCoreParts& parts, u64 host_tsc, btvm_state& out) {
    const CpuState& cpu = parts.cpu;
    __builtin_memset(&out, 0, sizeof out);
    get_regs(cpu, out.regs);
    get_sregs(cpu, out.sregs);
    out.sysenter_cs = cpu.sysenter_cs;
    out.sysenter_esp = cpu.sysenter_esp;
    out.sysenter_eip = cpu.sysenter_eip;
    out.pat = cpu.pat;
    out.apic_base = cpu.apic_base;
    out.misc_enable = cpu.misc_enable;
    for (unsigned i = 0; i < 4; i++)
        out.pdpte[i] = cpu.pae_pdpte[i];
    out.tsc = host_tsc + cpu.tsc_offset;
    out.features_basic = cpu.features.basic;
    out.features_extended = cpu.features.extended;
    out.mxcsr_mask = cpu.features.mxcsr_mask;
    out.nmi_blocked = cpu.nmi_blocked;
    out.nmi_pending = cpu.nmi_pending;
    out.debug_pending = cpu.debug_pending;
    __builtin_memcpy(out.fxsave, cpu.fpu.bytes, sizeof out.fxsave);
    out.pic[0] = to_abi(parts.pic.master());
    out.pic[1] = to_abi(parts.pic.slave());
    out.ferr = parts.pic.fpu_error().ferr;
    out.ignne = parts.pic.fpu_error().ignne;
    if (cpu.features.apic()) get_apics(parts.apics, out);
    const Pit::State& pit = parts.pit.state();
    for (unsigned i = 0; i < 3; i++)
        out.pit[i] = to_abi(pit.channel[i]);
    out.pit_last_tick = pit.last_tick;
    out.pit_edges_told = pit.edges_told;
    out.pit_edges_owed = pit.edges_owed;
    out.pit_port61 = pit.port61;
    out.owed_ticks = parts.owed_ticks;
    out.pm_timer = parts.pm_timer.port;
    const PortRequest& request = parts.port_request;
    if (request.phase == PortRequest::Phase::Idle) return;
    out.port.phase = static_cast<u8>(request.phase);
    out.port.write = request.write;
    out.port.size = request.size;
    out.port.port = request.port;
    out.port.count = request.count;
    __builtin_memcpy(out.port.data, request.data, request.bytes());
}

bool possible(const btvm_state& in, const CpuFeatures& features) {
    if (!possible(in.sregs) || in.padding1 || in.padding2 || in.padding3) return false;
    for (unsigned i = 0; i < sizeof in.sregs.padding; i++)
        if (in.sregs.padding[i]) return false;
    if ((in.features_basic & ~features.basic) || (in.features_extended & ~features.extended) ||
        (in.mxcsr_mask & ~features.mxcsr_mask))
        return false;
    if (in.nmi_blocked > 1 || in.nmi_pending > 1 || in.debug_pending > 15 || in.ferr > 1 || in.ignne > 1)
        return false;
    if (in.pit_port61 > 15 || in.pm_timer > PmTimer::kLastPort || !possible(in.port)) return false;
    for (const u64 entry : in.pdpte)
        if (!valid_pdpte(entry)) return false;
    for (const btvm_pic_chip& chip : in.pic)
        if (!possible(chip)) return false;
    for (const btvm_pit_channel& channel : in.pit)
        if (!possible(channel)) return false;
    return possible_apics(in);
}

void put_state(const CoreParts& parts, u64 host_tsc, const btvm_state& in) {
    CpuState& cpu = parts.cpu;
    put_regs(cpu, in.regs);
    put_sregs(cpu, in.sregs);
    cpu.sysenter_cs = in.sysenter_cs & 0xffff;
    cpu.sysenter_esp = in.sysenter_esp & 0xffffffff;
    cpu.sysenter_eip = in.sysenter_eip & 0xffffffff;
    cpu.pat = in.pat;
    cpu.apic_base = in.apic_base;
    cpu.misc_enable = in.misc_enable;
    for (unsigned i = 0; i < 4; i++)
        cpu.pae_pdpte[i] = in.pdpte[i];
    cpu.tsc_offset = in.tsc - host_tsc;
    cpu.features.basic = in.features_basic;
    cpu.features.extended = in.features_extended;
    cpu.features.mxcsr_mask = in.mxcsr_mask;
    cpu.nmi_blocked = in.nmi_blocked;
    cpu.nmi_pending = in.nmi_pending;
    cpu.debug_pending = in.debug_pending;
    __builtin_memcpy(cpu.fpu.bytes, in.fxsave, sizeof in.fxsave);
    // FXRSTOR faults on bits of MXCSR that do not exist.
    constexpr unsigned kMxcsr = 24;
    u32 mxcsr = 0;
    __builtin_memcpy(&mxcsr, cpu.fpu.bytes + kMxcsr, sizeof mxcsr);
    mxcsr &= in.mxcsr_mask;
    __builtin_memcpy(cpu.fpu.bytes + kMxcsr, &mxcsr, sizeof mxcsr);
    parts.pic.master() = from_abi(in.pic[0]);
    parts.pic.slave() = from_abi(in.pic[1]);
    parts.pic.fpu_error().ferr = in.ferr;
    parts.pic.fpu_error().ignne = in.ignne;
    parts.apics.reset();
    if (cpu.features.apic()) put_apics(parts.apics, in);
    Pit::State& pit = parts.pit.state();
    for (unsigned i = 0; i < 3; i++)
        pit.channel[i] = from_abi(in.pit[i]);
    pit.last_tick = in.pit_last_tick;
    pit.edges_told = in.pit_edges_told;
    pit.edges_owed = in.pit_edges_owed;
    pit.port61 = in.pit_port61;
    parts.owed_ticks = in.owed_ticks;
    parts.pm_timer.port = in.pm_timer;
    PortRequest& request = parts.port_request;
    request.phase = static_cast<PortRequest::Phase>(in.port.phase);
    if (!in.port.phase) return;
    request.write = in.port.write;
    request.size = in.port.size;
    request.port = in.port.port;
    request.count = in.port.count;
    __builtin_memcpy(request.data, in.port.data, request.bytes());
}

} // namespace btvm

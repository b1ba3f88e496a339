#include "userland/machine/engine_state.hh"

#include <memory>

#include "userland/devices/apic_state.hh"
#include "userland/devices/guest_time.hh"
#include "userland/devices/pic_state.hh"
#include "vmm/hypervisor/saved_state.hh"

namespace btvm {

void describe(StateArchive& a, Segment& s) {
    a.field("selector", s.selector);
    a.field("base", s.base, {.below = std::uint64_t{1} << 32});
    a.field("limit", s.limit);
    a.field("access", s.access.value);
}

void describe(StateArchive& a, TableRegister& t) {
    a.field("base", t.base, {.below = std::uint64_t{1} << 32});
    a.field("limit", t.limit);
}

/// A 32-bit processor: R8 to R15 are not part of it.
void describe(StateArchive& a, CpuState& cpu) {
    static constexpr const char* kGeneral[] = {"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"};
    static constexpr const char* kSegments[] = {"es", "cs", "ss", "ds", "fs", "gs"};
    constexpr std::uint64_t k4Gib = std::uint64_t{1} << 32;
    for (unsigned i = 0; i < std::size(kGeneral); i++)
        a.field(kGeneral[i], cpu.gpr[i], {.below = k4Gib});
    a.field("eip", cpu.rip, {.below = k4Gib});
    a.field("eflags", cpu.rflags, {.below = k4Gib});
    for (unsigned i = 0; i < kSegRegCount; i++)
        a.field(kSegments[i], cpu.seg[i]);
    a.field("ldtr", cpu.ldtr);
    a.field("tr", cpu.tr);
    a.field("gdtr", cpu.gdtr);
    a.field("idtr", cpu.idtr);
    a.field("cr0", cpu.cr0, {.below = k4Gib});
    a.field("cr2", cpu.cr2, {.below = k4Gib});
    a.field("cr3", cpu.cr3, {.below = k4Gib});
    a.field("cr4", cpu.cr4, {.below = k4Gib});
    a.field("dr", cpu.dr, {.below = k4Gib});
    a.field("pdpte", cpu.pae_pdpte);
    a.field("efer", cpu.efer);
    a.field("sysenter_cs", cpu.sysenter_cs);
    a.field("sysenter_esp", cpu.sysenter_esp);
    a.field("sysenter_eip", cpu.sysenter_eip);
    a.field("pat", cpu.pat);
    a.field("apic_base", cpu.apic_base);
    a.field("misc_enable", cpu.misc_enable);
    a.field("tsc", cpu.tsc_offset); // see parts_of()
    a.field("activity", cpu.activity, {.below = 3});
    a.field("interrupt_shadow", cpu.interrupt_shadow, {.below = 4});
    a.field("nmi_blocked", cpu.nmi_blocked, {.below = 2});
    a.field("nmi_pending", cpu.nmi_pending, {.below = 2});
    a.field("debug_pending", cpu.debug_pending, {.below = 16});
    a.field("a20_mask_off", cpu.a20_mask_off, {.below = 2});
    a.field("fxsave", cpu.fpu.bytes);
    a.field("features_basic", cpu.features.basic);
    a.field("features_extended", cpu.features.extended);
    a.field("mxcsr_mask", cpu.features.mxcsr_mask);
}

void describe(StateArchive& a, PortRequest& request) {
    a.field("phase", request.phase, {.below = 3});
    const bool there = request.phase != PortRequest::Phase::Idle;
    a.field("write", request.write, {.present = there, .below = 2});
    a.field("size", request.size, {.present = there, .below = 5});
    a.field("port", request.port, {.present = there});
    a.field("count", request.count, {.present = there, .below = PortRequest::kMostBytes + 1});
    std::vector<std::uint8_t> data;
    if (there && !a.loading()) data.assign(request.data, request.data + request.bytes());
    a.field("data", data, {.present = there, .max_count = PortRequest::kMostBytes});
    a.check(!there || data.size() == request.bytes(), "data: another number of bytes than was asked for");
    if (a.loading()) std::copy(data.begin(), data.end(), request.data);
}

namespace {

/// The core's objects, without a machine around them: what is declared, here and in pic_state, are these. The
/// time-stamp counter is the offset to a host's that stands at 0.
struct Parts {
    CpuState cpu{};
    Pic pic{};
    Apics apics{};
    Pit pit{};
    PmTimer pm_timer{};
    PortRequest port_request{};
    u32 owed_ticks{};
};

/// What is none of the chips'.
struct Rest {
    GuestTime& time;
    Parts& parts;
    void describe(StateArchive& a) {
        // Without APICs the section is as it was before there were any, so that older programs can read it.
        const bool apics = parts.cpu.features.apic();
        a.version(a.loading() || apics ? 2 : 1);
        a.field("guest_time", time);
        a.check(time >= GuestTime{} && plausible_time(time), "guest_time: beyond any guest's life");
        a.field("acpi_timer_port", parts.pm_timer.port);
        a.field("owed_ticks", parts.owed_ticks);
        a.field("port_access", parts.port_request);
        a.field("local_apic", parts.apics.local, {.since = 2, .present = apics});
        a.field("io_apic", parts.apics.io, {.since = 2, .present = apics});
        a.check(apics == (a.version() >= 2), "the processor's features and the APICs do not agree");
    }
};

} // namespace

std::vector<StateSection> save_engine(const EngineState& state) {
    const auto parts = std::make_unique<Parts>();
    put_state({parts->cpu, parts->pic, parts->apics, parts->pit, parts->pm_timer, parts->port_request,
               parts->owed_ticks},
              0, state.core);
    GuestTime time = state.time;
    Rest rest{time, *parts};
    return {save_state("cpu", parts->cpu), save_state("pic", parts->pic), save_state("pit", parts->pit),
            save_state("core", rest)};
}

EngineState load_engine(const std::vector<StateSection>& sections) {
    if (sections.size() != std::size(kEngineSections))
        throw StateError("the core's sections are not complete");
    const auto parts = std::make_unique<Parts>();
    EngineState state;
    Rest rest{state.time, *parts};
    load_state(parts->cpu, sections[0]);
    load_state(parts->pic, sections[1]);
    load_state(parts->pit, sections[2]);
    load_state(rest, sections[3]);
    get_state({parts->cpu, parts->pic, parts->apics, parts->pit, parts->pm_timer, parts->port_request,
               parts->owed_ticks},
              0, state.core);
    if (!possible(state.core, {.basic = ~0u, .extended = ~0u, .mxcsr_mask = ~0u, .reserved = 0}))
        throw StateError("cpu: no processor can be in this state");
    return state;
}

} // namespace btvm

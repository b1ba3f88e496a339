// The guest's processor as the guest believes it to be. One instance lies in the world's shared state and is
// read and written by the monitor, the module and the interpreter alike.
#pragma once

#include "vmm/cpu/debug_registers.hh"
#include "vmm/cpu/features.hh"
#include "vmm/cpu/registers.hh"
#include "vmm/cpu/segment.hh"

namespace btvm {

/// The legacy FXSAVE image (SDM Vol. 1 10.5.1).
struct alignas(16) FxsaveArea {
    u8 bytes[512]{};
};

/// What the processor is doing between instructions.
enum class Activity : u8 {
    Running,
    Halted,  ///< HLT: waits for an interrupt that is not masked, NMI or reset.
    Shutdown ///< Triple fault: waits for reset.
};

struct CpuState {
    u64 gpr[kGprCount]{};
    u64 rip{};
    u64 rflags{eflags::kFixed1};

    Segment seg[kSegRegCount]{};
    Segment ldtr{};
    Segment tr{};
    TableRegister gdtr{};
    TableRegister idtr{};

    u64 cr0{cr0::kReset};
    u64 cr2{};
    u64 cr3{};
    u64 cr4{};
    u64 dr[8]{};

    u64 efer{};
    u64 sysenter_cs{};
    u64 sysenter_esp{};
    u64 sysenter_eip{};
    u64 pat{0x0007040600070406};
    u64 apic_base{};
    u64 misc_enable{1};
    u64 pae_pdpte[4]{}; ///< Loaded at MOV to CR3 under PAE (SDM Vol. 3A 4.4.1).
    u64 tsc_offset{};   ///< Guest TSC = host TSC + this.

    Activity activity{Activity::Running};
    /// Until the next instruction is done (SDM Vol. 3A 6.8.3): 1 after STI, 3 after MOV SS or POP SS, which
    /// hold back debug exceptions too.
    u8 interrupt_shadow{};
    u8 nmi_blocked{}; ///< From NMI delivery to the next IRET.
    u8 nmi_pending{};
    u8 a20_mask_off{}; ///< 1: address line 20 is forced to 0.
    /// Data breakpoints (DR6.B0-B3) that hit in a MOV SS or POP SS: they trap after the next instruction.
    u8 debug_pending{};
    u8 reserved[2]{};

    FxsaveArea fpu{};

    CpuFeatures features{}; ///< Constant while the VM lives.

    /// Current privilege level as the guest sees it: SS.DPL, as the processor keeps it (0 in real mode, 3 in
    /// v86).
    [[nodiscard]] constexpr u8 cpl() const { return seg[Ss].access.dpl(); }
    [[nodiscard]] constexpr bool protected_mode() const { return cr0 & cr0::kPe; }
    [[nodiscard]] constexpr bool paging() const { return cr0 & cr0::kPg; }
    [[nodiscard]] constexpr bool v86() const { return protected_mode() && (rflags & eflags::kVm); }
    /// Real-address mode or v86: selectors are paragraph numbers.
    [[nodiscard]] constexpr bool real_addressing() const {
        return !protected_mode() || (rflags & eflags::kVm);
    }
    /// Whether a breakpoint of the guest's own is enabled, of whatever kind.
    [[nodiscard]] constexpr bool has_breakpoints() const { return dr[7] & dr7::kEnables; }
    /// The breakpoints that an instruction at this linear address meets: bits B0 to B3.
    [[nodiscard]] constexpr u32 breakpoints_at(u32 linear) const {
        u32 met = dr7::enabled_of(dr[7], 1u << dr7::kExecute);
        for (unsigned n = 0; n < dr7::kBreakpoints; n++)
            if (static_cast<u32>(dr[n]) != linear) met &= ~(1u << n);
        return met;
    }
    [[nodiscard]] constexpr bool code32() const { return seg[Cs].access.default_big(); }
    [[nodiscard]] constexpr bool stack32() const { return seg[Ss].access.default_big(); }
};

/// The processor after RESET or INIT (SDM Vol. 3A table 9-1): real mode at F000:FFF0 with CS.base =
/// FFFF0000h. Keeps nothing but the features, the TSC offset and the A20 line.
void reset(CpuState& cpu);

} // namespace btvm

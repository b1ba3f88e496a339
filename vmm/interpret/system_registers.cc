// Control, debug and model-specific registers, CPUID, RDTSC, SYSENTER and SYSEXIT.
#include "vmm/interpret/execution.hh"

namespace btvm {

namespace {

constexpr u64 kCr0Defined = cr0::kPe | cr0::kMp | cr0::kEm | cr0::kTs | cr0::kEt | cr0::kNe | cr0::kWp |
                            cr0::kAm | cr0::kNw | cr0::kCd | cr0::kPg;
/// What CPUID offers; any other bit is #GP.
constexpr u64 cr4_defined(const CpuFeatures& features) {
    return cr4::kTsd | cr4::kDe | cr4::kPse | cr4::kPae | cr4::kPge | cr4::kPce |
           (features.fxsr() ? cr4::kOsfxsr : 0) | (features.sse() ? cr4::kOsxmmexcpt : 0);
}
/// A change of these makes PAE paging read its PDPTEs anew (SDM Vol. 3A 4.4.1).
constexpr u64 kCr0Reload = cr0::kPg | cr0::kCd | cr0::kNw;
constexpr u64 kCr4Reload = cr4::kPae | cr4::kPge | cr4::kPse;

constexpr u64 kDr6Fixed = 0xffff0ff0;
constexpr u64 kDr6Writable = 0xe00f;
constexpr u64 kDr7Writable = 0xffff23ff;
constexpr u64 kDebugAccess = 1u << 13; // DR6.BD

enum Msr : u32 {
    kMsrTsc = 0x10,
    kMsrPlatformId = 0x17,
    kMsrApicBase = 0x1b,
    kMsrEblCrPoweron = 0x2a,
    kMsrBiosUpdateTrigger = 0x79,
    kMsrBiosSignature = 0x8b,
    kMsrArchCapabilities = 0x10a,
    kMsrSysenterCs = 0x174,
    kMsrSysenterEsp = 0x175,
    kMsrSysenterEip = 0x176,
    kMsrMiscEnable = 0x1a0,
    kMsrDebugControl = 0x1d9,
    kMsrPat = 0x277,
    kMsrEfer = 0xc0000080,
};

/// IA32_ARCH_CAPABILITIES: RDCL_NO. User code cannot read what its kernel has mapped for itself ("Meltdown"),
/// for the tables that the processor walks meanwhile (ShadowSide::User) do not have it. Kernels that know
/// this need no second set of tables for their users.
constexpr u64 kArchCapabilities = 1;

constexpr u16 kFlatCode = 0xc09b;
constexpr u16 kFlatData = 0xc093;
constexpr u16 kDpl3 = 0x60;

/// Each byte of IA32_PAT must name a memory type: 0, 1, 4, 5, 6 or 7.
bool valid_pat(u64 v) {
    for (unsigned i = 0; i < 8; i++, v >>= 8)
        if ((v & 0xff) > 7 || (v & 0xfe) == 2) return false;
    return true;
}

} // namespace

/// MOV to and from CR0, CR2, CR3, CR4. ModRM.mod is ignored.
bool Execution::move_control() {
    const unsigned n = in_.reg();
    const unsigned r = in_.rm();
    if (n == 1 || n > 4) return undefined();
    if (!privileged()) return false;
    if (in_.opcode == 0x20) {
        const u64 value = n == 0 ? cpu_.cr0 : n == 2 ? cpu_.cr2 : n == 3 ? cpu_.cr3 : cpu_.cr4;
        set_reg(r, 4, static_cast<u32>(value));
        return true;
    }
    const u32 value = reg(r, 4);
    switch (n) {
    case 0: return write_cr0(value);
    case 2: cpu_.cr2 = value; return true;
    case 3: return write_cr3(value);
    default: return write_cr4(value);
    }
}

/// The hidden parts of the segment registers stay as they are when PE changes: they change with the next
/// load.
bool Execution::write_cr0(u32 v) {
    const u64 value = (v & kCr0Defined) | cr0::kEt;
    if ((value & cr0::kPg) && !(value & cr0::kPe)) return general_protection();
    if ((value & cr0::kNw) && !(value & cr0::kCd)) return general_protection();
    if ((value & cr0::kPg) && (cpu_.cr4 & cr4::kPae) && ((value ^ cpu_.cr0) & kCr0Reload) &&
        !read_pdptes(cpu_, memory_, cpu_.cr3, cpu_.pae_pdpte))
        return general_protection();
    if ((value ^ cpu_.cr0) & (cr0::kPg | cr0::kWp | cr0::kPe)) invalidate_translations();
    cpu_.cr0 = value;
    return true;
}

bool Execution::write_cr3(u32 v) {
    if (cpu_.paging() && (cpu_.cr4 & cr4::kPae) && !read_pdptes(cpu_, memory_, v, cpu_.pae_pdpte))
        return general_protection();
    cpu_.cr3 = v;
    invalidate_translations();
    return true;
}

bool Execution::write_cr4(u32 v) {
    if (v & ~cr4_defined(cpu_.features)) return general_protection();
    if (cpu_.paging() && (v & cr4::kPae) && ((v ^ cpu_.cr4) & kCr4Reload) &&
        !read_pdptes(cpu_, memory_, cpu_.cr3, cpu_.pae_pdpte))
        return general_protection();
    cpu_.cr4 = v;
    invalidate_translations();
    return true;
}

/// MOV to and from the debug registers (SDM Vol. 3B 17.2).
bool Execution::move_debug() {
    unsigned n = in_.reg();
    if (n == 4 || n == 5) {
        if (cpu_.cr4 & cr4::kDe) return undefined();
        n += 2;
    }
    if (!privileged()) return false;
    if (cpu_.dr[7] & dr7::kGeneralDetect) {
        cpu_.dr[6] |= kDebugAccess;
        return fault(Vector::Debug);
    }
    if (in_.opcode == 0x21) {
        set_reg(in_.rm(), 4, static_cast<u32>(cpu_.dr[n]));
        return true;
    }
    const u64 value = reg(in_.rm(), 4);
    if (n == 6)
        cpu_.dr[6] = (value & kDr6Writable) | kDr6Fixed;
    else if (n == 7)
        cpu_.dr[7] = (value & kDr7Writable) | dr7::kFixed;
    else
        cpu_.dr[n] = value;
    return true;
}

bool Execution::read_msr() {
    if (!privileged()) return false;
    u64 value = 0;
    switch (reg(Rcx, 4)) {
    case kMsrTsc: value = owner_.tsc; break;
    case kMsrApicBase: value = cpu_.apic_base; break;
    case kMsrSysenterCs: value = cpu_.sysenter_cs; break;
    case kMsrSysenterEsp: value = cpu_.sysenter_esp; break;
    case kMsrSysenterEip: value = cpu_.sysenter_eip; break;
    case kMsrMiscEnable: value = cpu_.misc_enable; break;
    case kMsrPat: value = cpu_.pat; break;
    case kMsrEfer:
        if (!cpu_.features.nx()) return general_protection();
        value = cpu_.efer;
        break;
    case kMsrArchCapabilities: value = kArchCapabilities; break;
    case kMsrPlatformId:
    case kMsrEblCrPoweron:
    case kMsrBiosSignature:
    case kMsrDebugControl: break;
    default: return general_protection();
    }
    set_reg(Rax, 4, static_cast<u32>(value));
    set_reg(Rdx, 4, static_cast<u32>(value >> 32));
    return true;
}

bool Execution::write_msr() {
    if (!privileged()) return false;
    const u64 value = u64{reg(Rdx, 4)} << 32 | reg(Rax, 4);
    switch (reg(Rcx, 4)) {
    case kMsrTsc:
        cpu_.tsc_offset += value - owner_.tsc;
        owner_.tsc = value;
        return true;
    case kMsrApicBase:
        return (owner_.controllers && owner_.controllers->write_base(value)) || general_protection();
    case kMsrSysenterCs: cpu_.sysenter_cs = value & 0xffff; return true;
    case kMsrSysenterEsp: cpu_.sysenter_esp = value & 0xffffffff; return true;
    case kMsrSysenterEip: cpu_.sysenter_eip = value & 0xffffffff; return true;
    case kMsrMiscEnable: cpu_.misc_enable = value; return true;
    case kMsrPat:
        if (!valid_pat(value)) return general_protection();
        cpu_.pat = value;
        invalidate_translations();
        return true;
    case kMsrEblCrPoweron:
    case kMsrBiosUpdateTrigger:
    case kMsrBiosSignature: return true;
    case kMsrDebugControl: return value ? general_protection() : true;
    case kMsrEfer:
        // Of its features CPUID offers execute-disable at most.
        if (!cpu_.features.nx() || (value & ~efer::kNxe)) return general_protection();
        if (value != cpu_.efer) invalidate_translations();
        cpu_.efer = value;
        return true;
    default: return general_protection();
    }
}

bool Execution::read_tsc() {
    if ((cpu_.cr4 & cr4::kTsd) && cpu_.protected_mode() && cpu_.cpl() != 0) return general_protection();
    set_reg(Rax, 4, static_cast<u32>(owner_.tsc));
    set_reg(Rdx, 4, static_cast<u32>(owner_.tsc >> 32));
    return true;
}

void Execution::do_cpuid() {
    CpuFeatures features = cpu_.features;
    // A local APIC that is turned off is not there (SDM Vol. 3A 10.4.3).
    if (!(cpu_.apic_base & apic_base::kEnable)) features.basic &= ~cpuid_feature::kApic;
    const CpuidResult r = cpuid(features, reg(Rax, 4), reg(Rcx, 4));
    set_reg(Rax, 4, r.eax);
    set_reg(Rbx, 4, r.ebx);
    set_reg(Rcx, 4, r.ecx);
    set_reg(Rdx, 4, r.edx);
}

bool Execution::system_enter() {
    if (!cpu_.protected_mode() || !(cpu_.sysenter_cs & 0xfffc)) return general_protection();
    cpu_.rflags &= ~(eflags::kVm | eflags::kIf | eflags::kRf);
    const u16 cs = cpu_.sysenter_cs & 0xfffc;
    cpu_.seg[Cs] = {0, 0xffffffff, cs, AccessRights{kFlatCode}};
    cpu_.seg[Ss] = {0, 0xffffffff, static_cast<u16>(cs + 8), AccessRights{kFlatData}};
    cpu_.gpr[Rsp] = cpu_.sysenter_esp;
    next_ip_ = static_cast<u32>(cpu_.sysenter_eip);
    return true;
}

bool Execution::system_exit() {
    if (!cpu_.protected_mode() || !(cpu_.sysenter_cs & 0xfffc) || cpu_.cpl() != 0)
        return general_protection();
    const u16 cs = cpu_.sysenter_cs & 0xfffc;
    cpu_.seg[Cs] = {0, 0xffffffff, static_cast<u16>((cs + 16) | 3), AccessRights{kFlatCode | kDpl3}};
    cpu_.seg[Ss] = {0, 0xffffffff, static_cast<u16>((cs + 24) | 3), AccessRights{kFlatData | kDpl3}};
    cpu_.gpr[Rsp] = reg(Rcx, 4);
    next_ip_ = reg(Rdx, 4);
    return true;
}

} // namespace btvm

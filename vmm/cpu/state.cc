#include "vmm/cpu/state.hh"

#include "vmm/cpu/cpuid.hh"

namespace btvm {

void reset(CpuState& cpu) {
    const u64 tsc_offset = cpu.tsc_offset;
    const u8 a20_mask_off = cpu.a20_mask_off;
    const CpuFeatures features = cpu.features;
    cpu = CpuState{};
    cpu.features = features;
    cpu.tsc_offset = tsc_offset;
    cpu.a20_mask_off = a20_mask_off;

    constexpr AccessRights kDataRights{0x93};
    constexpr AccessRights kCodeRights{0x9b};
    for (Segment& s : cpu.seg)
        s = {0, 0xffff, 0, kDataRights};
    cpu.seg[Cs] = {0xffff0000, 0xffff, 0xf000, kCodeRights};
    cpu.ldtr = {0, 0xffff, 0, AccessRights{0x82}};
    cpu.tr = {0, 0xffff, 0, AccessRights{0x8b}};
    cpu.gdtr.limit = 0xffff;
    cpu.idtr.limit = 0x3ff;
    cpu.rip = 0xfff0;
    cpu.gpr[Rdx] = kCpuSignature;
    cpu.dr[6] = 0xffff0ff0;
    cpu.dr[7] = 0x400;
    if (features.apic()) cpu.apic_base = apic_base::kReset;
    // FCW = 0040h after RESET (SDM Vol. 3A table 9-1), MXCSR = 1F80h.
    cpu.fpu.bytes[0] = 0x40;
    cpu.fpu.bytes[24] = 0x80;
    cpu.fpu.bytes[25] = 0x1f;
}

} // namespace btvm

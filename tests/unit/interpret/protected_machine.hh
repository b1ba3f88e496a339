// A machine in 32-bit protected mode with real tables in RAM: GDT, IDT, one TSS, stacks for all levels.
#pragma once

#include "tests/unit/interpret/guest_code.hh"
#include "tests/unit/interpret/machine.hh"

namespace btvm::test {

class ProtectedMachine : public Machine {
public:
    static constexpr u32 kGdt = 0x1000, kIdt = 0x2000, kTss = 0x3000, kTss2 = 0x3100, kLdt = 0x3800;
    static constexpr u32 kCode = 0x10000, kHandlers = 0x20000;
    static constexpr u32 kStack0 = 0x30000, kStack3 = 0x40000, kData = 0x50000;
    // Selectors.
    static constexpr u16 kCode0 = 0x08, kData0 = 0x10, kCode3 = 0x1b, kData3 = 0x23, kTssSelector = 0x28,
                         kTss2Selector = 0x30, kConforming = 0x38, kCode16 = 0x40, kData16 = 0x48,
                         kExpandDown = 0x50, kCallGate = 0x58, kTaskGate = 0x60, kLdtSelector = 0x68,
                         kAbsent = 0x70, kReadOnly = 0x78, kFree = 0x80;

    ProtectedMachine() {
        reset(cpu);
        cpu.cr0 |= cr0::kPe;
        set_descriptor(kCode0, 0, 0xfffff, 0xc09b);
        set_descriptor(kData0, 0, 0xfffff, 0xc093);
        set_descriptor(kCode3, 0, 0xfffff, 0xc0fb);
        set_descriptor(kData3, 0, 0xfffff, 0xc0f3);
        set_descriptor(kTssSelector, kTss, 0x67, 0x8b);
        set_descriptor(kTss2Selector, kTss2, 0x67, 0x89);
        set_descriptor(kConforming, 0, 0xfffff, 0xc09f);
        set_descriptor(kCode16, 0, 0xffff, 0x9b);
        set_descriptor(kData16, 0, 0xffff, 0x93);
        set_descriptor(kExpandDown, 0, 0xff, 0xc0f7); // valid from 100000h up
        set_descriptor(kAbsent, 0, 0xfffff, 0xc013);
        set_descriptor(kReadOnly, 0, 0xfffff, 0xc091);
        set_descriptor(kLdtSelector, kLdt, 0x17, 0x82);
        cpu.gdtr = {kGdt, 0x1ff, {}};
        cpu.idtr = {kIdt, 0x7ff, {}};
        for (u32 v = 0; v < 256; v++)
            set_gate(v, kCode0, kHandlers + 16 * v, 0xee);
        cpu.tr = {kTss, 0x67, kTssSelector, AccessRights{0x8b}};
        cpu.ldtr = {};
        store<u32>(kTss + 4, kStack0);
        store<u32>(kTss + 8, kData0);
        store<u16>(kTss + 0x66, 0x68); // no I/O bitmap
        for (u32 v = 0; v < 256; v++)
            ram[kHandlers + 16 * v] = 0xf4; // hlt
        go(0);
    }

    void set_descriptor(u16 selector, u32 base, u32 limit, u16 access) {
        u64 d = (limit & 0xffff) | u64{limit & 0xf0000} << 32 | u64{access & 0xf0ffu} << 40;
        d |= u64{base & 0xffffff} << 16 | u64{base >> 24} << 56;
        store(kGdt + (selector & 0xfff8u), d);
    }
    void set_raw(u16 selector, u64 raw) { store(kGdt + (selector & 0xfff8u), raw); }
    static constexpr u64 gate(u16 selector, u32 offset, u8 access, u8 parameters = 0) {
        return (offset & 0xffff) | u64{selector} << 16 | u64{parameters} << 32 | u64{access} << 40 |
               u64{offset >> 16} << 48;
    }
    void set_gate(u32 vector, u16 selector, u32 offset, u8 access) {
        store(kIdt + 8 * vector, gate(selector, offset, access));
    }

    /// Sets level 0 or 3 with flat segments and its stack.
    void go(unsigned cpl) {
        const Descriptor code{load<u64>(kGdt + (cpl ? kCode3 & 0xfff8u : kCode0))};
        const Descriptor data{load<u64>(kGdt + (cpl ? kData3 & 0xfff8u : kData0))};
        cpu.seg[Cs] = code.segment(cpl ? kCode3 : kCode0);
        for (SegReg s : {Es, Ss, Ds, Fs, Gs})
            cpu.seg[s] = data.segment(cpl ? kData3 : kData0);
        cpu.gpr[Rsp] = cpl ? kStack3 : kStack0;
        cpu.rip = kCode;
        cpu.rflags = eflags::kFixed1;
        cpu.activity = Activity::Running;
        translations.flush(); // tests change control registers too
    }

    void place(std::span<const u8> bytes, u32 at = kCode) {
        std::memcpy(ram.data() + at, bytes.data(), bytes.size());
    }

    /// The dword `index` above the stack pointer.
    [[nodiscard]] u32 stack(u32 index) const {
        return load<u32>(static_cast<u32>(cpu.seg[Ss].base + cpu.gpr[Rsp]) + 4 * index);
    }
    /// The vector whose handler the processor stands at, or -1.
    [[nodiscard]] int vector() const {
        const u64 at = cpu.rip - kHandlers;
        return at < 0x1000 && at % 16 == 0 ? static_cast<int>(at / 16) : -1;
    }
};

} // namespace btvm::test

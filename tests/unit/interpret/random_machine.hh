// A machine with random bytes as code over random descriptor tables and page tables, in every mode.
#pragma once

#include <random>

#include "tests/unit/interpret/protected_machine.hh"

namespace btvm::test {

/// Two with the same seed go through the same states.
class RandomMachine : public ProtectedMachine {
public:
    explicit RandomMachine(u32 seed) : rng_(seed) {
        for (u32 at = 0x4000; at < 0x80000; at++)
            if (at < kHandlers || at >= kHandlers + 0x1000) ram[at] = static_cast<u8>(rng_());
    }

    void new_state() {
        for (u32 i = 0; i < 256; i++)
            ram[rng_() % 0x80000] = static_cast<u8>(rng_());
        // Mostly sensible tables, some of them damaged.
        for (u32 s = 8; s < 0x100; s += 8) {
            constexpr u8 kTypes[] = {0x9b, 0x93, 0xfb, 0xf3, 0x9f, 0x97, 0x89,
                                     0x81, 0xe4, 0xec, 0xe5, 0x82, 0x13, 0x8b};
            const u16 access = kTypes[rng_() % sizeof kTypes] | (rng_() & 1 ? 0xc000 : 0x4000 * (rng_() & 1));
            set_descriptor(static_cast<u16>(s), rng_() & 0x7fff0, rng_() & 0xfffff, access);
            if (!(rng_() & 3))
                set_raw(static_cast<u16>(s),
                        gate(static_cast<u16>(rng_() & 0xff), kCode, kTypes[8 + rng_() % 3], rng_() & 31));
        }
        set_descriptor(kCode0, 0, 0xfffff, 0xc09b);
        set_descriptor(kData0, 0, 0xfffff, 0xc093);
        set_descriptor(kCode3, 0, 0xfffff, 0xc0fb);
        set_descriptor(kData3, 0, 0xfffff, 0xc0f3);
        for (u32 v = 0; v < 256; v++) {
            constexpr u8 kGates[] = {0xee, 0x8e, 0x8f, 0x86, 0x85};
            set_gate(v, rng_() & 7 ? kCode0 : static_cast<u16>(rng_() & 0xff), kHandlers + 16 * v,
                     kGates[rng_() % 5]);
        }
        interpreter.rep_slice = 1 + rng_() % 300;
        cpu.cr0 = cr0::kReset | cr0::kPe | (rng_() & (cr0::kNe | cr0::kWp | cr0::kAm));
        cpu.cr4 = rng_() & (cr4::kPse | cr4::kDe | cr4::kPge);
        cpu.dr[7] = 0x400 | (rng_() & 7 ? 0 : rng_() & 0xffff00ff);
        cpu.tr = {kTss, 0x67, kTssSelector, AccessRights{0x8b}};
        go(rng_() & 1 ? 3 : 0);
        cpu.rip = rng_() % 0x80000;
        for (unsigned r = 0; r < 8; r++)
            cpu.gpr[r] = rng_() & (rng_() & 1 ? 0x7ffff : 0xffffffff);
        cpu.rflags = eflags::kFixed1 | (rng_() & (eflags::kArithmetic | eflags::kTf | eflags::kIf |
                                                  eflags::kDf | eflags::kNt | eflags::kIopl | eflags::kAc));
        switch (rng_() % 4) {
        case 0: // real mode
            cpu.cr0 &= ~(cr0::kPe);
            for (Segment& s : cpu.seg) {
                s = {(rng_() & 0x7ff) << 4, 0xffff, 0, AccessRights{0x93}};
                s.selector = static_cast<u16>(s.base >> 4);
            }
            cpu.rip &= 0xffff;
            break;
        case 1: // v86
            cpu.rflags |= eflags::kVm;
            for (Segment& s : cpu.seg) {
                s = {(rng_() & 0x7ff) << 4, 0xffff, 0, AccessRights{0xf3}};
                s.selector = static_cast<u16>(s.base >> 4);
            }
            cpu.rip &= 0xffff;
            break;
        case 2: // paged, with holes
            for (u32 page = 0; page < 1024; page++)
                store<u32>(0x101000 + 4 * page, page << 12 | (rng_() & 15 ? 7 : rng_() & 7));
            store<u32>(0x100000, 0x101000 | 7);
            cpu.cr3 = 0x100000;
            cpu.cr0 |= cr0::kPg;
            break;
        default: break;
        }
    }

protected:
    std::mt19937 rng_;
};

} // namespace btvm::test

// The x87 part of the FXSAVE image as fields (SDM Vol. 1 table 10-2).
#pragma once

#include "vmm/cpu/state.hh"

namespace btvm {

class X87Image {
public:
    explicit X87Image(FxsaveArea& area) : b_(area.bytes) {}

    [[nodiscard]] u16 control() const { return get<u16>(0); }
    [[nodiscard]] u16 status() const { return get<u16>(2); }
    /// One bit a physical register: 1, not empty.
    [[nodiscard]] u8 tags() const { return b_[4]; }
    [[nodiscard]] u16 opcode() const { return get<u16>(6); }
    [[nodiscard]] u32 ip() const { return get<u32>(8); }
    [[nodiscard]] u16 cs() const { return get<u16>(12); }
    [[nodiscard]] u32 dp() const { return get<u32>(16); }
    [[nodiscard]] u16 ds() const { return get<u16>(20); }
    [[nodiscard]] unsigned top() const { return status() >> 11 & 7; }

    void set_control(u16 v) { set(0, static_cast<u16>(v | 0x40)); } // bit 6 reads as 1
    void set_status(u16 v) { set(2, v); }
    void set_tags(u8 v) { b_[4] = v; }
    void set_opcode(u16 v) { set(6, static_cast<u16>(v & 0x7ff)); }
    void set_code_pointer(u32 ip, u16 cs) {
        set(8, ip);
        set(12, cs);
    }
    void set_data_pointer(u32 dp, u16 ds) {
        set(16, dp);
        set(20, ds);
    }

    /// ST(i): 10 bytes.
    [[nodiscard]] u8* st(unsigned i) { return b_ + 32 + 16 * i; }

    /// Unmasked exceptions that wait for the next waiting instruction.
    [[nodiscard]] bool pending() const { return status() & ~control() & 0x3f; }
    /// Sets ES and B as the exception flags and masks have it.
    void update_summary() {
        constexpr u16 kSummary = 0x8080;
        set_status(static_cast<u16>(pending() ? status() | kSummary : status() & ~kSummary));
    }

    /// FNINIT.
    void initialise() {
        set_control(0x37f);
        set_top(0);
        set_status(0);
        set_tags(0);
        set_opcode(0);
        set_code_pointer(0, 0);
        set_data_pointer(0, 0);
    }

    /// The tag word as FSTENV stores it: two bits a physical register, 0 valid, 1 zero, 2 special, 3 empty.
    [[nodiscard]] u16 full_tags() {
        u16 all = 0;
        for (unsigned physical = 0; physical < 8; physical++) {
            unsigned tag = 3;
            if (tags() >> physical & 1) {
                const u8* v = st((physical - top()) & 7);
                u64 mantissa;
                u16 exponent;
                __builtin_memcpy(&mantissa, v, 8);
                __builtin_memcpy(&exponent, v + 8, 2);
                exponent &= 0x7fff;
                if (!exponent && !mantissa)
                    tag = 1;
                else
                    tag = exponent == 0 || exponent == 0x7fff || !(mantissa >> 63) ? 2 : 0;
            }
            all = static_cast<u16>(all | tag << (2 * physical));
        }
        return all;
    }
    void set_full_tags(u16 all) {
        u8 v = 0;
        for (unsigned physical = 0; physical < 8; physical++)
            if ((all >> (2 * physical) & 3) != 3) v = static_cast<u8>(v | 1u << physical);
        set_tags(v);
    }

    /// Another TOP over the same physical registers. The image holds registers by their distance from TOP, so
    /// they move; set_status() alone moves the names.
    void set_top(unsigned wanted) {
        const unsigned shift = top() - wanted;
        if (shift & 7) {
            u8 old[128];
            __builtin_memcpy(old, st(0), sizeof old);
            for (unsigned i = 0; i < 8; i++)
                __builtin_memcpy(st((i + shift) & 7), old + 16 * i, 16);
        }
        set_status(static_cast<u16>((status() & ~0x3800) | (wanted & 7) << 11));
    }

    /// What every MMX instruction does to the x87 state (SDM Vol. 1 9.5): TOP becomes 0 and all registers
    /// valid.
    void enter_mmx() {
        set_top(0);
        set_tags(0xff);
    }
    /// MM(n), once TOP is 0. Writing one sets the exponent and sign above it to ones.
    [[nodiscard]] u64 mm(unsigned n) {
        u64 v;
        __builtin_memcpy(&v, st(n), 8);
        return v;
    }
    void set_mm(unsigned n, u64 v) {
        __builtin_memcpy(st(n), &v, 8);
        st(n)[8] = st(n)[9] = 0xff;
    }

private:
    template <class T>
    [[nodiscard]] T get(unsigned at) const {
        T v;
        __builtin_memcpy(&v, b_ + at, sizeof v);
        return v;
    }
    template <class T>
    void set(unsigned at, T v) {
        __builtin_memcpy(b_ + at, &v, sizeof v);
    }

    u8* b_;
};

} // namespace btvm

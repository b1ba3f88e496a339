// x87 instruction by instruction against Unicorn: generated register stacks, operands and control words;
// compared are the registers, tags, TOP, condition codes, memory and EFLAGS. Exceptions are masked.
//
// What Unicorn 2.0.1 does not have and is not compared (tests of their own are in x87_test.cc): exception
// flags other than what stands before the instruction, C1, stack faults, and the instruction and data
// pointers.
#include <array>
#include <cmath>
#include <gtest/gtest.h>
#include <random>
#include <string>
#include <unicorn/unicorn.h>

#include "tests/unit/interpret/machine.hh"
#include "vmm/interpret/x87_image.hh"

namespace btvm::test {
namespace {

constexpr u32 kRam = 1u << 20;
constexpr u32 kCode = 0x8000;
constexpr u32 kBefore = 0x10000;
constexpr u32 kAfter = 0x10400;
constexpr u32 kOperand = 0x10800;
constexpr u32 kOperandSize = 128; ///< FNSAVE's image and some more

constexpr u16 kC0 = 0x0100, kC2 = 0x0400, kC3 = 0x4000;
constexpr u16 kTop = 0x3800;

using Rng = std::mt19937;

/// An x87 instruction: the opcode byte and its ModRM byte; memory forms have the operand at kOperand.
struct X87Code {
    u8 opcode;
    u8 modrm;

    [[nodiscard]] bool memory() const { return modrm < 0xc0; }
    [[nodiscard]] unsigned reg() const { return modrm >> 3 & 7; }
    [[nodiscard]] u16 word() const { return static_cast<u16>(opcode << 8 | modrm); }
    /// D9 E0 to D9 FF: one instruction each.
    [[nodiscard]] bool is(u8 wanted) const { return opcode == 0xd9 && modrm == wanted; }
};

/// Puts a value on the stack: ST(7) must be empty.
bool pushes(X87Code c) {
    if (c.memory()) {
        switch (c.opcode) {
        case 0xd9:
        case 0xdd: return c.reg() == 0;
        case 0xdb: return c.reg() == 0 || c.reg() == 5;
        case 0xdf: return c.reg() == 0 || c.reg() == 4 || c.reg() == 5;
        default: return false;
        }
    }
    if (c.opcode != 0xd9) return false;
    return c.modrm < 0xc8 || (c.modrm >= 0xe8 && c.modrm <= 0xee) || c.is(0xf2) || c.is(0xf4) || c.is(0xfb);
}

/// Transcendental: computed by other methods, on Unicorn's side in double precision.
bool approximate(X87Code c) {
    return c.is(0xf0) || c.is(0xf1) || c.is(0xf2) || c.is(0xf3) || c.is(0xf9) || c.is(0xfb) || c.is(0xfe) ||
           c.is(0xff);
}

/// The condition codes that the instruction defines (SDM Vol. 1 table 8-1), C1 aside.
u16 defined_conditions(X87Code c) {
    constexpr u16 kAll = kC0 | kC2 | kC3;
    if (c.memory())
        return (c.opcode == 0xd8 || c.opcode == 0xda || c.opcode == 0xdc || c.opcode == 0xde) &&
                       (c.reg() == 2 || c.reg() == 3)
                   ? kAll
                   : 0;
    if (c.is(0xe4) || c.is(0xe5)) return kAll;                            // FTST, FXAM
    if (c.is(0xf5) || c.is(0xf8)) return kAll;                            // FPREM1, FPREM
    if (c.is(0xf2) || c.is(0xfb) || c.is(0xfe) || c.is(0xff)) return kC2; // the operand is out of range
    if ((c.opcode == 0xd8 || c.opcode == 0xdc) && (c.modrm & 0xf0) == 0xd0) return kAll; // FCOM, FCOMP
    if (c.opcode == 0xdd && c.modrm >= 0xe0 && c.modrm < 0xf0) return kAll;              // FUCOM, FUCOMP
    if (c.opcode == 0xde && (c.modrm & 0xf8) == 0xd0) return kAll;                       // an alias of FCOMP
    return c.word() == 0xdae9 || c.word() == 0xded9 ? kAll : 0;                          // FUCOMPP, FCOMPP
}

/// Whether a value is of a kind: in ten bytes, as the processor holds it.
bool is_special(const u8* at) { return (at[9] & 0x7f) == 0x7f && at[8] == 0xff; }
bool is_nan(const u8* at) {
    u64 mantissa;
    std::memcpy(&mantissa, at, 8);
    return is_special(at) && mantissa << 1;
}
/// 16383 is the exponent of 1.
int exponent_of(const u8* at) { return (at[9] & 0x7f) << 8 | at[8]; }
/// Neither 0 nor anything a double does not hold.
bool beyond_double(const u8* at) { return exponent_of(at) < 16383 - 1000 || exponent_of(at) > 16383 + 1000; }

/// States in which Unicorn is known to be wrong, by instruction.
bool unicorn_is_wrong(X87Code c, FxsaveArea& area) {
    X87Image before(area);
    const bool nearest = !(before.control() & 0x0c00);
    const bool extended = (before.control() & 0x0300) == 0x0300;
    const u8* st0 = before.st(0);
    const u8* st1 = before.st(1);
    const bool negative = st0[9] & 0x80;
    // The constants other than 1 and 0 are rounded as RC says (SDM Vol. 2A, FLD1); Unicorn has them for
    // nearest.
    if (c.opcode == 0xd9 && c.modrm >= 0xe9 && c.modrm <= 0xed) return !nearest;
    // F2XM1 is undefined outside -1 to 1; Unicorn's pow() in double precision loses what is much smaller.
    if (c.is(0xf0)) return exponent_of(st0) >= 16383 || exponent_of(st0) < 16383 - 4;
    // FYL2X of a negative number is an invalid operation and pops; Unicorn sets C2 and does not. Its
    // logarithm is a double's, so a result near 0 has few true digits.
    if (c.is(0xf1))
        return negative || beyond_double(st0) || beyond_double(st1) || exponent_of(st0) <= 16383 + 1;
    // FYL2XP1 is undefined outside the roots of 1/2; the same loss near 0.
    if (c.is(0xf9))
        return negative || exponent_of(st0) >= 16383 - 2 || exponent_of(st0) < 16383 - 4 ||
               beyond_double(st1);
    // The other transcendental instructions go through a double: not its range, and not pi's 66 bits.
    if (c.is(0xf2) || c.is(0xfb) || c.is(0xfe) || c.is(0xff)) // FPTAN, FSINCOS, FSIN, FCOS
        return is_special(st0) || exponent_of(st0) >= 16383 || exponent_of(st0) < 16383 - 60;
    if (c.is(0xf3)) { // FPATAN
        const int distance = exponent_of(st0) - exponent_of(st1);
        return is_special(st0) || is_special(st1) || distance > 30 || distance < -30 || !extended;
    }
    // FXTRACT of an infinity is two infinities (SDM Vol. 2A, FXTRACT).
    if (c.is(0xf4)) return is_special(st0);
    // FPREM1 rounds the quotient to the nearest; Unicorn takes 0 if the dividend has the smaller exponent.
    if (c.is(0xf5) && exponent_of(st0) < exponent_of(st1)) return true;
    // FPREM1 and FPREM are computed in double precision, and a remainder of 0 has lost the dividend's sign.
    if (c.is(0xf5) || c.is(0xf8))
        return negative || beyond_double(st0) || beyond_double(st1) ||
               exponent_of(st0) - exponent_of(st1) > 20 || (st0[0] | st0[1] | st1[0] | st1[1]);
    // FSCALE does not round to the precision in PC, which is for arithmetic only (SDM Vol. 1 8.1.5.2), and
    // has answers of its own for infinities (SDM Vol. 2A, FSCALE).
    if (c.is(0xfd)) return !extended || is_special(st0) || is_special(st1);
    // FBSTP of a negative number that becomes 0 has a sign; what is too large is stored as the indefinite.
    if (c.memory() && c.opcode == 0xdf && c.reg() == 6)
        return (negative && exponent_of(st0) <= 16383) || exponent_of(st0) >= 16383 + 59;
    return false;
}

/// Not compared at all, and why.
bool excluded(X87Code c) {
    if (c.memory()) {
        // Environments hold the pointers, and those are not compared; FXSAVE, at each end here, holds the
        // rest.
        if (c.opcode == 0xd9) return c.reg() == 1 || c.reg() == 4 || c.reg() == 6;
        if (c.opcode == 0xdd) return c.reg() == 4 || c.reg() == 5 || c.reg() == 6;
        if (c.opcode == 0xdb) return c.reg() == 4 || c.reg() == 6;
        return false;
    }
    return c.word() == 0xd9c7; // FLD ST(7): a value and a free place for it at once is not possible
}

struct Oracle {
    uc_engine* uc{};
    std::vector<u8> ram = std::vector<u8>(kRam);
    Oracle() {
        if (uc_open(UC_ARCH_X86, UC_MODE_32, &uc) != UC_ERR_OK) abort();
        if (uc_mem_map_ptr(uc, 0, kRam, UC_PROT_ALL, ram.data()) != UC_ERR_OK) abort();
    }
    ~Oracle() { uc_close(uc); }
    Oracle(const Oracle&) = delete;
    Oracle& operator=(const Oracle&) = delete;
};

long double to_long_double(const u8* bytes) {
    long double v = 0;
    std::memcpy(&v, bytes, 10);
    return v;
}

class X87Differential {
public:
    explicit X87Differential(u32 seed) : rng_(seed), machine_(kRam) {}

    /// Up to the first difference.
    void run(X87Code c, u32 cases) {
        const auto* result = ::testing::UnitTest::GetInstance()->current_test_info()->result();
        const int failures = result->total_part_count();
        for (u32 n = 0; n < cases; n++) {
            do
                generate(c);
            while (unicorn_is_wrong(c, machine_.cpu.fpu));
            const StepStatus status = run_ours(c);
            if (machine_.counters.exceptions) return; // undefined: the decoder's tests have it
            ASSERT_EQ(status, StepStatus::Completed);
            run_oracle(c);
            compare(c);
            if (result->total_part_count() != failures) return;
        }
    }

    u32 compared{};

private:
    u32 pick(u32 n) { return static_cast<u32>(rng_() % n); }

    void put_value(u8* at) {
        u64 mantissa = u64{1} << 63 | (u64{rng_()} << 32 | rng_()) >> 1;
        u16 exponent = static_cast<u16>(16383 - 40 + pick(80));
        const u16 sign = static_cast<u16>(pick(2) << 15);
        switch (pick(12)) {
        case 0: mantissa = exponent = 0; break;
        case 1: // a small whole number
            mantissa = u64{1 + pick(15)} << 60;
            exponent = 16383 + 3;
            while (!(mantissa >> 63)) {
                mantissa <<= 1;
                exponent--;
            }
            break;
        case 2:
            mantissa = u64{1} << 63;
            exponent = 0x7fff; // infinity
            break;
        case 3:
            mantissa |= u64{3} << 62;
            exponent = 0x7fff; // a quiet NaN
            break;
        case 4: exponent = static_cast<u16>(1 + pick(0x7ffe)); break;
        case 5: mantissa &= ~u64{0} << 40; break;
        default: break;
        }
        exponent |= sign;
        std::memcpy(at, &mantissa, 8);
        std::memcpy(at + 8, &exponent, 2);
    }

    void put_operand(X87Code c) {
        u8* at = machine_.ram.data() + kOperand;
        for (u32 i = 0; i < kOperandSize; i++)
            at[i] = static_cast<u8>(rng_());
        const bool single = c.opcode == 0xd8 || c.opcode == 0xd9;
        const bool twice = c.opcode == 0xdc || c.opcode == 0xdd;
        if (c.opcode == 0xd9 && c.reg() == 5) { // FLDCW: exceptions stay masked
            const u16 control = control_word();
            std::memcpy(at, &control, 2);
        } else if (single || twice) {
            u8 wide[10];
            put_value(wide);
            const long double v = to_long_double(wide);
            const auto f = static_cast<float>(v);
            const auto d = static_cast<double>(v);
            if (single)
                std::memcpy(at, &f, sizeof f);
            else
                std::memcpy(at, &d, sizeof d);
        } else if (c.opcode == 0xdb && c.reg() == 5) {
            put_value(at);
        } else if (c.opcode == 0xdf && c.reg() == 4) { // packed decimal: digits only
            for (u32 i = 0; i < 9; i++)
                at[i] = static_cast<u8>(pick(10) << 4 | pick(10));
            at[9] &= 0x80;
        }
    }

    u16 control_word() {
        constexpr std::array<u16, 3> kPrecisions{0x0000, 0x0200, 0x0300};
        return static_cast<u16>(0x7f | kPrecisions[pick(3)] | pick(4) << 10);
    }

    void generate(X87Code c) {
        machine_.flat32(kCode);
        machine_.counters.exceptions = 0;
        CpuState& cpu = machine_.cpu;
        std::memset(cpu.fpu.bytes, 0, sizeof cpu.fpu.bytes);
        X87Image image(cpu.fpu);
        image.set_control(control_word());
        const unsigned top = pick(8);
        image.set_status(static_cast<u16>(top << 11 | (rng_() & (kC0 | kC2 | kC3))));
        for (unsigned i = 0; i < 8; i++)
            put_value(image.st(i));
        const unsigned last = (top + 7) & 7; // ST(7)
        image.set_tags(static_cast<u8>(pushes(c) ? 0xff & ~(1u << last) : 0xff));
        const u32 mxcsr = 0x1f80;
        std::memcpy(cpu.fpu.bytes + 24, &mxcsr, 4);
        cpu.gpr[Rax] = rng_();
        cpu.rflags = eflags::kFixed1 | (rng_() & eflags::kArithmetic);
        put_operand(c);
        machine_.put(kCode, {c.opcode, c.modrm});
        if (c.memory()) machine_.store<u32>(kCode + 2, kOperand);
        before_ = cpu;
        std::memcpy(operand_before_.data(), machine_.ram.data() + kOperand, kOperandSize);
    }

    StepStatus run_ours(X87Code) {
        // An undefined instruction finds no IDT; that is seen by the count of exceptions.
        return machine_.step();
    }

    void run_oracle(X87Code c) {
        constexpr u8 kLoad[7] = {0x0f, 0xae, 0x0d, kBefore & 0xff, kBefore >> 8 & 0xff, kBefore >> 16, 0};
        constexpr u8 kSave[7] = {0x0f, 0xae, 0x05, kAfter & 0xff, kAfter >> 8 & 0xff, kAfter >> 16, 0};
        u8* ram = oracle_.ram.data();
        std::memcpy(ram + kBefore, before_.fpu.bytes, sizeof before_.fpu.bytes);
        std::memcpy(ram + kOperand, operand_before_.data(), kOperandSize);
        u32 at = kCode;
        std::memcpy(ram + at, kLoad, sizeof kLoad);
        at += sizeof kLoad;
        const u32 size = c.memory() ? 6 : 2;
        std::memcpy(ram + at, machine_.ram.data() + kCode, size);
        at += size;
        std::memcpy(ram + at, kSave, sizeof kSave);
        at += sizeof kSave;
        ram[at] = 0xf4;
        uc_reg_write(oracle_.uc, UC_X86_REG_EAX, &before_.gpr[Rax]);
        uc_reg_write(oracle_.uc, UC_X86_REG_EFLAGS, &before_.rflags);
        uc_ctl_remove_cache(oracle_.uc, kCode, kCode + 64);
        ASSERT_EQ(uc_emu_start(oracle_.uc, kCode, at, 0, 3), UC_ERR_OK);
    }

    void compare(X87Code c) {
        compared++;
        FxsaveArea theirs{};
        std::memcpy(theirs.bytes, oracle_.ram.data() + kAfter, sizeof theirs.bytes);
        X87Image oracle(theirs), ours(machine_.cpu.fpu), before(before_.fpu);
        char name[64];
        snprintf(name, sizeof name, "%02x %02x, control %04x, status %04x", c.opcode, c.modrm,
                 before.control(), before.status());
        SCOPED_TRACE(name);
        EXPECT_EQ(ours.control(), oracle.control());
        const u16 conditions = static_cast<u16>(kTop | defined_conditions(c));
        EXPECT_EQ(ours.status() & conditions, oracle.status() & conditions) << describe(before);
        EXPECT_EQ(ours.tags(), oracle.tags());
        for (unsigned i = 0; i < 8; i++)
            if (!same(c, ours.st(i), oracle.st(i)))
                ADD_FAILURE() << "st(" << i << ") became " << text(ours.st(i)) << " against "
                              << text(oracle.st(i)) << "; before: " << describe(before);
        const u8* ours_memory = machine_.ram.data() + kOperand;
        const u8* their_memory = oracle_.ram.data() + kOperand;
        for (u32 i = 0; i < kOperandSize; i++)
            if (ours_memory[i] != their_memory[i]) {
                ADD_FAILURE() << "memory at +" << i << " became " << bytes(ours_memory, 10) << " against "
                              << bytes(their_memory, 10) << "; before: " << describe(before);
                break;
            }
        u64 flags = 0;
        u64 eax = 0;
        uc_reg_read(oracle_.uc, UC_X86_REG_EFLAGS, &flags);
        uc_reg_read(oracle_.uc, UC_X86_REG_EAX, &eax);
        // FCOMI and its relatives clear AF, OF and SF (SDM Vol. 2A, FCOMI), but not in Unicorn.
        constexpr u64 kCompared = eflags::kZf | eflags::kPf | eflags::kCf;
        EXPECT_EQ(machine_.cpu.rflags & kCompared, flags & kCompared);
        EXPECT_EQ(machine_.cpu.gpr[Rax] & 0xffffffff, eax & 0xffffffff);
    }

    static bool same(X87Code c, const u8* ours, const u8* theirs) {
        if (!std::memcmp(ours, theirs, 10)) return true;
        if (!approximate(c)) return false;
        if (is_nan(ours) && is_nan(theirs)) return true; // a double has less of the payload
        const long double a = to_long_double(ours), b = to_long_double(theirs);
        return std::fabs(a - b) <= std::fabs(a) * 0x1p-45L;
    }

    static std::string bytes(const u8* at, unsigned count) {
        std::string out;
        char hex[4];
        for (unsigned i = 0; i < count; i++) {
            snprintf(hex, sizeof hex, "%02x", at[count - 1 - i]);
            out += hex;
        }
        return out;
    }
    static std::string text(const u8* at) { return bytes(at, 10); }
    std::string describe(X87Image& image) const {
        std::string out;
        for (unsigned i = 0; i < 8; i++)
            out += text(image.st(i)) + " ";
        return out + "operand " + bytes(operand_before_.data(), 10);
    }

    Rng rng_;
    Oracle oracle_;
    Machine machine_;
    CpuState before_;
    std::array<u8, kOperandSize> operand_before_{};
};

u32 cases() { return from_environment("BTVM_CASES", 60); }
u32 seed() { return from_environment("BTVM_SEED", 3); }

class X87AgainstUnicorn : public ::testing::TestWithParam<unsigned> {};

TEST_P(X87AgainstUnicorn, EveryForm) {
    X87Differential differential(seed() * 8 + GetParam());
    const auto opcode = static_cast<u8>(GetParam());
    for (unsigned modrm = 0xc0; modrm <= 0xff; modrm++)
        if (const X87Code c{opcode, static_cast<u8>(modrm)}; !excluded(c)) differential.run(c, cases());
    for (unsigned reg = 0; reg < 8; reg++) // [disp32]
        if (const X87Code c{opcode, static_cast<u8>(reg << 3 | 5)}; !excluded(c))
            differential.run(c, cases());
    EXPECT_GT(differential.compared, 8 * cases());
}

INSTANTIATE_TEST_SUITE_P(Opcode, X87AgainstUnicorn, ::testing::Range(0xd8u, 0xe0u),
                         [](const auto& tested) { return "X" + std::to_string(tested.param); });

} // namespace
} // namespace btvm::test

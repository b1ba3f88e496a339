// A real PC BIOS from its reset vector, in lockstep with Unicorn: half a million instructions of real mode,
// the change to 32-bit protected mode and back, and the C code of SeaBIOS. Ports give made-up answers; both
// sides get the same.
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <map>
#include <unicorn/unicorn.h>

#include "tests/unit/interpret/machine.hh"
#include "tests/unit/interpret/undefined_flags.hh"

namespace btvm::test {
namespace {

constexpr u32 kRam = 16u << 20;
constexpr int kUcGpr[8] = {UC_X86_REG_EAX, UC_X86_REG_ECX, UC_X86_REG_EDX, UC_X86_REG_EBX,
                           UC_X86_REG_ESP, UC_X86_REG_EBP, UC_X86_REG_ESI, UC_X86_REG_EDI};
constexpr int kUcSeg[6] = {UC_X86_REG_ES, UC_X86_REG_CS, UC_X86_REG_SS,
                           UC_X86_REG_DS, UC_X86_REG_FS, UC_X86_REG_GS};

class Lockstep {
public:
    Lockstep(const std::vector<u8>& bios, u64 limit)
        : bios_(bios), their_bios_(bios), limit_(limit), machine_(kRam) {
        std::copy(bios.begin(), bios.end(),
                  machine_.ram.end() - kRam + 0x100000 - static_cast<long>(bios.size()));
        their_ram_ = machine_.ram;
        MemorySlot& top = machine_.memory.slots[machine_.memory.slot_count++];
        top.first = (u64{1} << 32) - bios.size();
        top.size = bios.size();
        top.memory = bios_.data();
        top.read_only = 1;
        machine_.interpreter.rep_slice = 1;  // Unicorn shows every iteration
        machine_.interpreter.port_block = 0; // ... and every port access
        machine_.cpu.seg[Cs].base = 0xf0000; // Unicorn cannot start at the top
        machine_.cpu.gpr[Rdx] = 0;

        uc_open(UC_ARCH_X86, UC_MODE_16, &uc_);
        uc_mem_map_ptr(uc_, 0, kRam, UC_PROT_ALL, their_ram_.data());
        uc_mem_map_ptr(uc_, top.first, top.size, UC_PROT_ALL, their_bios_.data());
        uc_hook hook;
        const auto on_code =
            +[](uc_engine*, u64 at, u32, void* self) { static_cast<Lockstep*>(self)->instruction(at); };
        const auto on_in =
            +[](uc_engine*, u32, int, void* self) { return static_cast<Lockstep*>(self)->last_input_; };
        const auto on_out = +[](uc_engine*, u32, int, u32, void*) {};
        const auto on_hole = +[](uc_engine* uc, uc_mem_type, u64 at, int, s64, void*) {
            const std::vector<u8> empty(kPageSize, 0xff);
            return uc_mem_map(uc, at & ~kPageMask, kPageSize, UC_PROT_ALL) == UC_ERR_OK &&
                   uc_mem_write(uc, at & ~kPageMask, empty.data(), empty.size()) == UC_ERR_OK;
        };
        uc_hook_add(uc_, &hook, UC_HOOK_CODE, reinterpret_cast<void*>(on_code), this, 1, 0);
        uc_hook_add(uc_, &hook, UC_HOOK_INSN, reinterpret_cast<void*>(on_in), this, 1, 0, UC_X86_INS_IN);
        uc_hook_add(uc_, &hook, UC_HOOK_INSN, reinterpret_cast<void*>(on_out), this, 1, 0, UC_X86_INS_OUT);
        uc_hook_add(uc_, &hook, UC_HOOK_MEM_UNMAPPED, reinterpret_cast<void*>(on_hole), this, 1, 0);
        set(UC_X86_REG_CS, 0xf000);
        set(UC_X86_REG_EFLAGS, eflags::kFixed1);
    }
    ~Lockstep() { uc_close(uc_); }

    void run() {
        EXPECT_EQ(uc_emu_start(uc_, 0xffff0, 0, 0, 0), UC_ERR_OK);
        EXPECT_EQ(steps_, limit_);
    }

    bool saw_protected_mode{};

private:
    void set(int r, u64 v) { uc_reg_write(uc_, r, &v); }
    u64 get(int r) {
        u64 v = 0;
        uc_reg_read(uc_, r, &v);
        return v;
    }

    /// Before each instruction of Unicorn's: the states must be equal; then ours does the same instruction.
    void instruction(u64 at) {
        CpuState& c = machine_.cpu;
        const u64 here = (c.seg[Cs].base + c.rip) & 0xffffffff;
        if (at != here && was_rep_ && at == last_)
            return; // Unicorn comes back once more to see that ECX is zero
        take_over_what_may_differ();
        bool same = at == here;
        for (unsigned r = 0; r < 8; r++)
            same &= (get(kUcGpr[r]) & 0xffffffff) == c.gpr[r];
        for (unsigned s = 0; s < 6; s++)
            same &= (get(kUcSeg[s]) & 0xffff) == c.seg[s].selector;
        if (!same) {
            ADD_FAILURE() << std::hex << "after the instruction at " << last_ << " (step " << std::dec
                          << steps_ << ")";
            uc_emu_stop(uc_);
            return;
        }
        Instruction i;
        const u8* code = machine_.memory.readable(GuestPhysical(here), kMaxInstructionLength);
        (void)decode(code ? code : bios_.data(), 15, c.code32() ? CodeSize::Bits32 : CodeSize::Bits16, i);
        last_ = at;
        last_instruction_ = i;
        undefined_ = undefined_flags(i, c);
        was_rep_ = i.rep != RepPrefix::None;
        saw_protected_mode |= c.protected_mode() && c.code32();
        while (machine_.interpreter.step() == StepStatus::Io)
            answer();
        if (++steps_ >= limit_ || machine_.counters.exceptions || c.activity != Activity::Running)
            uc_emu_stop(uc_);
    }

    /// Time stamps, CPUID, control registers' fixed bits and undefined flags: Unicorn gets ours.
    void take_over_what_may_differ() {
        const Instruction& i = last_instruction_;
        const CpuState& c = machine_.cpu;
        const bool two_byte = i.map == OpcodeMap::Map0f;
        const bool in = !two_byte && (i.opcode & 0xf6) == 0xe4;
        if (in ||
            (two_byte && (i.opcode == 0x31 || i.opcode == 0x32 || i.opcode == 0xa2 || i.opcode == 0x20)))
            for (unsigned r = 0; r < 8; r++)
                set(kUcGpr[r], c.gpr[r]);
        constexpr u64 kCompared = eflags::kArithmetic | eflags::kDf | eflags::kIf;
        const u64 differ = (get(UC_X86_REG_EFLAGS) ^ c.rflags) & kCompared;
        if (differ & ~undefined_)
            ADD_FAILURE() << std::hex << "flags " << differ << " after the instruction at " << last_;
        if (differ) set(UC_X86_REG_EFLAGS, c.rflags);
    }

    void answer() {
        PortRequest& q = machine_.request;
        if (q.write) {
            if (q.port == 0x70) cmos_index_ = q.value() & 0x7f;
        } else {
            const u32 n = asked_[q.port]++;
            u32 value = 0xffffffff;
            if (q.port == 0x64) value = 0x14;
            if (q.port == 0x71) {
                value = 0;
                if (cmos_index_ == 0x0a) value = n & 1 ? 0x80 : 0x26;
                if (cmos_index_ == 0x0b) value = 2;
                if (cmos_index_ == 0x15) value = 0x80; // 640 KiB
                if (cmos_index_ == 0x16) value = 2;
                if (cmos_index_ == 0x31) value = 0x38; // 14 MiB above the first
            }
            q.set_value(value);
            last_input_ = q.value();
        }
        q.phase = PortRequest::Phase::Answered;
    }

    std::vector<u8> bios_, their_bios_, their_ram_;
    const u64 limit_;
    Machine machine_;
    uc_engine* uc_{};
    u64 steps_{};
    u64 last_{~u64{0}};
    bool was_rep_{};
    Instruction last_instruction_;
    u64 undefined_{};
    u32 last_input_{};
    u8 cmos_index_{};
    std::map<u16, u32> asked_;
};

void run(const char* path, bool protected_mode) {
    std::ifstream file(path, std::ios::binary);
    if (!file) GTEST_SKIP() << path << " is not installed";
    const std::vector<u8> bios(std::istreambuf_iterator<char>(file), {});
    Lockstep lockstep(bios, 300000);
    lockstep.run();
    EXPECT_EQ(lockstep.saw_protected_mode, protected_mode);
}

TEST(Bios, SeaBios) { run("/usr/share/seabios/bios.bin", true); }
TEST(Bios, Bochs) { run("/usr/share/bochs/BIOS-bochs-legacy", false); }

} // namespace
} // namespace btvm::test

// Generated guest programs that the tracer and the interpreter must run alike.
#pragma once

#include <array>
#include <gtest/gtest.h>
#include <random>

#include "tests/unit/hypervisor/simulated_world.hh"

namespace btvm::test {

/// Programs that count down at each block, so that they end: branches of all kinds, instructions within
/// instructions, code that is overwritten, over several pages.
class Program {
public:
    static constexpr u64 kCounter = 0x80000;
    static constexpr u64 kTable = 0x81000; ///< Entries to blocks, in disorder.
    static constexpr u32 kBlocks = 400;

    explicit Program(unsigned seed) : random_(seed) {
        for (u32 n = 0; n < kBlocks; n++)
            block();
        exit_ = here();
        emit({0xf4});
        for (const auto& [at, block] : to_blocks_)
            patch(at, static_cast<u32>(pick_entry(block) - (SimulatedWorld::kCode + at + 4)));
        for (u32& entry : table_)
            entry = static_cast<u32>(pick_entry(static_cast<u32>(roll(kBlocks))));
        for (const u32 at : to_exit_)
            patch(at, static_cast<u32>(exit_ - (SimulatedWorld::kCode + at + 4)));
        for (const auto& [at, block] : addresses_)
            patch(at, static_cast<u32>(pick_entry(block)));
        for (const u32 at : stores_)
            patch(at, static_cast<u32>(SimulatedWorld::kCode + immediates_[roll(immediates_.size())]));
    }

    /// Puts the program into memory; it runs through so many blocks.
    void load(SimulatedWorld& world, u32 blocks) const {
        world.start(code_);
        std::memcpy(&world.ram()[kCounter], &blocks, sizeof blocks);
        std::memcpy(&world.ram()[kTable], table_.data(), sizeof table_);
    }

    /// Where instructions begin that control comes to.
    [[nodiscard]] const std::vector<u64>& starts() const { return starts_; }

private:
    u64 roll(u64 n) { return random_() % n; }
    [[nodiscard]] u64 here() const { return SimulatedWorld::kCode + code_.size(); }
    void emit(std::initializer_list<u8> bytes) { code_.insert(code_.end(), bytes); }
    u32 emit32() {
        code_.insert(code_.end(), 4, 0);
        return static_cast<u32>(code_.size() - 4);
    }
    void patch(u32 at, u32 value) { std::memcpy(&code_[at], &value, 4); }
    /// A block's beginning, or the instruction within an instruction that each has.
    u64 pick_entry(u32 block) { return roll(4) ? starts_[block] : inner_[block]; }
    void leads_to_block(u32 at) { to_blocks_.emplace_back(at, static_cast<u32>(roll(kBlocks))); }

    void block() {
        starts_.push_back(here());
        // mov eax, 00eb5f9ch, and from its second byte: pushf; pop edi; jmp $+2
        inner_.push_back(here() + 1);
        emit({0xb8, 0x9c, 0x5f, 0xeb, 0x00});
        emit({0xff, 0x0d}); // dec dword [counter]
        patch(emit32(), static_cast<u32>(kCounter));
        emit({0x0f, 0x88}); // js exit
        to_exit_.push_back(emit32());
        for (u64 n = roll(9); n; n--)
            plain();
        end();
    }

    void plain() {
        switch (roll(10)) {
        case 0: emit({0x40}); return;                                   // inc eax
        case 1: emit({0x01, 0xc3}); return;                             // add ebx, eax
        case 2: emit({0xc1, 0xc6, 0x05}); return;                       // rol esi, 5
        case 3: emit({0x9c, 0x5f, 0x31, 0xfb}); return;                 // pushf; pop edi; xor ebx, edi
        case 4: emit({0x8c, 0xc8, 0x01, 0xc6}); return;                 // mov eax, cs; add esi, eax
        case 5: emit({static_cast<u8>(roll(2) ? 0xfa : 0xfb)}); return; // cli, sti
        case 9: emit({0x9c, 0xfb, 0x9d}); return;                       // pushf; sti; popf
        case 6:                                                         // add esi, imm32
            emit({0x81, 0xc6});
            immediates_.push_back(emit32());
            return;
        case 7: // add byte [an immediate of another instruction], bl: code that changes itself
            if (immediates_.empty() || roll(4)) return emit({0x90});
            emit({0x00, 0x1d});
            stores_.push_back(emit32());
            return;
        default:
            emit({0x69, 0xc0}); // imul eax, eax, imm32
            patch(emit32(), static_cast<u32>(random_()));
            return;
        }
    }

    void end() {
        switch (roll(10)) {
        case 0: return; // falls into the next
        case 1:
            emit({0xe9}); // jmp
            leads_to_block(emit32());
            return;
        case 2:
            emit({0x85, 0xc0, 0x0f, static_cast<u8>(0x80 + roll(16))}); // test eax, eax; jcc
            leads_to_block(emit32());
            return;
        case 3:
            emit({0xe8}); // call, whose return address is thrown away
            leads_to_block(emit32());
            return;
        case 4:
            emit({0x68}); // push; ret
            addresses_.emplace_back(emit32(), static_cast<u32>(roll(kBlocks)));
            emit({0xc3});
            return;
        case 5:
        case 6:
        case 7:
        case 8: // mov edx, [counter]; imul edx, edx, K; shr edx, 22; jmp [table + 4 * edx]
            emit({0x8b, 0x15});
            patch(emit32(), static_cast<u32>(kCounter));
            emit({0x69, 0xd2});
            patch(emit32(), static_cast<u32>(random_()) | 1);
            emit({0xc1, 0xea, 0x16, 0xff, 0x24, 0x95});
            patch(emit32(), static_cast<u32>(kTable));
            return;
        default:
            emit({0xba}); // mov edx; jmp edx
            addresses_.emplace_back(emit32(), static_cast<u32>(roll(kBlocks)));
            emit({0xff, 0xe2});
            return;
        }
    }

    std::mt19937 random_;
    std::vector<u8> code_;
    std::array<u32, 1024> table_{};
    std::vector<u64> starts_, inner_;
    u64 exit_{};
    std::vector<u32> to_exit_, stores_, immediates_;
    std::vector<std::pair<u32, u32>> to_blocks_, addresses_;
};

/// Runs the program in `traced` and by the interpreter alone, each as `prepare` leaves it.
template <class Prepare>
void run_both(const Program& program, u32 blocks, SimulatedWorld& traced, Prepare prepare) {
    SimulatedWorld plain(4, BTVM_CONFIG_INTERPRET);
    for (SimulatedWorld* world : {&plain, &traced}) {
        program.load(*world, blocks);
        for (const Gpr r : {Rax, Rbx, Rsi, Rdi, Rdx})
            world->cpu().gpr[r] = 0x1234567;
        prepare(*world);
    }
    for (u32 steps = 0; plain.cpu().activity == Activity::Running; steps++) {
        ASSERT_LT(steps, 1'000'000u);
        Tracer(plain.world(), plain.world().host).interpret_one();
    }
    ASSERT_EQ(traced.run(), HostRequest::Halt);
    EXPECT_EQ(traced.cpu().rip, plain.cpu().rip);
    for (unsigned r = 0; r < 8; r++)
        EXPECT_EQ(traced.cpu().gpr[r], plain.cpu().gpr[r]) << "register " << r;
    EXPECT_TRUE(std::ranges::equal(traced.ram(), plain.ram())) << "memory differs";
}

inline void run_both(const Program& program, u32 blocks, SimulatedWorld& traced) {
    run_both(program, blocks, traced, [](SimulatedWorld&) {});
}

} // namespace btvm::test

// Guest kernel code in execute-only copies must end where plain interpretation ends, and nothing may run that
// is not covered: the simulated processor throws InvariantBroken.
#include <array>
#include <gtest/gtest.h>
#include <random>

#include "tests/unit/hypervisor/simulated_world.hh"

namespace btvm::test {
namespace {

constexpr u32 kExecuteOnly = BTVM_CONFIG_EXECUTE_ONLY;

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

void run_both(const Program& program, u32 blocks, SimulatedWorld& traced) {
    SimulatedWorld plain(4, BTVM_CONFIG_INTERPRET);
    for (SimulatedWorld* world : {&plain, &traced}) {
        program.load(*world, blocks);
        for (const Gpr r : {Rax, Rbx, Rsi, Rdi, Rdx})
            world->cpu().gpr[r] = 0x1234567;
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

class ExecuteOnlyTest : public testing::TestWithParam<unsigned> {};

TEST_P(ExecuteOnlyTest, EndsWhereTheInterpreterEnds) {
    SimulatedWorld traced(4, kExecuteOnly);
    run_both(Program(GetParam()), 3000, traced);
    EXPECT_GT(traced.native_instructions(), 50u) << "nothing ran natively: nothing was tested";
}

TEST_P(ExecuteOnlyTest, GoesOnWithOneCopy) {
    SimulatedWorld traced(4, kExecuteOnly, 1);
    run_both(Program(GetParam()), 1000, traced);
}

INSTANTIATE_TEST_SUITE_P(Programs, ExecuteOnlyTest, testing::Range(0u, 24u));

TEST(ExecuteOnly, CodeThatIsOverwrittenLosesItsCopy) {
    // mov ecx,3; again: add eax,1; inc byte [again+2]; dec ecx; jnz again; hlt
    constexpr u8 kCode[] = {0xb9, 3,    0,    0,    0,    0x83, 0xc0, 0x01, 0xfe,
                            0x05, 0x07, 0x00, 0x01, 0x00, 0x49, 0x75, 0xf4, 0xf4};
    SimulatedWorld traced(4, kExecuteOnly);
    traced.start(kCode);
    ASSERT_EQ(traced.run(), HostRequest::Halt);
    EXPECT_EQ(traced.cpu().gpr[Rax], 1u + 2 + 3);
    EXPECT_GE(traced.world().copies.counters.dropped, 2u);
}

TEST(ExecuteOnly, ABranchIntoAnInstructionTakesItBack) {
    // mov ecx,2; again: mov eax,00eb9040h; dec ecx; jnz again+1; hlt: the second round is inc eax; nop; jmp
    constexpr u8 kCode[] = {0xb9, 2, 0, 0, 0, 0xb8, 0x40, 0x90, 0xeb, 0x00, 0x49, 0x75, 0xf9, 0xf4};
    SimulatedWorld traced(4, kExecuteOnly);
    traced.start(kCode);
    ASSERT_EQ(traced.run(), HostRequest::Halt);
    EXPECT_EQ(traced.cpu().gpr[Rax], 0xeb9041u);
    EXPECT_EQ(traced.world().copies.counters.uncovered, 1u);
}

TEST(ExecuteOnly, APlantedBugIsNoticed) {
    constexpr u8 kCode[] = {0x40, 0x9c, 0x5b, 0xf4}; // inc eax; pushf; pop ebx; hlt
    SimulatedWorld traced(4, kExecuteOnly | BTVM_CONFIG_TEST_PLANNER_BUG);
    traced.start(kCode);
    EXPECT_THROW((void)traced.run(), InvariantBroken);
}

TEST(ExecuteOnly, AnEntryTellsWhichCopyItMaps) {
    std::vector<u64> frames(CodeCopies::kMost);
    CopyView view;
    view.host_frames = frames.data();
    for (u32 copy = 0; copy < CodeCopies::kMost; copy++) {
        frames[copy] = 0x123456 + copy;
        const u64 entry = CodeCopies::entry_bits(view, copy) | shadow_entry::kPresent;
        ASSERT_TRUE(CodeCopies::is_copy(entry)) << copy;
        ASSERT_EQ(CodeCopies::mapped_copy(entry), copy);
        ASSERT_EQ((entry & shadow_entry::kFrameMask) >> kPageShift, frames[copy]);
    }
    EXPECT_FALSE(CodeCopies::is_copy(shadow_entry::kPresent | 0x123000));
}

/// A guest with paging on: all memory by identity, and linear 400000h for one page that changes.
class PagedGuest {
public:
    static constexpr u32 kDirectory = 0x20000;
    static constexpr u32 kTable = 0x21000;
    static constexpr u32 kOther = 0x22000;
    static constexpr u32 kWindow = 0x400000;
    static constexpr u32 kFirst = 0x30000;
    static constexpr u32 kSecond = 0x31000;

    explicit PagedGuest(std::span<const u8> code) {
        world.start(code);
        for (u32 page = 0; page < SimulatedWorld::kRam >> kPageShift; page++)
            put32(kTable + 4 * page, page << kPageShift | 3);
        put32(kDirectory, kTable | 3);
        put32(kDirectory + 4, kOther | 3);
        put32(kOther, kFirst | 3);
        world.cpu().cr3 = kDirectory;
        world.cpu().cr0 |= cr0::kPg;
    }
    void put32(u32 at, u32 value) { std::memcpy(&world.ram()[at], &value, 4); }
    void put(u32 at, std::initializer_list<u8> bytes) { std::ranges::copy(bytes, &world.ram()[at]); }

    SimulatedWorld world{4, kExecuteOnly};
};

constexpr u8 kRemapping[] = {
    0xb9, 2,    0,    0,    0,                                  // 10000: mov ecx,2
    0xe8, 0xf6, 0xff, 0x3e, 0x00,                               // 10005: call 400000
    0xc7, 0x05, 0x00, 0x20, 0x02, 0x00, 0x03, 0x10, 0x03, 0x00, // 1000a: mov [22000],31003
    0x0f, 0x01, 0x3d, 0x00, 0x00, 0x40, 0x00,                   // 10014: invlpg [400000]
    0x49, 0x75, 0xe7,                                           // 1001b: dec ecx; jnz 10005
    0xf4,                                                       // 1001e: hlt
};

TEST(ExecuteOnly, ARemappedPageRunsAsWhatIsThereNow) {
    PagedGuest guest(kRemapping);
    guest.put(PagedGuest::kFirst, {0x83, 0xc0, 0x01, 0xc3}); // add eax,1; ret
    guest.put(PagedGuest::kSecond,
              {0x90, 0x9c, 0x5b, 0x83, 0xc0, 0x10, 0xc3}); // nop; pushf; pop ebx; add eax,16
    ASSERT_EQ(guest.world.run(), HostRequest::Halt);
    EXPECT_EQ(guest.world.cpu().gpr[Rax], 0x11u);
    EXPECT_EQ(guest.world.cpu().gpr[Rbx] & eflags::kIf, 0u) << "the flags of ring 3 were seen";
    EXPECT_EQ(guest.world.world().copies.counters.dropped, 0u);
}

TEST(ExecuteOnly, ABranchLeadsIntoTheRemappedPageAsItIsNow) {
    // The call goes to 400001, which is an instruction in the first page and within one in the second.
    PagedGuest guest(kRemapping);
    guest.put(SimulatedWorld::kCode + 6, {0xf7}); // call 400001
    guest.put(PagedGuest::kFirst, {0x90, 0x83, 0xc0, 0x01, 0xc3});
    // It begins with mov ebx,c35b9c40h; from its second byte: inc eax; pushf; pop ebx; ret.
    guest.put(PagedGuest::kSecond, {0xbb, 0x40, 0x9c, 0x5b, 0xc3, 0xc3});
    ASSERT_EQ(guest.world.run(), HostRequest::Halt);
    EXPECT_EQ(guest.world.cpu().gpr[Rax], 2u);
    EXPECT_EQ(guest.world.cpu().gpr[Rbx] & eflags::kIf, 0u);
}

TEST(ExecuteOnly, ABranchFromAnotherPageTakesItBackToo) {
    // 10000: mov ecx,2; jmp 11000.  11000: mov eax,00eb9040h; dec ecx; jz 1100a; jmp 10100; hlt (1100d).
    // 10100: jmp 11001
    std::vector<u8> code(0x1100, 0xf4);
    const auto put = [&](u32 at, std::initializer_list<u8> bytes) { std::ranges::copy(bytes, &code[at]); };
    put(0, {0xb9, 2, 0, 0, 0, 0xe9, 0xf6, 0x0f, 0, 0});
    put(0x1000, {0xb8, 0x40, 0x90, 0xeb, 0x00, 0x49, 0x74, 0x05, 0xe9, 0xf3, 0xf0, 0xff, 0xff, 0xf4});
    put(0x100, {0xe9, 0xfc, 0x0e, 0, 0});
    SimulatedWorld traced(4, kExecuteOnly);
    traced.start(code);
    ASSERT_EQ(traced.run(), HostRequest::Halt);
    EXPECT_EQ(traced.cpu().gpr[Rax], 0xeb9041u);
    EXPECT_EQ(traced.world().copies.counters.uncovered, 1u);
}

// 10000: mov ecx,100; 10005: call 10010; dec ecx; jnz 10005; hlt.  10010: add eax,1; ret
constexpr u8 kCalls[] = {0xb9, 100,  0,    0,    0,    0xe8, 0x06, 0,    0,    0,
                         0x49, 0x75, 0xf8, 0xf4, 0xf4, 0xf4, 0x83, 0xc0, 0x01, 0xc3};

TEST(QuickTrap, EveryReturnTakesTheShortWay) {
    SimulatedWorld plain(4, kExecuteOnly);
    plain.start(kCalls);
    ASSERT_EQ(plain.run(), HostRequest::Halt);
    EXPECT_EQ(plain.cpu().gpr[Rax], 100u);
    EXPECT_EQ(plain.cpu().gpr[Rsp], SimulatedWorld::kStack);
    EXPECT_EQ(plain.quick_traps(), 100u) << "what follows a call is covered with it";
    PagedGuest paged(kCalls);
    ASSERT_EQ(paged.world.run(), HostRequest::Halt);
    EXPECT_EQ(paged.world.cpu().gpr[Rax], 100u);
    EXPECT_GT(paged.world.quick_traps(), 90u);
}

TEST(QuickTrap, NothingThatIsDueWaits) {
    const auto returns_with = [](auto&& change, u32 flags = kExecuteOnly) {
        SimulatedWorld w(4, flags);
        w.start(kCalls);
        change(w.world());
        (void)w.run();
        return w.quick_traps();
    };
    EXPECT_GT(returns_with([](World&) {}), 90u);
    EXPECT_EQ(returns_with([](World& w) {
                  w.cpu.nmi_pending = 1;
                  w.cpu.nmi_blocked = 1; // so that it stays
              }),
              0u);
    EXPECT_EQ(returns_with([](World& w) {
                  w.pic.master().imr = 0xff;
                  w.owed_ticks = 1; // the line takes it, and it is owed no more
              }),
              returns_with([](World&) {}));
    EXPECT_EQ(returns_with([](World&) {}, kExecuteOnly | BTVM_CONFIG_TRACE), 0u);
    EXPECT_EQ(returns_with([](World&) {}, 0), 0u);
}

TEST(QuickTrap, WhatFollowsStiComesBeforeAnyInterrupt) {
    const auto taken = [](std::initializer_list<u8> code) {
        SimulatedWorld w(4, kExecuteOnly);
        w.start(std::vector<u8>(code));
        EXPECT_EQ(w.run(), HostRequest::Halt);
        return w.quick_traps();
    };
    // mov ecx,100; again: sti; nop; cli; dec ecx; jnz again; hlt: the NOP runs natively
    EXPECT_GT(taken({0xb9, 100, 0, 0, 0, 0xfb, 0x90, 0xfa, 0x49, 0x75, 0xfa, 0xf4}), 190u);
    // The same without the NOP: CLI traps, and the Tracer must know of the shadow.
    EXPECT_EQ(taken({0xb9, 100, 0, 0, 0, 0xfb, 0xfa, 0x49, 0x75, 0xfb, 0xf4}), 0u);
}

TEST(QuickTrap, AReturnAddressThatWasChangedIsFollowed) {
    // call f; hlt.  f (10010): mov dword [esp],10020; ret.  10020: mov eax,7; hlt
    std::vector<u8> code(0x30, 0xf4);
    const auto put = [&](u32 at, std::initializer_list<u8> bytes) { std::ranges::copy(bytes, &code[at]); };
    put(0, {0xb9, 3, 0, 0, 0, 0xe8, 0x06, 0, 0, 0});
    put(0x10, {0xc7, 0x04, 0x24, 0x20, 0x00, 0x01, 0x00, 0xc3});
    put(0x20, {0x83, 0xc0, 0x07, 0x49, 0x75, 0xdf}); // add eax,7; dec ecx; jnz 10005
    SimulatedWorld w(4, kExecuteOnly);
    w.start(code);
    ASSERT_EQ(w.run(), HostRequest::Halt);
    EXPECT_EQ(w.cpu().gpr[Rax], 21u);
    EXPECT_EQ(w.cpu().gpr[Rsp], SimulatedWorld::kStack);
}

} // namespace
} // namespace btvm::test

// Guest kernel code in execute-only copies must end where plain interpretation ends, and nothing may run that
// is not covered: the simulated processor throws InvariantBroken.
#include <gtest/gtest.h>

#include "tests/unit/hypervisor/generated_program.hh"

namespace btvm::test {
namespace {

constexpr u32 kExecuteOnly = BTVM_CONFIG_EXECUTE_ONLY;

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

// A guest kernel with breakpoints of its own runs natively, and sees each of them as the interpreter shows
// it: where, with which EFLAGS and DR6.
#include <gtest/gtest.h>

#include "tests/unit/hypervisor/generated_program.hh"

namespace btvm::test {
namespace {

constexpr u32 kExecuteOnly = BTVM_CONFIG_EXECUTE_ONLY;
constexpr u32 kVerify = BTVM_CONFIG_VERIFY;
constexpr u64 kGdt = 0x2000;
constexpr u64 kIdt = 0x3000;
constexpr u64 kHandler = 0x4000;
constexpr u64 kLogEnd = 0x5000; ///< Where its next entry goes.
constexpr u64 kLog = 0xa0000;

struct LogEntry {
    u32 eip, eflags, dr6;
};

// The handler of #DB notes the frame and DR6, clears DR6 and sets RF:
//   push eax; push edx; mov edx,[kLogEnd]; mov eax,[esp+8]; mov [edx],eax; mov eax,[esp+16]; mov [edx+4],eax;
//   mov eax,dr6; mov [edx+8],eax; add dword [kLogEnd],12; mov eax,ffff0ff0h; mov dr6,eax;
//   or dword [esp+16],10000h; pop edx; pop eax; iret
constexpr u8 kHandlerCode[] = {0x50, 0x52, 0x8b, 0x15, 0x00, 0x50, 0x00, 0x00, 0x8b, 0x44, 0x24,
                               0x08, 0x89, 0x02, 0x8b, 0x44, 0x24, 0x10, 0x89, 0x42, 0x04, 0x0f,
                               0x21, 0xf0, 0x89, 0x42, 0x08, 0x83, 0x05, 0x00, 0x50, 0x00, 0x00,
                               0x0c, 0xb8, 0xf0, 0x0f, 0xff, 0xff, 0x0f, 0x23, 0xf0, 0x81, 0x4c,
                               0x24, 0x10, 0x00, 0x00, 0x01, 0x00, 0x5a, 0x58, 0xcf};

template <class T>
void put(SimulatedWorld& world, u64 at, const T& value) {
    std::memcpy(&world.ram()[at], &value, sizeof value);
}

void catch_debug_exceptions(SimulatedWorld& world) {
    put(world, kGdt + 0x08, u64{0x00cf9b000000ffff});
    put(world, kGdt + 0x10, u64{0x00cf93000000ffff});
    world.cpu().gdtr = {.base = kGdt, .limit = 0x17, .reserved = {}};
    put(world, kIdt + 8, u64{0x00008e0000080000} | kHandler);
    world.cpu().idtr = {.base = kIdt, .limit = 0xf, .reserved = {}};
    put(world, kHandler, kHandlerCode);
    put(world, kLogEnd, static_cast<u32>(kLog));
}

constexpr u64 enable(unsigned n, unsigned kind, unsigned bytes) {
    return u64{1} << (2 * n) | u64{kind | (bytes - 1) << 2} << (16 + 4 * n);
}

std::vector<LogEntry> log_of(SimulatedWorld& world) {
    u32 end;
    std::memcpy(&end, &world.ram()[kLogEnd], sizeof end);
    std::vector<LogEntry> entries((end - kLog) / sizeof(LogEntry));
    std::memcpy(entries.data(), &world.ram()[kLog], end - kLog);
    return entries;
}

/// The program's seed; the configuration's flags; which of the breakpoints are enabled.
class GuestBreakpointsTest : public testing::TestWithParam<std::tuple<unsigned, u32, unsigned>> {};

TEST_P(GuestBreakpointsTest, AreSeenAsTheInterpreterShowsThem) {
    const auto [seed, flags, enabled] = GetParam();
    SimulatedWorld traced(4, flags);
    const Program program(seed);
    std::mt19937 random(seed);
    const u64 place = program.starts()[random() % program.starts().size()];
    const unsigned kind = random() % 2 ? dr7::kWriteData : dr7::kAccessData;
    const u64 entry = Program::kTable + 8 * (random() % 512); // what indirect jumps read
    run_both(program, 1000, traced, [&, enabled = enabled](SimulatedWorld& world) {
        catch_debug_exceptions(world);
        world.cpu().dr[0] = place;
        world.cpu().dr[1] = place + 7; // DEC of the counter
        world.cpu().dr[2] = Program::kCounter;
        world.cpu().dr[3] = entry;
        const u64 each[] = {enable(0, dr7::kExecute, 1), enable(1, dr7::kExecute, 1), enable(2, kind, 4),
                            enable(3, dr7::kAccessData, 4)};
        world.cpu().dr[7] = dr7::kFixed;
        for (unsigned n = 0; n < 4; n++)
            if (enabled >> n & 1) world.cpu().dr[7] |= each[n];
    });
    EXPECT_GT(traced.native_instructions(), 50u) << "nothing ran natively: nothing was tested";
    EXPECT_GT(traced.native_debug_traps(), 20u);
    EXPECT_EQ(traced.quick_traps(), 0u);
}

INSTANTIATE_TEST_SUITE_P(InCopies, GuestBreakpointsTest,
                         testing::Combine(testing::Range(0u, 12u),
                                          testing::Values(kExecuteOnly, kExecuteOnly | kVerify),
                                          testing::Values(0xfu)));
INSTANTIATE_TEST_SUITE_P(BesideAPlan, GuestBreakpointsTest,
                         testing::Combine(testing::Range(0u, 6u),
                                          testing::Values(0u, u32{BTVM_CONFIG_LOOKAHEAD}, kVerify),
                                          testing::Values(0x4u, 0x6u, 0x7u, 0xeu)));

/// The configuration's flags.
struct OneBreakpoint : testing::TestWithParam<u32> {
    SimulatedWorld world{4, GetParam()};
    void start(std::span<const u8> code, u64 at, unsigned kind, unsigned bytes) {
        world.start(code);
        catch_debug_exceptions(world);
        world.cpu().dr[3] = at;
        world.cpu().dr[7] = dr7::kFixed | enable(3, kind, bytes);
    }
    void expect_hits(std::initializer_list<u64> places) {
        ASSERT_EQ(world.run(), HostRequest::Halt);
        const std::vector<LogEntry> log = log_of(world);
        ASSERT_EQ(log.size(), places.size());
        for (size_t i = 0; i < log.size(); i++) {
            EXPECT_EQ(log[i].eip, SimulatedWorld::kCode + places.begin()[i]);
            EXPECT_EQ(log[i].eflags & eflags::kRf, 0u) << "SDM Vol. 3B 17.3.1.1";
            EXPECT_EQ(log[i].dr6, 0xffff0ff8u);
        }
        EXPECT_EQ(world.cpu().dr[6] & 0xffff, 0x0ff0u);
    }
};

// mov ecx,3; again: mov [80000h],ecx; dec ecx; jnz again; pushf; mov eax,[80000h]; hlt
constexpr u8 kLoop[] = {0xb9, 3,    0,    0,    0,    0x89, 0x0d, 0,    0, 8,   0,
                        0x49, 0x75, 0xf7, 0x9c, 0xa1, 0x00, 0x00, 0x08, 0, 0xf4};

TEST_P(OneBreakpoint, AWriteTrapsAfterTheInstruction) {
    start(kLoop, 0x80000, dr7::kWriteData, 4);
    expect_hits({11, 11, 11});
    EXPECT_EQ(world.native_debug_traps(), 3u);
}

TEST_P(OneBreakpoint, AReadIsOneToo) {
    start(kLoop, 0x80002, dr7::kAccessData, 2);
    expect_hits({11, 11, 11, 20});
    EXPECT_EQ(world.native_debug_traps(), 4u);
}

TEST_P(OneBreakpoint, WhatIsEmulatedMeetsThemToo) {
    start(kLoop, SimulatedWorld::kStack - 4, dr7::kWriteData, 4);
    expect_hits({15}); // PUSHF, and nothing of the handler's frames: they lie below it
    EXPECT_EQ(world.native_debug_traps(), 0u);
}

TEST_P(OneBreakpoint, WhatDr6HasStaysUntilTheGuestClearsIt) {
    start(kLoop, 0x80000, dr7::kWriteData, 4);
    world.cpu().dr[6] |= dr6::kSingleStep;
    ASSERT_EQ(world.run(), HostRequest::Halt);
    ASSERT_EQ(log_of(world).size(), 3u);
    EXPECT_EQ(log_of(world)[0].dr6, 0xffff4ff8u);
    EXPECT_EQ(log_of(world)[1].dr6, 0xffff0ff8u);
}

TEST_P(OneBreakpoint, ABranchThatIsResolvedReadsToo) {
    // mov dword [80000h],next; jmp [80000h]; next: hlt
    constexpr u8 kCode[] = {0xc7, 0x05, 0, 0, 8, 0, 0x10, 0, 1, 0, 0xff, 0x25, 0, 0, 8, 0, 0xf4};
    start(kCode, 0x80000, dr7::kAccessData, 4);
    expect_hits({10, 16});
    EXPECT_EQ(world.native_debug_traps(), 1u);
}

TEST_P(OneBreakpoint, AnInstructionIsPassedOnce) {
    start(kLoop, SimulatedWorld::kCode + 5, dr7::kExecute, 1);
    expect_hits({5, 5, 5});
    EXPECT_EQ(world.native_debug_traps(), 3u);
}

TEST_P(OneBreakpoint, AnInstructionThatIsEmulatedFaultsBeforeInt3) {
    start(kLoop, SimulatedWorld::kCode + 14, dr7::kExecute, 1);
    expect_hits({14});
    // Stepped to by BTVM_CONFIG_VERIFY, it is the interpreter that finds it.
    EXPECT_EQ(world.native_debug_traps(), GetParam() & kVerify ? 0u : 1u);
}

TEST_P(OneBreakpoint, NativeCodeCanBeginAtOne) {
    start(kLoop, SimulatedWorld::kCode + 15, dr7::kExecute, 1); // what is before it is emulated
    expect_hits({15});
}

TEST_P(OneBreakpoint, ALoopOfOneInstructionHitsEachTime) {
    constexpr u8 kCode[] = {0xb9, 3, 0, 0, 0, 0xe2, 0xfe, 0xf4}; // mov ecx,3; loop $; hlt
    start(kCode, SimulatedWorld::kCode + 5, dr7::kExecute, 1);
    expect_hits({5, 5, 5});
}

TEST_P(OneBreakpoint, OnAPortIsNotOneOfMemory) {
    start(kLoop, 0x80000, dr7::kPort, 4);
    expect_hits({});
    EXPECT_GT(world.native_instructions(), 5u);
}

INSTANTIATE_TEST_SUITE_P(Providers, OneBreakpoint,
                         testing::Values(kExecuteOnly, 0u, kExecuteOnly | kVerify, kVerify));

TEST(GuestBreakpoints, FourLeaveNoRegisterForAPlan) {
    SimulatedWorld planned(4);
    planned.start(kLoop);
    catch_debug_exceptions(planned);
    for (unsigned n = 0; n < 4; n++) {
        planned.cpu().dr[n] = 0x80000;
        planned.cpu().dr[7] |= enable(n, dr7::kWriteData, 4);
    }
    ASSERT_EQ(planned.run(), HostRequest::Halt);
    EXPECT_EQ(log_of(planned).size(), 3u);
    EXPECT_EQ(planned.native_instructions(), 0u);
}

} // namespace
} // namespace btvm::test

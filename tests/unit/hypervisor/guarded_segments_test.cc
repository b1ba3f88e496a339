// Kernel code whose segments end. With a small GS, on a processor that checks no limits: it is traced, but
// for the accesses through GS. The simulated processor throws InvariantBroken if one of those runs natively.
#include <gtest/gtest.h>

#include "tests/unit/hypervisor/simulated_world.hh"

namespace btvm::test {
namespace {

constexpr u32 kRounds = 1000;
constexpr u64 kCounter = 0x20000;

// mov ecx,rounds; again: mov eax,gs:[0]; inc eax; mov gs:[0],eax; dec ecx; jnz again; ...
std::vector<u8> counting(u32 rounds, std::initializer_list<u8> then) {
    std::vector<u8> code{0xb9, 0,    0,    0, 0, 0x65, 0xa1, 0,    0,    0,   0,
                         0x40, 0x65, 0xa3, 0, 0, 0,    0,    0x49, 0x75, 0xf0};
    std::memcpy(code.data() + 1, &rounds, sizeof rounds);
    code.insert(code.end(), then);
    return code;
}

class GuardedSegments : public testing::TestWithParam<u32> {
protected:
    SimulatedWorld guest_{4, GetParam()};
    World& world_{guest_.world()};

    void start(const std::vector<u8>& code, u32 limit) {
        world_.lax_segments = true;
        guest_.start(code);
        guest_.cpu().seg[Gs] = {kCounter, limit, 0xe0, AccessRights{0x4093}};
    }
    u32 counted() {
        u32 value;
        std::memcpy(&value, guest_.ram().data() + kCounter, sizeof value);
        return value;
    }
};

TEST_P(GuardedSegments, CodeAroundThemIsTraced) {
    start(counting(kRounds, {0xf4}), 3);
    world_.native.guard_steps = Tracer::kStepsBeforeGuarding - kRounds;
    ASSERT_EQ(guest_.run(), HostRequest::Halt);
    EXPECT_EQ(counted(), kRounds);
    EXPECT_EQ(world_.code.guarded(), only(Gs));
    EXPECT_GT(world_.stats.interpreted_instructions, kRounds - 10);
    EXPECT_LT(world_.stats.interpreted_instructions, kRounds + 10) << "then it is traced";
    EXPECT_GT(guest_.native_instructions(), kRounds);
}

TEST_P(GuardedSegments, TheLimitHolds) {
    start(counting(kRounds, {0x65, 0xa1, 1, 0, 0, 0, 0xf4}), 3); // mov eax,gs:[1] goes a byte beyond it
    world_.native.guard_steps = Tracer::kStepsBeforeGuarding - 1;
    ASSERT_EQ(guest_.run(), HostRequest::Shutdown) << "#GP, and there is no IDT";
    EXPECT_EQ(counted(), kRounds);
    EXPECT_EQ(world_.code.guarded(), only(Gs));
}

TEST_P(GuardedSegments, CodeThatWasDecodedBeforeIsGuardedToo) {
    start(counting(2, {0xf4}), 0xffffffff);
    ASSERT_EQ(guest_.run(), HostRequest::Halt);
    EXPECT_EQ(world_.stats.interpreted_instructions, 0u) << "it is traced as it is";
    start(counting(kRounds, {0xf4}), 3);
    guest_.cpu().activity = Activity::Running;
    world_.native.guard_steps = Tracer::kStepsBeforeGuarding - 1;
    ASSERT_EQ(guest_.run(), HostRequest::Halt);
    EXPECT_EQ(counted(), kRounds + 2);
}

TEST_P(GuardedSegments, AGuardEndsWhenItIsLongNotNeeded) {
    start(counting(Tracer::kTurnsBeforeUnguarding, {0xf4}), 0xffffffff);
    world_.code.guard(world_.host.memory, only(Gs));
    ASSERT_EQ(guest_.run(), HostRequest::Halt);
    EXPECT_EQ(counted(), Tracer::kTurnsBeforeUnguarding);
    EXPECT_EQ(world_.code.guarded(), 0);
    EXPECT_LT(world_.stats.emulated_instructions, Tracer::kTurnsBeforeUnguarding + 10);
    // What was traced under it is not taken for traceable without it.
    start(counting(kRounds, {0xf4}), 3);
    guest_.cpu().activity = Activity::Running;
    ASSERT_EQ(guest_.run(), HostRequest::Halt);
    EXPECT_GT(world_.stats.interpreted_instructions, 4 * kRounds);
}

TEST_P(GuardedSegments, AGuardStaysWhileItIsNeeded) {
    world_.native.unneeded_guards = Tracer::kTurnsBeforeUnguarding - 1;
    start(counting(kRounds, {0xf4}), 3);
    world_.code.guard(world_.host.memory, only(Gs));
    ASSERT_EQ(guest_.run(), HostRequest::Halt);
    start(counting(kRounds, {0xf4}), 0xffffffff);
    guest_.cpu().activity = Activity::Running;
    ASSERT_EQ(guest_.run(), HostRequest::Halt);
    EXPECT_EQ(counted(), 2 * kRounds);
    EXPECT_EQ(world_.code.guarded(), only(Gs));
    EXPECT_EQ(world_.stats.interpreted_instructions, 0u);
}

TEST_P(GuardedSegments, AProcessorThatChecksNeedsNone) {
    start(counting(kRounds, {0xf4}), 3);
    world_.lax_segments = false;
    ASSERT_EQ(guest_.run(), HostRequest::Halt);
    EXPECT_EQ(world_.stats.interpreted_instructions, 0u);
    EXPECT_EQ(world_.code.guarded(), 0);
}

// On a processor that checks, code is left to it; what is answered without running it must hold to limits
// too.
class SegmentsThatEnd : public testing::TestWithParam<u32> {
protected:
    static constexpr u32 kEnd = 0x80000;
    static constexpr u64 kHalting = SimulatedWorld::kCode + 0x80;
    SimulatedWorld guest_{4, GetParam()};
    bool without_ds_{};

    /// Where `r` ends at 512 KiB. Beyond it lies the address of a HLT.
    HostRequest run_with(SegReg r, std::initializer_list<u8> code) {
        std::vector<u8> bytes(code);
        bytes.resize(kHalting - SimulatedWorld::kCode, 0x90);
        bytes.push_back(0xf4);
        guest_.start(bytes);
        guest_.cpu().gpr[Rsp] = kEnd - 16;
        guest_.cpu().seg[r].limit = kEnd - 1;
        if (without_ds_) guest_.cpu().seg[Ds].access.value &= static_cast<u16>(~0x80);
        std::memcpy(guest_.ram().data() + kEnd, &kHalting, 4);
        const HostRequest end = guest_.run();
        EXPECT_GT(guest_.world().stats.trap_breakpoint, 0u) << "it was traced";
        return end;
    }
};

TEST_P(SegmentsThatEnd, AReturnAddressBeyondTheStack) {
    // call 1f; mov esp,80000h; ret; 1: ret
    const std::initializer_list<u8> code = {0xe8, 6, 0, 0, 0, 0xbc, 0, 0, 8, 0, 0xc3, 0xc3};
    EXPECT_EQ(run_with(Ss, code), HostRequest::Shutdown);
    EXPECT_EQ(guest_.cpu().gpr[Rsp], kEnd);
}

TEST_P(SegmentsThatEnd, APointerBeyondTheData) {
    // call 1f; call [80000h]; 1: ret
    const std::initializer_list<u8> code = {0xe8, 6, 0, 0, 0, 0xff, 0x15, 0, 0, 8, 0, 0xc3};
    EXPECT_EQ(run_with(Ds, code), HostRequest::Shutdown);
    EXPECT_EQ(guest_.cpu().gpr[Rsp], kEnd - 16);
}

TEST_P(SegmentsThatEnd, APointerThroughNoSegment) {
    // call 1f; call [80000h]; 1: ret. A null selector leaves the limit as it was.
    const std::initializer_list<u8> code = {0xe8, 6, 0, 0, 0, 0xff, 0x15, 0, 0, 8, 0, 0xc3};
    without_ds_ = true;
    EXPECT_EQ(run_with(Gs, code), HostRequest::Shutdown);
    EXPECT_EQ(guest_.cpu().gpr[Rsp], kEnd - 16);
}

TEST_P(SegmentsThatEnd, AReturnOutOfTheCode) {
    // call 1f; push 80010h; ret; 1: ret
    const std::initializer_list<u8> code = {0xe8, 6, 0, 0, 0, 0x68, 0x10, 0, 8, 0, 0xc3, 0xc3};
    EXPECT_EQ(run_with(Cs, code), HostRequest::Shutdown);
    // Also where it could run natively, as it did before the segment ended there.
    guest_.ram()[kEnd + 16] = 0x90;
    guest_.ram()[kEnd + 17] = 0xf4;
    guest_.cpu().activity = Activity::Running;
    guest_.cpu().rip = kEnd + 16;
    guest_.cpu().seg[Cs].limit = 0xffffffff;
    ASSERT_EQ(guest_.run(), HostRequest::Halt);
    guest_.cpu().activity = Activity::Running;
    EXPECT_EQ(run_with(Cs, code), HostRequest::Shutdown);
}

TEST(SegmentsThatEndVerified, SteppingStopsAtTheEndOfTheCode) {
    constexpr u8 kCode[] = {0xe8, 0, 0, 0, 0, 0x90, 0x90, 0x90, 0x90, 0x90, 0xf4}; // call 1f; 1: nop...
    for (const u32 flags : {0u, u32{BTVM_CONFIG_EXECUTE_ONLY}}) {
        SimulatedWorld guest(4, BTVM_CONFIG_VERIFY | flags);
        guest.start(kCode);
        guest.cpu().seg[Cs].limit = SimulatedWorld::kCode + 6;
        EXPECT_EQ(guest.run(), HostRequest::Shutdown);
        EXPECT_EQ(guest.cpu().rip, SimulatedWorld::kCode + 7);
        EXPECT_GT(guest.world().stats.verify_steps, 0u);
    }
}

INSTANTIATE_TEST_SUITE_P(Providers, SegmentsThatEnd, testing::Values(0u, u32{BTVM_CONFIG_EXECUTE_ONLY}),
                         [](const auto& info) { return info.param ? "Copies" : "Plans"; });
INSTANTIATE_TEST_SUITE_P(Providers, GuardedSegments, testing::Values(0u, u32{BTVM_CONFIG_EXECUTE_ONLY}),
                         [](const auto& info) { return info.param ? "Copies" : "Plans"; });

} // namespace
} // namespace btvm::test

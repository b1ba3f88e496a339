// The local APIC against SDM Vol. 3A chapter 10.
#include "tests/unit/interrupts/apic_rig.hh"

namespace btvm::test {
namespace {

struct LocalApicTest : ApicRig {
    LocalApicTest() { enable(); }
};

TEST_F(ApicRig, PowerOn) {
    EXPECT_EQ(cpu.apic_base, 0xfee00900u);
    EXPECT_EQ(local(0x20), 0u);
    EXPECT_EQ(local(0x30), 0x50014u);
    EXPECT_EQ(local(0xe0), 0xffffffffu);
    EXPECT_EQ(local(0xf0), 0xffu);
    for (const u32 entry : {0x320u, 0x330u, 0x340u, 0x360u, 0x370u})
        EXPECT_EQ(local(entry), kMasked) << entry;
    EXPECT_EQ(local(0x350), 0x700u) << "virtual wire mode";
    for (u32 offset = 0x100; offset < 0x280; offset += 0x10)
        EXPECT_EQ(local(offset), 0u) << offset;
}

TEST_F(ApicRig, WhileDisabledEntriesStayMaskedAndNothingIsAccepted) {
    local(0x320, 0x41);
    EXPECT_EQ(local(0x320), kMasked | 0x41);
    ipi(kSelf | 0x41);
    EXPECT_EQ(take(), -1);
    enable();
    local(0x320, 0x41);
    EXPECT_EQ(local(0x320), 0x41u);
    ipi(kSelf | 0x42);
    local(0xf0, 0xff);
    EXPECT_EQ(local(0x320), kMasked | 0x41) << "turning it off masks";
    EXPECT_EQ(take(), 0x42) << "what was requested before is still delivered";
}

TEST_F(LocalApicTest, PrioritiesOrderRequests) {
    for (const u32 vector : {0x41u, 0x61u, 0x51u, 0x62u, 0xffu, 0x10u})
        ipi(kSelf | vector);
    EXPECT_EQ(take(), 0xff);
    EXPECT_EQ(take(), -1) << "nothing is above class F";
    EXPECT_EQ(local(0xa0), 0xf0u);
    end();
    EXPECT_EQ(take(), 0x62);
    EXPECT_EQ(take(), -1) << "61h is of the same class";
    EXPECT_EQ(local(0x130), 1u << 2);
    EXPECT_EQ(local(0x230), 1u << 1);
    end();
    EXPECT_EQ(take(), 0x61);
    end();
    EXPECT_EQ(take(), 0x51);
    end();
    EXPECT_EQ(take(), 0x41);
    EXPECT_EQ(take(), -1);
    end();
    EXPECT_EQ(take(), 0x10);
    end();
    EXPECT_EQ(local(0xa0), 0u);
    end(); // with nothing in service: nothing
    EXPECT_EQ(take(), -1);
}

TEST_F(LocalApicTest, HigherOnesNest) {
    ipi(kSelf | 0x41);
    EXPECT_EQ(take(), 0x41);
    ipi(kSelf | 0x61);
    EXPECT_EQ(take(), 0x61);
    ipi(kSelf | 0x51);
    EXPECT_EQ(take(), -1);
    end(); // of 61h
    EXPECT_EQ(take(), 0x51);
    end();
    EXPECT_EQ(local(0xa0), 0x40u);
    ipi(kSelf | 0x41); // once in service, once more requested
    EXPECT_EQ(take(), -1);
    end();
    EXPECT_EQ(take(), 0x41);
}

TEST_F(LocalApicTest, TaskPriorityHoldsBack) {
    local(0x80, 0x5f);
    ipi(kSelf | 0x5f);
    ipi(kSelf | 0x60);
    EXPECT_EQ(local(0xa0), 0x5fu);
    EXPECT_EQ(take(), 0x60);
    EXPECT_EQ(local(0xa0), 0x60u);
    end();
    EXPECT_EQ(take(), -1);
    local(0x80, 0x4f);
    EXPECT_EQ(take(), 0x5f);
}

TEST_F(LocalApicTest, Destinations) {
    const auto reaches = [&](u32 low, u8 destination) {
        ipi(low | 0x41, destination);
        const bool came = take() == 0x41;
        end();
        return came;
    };
    constexpr u32 kLogical = 1u << 11, kLowest = 1u << 8;
    EXPECT_TRUE(reaches(0, 0));
    EXPECT_FALSE(reaches(0, 1));
    EXPECT_TRUE(reaches(0, 0xff));
    EXPECT_TRUE(reaches(kAll, 9));
    EXPECT_TRUE(reaches(kSelf, 9));
    EXPECT_FALSE(reaches(kOthers, 0));
    EXPECT_TRUE(reaches(kLowest, 0));
    EXPECT_FALSE(reaches(kLogical, 1)) << "no logical ID yet";
    local(0xd0, 0x05abcdef);
    EXPECT_EQ(local(0xd0), 0x05000000u);
    EXPECT_TRUE(reaches(kLogical, 0x04));
    EXPECT_FALSE(reaches(kLogical, 0x02));
    local(0xe0, 0x0fffffff); // cluster model: cluster 2, member 1
    EXPECT_EQ(local(0xe0), 0x0fffffffu);
    local(0xd0, 0x21000000);
    EXPECT_TRUE(reaches(kLogical, 0x23));
    EXPECT_FALSE(reaches(kLogical, 0x22));
    EXPECT_FALSE(reaches(kLogical, 0x11));
    EXPECT_TRUE(reaches(kLogical, 0xff));
    local(0x20, 0x07000000);
    EXPECT_TRUE(reaches(0, 7));
    EXPECT_FALSE(reaches(0, 0));
}

TEST_F(LocalApicTest, InitAndStartUpVanishAndNmiArrives) {
    const LocalApic::State before = apics.local.state();
    ipi(0xc4500);
    ipi(0xc4608);
    ipi(0x4500, 1);
    ipi(0x4200); // SMI
    EXPECT_EQ(take(), -1);
    EXPECT_EQ(local(0x300) & 1u << 12, 0u) << "the delivery status is idle";
    EXPECT_EQ(apics.local.state().new_errors, before.new_errors);
    EXPECT_FALSE(cpu.nmi_pending);
    ipi(0x4400);
    EXPECT_TRUE(cpu.nmi_pending);
}

TEST_F(LocalApicTest, ErrorsShowAfterAWriteAndInterrupt) {
    local(0x370, 0x71);
    ipi(kSelf | 0x0f);
    EXPECT_EQ(local(0x280), 0u) << "not before it is written";
    local(0x280, 0);
    EXPECT_EQ(local(0x280), 0x20u);
    EXPECT_EQ(take(), 0x71);
    end();
    local(0x280, 0);
    EXPECT_EQ(local(0x280), 0u);
    (void)local(0x40); // no such register
    EXPECT_EQ(take(), 0x71);
    end();
    local(0x3f0, 1);
    local(0x280, 0);
    EXPECT_EQ(local(0x280), 0x80u);
    EXPECT_EQ(take(), 0x71);
    end();
    local(0x330, 0x0e); // thermal sensor: silent
    pin(5, 0x0e);
    controllers.set_irq(5, true);
    local(0x280, 0);
    EXPECT_EQ(local(0x280), 0x40u) << "an illegal vector came in";
    local(0x370, 0x0d);
    (void)local(0x40);
    EXPECT_EQ(take(), 0x71) << "from before; the entry's own illegal vector does nothing more";
}

TEST_F(LocalApicTest, OnlyWordsAreWrittenAndPartsCanBeRead) {
    const u8 byte = 0x30;
    controllers.write(GuestPhysical(kLocal + 0x80), &byte, 1);
    EXPECT_EQ(local(0x80), 0u);
    const u64 two = 0x4000000040;
    controllers.write(GuestPhysical(kLocal + 0x80), &two, 8);
    EXPECT_EQ(local(0x80), 0u);
    local(0x84, 0x50);
    EXPECT_EQ(local(0x80), 0u);
    local(0x20, 0x03000000);
    u8 id = 0;
    controllers.read(GuestPhysical(kLocal + 0x23), &id, 1);
    EXPECT_EQ(id, 3);
    EXPECT_EQ(local(0x24), 0u);
    u8 many[24];
    controllers.read(GuestPhysical(kLocal + 0x1f), many, sizeof many);
    EXPECT_EQ(many[4], 3);
    EXPECT_EQ(many[17], 0x14) << "the version, behind what is between";
}

// ---- the timer

TEST_F(LocalApicTest, TheTimerOnce) {
    local(0x3e0, 0xb); // by 1
    local(0x320, 0x41);
    controllers.now_ns = 1000;
    local(0x380, 500);
    EXPECT_EQ(controllers.next_timer_ns(), 1500u);
    controllers.now_ns = 1100;
    EXPECT_EQ(local(0x390), 400u);
    EXPECT_EQ(take_at(1499), -1);
    EXPECT_EQ(take_at(1500), 0x41);
    EXPECT_EQ(local(0x390), 0u);
    EXPECT_EQ(local(0x380), 500u);
    end();
    EXPECT_EQ(controllers.next_timer_ns(), LocalApic::kNever);
    EXPECT_EQ(take_at(1'000'000), -1);
    local(0x380, 500);
    local(0x380, 0);
    EXPECT_EQ(controllers.next_timer_ns(), LocalApic::kNever) << "0 stops it";
}

TEST_F(LocalApicTest, TheTimerByEachDivider) {
    constexpr unsigned kDividers[] = {2, 4, 8, 16, 32, 64, 128, 1};
    constexpr u32 kCodes[] = {0, 1, 2, 3, 8, 9, 10, 11};
    for (unsigned i = 0; i < 8; i++) {
        local(0x3e0, kCodes[i] | 0xfffffff4);
        EXPECT_EQ(local(0x3e0), kCodes[i]);
        local(0x320, 0x41);
        local(0x380, 100000);
        EXPECT_EQ(controllers.next_timer_ns() - controllers.now_ns, 100000u * kDividers[i]);
    }
}

TEST_F(LocalApicTest, TheTimerPeriodic) {
    local(0x3e0, 0xb);
    local(0x320, kPeriodic | 0x41);
    local(0x380, 100000);
    for (u64 period = 1; period < 5; period++) {
        EXPECT_EQ(take_at(period * 100000 - 1), -1);
        EXPECT_EQ(controllers.next_timer_ns(), period * 100000);
        EXPECT_EQ(take_at(period * 100000 + 10), 0x41);
        EXPECT_EQ(local(0x390), 99990u);
        end();
    }
    local(0x320, kMasked | kPeriodic | 0x41);
    EXPECT_EQ(controllers.next_timer_ns(), LocalApic::kNever);
    EXPECT_EQ(take_at(750'000), -1);
    EXPECT_EQ(local(0x390), 50000u) << "it counts on";
    local(0x320, kPeriodic | 0x41);
    EXPECT_EQ(take_at(799'999), -1) << "what was masked is not made up for";
    EXPECT_EQ(take_at(800'000), 0x41);
}

TEST_F(LocalApicTest, ADividerChangedMeanwhileKeepsTheCount) {
    local(0x3e0, 0xb);
    local(0x320, 0x41);
    controllers.now_ns = 10'000'000;
    local(0x380, 1000);
    controllers.now_ns += 400;
    local(0x3e0, 0x3); // by 16
    EXPECT_EQ(local(0x390), 600u);
    EXPECT_EQ(controllers.next_timer_ns(), controllers.now_ns + 600 * 16);
}

TEST_F(LocalApicTest, TicksThatFindTheLastOneUntakenAreOwed) {
    local(0x3e0, 0xb);
    local(0x320, kPeriodic | 0x41);
    local(0x380, 100000);
    controllers.now_ns = 1'000'000; // ten of them
    lost += controllers.follow_time();
    EXPECT_EQ(controllers.next_timer_ns(), LocalApic::kNever) << "until that one is taken";
    unsigned taken = 0;
    for (; take_at(1'000'000) == 0x41; taken++) {
        EXPECT_EQ(controllers.next_timer_ns(), taken < 9 ? 1'000'000u : 1'100'000u);
        end();
    }
    EXPECT_EQ(taken, 10u);
    EXPECT_EQ(lost, 0u);
    local(0x380, 100000);
    controllers.now_ns = 2'000'000;
    (void)controllers.follow_time();
    local(0x380, 100000); // a new count owes nothing of the old one
    EXPECT_EQ(take_at(2'000'000), 0x41);
    end();
    EXPECT_EQ(take_at(2'000'000), -1);
}

TEST_F(LocalApicTest, ATimerOfANanosecondDoesNotStormTheHost) {
    local(0x3e0, 0xb);
    local(0x320, kPeriodic | 0x41);
    local(0x380, 1);
    controllers.now_ns = 1'000'000'000;
    lost += controllers.follow_time();
    EXPECT_EQ(lost, 1'000'000'000u - LocalApic::kMostOwedTicks);
    EXPECT_EQ(controllers.next_timer_ns(), LocalApic::kNever) << "with one waiting";
    unsigned taken = 0;
    while (take_at(1'000'000'000) == 0x41) {
        end();
        taken++;
    }
    EXPECT_EQ(taken, LocalApic::kMostOwedTicks);
    EXPECT_EQ(controllers.next_timer_ns(), 1'000'000'000u + ApicTimer::kShortestWaitNs);
    (void)local(0x390);
}

TEST_F(LocalApicTest, TimeThatStandsStillOrGoesBack) {
    controllers.now_ns = 1'000'000;
    local(0x3e0, 0xb);
    local(0x320, kPeriodic | 0x41);
    local(0x380, 1000);
    EXPECT_EQ(take_at(500'000), -1);
    EXPECT_EQ(local(0x390), 1000u);
    local(0x3e0, 0xa); // by 128: would have begun before time 0
    EXPECT_EQ(take_at(600'000), -1);
}

TEST_F(LocalApicTest, BentStatesAreRefused) {
    const LocalApic::State good = apics.local.state();
    ASSERT_TRUE(LocalApic::possible(good));
    const auto refuses = [&](auto change) {
        LocalApic::State bad = good;
        change(bad);
        return !LocalApic::possible(bad);
    };
    EXPECT_TRUE(refuses([](auto& s) { s.irr[0] = 1; }));
    EXPECT_TRUE(refuses([](auto& s) { s.isr[0] = 0x8000; }));
    EXPECT_TRUE(refuses([](auto& s) { s.lvt[LocalApic::kTimer] = kRemoteIrr; }));
    EXPECT_TRUE(refuses([](auto& s) { s.lvt[LocalApic::kLint0] = 1u << 31; }));
    EXPECT_TRUE(refuses([](auto& s) { s.timer.running = 1; })) << "without a count";
    EXPECT_TRUE(refuses([](auto& s) { s.timer.divide = 4; }));
    EXPECT_TRUE(refuses([](auto& s) { s.owed_ticks = LocalApic::kMostOwedTicks + 1; }));
    EXPECT_TRUE(refuses([](auto& s) { s.pins = 4; }));
    EXPECT_FALSE(refuses([](auto& s) {
        s.timer.initial = 1;
        s.timer.running = 1;
        s.timer.start_ns = ~u64{0};
    }));
}

TEST_F(LocalApicTest, ATimerOfTheFarFutureWaits) {
    local(0x320, kPeriodic | 0x41);
    apics.local.state().timer = {~u64{0} - 5, 1000, 0xb, 1};
    EXPECT_EQ(take_at(~u64{0} / 2), -1);
    EXPECT_EQ(controllers.next_timer_ns(), LocalApic::kNever);
}

} // namespace
} // namespace btvm::test

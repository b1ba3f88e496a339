#include <gtest/gtest.h>

#include "vmm/interrupts/pic.hh"
#include "vmm/interrupts/pit.hh"
#include "vmm/io/port_bus.hh"

namespace btvm {
namespace {

struct PortBusTest : testing::Test {
    Pic pic;
    Pit pit;
    PortRequest request;
    PortCounters counters;
    PortBus bus{pic, pit, request, counters};
    PortBusTest() {
        pic.reset();
        pit.reset(0);
    }
    void answer(u32 value) {
        ASSERT_EQ(request.phase, PortRequest::Phase::Asked);
        request.phase = PortRequest::Phase::Answered;
        if (!request.write) request.set_value(value);
    }
};

TEST_F(PortBusTest, CorePortsAreDoneAtOnce) {
    u32 value = 0;
    EXPECT_EQ(bus.write(0x21, 1, 0x5a), IoStatus::Done);
    EXPECT_EQ(bus.read(0x21, 1, value), IoStatus::Done);
    EXPECT_EQ(value, 0x5au);
    EXPECT_EQ(bus.write(0x61, 1, 0x03), IoStatus::Done);
    EXPECT_EQ(bus.read(0x61, 1, value), IoStatus::Done);
    EXPECT_EQ(value & 3, 3u);
    EXPECT_EQ(counters.in_core, 4u);
    EXPECT_EQ(counters.userland, 0u);
    EXPECT_EQ(request.phase, PortRequest::Phase::Idle);
}

TEST_F(PortBusTest, WideAccessesAreSplitInBytes) {
    u32 value = 0;
    EXPECT_EQ(bus.write(0x4d0, 2, 0x0220), IoStatus::Done);
    EXPECT_EQ(bus.read(0x4d0, 2, value), IoStatus::Done);
    EXPECT_EQ(value, 0x0220u);
    EXPECT_EQ(bus.read(0x4d0, 4, value), IoStatus::Done);
    EXPECT_EQ(value, 0xffff0220u); // no one home at 4D2h
}

TEST_F(PortBusTest, DelayWritesVanish) {
    EXPECT_EQ(bus.write(0x80, 1, 0x12), IoStatus::Done);
    EXPECT_EQ(bus.write(0xed, 1, 0x12), IoStatus::Done);
    u32 value = 0;
    EXPECT_EQ(bus.read(0x80, 1, value), IoStatus::NeedsUserland);
}

TEST_F(PortBusTest, OtherPortsAskUserlandAndFindTheAnswer) {
    u32 value = 7;
    EXPECT_EQ(bus.read(0x3f5, 1, value), IoStatus::NeedsUserland);
    EXPECT_EQ(request.phase, PortRequest::Phase::Asked);
    EXPECT_EQ(request.port, 0x3f5);
    EXPECT_EQ(request.size, 1);
    EXPECT_EQ(request.write, 0);
    EXPECT_EQ(value, 7u);
    EXPECT_EQ(bus.read(0x3f5, 1, value), IoStatus::NeedsUserland); // not answered yet
    answer(0xffffff80);
    EXPECT_EQ(bus.read(0x3f5, 1, value), IoStatus::Done);
    EXPECT_EQ(value, 0x80u);
    EXPECT_EQ(request.phase, PortRequest::Phase::Idle);
    EXPECT_EQ(bus.write(0x1f0, 2, 0xabcd1234), IoStatus::NeedsUserland);
    EXPECT_EQ(request.value(), 0x1234u);
    answer(0);
    EXPECT_EQ(bus.write(0x1f0, 2, 0xabcd1234), IoStatus::Done);
}

TEST_F(PortBusTest, AnswerToAnotherAccessIsDropped) {
    u32 value = 0;
    EXPECT_EQ(bus.read(0x60, 1, value), IoStatus::NeedsUserland);
    answer(0x1c);
    EXPECT_EQ(bus.read(0x64, 1, value), IoStatus::NeedsUserland);
    EXPECT_EQ(request.port, 0x64);
    answer(0x55);
    EXPECT_EQ(bus.read(0x64, 2, value), IoStatus::NeedsUserland);
    answer(0x55);
    EXPECT_EQ(bus.write(0x64, 2, 0), IoStatus::NeedsUserland);
    EXPECT_EQ(request.write, 1);
    answer(0);
    EXPECT_EQ(bus.write(0x64, 2, 1), IoStatus::NeedsUserland); // another value is another access
}

TEST_F(PortBusTest, ABlockIsDoneAsItWasAskedFor) {
    const u8* data = nullptr;
    u32 count = 5000;
    EXPECT_EQ(bus.read_block(0x1f0, 2, count, data), IoStatus::NeedsUserland);
    EXPECT_EQ(count, PortRequest::kMostBytes / 2);
    EXPECT_EQ(request.count, count);
    request.data[0] = 0x5a;
    request.phase = PortRequest::Phase::Answered;
    count = 5000;
    EXPECT_EQ(bus.read_block(0x1f0, 2, count, data), IoStatus::Done);
    EXPECT_EQ(count, PortRequest::kMostBytes / 2);
    EXPECT_EQ(data[0], 0x5a);
    EXPECT_EQ(request.phase, PortRequest::Phase::Idle);
    EXPECT_EQ(counters.userland, 1u);
}

TEST_F(PortBusTest, AnAnswerToMoreThanIsWantedIsDropped) {
    u8* data = nullptr;
    u32 count = 8;
    EXPECT_EQ(bus.write_block(0x1f0, 4, count, data), IoStatus::NeedsUserland);
    EXPECT_EQ(data, request.data);
    request.phase = PortRequest::Phase::Answered;
    count = 7;
    EXPECT_EQ(bus.write_block(0x1f0, 4, count, data), IoStatus::NeedsUserland);
    EXPECT_EQ(request.count, 7u);
    request.phase = PortRequest::Phase::Answered;
    EXPECT_EQ(bus.write(0x1f0, 4, 0), IoStatus::NeedsUserland); // nor is it one for a single access
    EXPECT_EQ(request.count, 1u);
}

TEST_F(PortBusTest, WhatIsInTheCoreHasNoBlocks) {
    EXPECT_TRUE(bus.in_core(true, 0x80, 1));
    EXPECT_FALSE(bus.in_core(false, 0x80, 1));
    EXPECT_FALSE(bus.in_core(true, 0x80, 2));
    EXPECT_TRUE(bus.in_core(false, 0x61, 1));
    EXPECT_FALSE(bus.in_core(true, 0x1f0, 2));
}

} // namespace
} // namespace btvm

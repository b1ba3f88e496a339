// REP INS and REP OUTS in blocks: whatever the count, the place and the segment, they end as they do element
// by element, and only the number of exchanges with userland differs.
#include <gtest/gtest.h>
#include <random>

#include "tests/unit/interpret/protected_machine.hh"

namespace btvm::test {
namespace {

constexpr u32 kDirectory = 0x100000, kTable = 0x101000;
constexpr u16 kPort = 0x1f0;

class PortBlocks : public testing::Test, protected ProtectedMachine {
protected:
    /// One repeated INS or OUTS, ready to run.
    void start(std::initializer_list<u8> bytes, u32 count, u32 offset) {
        go(0);
        put(kCode, bytes);
        cpu.gpr[Rcx] = count;
        cpu.gpr[Rsi] = cpu.gpr[Rdi] = offset;
        cpu.gpr[Rdx] = kPort;
    }
    /// Steps until the instruction is done; returns how often userland was asked.
    u64 exchanges() {
        const u64 before = port_counters.userland;
        while (cpu.rip == kCode && cpu.activity == Activity::Running)
            (void)step();
        return port_counters.userland - before;
    }
};

TEST_F(PortBlocks, ASectorIsOneExchange) {
    start({0xf3, 0x66, 0x6d}, 256, kData); // rep insw
    for (u32 i = 0; i < 256; i++)
        inputs.push_back(0xa500 + i);
    EXPECT_EQ(exchanges(), 1u);
    for (u32 i = 0; i < 256; i++)
        ASSERT_EQ(load<u16>(kData + 2 * i), 0xa500 + i);
    EXPECT_EQ(cpu.gpr[Rdi], kData + 512u);
    EXPECT_EQ(cpu.gpr[Rcx], 0u);

    start({0xf3, 0x66, 0x6f}, 256, kData); // rep outsw
    EXPECT_EQ(exchanges(), 1u);
    ASSERT_EQ(outputs.size(), 256u);
    EXPECT_EQ(outputs[255], (Output{kPort, 2, 0xa5ff}));
    EXPECT_EQ(cpu.gpr[Rsi], kData + 512u);
}

TEST_F(PortBlocks, ABlockIsWhatFitsTheSharedPage) {
    start({0xf3, 0x6c}, 4096, kData); // rep insb
    EXPECT_EQ(exchanges(), 2u);
    start({0xf3, 0x6c}, 2, kData);
    EXPECT_EQ(exchanges(), 1u);
    start({0xf3, 0x6d}, 0, kData);
    EXPECT_EQ(exchanges(), 0u);
}

TEST_F(PortBlocks, NothingIsSkippedForDebuggers) {
    start({0xf3, 0x6c}, 8, kData);
    cpu.dr[7] = 2;
    EXPECT_EQ(exchanges(), 8u);
    cpu.dr[7] = 0;
    start({0xf3, 0x6c}, 8, kData);
    cpu.rflags |= eflags::kTf;
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(vector(), 1);
    EXPECT_EQ(cpu.gpr[Rcx], 7u);
    start({0xf3, 0x6c}, 8, kData + 8);
    cpu.rflags |= eflags::kDf;
    EXPECT_EQ(exchanges(), 8u);
}

TEST_F(PortBlocks, CorePortsAreOneByOne) {
    start({0xf3, 0x6c}, 8, kData);
    cpu.gpr[Rdx] = 0x40;
    EXPECT_EQ(exchanges(), 0u);
    EXPECT_EQ(cpu.gpr[Rcx], 0u);
}

TEST_F(PortBlocks, AfterABlockThereIsABoundaryWithNothingAsked) {
    start({0xf3, 0x6c}, 8000, kData);
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(request.phase, PortRequest::Phase::Idle);
    EXPECT_EQ(cpu.rip, kCode);
    EXPECT_EQ(cpu.gpr[Rcx], 8000u - PortRequest::kMostBytes);
    EXPECT_TRUE(cpu.rflags & eflags::kRf);
    // The same when the elements come singly.
    start({0xf3, 0x6c}, 3, kData);
    interpreter.port_block = 0;
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(request.phase, PortRequest::Phase::Idle);
    EXPECT_EQ(cpu.gpr[Rcx], 2u);
}

TEST_F(PortBlocks, AStaleAnswerIsDropped) {
    start({0xf3, 0x6c}, 8, kData);
    ASSERT_EQ(interpreter.step(), StepStatus::Io);
    EXPECT_EQ(request.count, 8u);
    answer();
    cpu.gpr[Rcx] = 4; // fewer are wanted than were asked for
    ASSERT_EQ(interpreter.step(), StepStatus::Io);
    EXPECT_EQ(request.count, 4u);
    EXPECT_EQ(cpu.gpr[Rdi], kData);
    answer();
    cpu.gpr[Rcx] = 100; // more: what was asked for is done, and no more
    ASSERT_EQ(interpreter.step(), StepStatus::Completed);
    EXPECT_EQ(cpu.gpr[Rcx], 96u);
    EXPECT_EQ(cpu.gpr[Rdi], kData + 4u);
    // A block's answer is none for a single access, nor for another port.
    start({0xf3, 0x6c}, 8, kData);
    ASSERT_EQ(interpreter.step(), StepStatus::Io);
    answer();
    put(kCode, {0xec}); // in al, dx
    ASSERT_EQ(interpreter.step(), StepStatus::Io);
    EXPECT_EQ(request.count, 1u);
}

TEST_F(PortBlocks, PagesAreMarkedWhenItHappens) {
    for (u32 i = 0; i < 512; i++)
        store<u32>(kTable + 4 * i, i << 12 | 7);
    store<u32>(kDirectory, kTable | 7);
    cpu.cr3 = kDirectory;
    cpu.cr0 |= cr0::kPg;
    start({0xf3, 0x6c}, 8, kData);
    ASSERT_EQ(interpreter.step(), StepStatus::Io);
    EXPECT_EQ(load<u32>(kTable + 4 * (kData >> 12)) & 0x60, 0u);
    answer();
    ASSERT_EQ(interpreter.step(), StepStatus::Completed);
    EXPECT_EQ(load<u32>(kTable + 4 * (kData >> 12)) & 0x60, 0x60u);
}

/// One of two machines that get the same instruction.
class Side : public ProtectedMachine {
public:
    struct Case {
        u8 opcode;
        bool address16, operand16, down, paging;
        u32 count, offset, limit, page_rights;
        u16 type;
        u32 seed;
    };

    void run_case(const Case& c) {
        go(0);
        const u8 code[] = {0xf3, u8(c.address16 ? 0x67 : 0x3e), u8(c.operand16 ? 0x66 : 0x3e), c.opcode};
        place(code);
        std::mt19937 random(c.seed);
        for (u32 at = kData - 0x1000; at < kData + 0x12000; at += 4)
            store<u32>(at, random());
        inputs.clear();
        outputs.clear();
        for (u32 i = 0; i < c.count; i++)
            inputs.push_back(random());
        for (SegReg s : {Es, Ds})
            cpu.seg[s] = {kData, c.limit, kData0, AccessRights{c.type}};
        cpu.gpr[Rcx] = c.count;
        cpu.gpr[Rsi] = cpu.gpr[Rdi] = c.offset;
        cpu.gpr[Rdx] = kPort;
        cpu.cr2 = 0;
        cpu.cr0 &= ~u64{cr0::kPg};
        if (c.paging) {
            for (u32 i = 0; i < 512; i++)
                store<u32>(kTable + 4 * i, i << 12 | 7);
            store<u32>(kTable + 4 * ((kData >> 12) + 1), ((kData >> 12) + 1) << 12 | c.page_rights);
            store<u32>(kDirectory, kTable | 7);
            cpu.cr3 = kDirectory;
            cpu.cr0 |= cr0::kPg | cr0::kWp;
        }
        if (c.down) cpu.rflags |= eflags::kDf;
        for (u32 i = 0; i < 20000 && cpu.rip == kCode && cpu.activity == Activity::Running; i++)
            (void)step();
        request.forget();
    }
};

TEST(PortBlocksRandomly, EndAsElementByElement) {
    Side blocks, single;
    single.interpreter.port_block = 0;
    std::mt19937 random(from_environment("BTVM_SEED", 20));
    const u32 cases = from_environment("BTVM_CASES", 400);
    u64 faults = 0;
    for (u32 n = 0; n < cases; n++) {
        constexpr u8 kOpcodes[] = {0x6c, 0x6d, 0x6e, 0x6f};
        constexpr u16 kTypes[] = {0xc093, 0xc093, 0xc093, 0xc091, 0xc097, 0x0093};
        constexpr u32 kRights[] = {7, 5, 0};
        Side::Case c{};
        c.opcode = kOpcodes[random() % 4];
        c.address16 = random() % 3 == 0;
        c.operand16 = random() % 2;
        c.down = random() % 8 == 0;
        c.paging = random() % 2;
        c.count = 1 + random() % (random() % 2 ? 40 : 5000);
        const u32 border = c.address16 && random() % 2 ? 0x10000 : 0x1000 * (1 + random() % 2);
        c.offset = border - random() % 600;
        c.limit = random() % 3 ? 0xfffff : c.offset + random() % 300 - 20;
        c.page_rights = kRights[random() % 3];
        c.type = kTypes[random() % 6];
        c.seed = random();
        SCOPED_TRACE(testing::Message()
                     << "case " << n << " opcode " << std::hex << int(c.opcode) << " count " << c.count
                     << " offset " << c.offset << " limit " << c.limit << " type " << c.type << " paging "
                     << c.paging << " rights " << c.page_rights << (c.down ? " down" : "")
                     << (c.address16 ? " a16" : ""));
        blocks.run_case(c);
        single.run_case(c);
        ASSERT_EQ(blocks.vector(), single.vector());
        for (unsigned r = 0; r < 8; r++)
            ASSERT_EQ(blocks.cpu.gpr[r], single.cpu.gpr[r]) << r;
        ASSERT_EQ(blocks.cpu.rip, single.cpu.rip);
        ASSERT_EQ(blocks.cpu.rflags, single.cpu.rflags);
        ASSERT_EQ(blocks.cpu.cr2, single.cpu.cr2);
        ASSERT_TRUE(blocks.outputs == single.outputs);
        ASSERT_EQ(blocks.inputs.size(), single.inputs.size());
        ASSERT_TRUE(blocks.ram == single.ram);
        faults += blocks.vector() >= 0;
    }
    EXPECT_GT(faults, cases / 10);
    EXPECT_LT(faults, cases);
    EXPECT_LT(blocks.port_counters.userland * 4, single.port_counters.userland);
}

} // namespace
} // namespace btvm::test

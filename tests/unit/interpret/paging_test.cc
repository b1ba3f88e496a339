// Paging: walks, page-fault error codes, accessed and dirty bits.
#include <gtest/gtest.h>

#include "tests/unit/interpret/protected_machine.hh"
#include "vmm/mmu/guest_walk.hh"

namespace btvm::test {
namespace {

class Paging : public ::testing::Test, protected ProtectedMachine {
protected:
    static constexpr u32 kDirectory = 0x80000, kTable = 0x81000;
    static constexpr u32 kP = 1, kW = 2, kU = 4, kA = 0x20, kD = 0x40, kPs = 0x80;

    Paging() {
        store<u32>(kDirectory, kTable | kP | kW | kU);
        for (u32 page = 0; page < 256; page++) // the first MiB, identical
            store<u32>(kTable + 4 * page, page << 12 | kP | kW | kU);
        cpu.cr3 = kDirectory;
        cpu.cr0 |= cr0::kPg;
    }
    void map(u32 linear, u32 entry) { store<u32>(kTable + 4 * (linear >> 12), entry); }
    [[nodiscard]] u32 entry(u32 linear) const { return load<u32>(kTable + 4 * (linear >> 12)); }
    void expect_page_fault(u32 linear, u32 error) {
        EXPECT_EQ(vector(), 14);
        EXPECT_EQ(cpu.cr2, linear);
        EXPECT_EQ(stack(0), error);
        EXPECT_EQ(stack(1), kCode);
    }
};

TEST_F(Paging, ErrorCodes) {
    put(kCode, {0xa3, 0x00, 0x00, 0x05, 0x00}); // mov [50000h], eax
    map(0x50000, 0);
    (void)step();
    expect_page_fault(0x50000, pf_error::kWrite);
    go(3);
    (void)step();
    expect_page_fault(0x50000, pf_error::kWrite | pf_error::kUser);
    go(3);
    map(0x50000, 0x50000 | kP | kU);
    (void)step();
    expect_page_fault(0x50000, pf_error::kWrite | pf_error::kUser | pf_error::kPresent);
    go(0);
    (void)step();
    EXPECT_EQ(vector(), -1) << "WP is clear: level 0 writes anywhere";
    cpu.cr0 |= cr0::kWp;
    go(0);
    (void)step();
    expect_page_fault(0x50000, pf_error::kWrite | pf_error::kPresent);
    go(3);
    put(kCode, {0xa1, 0x00, 0x00, 0x05, 0x00});
    map(0x50000, 0x50000 | kP | kW);
    (void)step();
    expect_page_fault(0x50000, pf_error::kUser | pf_error::kPresent);
}

TEST_F(Paging, AccessedAndDirty) {
    put(kCode, {0xa1, 0x00, 0x00, 0x05, 0x00, 0xa3, 0x00, 0x00, 0x05, 0x00});
    EXPECT_EQ(entry(0x50000) & (kA | kD), 0u);
    (void)step();
    EXPECT_EQ(entry(0x50000) & (kA | kD), kA);
    EXPECT_TRUE(load<u32>(kDirectory) & kA);
    EXPECT_FALSE(load<u32>(kDirectory) & kD);
    (void)step();
    EXPECT_EQ(entry(0x50000) & (kA | kD), kA | kD);
    EXPECT_EQ(entry(kCode) & (kA | kD), kA);
}

TEST_F(Paging, SplitAccessFaultsOnTheSecondPageAndMarksNothing) {
    put(kCode, {0xa3, 0xfe, 0x0f, 0x05, 0x00}); // mov [50ffeh], eax
    map(0x51000, 0);
    (void)step();
    expect_page_fault(0x51000, pf_error::kWrite);
    EXPECT_EQ(entry(0x50000) & (kA | kD), 0u);
    EXPECT_EQ(load<u16>(0x50ffe), 0u);
    map(0x51000, 0x60000 | kP | kW | kU); // not contiguous in physical memory
    go(0);
    cpu.gpr[Rax] = 0x44332211;
    (void)step();
    EXPECT_EQ(load<u16>(0x50ffe), 0x2211u);
    EXPECT_EQ(load<u16>(0x60000), 0x4433u);
}

TEST_F(Paging, InstructionAcrossPages) {
    put(0x10fff, {0xb8});
    put(0x60000, {0x78, 0x56, 0x34, 0x12});
    map(0x11000, 0x60000 | kP | kU);
    cpu.rip = 0x10fff;
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(cpu.gpr[Rax], 0x12345678u);
    map(0x11000, 0);
    cpu.rip = 0x10fff;
    (void)step();
    EXPECT_EQ(vector(), 14);
    EXPECT_EQ(cpu.cr2, 0x11000u);
    EXPECT_EQ(stack(0), 0u);
    EXPECT_EQ(stack(1), 0x10fffu);
}

TEST_F(Paging, DescriptorTablesAreSupervisorAccesses) {
    map(kGdt, kGdt | kP | kW); // not for users
    go(3);
    cpu.gpr[Rax] = kData3;
    put(kCode, {0x8e, 0xd8});
    (void)step();
    EXPECT_EQ(vector(), -1);
    map(kGdt, 0);
    go(0);
    cpu.rip = kCode;
    (void)step();
    // The handler's code segment cannot be read either: page fault, again, shutdown.
    EXPECT_EQ(cpu.activity, Activity::Shutdown);
    EXPECT_EQ(cpu.cr2, kGdt + 8u);
}

TEST_F(Paging, StackFaultInDeliveryIsADoubleFault) {
    // #PF whose handler's stack is absent: page fault on page fault.
    go(3);
    set_gate(8, kCode0, 0, 0x85); // #DF by a task
    store(kIdt + 8 * 8, gate(kTss2Selector, 0, 0x85));
    store<u32>(kTss2 + 0x1c, kDirectory);
    store<u32>(kTss2 + 0x20, 0x18000);
    store<u32>(kTss2 + 0x24, eflags::kFixed1);
    store<u32>(kTss2 + 0x38, 0x38000);
    for (u32 s = 0; s < 6; s++)
        store<u32>(kTss2 + 0x48 + 4 * s, s == Cs ? kCode0 : kData0);
    map(kStack0 - 4, 0);
    map(0x50000, 0);
    put(kCode, {0xa1, 0x00, 0x00, 0x05, 0x00});
    ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(cpu.rip, 0x18000u);
    EXPECT_EQ(stack(0), 0u);
    EXPECT_EQ(load<u32>(kTss + 0x20), kCode) << "the state of the interrupted program is whole";
    EXPECT_EQ(load<u32>(kTss + 0x38), kStack3);
}

TEST_F(Paging, LargePages) {
    cpu.cr4 |= cr4::kPse;
    store<u32>(kDirectory + 4, 0 | kP | kW | kU | kPs); // 4 MiB at linear 400000h to physical 0
    put(kCode, {0xa1, 0x00, 0x00, 0x45, 0x00});
    store<u32>(0x50000, 0xfeedface);
    (void)step();
    EXPECT_EQ(cpu.gpr[Rax], 0xfeedfaceu);
    EXPECT_TRUE(load<u32>(kDirectory + 4) & kA);
    GuestWalk walk;
    ASSERT_TRUE(guest_walk(cpu, memory, GuestLinear(0x450123), {}, WalkMark::No, walk));
    EXPECT_EQ(walk.address.value, 0x50123u);
    EXPECT_EQ(walk.page_size, 4u << 20);
    EXPECT_TRUE(walk.writable && walk.user);
    EXPECT_FALSE(walk.dirty);
    store<u32>(kDirectory + 4, 0x2000 | kP | kW | kU | kPs); // a reserved bit
    EXPECT_FALSE(guest_walk(cpu, memory, GuestLinear(0x450123), {}, WalkMark::No, walk));
    EXPECT_EQ(walk.error, pf_error::kPresent | pf_error::kReserved);
}

TEST_F(Paging, PhysicalAddressExtension) {
    cpu.cr0 &= ~cr0::kPg;
    store<u64>(0x82000, 0x83000 | kP);
    store<u64>(0x82008, 0);
    store<u64>(0x82010, 0);
    store<u64>(0x82018, 0);
    store<u64>(0x83000, 0x00000 | kP | kW | kU | kPs); // 2 MiB
    store<u64>(0x83008, 0x84000 | kP | kW | kU);
    store<u64>(0x84000, 0x50000 | kP | kW | kU);
    put(kCode, {0x0f, 0x22, 0xe0,               // mov cr4, eax
                0x0f, 0x22, 0xdb,               // mov cr3, ebx
                0x0f, 0x22, 0xc1,               // mov cr0, ecx
                0xa1, 0x00, 0x00, 0x20, 0x00}); // mov eax, [200000h]
    cpu.gpr[Rax] = cr4::kPae;
    cpu.gpr[Rbx] = 0x82000;
    cpu.gpr[Rcx] = cpu.cr0 | cr0::kPg;
    store<u32>(0x50000, 0x0badcafe);
    for (int i = 0; i < 4; i++)
        ASSERT_EQ(step(), StepStatus::Completed);
    EXPECT_EQ(vector(), -1);
    EXPECT_EQ(cpu.gpr[Rax], 0x0badcafeu);
    EXPECT_TRUE(load<u64>(0x84000) & kA);
    GuestWalk walk;
    EXPECT_FALSE(guest_walk(cpu, memory, GuestLinear(0x40000000), {}, WalkMark::No, walk));
    EXPECT_EQ(walk.error, 0u);
    store<u64>(0x84000, u64{1} << 40 | 0x50000 | kP);
    EXPECT_FALSE(guest_walk(cpu, memory, GuestLinear(0x200000), {}, WalkMark::No, walk));
    EXPECT_EQ(walk.error, pf_error::kPresent | pf_error::kReserved);
    // Execute-disable, once EFER.NXE is on.
    cpu.efer |= efer::kNxe;
    store<u64>(0x84000, u64{1} << 63 | 0x50000 | kP | kU);
    EXPECT_TRUE(guest_walk(cpu, memory, GuestLinear(0x200000), {}, WalkMark::No, walk));
    EXPECT_FALSE(guest_walk(cpu, memory, GuestLinear(0x200000), {false, true, true}, WalkMark::No, walk));
    EXPECT_EQ(walk.error, pf_error::kPresent | pf_error::kUser | pf_error::kFetch);
    // A PDPTE with reserved bits is refused when CR3 is loaded.
    cpu.efer = 0;
    store<u64>(0x82008, kP | kW);
    put(kCode, {0x0f, 0x22, 0xdb});
    cpu.gpr[Rbx] = 0x82000;
    cpu.rip = kCode;
    (void)step();
    EXPECT_EQ(vector(), 13);
}

TEST_F(Paging, RepStopsAtThePage) {
    map(0x51000, 0);
    put(kCode, {0xf3, 0xaa}); // rep stosb
    cpu.gpr[Rcx] = 0x100;
    cpu.gpr[Rdi] = 0x50ff0;
    cpu.gpr[Rax] = 0x77;
    (void)step();
    expect_page_fault(0x51000, pf_error::kWrite);
    EXPECT_EQ(cpu.gpr[Rcx], 0xf0u);
    EXPECT_EQ(cpu.gpr[Rdi], 0x51000u);
}

} // namespace
} // namespace btvm::test

#include <gtest/gtest.h>
#include <numeric>

#include "userland/machine/physical_memory.hh"

namespace btvm {
namespace {

std::vector<std::uint8_t> pattern(std::size_t size) {
    std::vector<std::uint8_t> bytes(size);
    for (std::size_t i = 0; i < size; i++)
        bytes[i] = static_cast<std::uint8_t>(i * 7 + i / 251);
    return bytes;
}

MemoryConfig config(std::size_t bios, std::size_t video, bool writable = false) {
    return {16, pattern(bios), pattern(video), writable};
}

std::uint8_t byte_at(const PhysicalMemory& memory, std::uint64_t at) {
    std::uint8_t byte = 0;
    memory.read(at, {&byte, 1});
    return byte;
}

TEST(PhysicalMemory, RegionsArePageAlignedAndDoNotOverlap) {
    for (const bool writable : {false, true})
        for (const std::size_t bios : {0x10000, 0x20000, 0x30000, 0x40000, 0x800000}) {
            const PhysicalMemory memory(config(bios, 38400, writable));
            std::uint64_t end = 0;
            for (const MemoryRegion& region : memory.regions()) {
                EXPECT_EQ(region.first % 4096, 0u) << region.name;
                EXPECT_EQ(region.size % 4096, 0u) << region.name;
                EXPECT_EQ(reinterpret_cast<std::uintptr_t>(region.memory) % 4096, 0u) << region.name;
                EXPECT_GE(region.first, end) << region.name;
                end = region.first + region.size;
            }
            EXPECT_EQ(end, 1ull << 32);
        }
}

TEST(PhysicalMemory, BiosShowsBelowOneMegabyteAndBelowFourGigabytes) {
    for (const std::size_t size : {0x10000, 0x20000, 0x30000, 0x40000, 0x800000}) {
        const PhysicalMemory memory(config(size, 0));
        const std::vector<std::uint8_t> image = pattern(size);
        EXPECT_EQ(byte_at(memory, 0xffff0), image[size - 16]);
        EXPECT_EQ(byte_at(memory, 0xfffffff0), image[size - 16]);
        EXPECT_EQ(byte_at(memory, 0x100000000 - size), image[0]);
        const std::size_t low = std::min<std::size_t>(size, 0x20000);
        EXPECT_EQ(byte_at(memory, 0x100000 - low), image[size - low]);
    }
}

TEST(PhysicalMemory, RomKeepsItsContentAndRamTakesNew) {
    PhysicalMemory memory(config(0x10000, 0x8000));
    const std::uint8_t value = 0x5a;
    for (const std::uint64_t rom : {0xc0000ull, 0xf1234ull, 0xfffff000ull}) {
        const std::uint8_t before = byte_at(memory, rom);
        const std::uint8_t other = static_cast<std::uint8_t>(~before);
        memory.write(rom, {&other, 1});
        EXPECT_EQ(byte_at(memory, rom), before);
    }
    for (const std::uint64_t ram : {0x0ull, 0x9ffffull, 0xa0000ull, 0xb8000ull, 0x100000ull, 0xffffffull}) {
        memory.write(ram, {&value, 1});
        EXPECT_EQ(byte_at(memory, ram), value) << std::hex << ram;
    }
}

TEST(PhysicalMemory, NothingReadsAsOnesAndSwallowsWrites) {
    PhysicalMemory memory(config(0x10000, 0x8000));
    const std::uint8_t zero = 0;
    // Above the video BIOS, above RAM, above 4 GiB; and the rest of the last page of an image of odd size.
    for (const std::uint64_t hole : {0xd0000ull, 0xe0000ull, 0x1000000ull, 0x80000000ull, 1ull << 40}) {
        memory.write(hole, {&zero, 1});
        EXPECT_EQ(byte_at(memory, hole), 0xff) << std::hex << hole;
    }
    const PhysicalMemory odd(config(0x10000, 38400));
    EXPECT_EQ(byte_at(odd, 0xc0000 + 38400), 0xff);
}

TEST(PhysicalMemory, AccessesCrossRegions) {
    PhysicalMemory memory(config(0x10000, 0x8000));
    std::vector<std::uint8_t> in(0x3000);
    std::iota(in.begin(), in.end(), std::uint8_t{1});
    memory.write(0x9f000, in); // conventional RAM into video memory
    std::vector<std::uint8_t> out(in.size());
    memory.read(0x9f000, out);
    EXPECT_EQ(out, in);
    memory.read(0xfff000, out); // the end of RAM into nothing
    EXPECT_EQ(out[0xfff], 0);
    EXPECT_EQ(out[0x1000], 0xff);
    EXPECT_EQ(out.back(), 0xff);
}

TEST(PhysicalMemory, WritableFirmwareComesBackAtReset) {
    PhysicalMemory memory(config(0x20000, 0, true));
    const std::uint8_t before = byte_at(memory, 0xf8000);
    const std::uint8_t other = static_cast<std::uint8_t>(~before);
    memory.write(0xf8000, {&other, 1});
    EXPECT_EQ(byte_at(memory, 0xf8000), other);
    EXPECT_TRUE(memory.restore_firmware());
    EXPECT_EQ(byte_at(memory, 0xf8000), before);
    PhysicalMemory rom(config(0x20000, 0));
    EXPECT_FALSE(rom.restore_firmware());
}

TEST(PhysicalMemory, OneMegabyteHasNoExtendedRam) {
    PhysicalMemory memory({1, pattern(0x20000), {}, true});
    for (const MemoryRegion& region : memory.regions())
        EXPECT_GT(region.size, 0u) << region.name; // the engines take no empty region
    const std::uint8_t written[] = {1};
    memory.write(0x9ffff, written);
    memory.write(0x100000, written);
    EXPECT_EQ(byte_at(memory, 0x9ffff), 1);
    EXPECT_EQ(byte_at(memory, 0x100000), 0xff);
}

TEST(PhysicalMemory, BadConfigurationsAreRefused) {
    const auto refused = [](unsigned mib, std::size_t bios, std::size_t video) {
        EXPECT_THROW(PhysicalMemory({mib, pattern(bios), pattern(video), false}), std::runtime_error);
    };
    refused(0, 0x10000, 0);
    refused(2049, 0x10000, 0);
    refused(16, 0x10001, 0);
    refused(16, 0, 0);
    refused(16, 0x10000, 0x10001);
}

} // namespace
} // namespace btvm

// A driver that mixes every way of reading and writing, against a model of the disk; at the end the file is
// the model.
#include <random>

#include "tests/unit/ata/ata_driver.hh"

namespace btvm::test {
namespace {

class ModelTest : public testing::TestWithParam<unsigned> {
protected:
    static constexpr std::size_t kSectors = 3000;

    using Bytes = std::vector<std::uint8_t>;

    Bytes random_bytes(std::size_t size) {
        Bytes data(size);
        for (std::uint8_t& byte : data)
            byte = static_cast<std::uint8_t>(random_());
        return data;
    }
    unsigned below(unsigned n) { return static_cast<unsigned>(random_() % n); }

    /// Random regions, of even sizes, that hold `bytes` together.
    std::vector<AtaDriver::Region> random_table(std::size_t bytes) {
        std::vector<AtaDriver::Region> table;
        std::uint32_t at = AtaDriver::kData;
        while (bytes) {
            const std::size_t part = std::min<std::size_t>(bytes, 2 + 2 * below(0x4000));
            table.push_back({at, static_cast<std::uint32_t>(part)});
            at += static_cast<std::uint32_t>(part) + 2 * below(8);
            bytes -= part;
        }
        return table;
    }

    void set_address(DiskRig& rig, bool ext, std::uint32_t lba, unsigned count) {
        if (ext)
            rig.set_lba48(lba, count);
        else if (below(2))
            rig.set_lba28(lba, count);
        else
            rig.set_chs(lba / (16 * 63), lba / 63 % 16, lba % 63 + 1, count);
    }

    std::mt19937 random_{GetParam()};
};

TEST_P(ModelTest, EveryWayOfAccessAgrees) {
    DiskRig rig(kSectors);
    Bytes model = numbered(0, kSectors);
    for (int step = 0; step < 250; step++) {
        const auto lba = below(kSectors - 1);
        const unsigned count = 1 + below(std::min<unsigned>(kSectors - lba, below(8) ? 20 : 256));
        const std::size_t bytes = std::size_t{count} * 512;
        const auto place = model.begin() + std::ptrdiff_t{lba} * 512;
        const bool ext = below(2), write = below(2), multiple = below(2);
        const unsigned size = below(2) ? 2 : 4;
        if (below(10) == 0) {
            rig.put(kAtaCount, 1u << below(5));
            ASSERT_EQ(rig.command(0xc6), kGood);
        }
        const Bytes data =
            write ? random_bytes(bytes) : Bytes(place, place + static_cast<std::ptrdiff_t>(bytes));
        set_address(rig, ext, lba, count);
        if (below(3) == 0) { // DMA
            const auto table = random_table(bytes);
            std::size_t at = 0;
            for (const auto& region : table)
                for (std::uint32_t i = 0; i < region.bytes && write; i++)
                    rig.board.memory[region.address + i] = data[at++];
            rig.set_table(table);
            const unsigned code = write ? (ext ? 0x35 : 0xca) : (ext ? 0x25 : 0xc8);
            ASSERT_EQ(rig.dma(code, !write), kGood);
            at = 0;
            for (const auto& region : table)
                for (std::uint32_t i = 0; i < region.bytes && !write; i++)
                    ASSERT_EQ(rig.board.memory[region.address + i], data[at++]);
        } else if (write) {
            rig.command(multiple ? (ext ? 0x39 : 0xc5) : (ext ? 0x34 : 0x30));
            rig.write_data(data, size);
            ASSERT_EQ(rig.alternate(), kGood);
        } else {
            rig.command(multiple ? (ext ? 0x29 : 0xc4) : (ext ? 0x24 : 0x20));
            ASSERT_EQ(rig.read_data(size), data);
            ASSERT_EQ(rig.alternate(), kGood);
        }
        if (write) std::copy(data.begin(), data.end(), place);
    }
    EXPECT_EQ(rig.file.content(), model);
}

INSTANTIATE_TEST_SUITE_P(Seeds, ModelTest, testing::Range(1u, 6u));

} // namespace
} // namespace btvm::test

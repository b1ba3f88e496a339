// A board with one IDE channel, and what a driver does with it: tests say what they want of a disk, not which
// ports are written.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/unit/ata/temporary_disk.hh"
#include "tests/unit/common/test_board.hh"
#include "userland/devices/ata_channel.hh"
#include "userland/devices/ata_disk.hh"
#include "userland/devices/piix_ide.hh"

namespace btvm::test {

class AtaDriver {
public:
    static constexpr std::uint16_t kBase = 0x1f0;
    static constexpr std::uint16_t kControl = 0x3f6;
    static constexpr unsigned kIrq = 14;
    static constexpr std::uint16_t kBusMaster = 0xc000;
    /// Where in the board's memory the descriptor table and the data of a transfer are put.
    static constexpr std::uint32_t kTable = 0x1000;
    static constexpr std::uint32_t kData = 0x10000;

    AtaDriver() : ide(board), channel(board, 0, ide.bus_master(0)) {
        channel.set_message_handler([this](const std::string& text) { messages.push_back(text); });
    }
    /// What firmware does: bus reset, and the bus master at its ports.
    void power_on() {
        ide.reset();
        channel.reset();
        ide.function().write(kPciBar0 + 16, 4, kBusMaster);
        ide.function().write(kPciCommand, 2, kPciCommandIo | kPciCommandMaster);
    }

    std::uint8_t get(unsigned reg) { return static_cast<std::uint8_t>(channel.read(port(reg), 1)); }
    void put(unsigned reg, unsigned value) { channel.write(port(reg), 1, value); }
    std::uint8_t alternate() { return static_cast<std::uint8_t>(channel.read(kControl, 1)); }
    void control(unsigned value) { channel.write(kControl, 1, value); }
    [[nodiscard]] bool irq() const { return board.lines[kIrq]; }

    /// Lets time pass until the device is no longer busy. False if that takes more than some seconds.
    bool wait() {
        for (int i = 0; i < 20000; i++) {
            if (!(alternate() & ata_status::kBusy)) return true;
            board.advance(channel, std::chrono::microseconds(50));
            if (i > 100) ::usleep(100); // a flush waits for the host, not for guest time
        }
        return false;
    }
    void select(unsigned slot, unsigned extra = 0) { put(kAtaDevice, 0xa0 | slot << 4 | extra); }
    void set_lba28(std::uint32_t lba, unsigned count, unsigned slot = 0) {
        put(kAtaCount, count & 0xff);
        put(kAtaLbaLow, lba & 0xff);
        put(kAtaLbaMid, lba >> 8 & 0xff);
        put(kAtaLbaHigh, lba >> 16 & 0xff);
        put(kAtaDevice, 0xe0 | slot << 4 | lba >> 24);
    }
    void set_lba48(std::uint64_t lba, unsigned count, unsigned slot = 0) {
        put(kAtaDevice, 0x40 | slot << 4);
        put(kAtaCount, count >> 8);
        put(kAtaLbaLow, lba >> 24 & 0xff);
        put(kAtaLbaMid, lba >> 32 & 0xff);
        put(kAtaLbaHigh, lba >> 40 & 0xff);
        put(kAtaCount, count & 0xff);
        put(kAtaLbaLow, lba & 0xff);
        put(kAtaLbaMid, lba >> 8 & 0xff);
        put(kAtaLbaHigh, lba >> 16 & 0xff);
    }
    void set_chs(unsigned cylinder, unsigned head, unsigned sector, unsigned count) {
        put(kAtaCount, count & 0xff);
        put(kAtaLbaLow, sector);
        put(kAtaLbaMid, cylinder & 0xff);
        put(kAtaLbaHigh, cylinder >> 8);
        put(kAtaDevice, 0xa0 | head);
    }
    /// Starts a command and waits for the end of its busy time; gives the status, which takes the interrupt.
    std::uint8_t command(unsigned code) {
        put(kAtaStatus, code);
        EXPECT_TRUE(wait());
        return get(kAtaStatus);
    }

    /// Reads words while data is requested. `blocks` counts the interrupts on the way.
    std::vector<std::uint8_t> read_data(unsigned size = 2) {
        std::vector<std::uint8_t> data;
        while (alternate() & ata_status::kDataRequest) {
            const std::uint32_t value = channel.read(kBase, size);
            for (unsigned i = 0; i < size; i++)
                data.push_back(static_cast<std::uint8_t>(value >> 8 * i));
            if (alternate() & ata_status::kBusy) {
                EXPECT_TRUE(wait());
                if (irq()) interrupts++;
                (void)get(kAtaStatus);
            }
        }
        return data;
    }
    void write_data(std::span<const std::uint8_t> data, unsigned size = 2) {
        for (std::size_t at = 0; at < data.size() && (alternate() & ata_status::kDataRequest); at += size) {
            std::uint32_t value = 0;
            for (unsigned i = 0; i < size; i++)
                value |= std::uint32_t{data[at + i]} << 8 * i;
            channel.write(kBase, size, value);
            if (alternate() & ata_status::kBusy) {
                EXPECT_TRUE(wait());
                if (irq()) interrupts++;
                (void)get(kAtaStatus);
            }
        }
    }

    struct Region {
        std::uint32_t address;
        std::uint32_t bytes; ///< 0 stands for 64 KiB.
    };
    void set_table(const std::vector<Region>& regions) {
        std::uint32_t at = kTable;
        for (const Region& region : regions) {
            const std::uint32_t flags = &region == &regions.back() ? 0x80000000 : 0;
            for (const std::uint32_t word : {region.address, region.bytes | flags})
                for (unsigned i = 0; i < 4; i++)
                    board.memory[at++] = static_cast<std::uint8_t>(word >> 8 * i);
        }
        bus_master(4, 4, kTable);
    }
    void bus_master(unsigned reg, unsigned size, std::uint32_t value) {
        ide.write(static_cast<std::uint16_t>(kBusMaster + reg), size, value);
    }
    std::uint8_t bus_master_status() { return static_cast<std::uint8_t>(ide.read(kBusMaster + 2, 1)); }
    /// Starts a command that has been set up, with the bus master, and waits until it is through.
    std::uint8_t dma(unsigned code, bool to_memory) {
        bus_master(2, 1, 0x06);
        bus_master(0, 1, to_memory ? 0x08 : 0x00);
        put(kAtaStatus, code);
        bus_master(0, 1, to_memory ? 0x09 : 0x01);
        for (int i = 0; i < 20000 && !irq(); i++)
            board.advance(channel, std::chrono::microseconds(10));
        EXPECT_TRUE(irq());
        last_bus_master_status = bus_master_status();
        bus_master(0, 1, 0x00);
        return get(kAtaStatus);
    }

    TestBoard board;
    PiixIde ide;
    AtaChannel channel;
    std::vector<std::string> messages;
    unsigned interrupts{};
    std::uint8_t last_bus_master_status{};

private:
    static std::uint16_t port(unsigned reg) { return static_cast<std::uint16_t>(kBase + reg); }
};

/// A driver with a disk of so many sectors as device 0.
struct DiskRig : AtaDriver {
    explicit DiskRig(std::size_t sectors = 4096, const DiskImage::Options& options = {})
        : file(sectors), disk(channel.attach<AtaDisk>(0, DiskImage::open(file.path(), options), 0)) {
        power_on();
    }
    TemporaryDisk file;
    AtaDisk& disk;
};

inline constexpr std::uint8_t kGood = ata_status::kReady | ata_status::kSeekDone;

/// Sectors as a TemporaryDisk has them.
inline std::vector<std::uint8_t> numbered(std::size_t first, std::size_t count, std::size_t size = 512) {
    std::vector<std::uint8_t> data;
    for (std::size_t sector = first; sector < first + count; sector++)
        for (std::size_t i = 0; i < size; i++)
            data.push_back(static_cast<std::uint8_t>((sector + 1) >> 8 * (i % 4)));
    return data;
}

} // namespace btvm::test

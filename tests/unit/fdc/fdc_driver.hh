// Drives the controller through its ports the way a BIOS does.
#pragma once

#include <gtest/gtest.h>

#include "fake_platform.hh"
#include "temporary_image.hh"
#include "userland/devices/fdc.hh"

namespace btvm {

using namespace std::chrono_literals;
using Bytes = std::vector<std::uint8_t>;

struct FdcDriver : testing::Test {
    FakePlatform platform;
    Dma dma{platform};
    Fdc fdc{platform, dma};
    std::vector<std::string> messages;

    FdcDriver() {
        fdc.set_message_handler([this](const std::string& text) { messages.push_back(text); });
        dma.reset();
        dma.write(0xd6, 1, 0xc0); // channel 4: cascade
        dma.write(0xd4, 1, 0x00);
        fdc.reset();
    }

    void out(std::uint16_t port, unsigned value) { fdc.write(port, 1, value); }
    std::uint8_t in(std::uint16_t port) { return static_cast<std::uint8_t>(fdc.read(port, 1)); }
    [[nodiscard]] bool irq() const { return platform.lines[6]; }

    /// Controller and drives ready for work: reset, four senses, Specify, motors on, heads on track 0.
    void start(unsigned rate = 0, bool non_dma = false) {
        out(0x3f2, 0x00);
        out(0x3f2, 0x3c);
        ASSERT_TRUE(wait());
        for (std::uint8_t n = 0; n < 4; n++)
            ASSERT_EQ(command({0x08}, 2), (Bytes{static_cast<std::uint8_t>(0xc0 | n), 0}));
        out(0x3f7, rate);
        command({0x03, 0xdf, static_cast<std::uint8_t>(0x02 | non_dma)}, 0);
        for (std::uint8_t n = 0; n < 2; n++) {
            command({0x07, n}, 0);
            ASSERT_TRUE(wait());
            (void)command({0x08}, 2);
        }
    }
    bool wait(GuestTime limit = 1s) {
        return platform.run(fdc, limit, [&] { return irq(); });
    }
    /// Sends a command byte by byte, as the main status register allows, and reads the result if there is one
    /// at once.
    Bytes command(const Bytes& bytes, std::size_t results) {
        for (const std::uint8_t byte : bytes) {
            EXPECT_EQ(in(0x3f4) & 0xc0, 0x80) << "not ready for a command byte";
            out(0x3f5, byte);
        }
        return results ? result(results) : Bytes{};
    }
    Bytes result(std::size_t count) {
        Bytes bytes;
        while ((in(0x3f4) & 0xd0) == 0xd0 && bytes.size() < 20)
            bytes.push_back(in(0x3f5));
        EXPECT_EQ(bytes.size(), count);
        return bytes;
    }
    void seek(std::uint8_t drive, std::uint8_t cylinder) {
        command({0x0f, drive, cylinder}, 0);
        ASSERT_TRUE(wait());
        ASSERT_EQ(command({0x08}, 2), (Bytes{static_cast<std::uint8_t>(0x20 | drive), cylinder}));
    }
    /// Sets up channel 2; mode 46h is to memory, 4Ah from memory, 42h verify.
    void program_dma(std::uint8_t mode, std::uint32_t address, std::size_t bytes) {
        const auto write = [&](std::uint16_t port, std::size_t value) {
            dma.write(port, 1, static_cast<std::uint8_t>(value));
        };
        write(0x0a, 6);
        write(0x0c, 0);
        write(0x0b, mode);
        write(0x04, address);
        write(0x04, address >> 8);
        write(0x81, address >> 16);
        write(0x05, bytes - 1);
        write(0x05, (bytes - 1) >> 8);
        write(0x0a, 2);
    }
    /// A nine-byte command with the usual gap and length. EOT is the last sector of the track.
    static Bytes transfer(std::uint8_t code, unsigned drive, unsigned c, unsigned h, unsigned r, unsigned eot,
                          unsigned last = 0xff) {
        const auto b = [](unsigned v) { return static_cast<std::uint8_t>(v); };
        return {code, b(h << 2 | drive), b(c), b(h), b(r), 2, b(eot), 0x1b, b(last)};
    }
    /// Runs a command with a result phase to its end.
    Bytes complete(const Bytes& bytes) {
        command(bytes, 0);
        EXPECT_TRUE(wait()) << "the command did not complete";
        Bytes r = result(7);
        EXPECT_FALSE(irq());
        r.resize(7);
        return r;
    }
    FloppyImage::Sector in_memory(std::uint32_t address) {
        FloppyImage::Sector sector;
        std::copy_n(platform.memory.begin() + address, sector.size(), sector.begin());
        return sector;
    }
    void to_memory(std::uint32_t address, const FloppyImage::Sector& sector) {
        std::copy(sector.begin(), sector.end(), platform.memory.begin() + address);
    }
};

} // namespace btvm

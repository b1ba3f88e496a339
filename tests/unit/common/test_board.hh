// A board with one device on it, for tests: interrupt lines that remember their edges, a little memory, and a
// clock that the test turns.
#pragma once

#include <algorithm>
#include <array>
#include <stdexcept>
#include <vector>

#include "userland/devices/device.hh"

namespace btvm::test {

class TestBoard : public Platform {
public:
    void set_irq(unsigned line, bool level) override {
        if (level && !lines.at(line)) ++rises.at(line);
        lines.at(line) = level;
    }
    void dma_read(std::uint64_t at, std::span<std::uint8_t> out) override {
        for (std::uint8_t& byte : out)
            byte = at < memory.size() ? memory[at++] : 0xFF;
    }
    void dma_write(std::uint64_t at, std::span<const std::uint8_t> in) override {
        for (const std::uint8_t byte : in)
            if (at < memory.size()) memory[at++] = byte;
    }
    [[nodiscard]] GuestTime now() const override { return time; }
    void set_a20(bool enabled) override { a20_gate = enabled; }
    [[nodiscard]] bool a20() const override { return a20_gate; }
    void request_reset() override { ++resets; }

    /// Turns the clock by `by`, stopping wherever `device` asked to be run.
    void advance(Device& device, GuestTime by) {
        const GuestTime end = time + by;
        for (unsigned stops = 0;; ++stops) {
            const auto due = device.deadline();
            if (!due || *due > end) break;
            if (stops > 1'000'000) throw std::runtime_error("the device's deadline does not move on");
            time = std::max(time, *due);
            device.run_until(time);
        }
        time = end;
        device.run_until(time);
    }

    std::array<bool, 16> lines{};
    std::array<unsigned, 16> rises{};
    std::vector<std::uint8_t> memory = std::vector<std::uint8_t>(1u << 20);
    GuestTime time{};
    bool a20_gate{};
    unsigned resets{};
};

} // namespace btvm::test

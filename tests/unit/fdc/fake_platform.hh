// A board for device tests: some RAM, interrupt lines that remember, and a clock that tests move.
#pragma once

#include <algorithm>
#include <array>

#include "userland/devices/device.hh"

namespace btvm {

class FakePlatform final : public Platform {
public:
    explicit FakePlatform(std::size_t bytes = 1 << 20) : memory(bytes) {}

    std::vector<std::uint8_t> memory;
    std::array<bool, 16> lines{};
    std::array<unsigned, 16> edges{}; ///< Low to high, since the start.
    GuestTime time{1000000};
    unsigned resets = 0;
    bool a20_gate = true;

    void set_irq(unsigned line, bool level) override {
        if (level && !lines.at(line)) edges[line]++;
        lines[line] = level;
    }
    void dma_read(std::uint64_t at, std::span<std::uint8_t> out) override {
        for (std::uint8_t& byte : out)
            byte = at < memory.size() ? memory[at++] : 0xff;
    }
    void dma_write(std::uint64_t at, std::span<const std::uint8_t> in) override {
        for (const std::uint8_t byte : in)
            if (at < memory.size()) memory[at++] = byte;
    }
    [[nodiscard]] GuestTime now() const override { return time; }
    void set_a20(bool enabled) override { a20_gate = enabled; }
    [[nodiscard]] bool a20() const override { return a20_gate; }
    void request_reset() override { resets++; }

    /// Goes to each deadline of the device in turn, for `duration` at most or until `done`.
    template <class Done>
    bool run(Device& device, GuestTime duration, Done&& done) {
        const GuestTime end = time + duration;
        while (!done()) {
            const auto due = device.deadline();
            if (!due || *due > end) {
                time = end;
                return done();
            }
            time = std::max(time, *due);
            device.run_until(time);
        }
        return true;
    }
    void run(Device& device, GuestTime duration) {
        run(device, duration, [] { return false; });
    }
};

} // namespace btvm

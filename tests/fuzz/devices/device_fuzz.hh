// A libFuzzer driver for devices: the input is a script of port reads and writes, runs of them, time, and
// saved states.
//
// A target is one file, NAME_fuzz.cc, that says which devices stand on the board:
//
//     #include "device_fuzz.hh"
//     #include "userland/devices/serial.hh"
//
//     void btvm::make_board(FuzzBoard& board) { board.add<SerialPort>(0x3f8, 4); }
//
// Besides crashes and what the sanitizers see, the driver checks of every device: a read gives no more bits
// than were asked for; a deadline, once served, moves on; a saved state loads again and is then the same; and
// a damaged one is refused with StateError or leaves a device that survives the rest of the script.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <memory>

#include "userland/devices/state.hh"

namespace btvm {

/// Ends the run with a message; libFuzzer then keeps the input.
#define BTVM_FUZZ_CHECK(condition)                                                                           \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            std::fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition);               \
            std::abort();                                                                                    \
        }                                                                                                    \
    } while (false)

class FuzzPlatform final : public Platform {
public:
    void set_irq(unsigned line, bool level) override {
        BTVM_FUZZ_CHECK(line < 16);
        lines_[line] = level;
    }
    void dma_read(std::uint64_t at, std::span<std::uint8_t> out) override {
        for (std::uint8_t& byte : out)
            byte = memory_[at++ % sizeof memory_];
    }
    void dma_write(std::uint64_t at, std::span<const std::uint8_t> in) override {
        for (const std::uint8_t byte : in)
            memory_[at++ % sizeof memory_] = byte;
    }
    [[nodiscard]] GuestTime now() const override { return time; }
    void set_a20(bool enabled) override { a20_ = enabled; }
    [[nodiscard]] bool a20() const override { return a20_; }
    void request_reset() override {}

    GuestTime time{};

private:
    bool lines_[16]{};
    bool a20_ = true;
    std::uint8_t memory_[8192]{};
};

class FuzzBoard {
public:
    FuzzPlatform platform;

    /// Makes a device on the board from the arguments after its Platform.
    template <class D, class... Arguments>
    D& add(Arguments&&... arguments) {
        auto device = std::make_unique<D>(platform, std::forward<Arguments>(arguments)...);
        D& added = *device;
        added.reset();
        for (const PortRange& range : added.ports())
            for (unsigned i = 0; i < range.count; i++)
                ports_.push_back({device.get(), static_cast<std::uint16_t>(range.first + i)});
        devices_.push_back(std::move(device));
        return added;
    }

    void play(std::span<const std::uint8_t> script) {
        script_ = script;
        while (!script_.empty()) {
            switch (byte() % 8) {
            case 0:
            case 1: access(true, port(), 1); break;
            case 2: access(false, port(), 1); break;
            case 3: access(true, port(), 1u + byte() % 64); break;
            case 4: access(false, port(), 1u + byte() % 64); break;
            case 5: pass(GuestTime(std::int64_t{1} << byte() % 36)); break;
            case 6: wide(port(), byte()); break;
            default: save_and_load(byte()); break;
            }
        }
    }

private:
    struct Port {
        Device* device;
        std::uint16_t number;
    };

    std::uint8_t byte() {
        if (script_.empty()) return 0;
        const std::uint8_t value = script_.front();
        script_ = script_.subspan(1);
        return value;
    }
    const Port& port() { return ports_[byte() % ports_.size()]; }

    void access(bool write, const Port& at, unsigned times) {
        while (times--) {
            if (write)
                at.device->write(at.number, 1, byte());
            else
                BTVM_FUZZ_CHECK(at.device->read(at.number, 1) <= 0xff);
        }
    }
    void wide(const Port& at, unsigned how) {
        if (!at.device->takes_words(at.number)) return;
        const unsigned size = how & 1 ? 2 : 4;
        std::uint32_t value = 0;
        for (unsigned i = 0; i < size; i++)
            value |= std::uint32_t{byte()} << 8 * i;
        if (how & 2)
            at.device->write(at.number, size, value);
        else
            BTVM_FUZZ_CHECK(size == 4 || at.device->read(at.number, size) <= 0xffff);
    }

    /// Lets time pass, stopping at deadlines as the machine does; after so many of them the rest passes at
    /// once.
    void pass(GuestTime span) {
        constexpr int kMostDeadlines = 200;
        const GuestTime end = platform.time + span;
        for (int served = 0; served < kMostDeadlines; served++) {
            std::optional<GuestTime> first;
            for (const auto& device : devices_)
                if (const auto due = device->deadline(); due && (!first || *due < *first)) first = due;
            if (!first || *first > end) break;
            platform.time = std::max(platform.time, *first);
            run();
        }
        platform.time = end;
        run();
    }
    void run() {
        for (const auto& device : devices_) {
            // A device may want to act again at once, but not for ever.
            int rounds = 0;
            do {
                BTVM_FUZZ_CHECK(rounds++ < 1000);
                device->run_until(platform.time);
            } while (device->deadline() && *device->deadline() <= platform.time);
        }
    }

    void save_and_load(std::uint8_t how) {
        Device& device = *devices_[how % devices_.size()];
        const StateSection saved = save_state(device);
        std::vector<std::uint8_t> bytes;
        append_bytes(saved, bytes);
        if (how & 0x80) { // damaged in one place
            const std::size_t at = (byte() | std::size_t{byte()} << 8) % bytes.size();
            bytes[at] = byte();
        }
        std::span<const std::uint8_t> rest = bytes;
        try {
            const StateSection section = take_section(rest);
            load_state(device, section);
        } catch (const StateError&) {
            BTVM_FUZZ_CHECK(how & 0x80);
        }
        if (!(how & 0x80)) BTVM_FUZZ_CHECK(save_state(device) == saved);
    }

    std::vector<std::unique_ptr<Device>> devices_;
    std::vector<Port> ports_;
    std::span<const std::uint8_t> script_;
};

/// Puts the devices under test on the board; each target defines it.
void make_board(FuzzBoard& board);

} // namespace btvm

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    btvm::FuzzBoard board;
    btvm::make_board(board);
    board.play({data, size});
    return 0;
}

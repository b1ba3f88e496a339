// A serial port with a terminal at its other end, and one with a loopback plug.
#include <deque>

#include "tests/unit/state/subjects.hh"
#include "userland/devices/serial.hh"

namespace btvm::test {

namespace {

using namespace std::chrono_literals;

/// Whoever is at the other end. Is not part of the machine, so it stays when that is restored.
struct FarEnd {
    std::vector<std::uint8_t> sent;
    std::deque<std::uint8_t> waiting;
    bool there{true};
};

class FarEndBackend final : public SerialBackend {
public:
    explicit FarEndBackend(FarEnd& far) : far_(far) {}
    void send(std::uint8_t byte) override { far_.sent.push_back(byte); }
    std::optional<std::uint8_t> receive() override {
        if (far_.waiting.empty()) return std::nullopt;
        const std::uint8_t byte = far_.waiting.front();
        far_.waiting.pop_front();
        return byte;
    }
    [[nodiscard]] bool can_receive() const override { return true; }
    [[nodiscard]] bool connected() override { return far_.there; }

private:
    FarEnd& far_;
};

constexpr std::uint16_t port(std::size_t index, unsigned reg) {
    return static_cast<std::uint16_t>(kSerialLocations[index].base + reg);
}

class SerialBench final : public Bench {
public:
    void operate(Random& random, Seen& seen) override {
        const std::size_t n = random.once_in(4) ? 1 : 0;
        switch (random.below(15)) {
        case 0:
        case 1: advance(random.time(20ms)); break;
        case 2:
        case 3:
            for (unsigned i = random.below(random.once_in(4) ? 20 : 3) + 1; i; i--)
                far_.waiting.push_back(random.byte());
            break;
        case 4: far_.there = !random.once_in(3); break;
        case 5: // a line as software sets it up
            out(port(n, 3), 0x80);
            out(port(n, 0), random.below(12) + 1);
            out(port(n, 1), 0);
            out(port(n, 3), random.below(0x20));
            out(port(n, 2), random.once_in(3) ? 0 : 0x01 | (random.byte() & 0xC0));
            break;
        case 6: out(port(n, 4), random.once_in(2) ? 0x0B : random.byte()); break;
        case 7: out(port(n, 1), random.once_in(2) ? 0x0F : random.byte()); break;
        case 8:
            for (unsigned i = random.below(6) + 1; i; i--)
                out(port(n, 0), random.byte());
            break;
        case 9: {
            const unsigned reg = random.below(8);
            out(port(n, reg), reg == 3 ? random.byte() & 0x7F : random.byte());
            break;
        }
        case 11: // a break, heard by the port itself behind other characters
            out(port(n, 4), 0x10);
            out(port(n, 2), 0x01);
            out(port(n, 0), random.byte());
            out(port(n, 0), random.byte());
            advance(random.time(5ms));
            out(port(n, 3), 0x43);
            out(port(n, 3), 0x03);
            break;
        case 10: out(port(n, 7), random.byte()); break;
        default: seen.add(in(port(n, random.below(8)))); break;
        }
    }
    void watch(Seen& seen) override {
        Bench::watch(seen);
        seen.add(far_.sent.size());
        seen.add(far_.waiting.size());
    }
    void inspect(Seen& seen) override {
        for (std::size_t n = 0; n < 2; n++) {
            for (unsigned i = 0; i < 40; i++) {
                advance(1ms);
                for (unsigned reg = 0; reg < 8; reg++)
                    seen.add(in(port(n, reg)));
            }
            out(port(n, 3), 0x80);
            seen.add(in(port(n, 0)));
            seen.add(in(port(n, 1)));
            out(port(n, 3), 0x03);
            seen.add(in(port(n, 0)));
        }
        seen.add(far_.sent);
    }

protected:
    std::function<void()> remember() override {
        return [this, far = far_] { far_ = far; };
    }
    std::vector<Device*> build() override {
        first_ =
            std::make_unique<Serial>(board, 0, kSerialLocations[0], std::make_unique<FarEndBackend>(far_));
        second_ = std::make_unique<Serial>(board, 1, kSerialLocations[1], make_serial_backend("loop"));
        return {first_.get(), second_.get()};
    }

private:
    FarEnd far_;
    std::unique_ptr<Serial> first_, second_;
};

} // namespace

std::unique_ptr<Bench> make_serial_bench() { return std::make_unique<SerialBench>(); }

} // namespace btvm::test

// The keyboard controller with its keyboard, the queue in front of it, the LEDs, and the A20 gate and the
// reset line that go through it.
#include "tests/unit/state/subjects.hh"
#include "userland/devices/i8042.hh"

namespace btvm::test {

namespace {

using namespace std::chrono_literals;

constexpr Key kKeys[] = {Key::A,           Key::B,        Key::LeftShift, Key::RightControl,
                         Key::LeftAlt,     Key::Insert,   Key::Pause,     Key::PrintScreen,
                         Key::KeypadSlash, Key::CapsLock, Key::NumLock,   Key::RightShift};

class KeyboardBench final : public Bench {
public:
    void operate(Random& random, Seen& seen) override {
        switch (random.below(22)) {
        case 0: advance(random.time(3ms)); break;
        case 1: advance(random.time(700ms)); break;
        case 2: { // commands to the controller
            constexpr std::uint8_t kCommands[] = {0x20, 0x21, 0x60, 0x65, 0xA5, 0xA7, 0xA8, 0xAA, 0xAD, 0xAE,
                                                  0xC0, 0xD0, 0xD1, 0xD2, 0xD3, 0xD4, 0xE0, 0xDD, 0xDF, 0xFE};
            out(0x64, random.one_of(kCommands));
            break;
        }
        case 3: out(0x60, random.once_in(3) ? 0 : random.byte()); break;
        case 4:
        case 5:
        case 6: seen.add(in(0x64)); break;
        case 7: // the command byte: mostly a keyboard that can be heard, translated or not
            out(0x64, 0x60);
            out(0x60, 1 | (random.byte() & 0x46) | (random.once_in(8) ? 0x10 : 0));
            break;
        case 8: { // a command to the keyboard, or its parameter
            constexpr std::uint8_t kBytes[] = {0xED, 0x02, 0x07, 0xF0, 0x00, 0x01, 0x02, 0x03,
                                               0xEE, 0xF2, 0xF3, 0x00, 0xF4, 0xF5, 0xF6, 0xF7,
                                               0xF8, 0xFA, 0xFC, 0x1C, 0xFE, 0xFF};
            out(0x60, random.one_of(kBytes));
            break;
        }
        case 9: { // a whole one, and time for it
            constexpr std::uint8_t kWhole[][2] = {{0xF0, 1},    {0xF0, 2},    {0xF0, 3},
                                                  {0xF4, 0xF4}, {0xF4, 0xF8}, {0xF4, 0xF7},
                                                  {0xF3, 0},    {0xF3, 0x64}, {0xED, 2}};
            const auto& whole = kWhole[random.below(std::size(kWhole))];
            send(whole[0], seen);
            send(whole[1], seen);
            break;
        }
        case 10: // keys into a keyboard that is held back
            out(0x64, 0xAD);
            key(random, seen);
            advance(random.time(3ms));
            out(0x64, 0xAE);
            break;
        case 11:
        case 12: key(random, seen); break;
        case 13: { // keys that the BIOS has not been asked for, or has
            const unsigned tail = 0x1E + 2 * random.below(16);
            const std::uint8_t pointers[] = {0x1E, 0, static_cast<std::uint8_t>(tail), 0};
            const std::uint8_t bounds[] = {0x1E, 0, 0x3E, 0};
            std::copy_n(pointers, 4, board.memory.begin() + 0x41A);
            std::copy_n(bounds, 4, board.memory.begin() + 0x480);
            break;
        }
        case 14: // the user types quickly; the guest reads
            controller_->set_queue_interval(random.time(20ms));
            key(random, seen);
            break;
        case 15:
            if (random.once_in(6)) controller_->clear_queue();
            break;
        case 16:
            for (unsigned i = 0; i < 4; i++) {
                advance(random.time(30ms));
                seen.add(in(0x60));
            }
            break;
        case 17: // once more, please
            (void)in(0x60);
            send(0xFE, seen);
            break;
        case 18: // a byte for the mouse that is not there
            (void)in(0x60);
            out(0x64, 0xD4);
            out(0x60, random.byte());
            advance(random.time(4ms));
            break;
        default: seen.add(in(0x60)); break;
        }
    }
    void watch(Seen& seen) override {
        Bench::watch(seen);
        seen.add(shown_leds_);
        seen.add(controller_->leds());
        seen.add(controller_->queued());
    }
    void inspect(Seen& seen) override {
        send(0xF4, seen);
        for (unsigned i = 0; i < 40; i++) {
            advance(20ms);
            seen.add(in(0x64));
            seen.add(in(0x60));
        }
        for (unsigned reg = 0; reg < 32; reg++) {
            out(0x64, 0x20 + reg);
            seen.add(in(0x60));
        }
    }

protected:
    std::vector<Device*> build() override {
        controller_ = std::make_unique<I8042>(board);
        shown_leds_ = controller_->leds();
        controller_->on_leds([this](std::uint8_t leds) { shown_leds_ = leds; });
        return {controller_.get()};
    }

private:
    void key(Random& random, Seen& seen) {
        const Key key = random.one_of(kKeys);
        if (random.once_in(2)) {
            seen.add(controller_->press(key));
            if (random.once_in(2)) return;
        }
        seen.add(controller_->release(key));
    }
    void send(std::uint8_t byte, Seen& seen) {
        out(0x60, byte);
        advance(20ms);
        seen.add(in(0x60));
    }

    std::unique_ptr<I8042> controller_;
    std::uint8_t shown_leds_{};
};

} // namespace

std::unique_ptr<Bench> make_keyboard_bench() { return std::make_unique<KeyboardBench>(); }

} // namespace btvm::test

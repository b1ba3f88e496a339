// The keyboard controller with its keyboard, and a typist: a device whose port moves keys.
#include "device_fuzz.hh"
#include "userland/devices/i8042.hh"

namespace btvm {
namespace {

class Typist final : public Device {
public:
    Typist(Platform& platform, I8042& controller) : Device(platform), controller_(controller) {}
    [[nodiscard]] std::string_view name() const override { return "typist"; }
    [[nodiscard]] std::vector<PortRange> ports() const override { return {{1, 2}}; }
    void reset() override {}
    std::uint32_t read(std::uint16_t, unsigned) override { return controller_.leds(); }
    void write(std::uint16_t port, unsigned, std::uint32_t value) override {
        if (port == 1)
            (void)controller_.enqueue(
                std::array{KeyEvent{static_cast<Key>(value % kKeyCount), value >= 128}});
        else
            (void)controller_.enqueue(keys_for_text(value));
    }
    void describe(StateArchive&) override {}

private:
    I8042& controller_;
};

} // namespace

void make_board(FuzzBoard& board) {
    I8042& controller = board.add<I8042>();
    board.add<Typist>(controller);
    // As a BIOS leaves it, so that strokes flow from the start.
    controller.write(0x64, 1, 0x60);
    controller.write(0x60, 1, 0x45);
}

} // namespace btvm

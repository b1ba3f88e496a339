// The VGA, with a camera beside it: a device whose port takes snapshots of the screen, whatever the registers
// hold.
#include "device_fuzz.hh"
#include "userland/devices/vga_text.hh"

namespace btvm {
namespace {

class Camera final : public Device {
public:
    Camera(Platform& platform, const VgaText& vga) : Device(platform), vga_(vga) {}
    [[nodiscard]] std::string_view name() const override { return "camera"; }
    [[nodiscard]] std::vector<PortRange> ports() const override { return {{1, 4}}; }
    void reset() override {}
    std::uint32_t read(std::uint16_t, unsigned) override {
        const TextScreen screen = vga_.snapshot(
            [this](std::uint64_t at, std::span<std::uint8_t> out) { platform_.dma_read(at, out); });
        BTVM_FUZZ_CHECK(screen.cells.size() == std::size_t{screen.columns} * screen.rows);
        BTVM_FUZZ_CHECK(screen.text_mode || screen.cells.empty());
        if (screen.cursor.visible)
            BTVM_FUZZ_CHECK(screen.cursor.x < screen.columns && screen.cursor.y < screen.rows);
        const VgaText::Timing timing = vga_.timing();
        BTVM_FUZZ_CHECK(timing.line_pixels != 0 && timing.lines != 0);
        return 0;
    }
    void write(std::uint16_t, unsigned, std::uint32_t) override { (void)screen_text(vga_.snapshot(nothing)); }
    void describe(StateArchive&) override {}

private:
    static void nothing(std::uint64_t, std::span<std::uint8_t>) {}

    const VgaText& vga_;
};

} // namespace

void make_board(FuzzBoard& board) {
    VgaText& vga = board.add<VgaText>();
    vga.write(0x3C2, 1, 0x67); // the colour ports answer
    board.add<Camera>(vga);
}

} // namespace btvm

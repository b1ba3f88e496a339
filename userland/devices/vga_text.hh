// The register side of a VGA in text mode (IBM PS/2 Hardware Interface Technical Reference, Video Subsystem):
// every register reads back as written, input status 1 follows guest time, and a snapshot turns registers and
// text memory into a TextScreen.
//
// Text memory is plain guest RAM at the B0000h or B8000h window, so a guest writes to it at full speed and
// without an exit. The price: planes, latches and fonts are not modelled, so graphics modes set registers and
// show nothing. The vertical retrace interrupt is not wired, as on most ISA cards.
#pragma once

#include <array>
#include <functional>

#include "userland/devices/device.hh"
#include "userland/devices/text_screen.hh"

namespace btvm {

class VgaText final : public Device {
public:
    /// Reads guest-physical memory; Platform::dma_read has this shape.
    using MemoryReader = std::function<void(std::uint64_t guest_physical, std::span<std::uint8_t> out)>;

    explicit VgaText(Platform& platform);

    [[nodiscard]] std::string_view name() const override { return "vga"; }
    [[nodiscard]] std::vector<PortRange> ports() const override;
    void reset() override;
    std::uint32_t read(std::uint16_t port, unsigned size) override;
    void write(std::uint16_t port, unsigned size, std::uint32_t value) override;
    void describe(StateArchive& archive) override;

    /// The screen as it is now. In a graphics mode text_mode is false and there are no cells.
    [[nodiscard]] TextScreen snapshot(const MemoryReader& read_memory) const;

    /// What the CRTC registers ask for, in guest time. Before the registers make sense: 80x25 at 70 Hz.
    struct Timing {
        std::uint64_t pixel_hz;
        unsigned line_pixels;   ///< Pixels of a whole line, retrace included.
        unsigned shown_pixels;  ///< Of these, shown.
        unsigned lines;         ///< Lines of a whole frame.
        unsigned shown_lines;   ///< Of these, shown.
        unsigned retrace_first; ///< First line of vertical retrace.
        unsigned retrace_lines; ///< Lines it lasts.
    };
    [[nodiscard]] Timing timing() const;

private:
    static constexpr unsigned kCrtcCount = 0x19;
    static constexpr unsigned kSequencerCount = 5;
    static constexpr unsigned kGraphicsCount = 9;
    static constexpr unsigned kAttributeCount = 0x15;

    [[nodiscard]] bool colour_ports() const { return (misc_output_ & 0x01) != 0; }
    /// 2 if the vertical counter runs at half speed (mode control bit 2): every vertical value counts twice.
    [[nodiscard]] unsigned line_scale() const;
    [[nodiscard]] unsigned shown_lines() const;
    [[nodiscard]] std::uint8_t input_status1() const;
    [[nodiscard]] std::uint8_t read_crtc() const;
    void write_crtc(std::uint8_t value);
    void write_attribute(std::uint8_t value);
    [[nodiscard]] std::uint8_t read_dac();
    void write_dac(std::uint8_t value);
    void write_graphics(std::uint8_t value);
    [[nodiscard]] Rgb colour(unsigned attribute_colour) const;
    void fill_cells(TextScreen& screen, const MemoryReader& read_memory) const;

    std::uint8_t misc_output_{};
    std::uint8_t feature_control_{};
    std::uint8_t video_enable_{};
    std::uint8_t crtc_index_{};
    std::uint8_t sequencer_index_{};
    std::uint8_t graphics_index_{};
    std::uint8_t attribute_index_{}; ///< Bit 5 is the palette address source: the screen is on.
    bool attribute_data_next_{};     ///< The flip-flop of 3C0h.
    std::array<std::uint8_t, kCrtcCount> crtc_{};
    std::array<std::uint8_t, kSequencerCount> sequencer_{};
    std::array<std::uint8_t, kGraphicsCount> graphics_{};
    std::array<std::uint8_t, kAttributeCount> attribute_{};
    std::uint8_t dac_mask_{0xFF};
    std::uint8_t dac_read_index_{};
    std::uint8_t dac_write_index_{};
    std::uint8_t dac_component_{};            ///< 0 red, 1 green, 2 blue: the next one at 3C9h.
    bool dac_reading_{};                      ///< 3C7h was written after 3C8h.
    std::array<std::uint8_t, 2> dac_latch_{}; ///< Red and green wait for blue; an entry changes whole.
    std::array<std::uint8_t, 3 * 256> dac_{};
    /// The window that text was last mapped at. While the BIOS loads a font the window is at A0000h, but what
    /// is shown stays.
    std::uint32_t text_window_{0xB8000};
};

} // namespace btvm

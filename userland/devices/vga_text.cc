#include "userland/devices/vga_text.hh"

#include <algorithm>

#include "userland/devices/state.hh"

namespace btvm {

namespace {

// CRTC registers (IBM PS/2 Hardware Interface Technical Reference, Video Subsystem: CRT controller
// registers).
enum Crtc : unsigned {
    kHorizontalTotal = 0x00,
    kHorizontalShownEnd = 0x01,
    kVerticalTotal = 0x06,
    kOverflow = 0x07,
    kMaximumScanLine = 0x09,
    kCursorStart = 0x0A,
    kCursorEnd = 0x0B,
    kStartHigh = 0x0C,
    kStartLow = 0x0D,
    kCursorHigh = 0x0E,
    kCursorLow = 0x0F,
    kRetraceStart = 0x10,
    kRetraceEnd = 0x11,
    kVerticalShownEnd = 0x12,
    kOffset = 0x13,
    kModeControl = 0x17,
    kLineCompare = 0x18,
};

constexpr std::uint8_t kSequencerMask[] = {0x03, 0x3D, 0x0F, 0x3F, 0x0E};
constexpr std::uint8_t kGraphicsMask[] = {0x0F, 0x0F, 0x0F, 0x1F, 0x03, 0x7B, 0x0F, 0x0F, 0xFF};

constexpr unsigned kGraphicsMisc = 6;     // bit 0 graphics, bits 2-3 memory window
constexpr unsigned kAttributeMode = 0x10; // bit 0 graphics, 1 monochrome, 3 blink, 7 colour bits 4-5 from 14h
constexpr unsigned kPlaneEnable = 0x12;
constexpr unsigned kColourSelect = 0x14;
constexpr unsigned kWindowBytes = 0x8000;

constexpr std::uint8_t attribute_mask(unsigned index) {
    switch (index) {
    case kAttributeMode: return 0xEF;
    case 0x11: return 0xFF; // overscan colour
    case 0x13:
    case kColourSelect: return 0x0F;
    default: return 0x3F;
    }
}

constexpr std::uint64_t kDefaultPixelHz = 28'322'000;

} // namespace

VgaText::VgaText(Platform& platform) : Device(platform) { reset(); }

std::vector<PortRange> VgaText::ports() const {
    return {{0x3B4, 2}, {0x3BA, 1}, {0x3C0, 16}, {0x3D4, 2}, {0x3DA, 1}};
}

void VgaText::reset() {
    misc_output_ = 0;
    feature_control_ = 0;
    video_enable_ = 1;
    crtc_index_ = sequencer_index_ = graphics_index_ = attribute_index_ = 0;
    attribute_data_next_ = false;
    crtc_ = {};
    sequencer_ = {};
    graphics_ = {};
    attribute_ = {};
    dac_mask_ = 0xFF;
    dac_read_index_ = dac_write_index_ = dac_component_ = 0;
    dac_reading_ = false;
    dac_latch_ = {};
    dac_ = {};
    text_window_ = 0xB8000;
}

std::uint32_t VgaText::read(std::uint16_t port, unsigned /*size*/) {
    switch (port) {
    case 0x3B4:
    case 0x3D4: return (port == 0x3D4) == colour_ports() ? crtc_index_ : 0xFF;
    case 0x3B5:
    case 0x3D5: return (port == 0x3D5) == colour_ports() ? read_crtc() : 0xFF;
    case 0x3BA:
    case 0x3DA:
        if ((port == 0x3DA) != colour_ports()) return 0xFF;
        attribute_data_next_ = false;
        return input_status1();
    case 0x3C0: return attribute_index_;
    case 0x3C1: {
        const unsigned index = attribute_index_ & 0x1F;
        return index < attribute_.size() ? attribute_[index] : 0;
    }
    case 0x3C2: return 0x10; // input status 0: a monitor answers; no retrace interrupt
    case 0x3C3: return video_enable_;
    case 0x3C4: return sequencer_index_;
    case 0x3C5: return sequencer_index_ < sequencer_.size() ? sequencer_[sequencer_index_] : 0;
    case 0x3C6: return dac_mask_;
    case 0x3C7: return dac_reading_ ? 0x03 : 0x00;
    case 0x3C8: return dac_write_index_;
    case 0x3C9: return read_dac();
    case 0x3CA: return feature_control_;
    case 0x3CC: return misc_output_;
    case 0x3CE: return graphics_index_;
    case 0x3CF: return graphics_index_ < graphics_.size() ? graphics_[graphics_index_] : 0;
    default: return 0xFF;
    }
}

void VgaText::write(std::uint16_t port, unsigned /*size*/, std::uint32_t wide) {
    const auto value = static_cast<std::uint8_t>(wide);
    switch (port) {
    case 0x3B4:
    case 0x3D4:
        if ((port == 0x3D4) == colour_ports()) crtc_index_ = value & 0x3F;
        break;
    case 0x3B5:
    case 0x3D5:
        if ((port == 0x3D5) == colour_ports()) write_crtc(value);
        break;
    case 0x3BA:
    case 0x3DA:
        if ((port == 0x3DA) == colour_ports()) feature_control_ = value & 0x0B;
        break;
    case 0x3C0: write_attribute(value); break;
    case 0x3C2: misc_output_ = value & 0xEF; break;
    case 0x3C3: video_enable_ = value & 0x01; break;
    case 0x3C4: sequencer_index_ = value & 0x07; break;
    case 0x3C5:
        if (sequencer_index_ < sequencer_.size())
            sequencer_[sequencer_index_] = value & kSequencerMask[sequencer_index_];
        break;
    case 0x3C6: dac_mask_ = value; break;
    case 0x3C7:
        dac_read_index_ = value;
        dac_component_ = 0;
        dac_reading_ = true;
        break;
    case 0x3C8:
        dac_write_index_ = value;
        dac_component_ = 0;
        dac_reading_ = false;
        break;
    case 0x3C9: write_dac(value); break;
    case 0x3CE: graphics_index_ = value & 0x0F; break;
    case 0x3CF: write_graphics(value); break;
    default: break;
    }
}

std::uint8_t VgaText::read_crtc() const {
    if (crtc_index_ < crtc_.size()) return crtc_[crtc_index_];
    if (crtc_index_ == 0x24) // the flip-flop of 3C0h, undocumented by IBM but on every VGA since
        return attribute_data_next_ ? 0x80 : 0x00;
    return 0;
}

void VgaText::write_crtc(std::uint8_t value) {
    if (crtc_index_ >= crtc_.size()) return;
    // Bit 7 of the retrace end register protects registers 0 to 7, all but bit 4 of 7 (line compare bit 8).
    if ((crtc_[kRetraceEnd] & 0x80) != 0 && crtc_index_ <= kOverflow) {
        if (crtc_index_ == kOverflow)
            crtc_[kOverflow] = static_cast<std::uint8_t>((crtc_[kOverflow] & ~0x10) | (value & 0x10));
        return;
    }
    crtc_[crtc_index_] = value;
}

void VgaText::write_attribute(std::uint8_t value) {
    if (!attribute_data_next_) {
        attribute_index_ = value & 0x3F;
    } else {
        // IBM forbids palette writes while the palette address source is the video side; cards take them
        // anyhow.
        const unsigned index = attribute_index_ & 0x1F;
        if (index < attribute_.size()) attribute_[index] = value & attribute_mask(index);
    }
    attribute_data_next_ = !attribute_data_next_;
}

std::uint8_t VgaText::read_dac() {
    const std::uint8_t value = dac_[3u * dac_read_index_ + dac_component_];
    if (++dac_component_ == 3) {
        dac_component_ = 0;
        ++dac_read_index_;
    }
    return value;
}

void VgaText::write_dac(std::uint8_t value) {
    value &= 0x3F;
    if (dac_component_ < 2) {
        dac_latch_[dac_component_++] = value;
        return;
    }
    const unsigned at = 3u * dac_write_index_;
    dac_[at] = dac_latch_[0];
    dac_[at + 1] = dac_latch_[1];
    dac_[at + 2] = value;
    dac_component_ = 0;
    ++dac_write_index_;
}

void VgaText::write_graphics(std::uint8_t value) {
    if (graphics_index_ >= graphics_.size()) return;
    graphics_[graphics_index_] = value & kGraphicsMask[graphics_index_];
    if (graphics_index_ == kGraphicsMisc) {
        const unsigned window = (value >> 2) & 3;
        if (window == 2)
            text_window_ = 0xB0000;
        else if (window == 3)
            text_window_ = 0xB8000;
    }
}

unsigned VgaText::line_scale() const { return (crtc_[kModeControl] & 0x04) != 0 ? 2 : 1; }

unsigned VgaText::shown_lines() const {
    const unsigned overflow = crtc_[kOverflow];
    return ((crtc_[kVerticalShownEnd] | (overflow & 0x02) << 7 | (overflow & 0x40) << 3) + 1) * line_scale();
}

VgaText::Timing VgaText::timing() const {
    const auto overflow_bit = [this](unsigned bit, unsigned to) {
        return static_cast<unsigned>((crtc_[kOverflow] >> bit) & 1) << to;
    };
    const unsigned scale = line_scale();
    const unsigned cell = (sequencer_[1] & 0x01) != 0 ? 8 : 9;
    Timing t{};
    t.pixel_hz = ((misc_output_ >> 2) & 3) == 0 ? 25'175'000 : 28'322'000;
    if ((sequencer_[1] & 0x08) != 0) t.pixel_hz /= 2;
    t.line_pixels = (crtc_[kHorizontalTotal] + 5u) * cell;
    t.shown_pixels = (crtc_[kHorizontalShownEnd] + 1u) * cell;
    t.lines = ((crtc_[kVerticalTotal] | overflow_bit(0, 8) | overflow_bit(5, 9)) + 2) * scale;
    t.shown_lines = shown_lines();
    t.retrace_first = (crtc_[kRetraceStart] | overflow_bit(2, 8) | overflow_bit(7, 9)) * scale;
    const unsigned end = crtc_[kRetraceEnd] & 0x0F;
    t.retrace_lines = ((end - t.retrace_first / scale) & 0x0F) * scale;
    // A guest may wait for retrace whatever the registers hold; nonsense runs at the timing of mode 3.
    const bool sane = t.shown_pixels < t.line_pixels && t.shown_lines < t.lines && t.retrace_lines != 0 &&
                      t.retrace_first >= t.shown_lines && t.retrace_first < t.lines;
    if (!sane) t = {kDefaultPixelHz, 900, 720, 449, 400, 412, 2};
    return t;
}

std::uint8_t VgaText::input_status1() const {
    const Timing t = timing();
    const auto now = static_cast<std::uint64_t>(platform_.now().count());
    // Pixels since power-on, in two parts so that the product stays within 64 bits for centuries.
    const std::uint64_t pixels =
        now / 1'000'000'000 * t.pixel_hz + now % 1'000'000'000 * t.pixel_hz / 1'000'000'000;
    const std::uint64_t in_frame = pixels % (std::uint64_t{t.line_pixels} * t.lines);
    const std::uint64_t line = in_frame / t.line_pixels;
    const std::uint64_t column = in_frame % t.line_pixels;
    const bool shown = line < t.shown_lines && column < t.shown_pixels;
    const bool retrace = line >= t.retrace_first && line < t.retrace_first + t.retrace_lines;
    return static_cast<std::uint8_t>((shown ? 0x00 : 0x01) | (retrace ? 0x08 : 0x00));
}

Rgb VgaText::colour(unsigned attribute_colour) const {
    unsigned index = attribute_[attribute_colour & attribute_[kPlaneEnable] & 0x0F];
    const unsigned select = attribute_[kColourSelect];
    if ((attribute_[kAttributeMode] & 0x80) != 0) index = (index & 0x0F) | ((select & 0x03) << 4);
    index |= (select & 0x0C) << 4;
    index &= dac_mask_;
    const auto widen = [](std::uint8_t six) { return static_cast<std::uint8_t>((six << 2) | (six >> 4)); };
    return {widen(dac_[3 * index]), widen(dac_[3 * index + 1]), widen(dac_[3 * index + 2])};
}

TextScreen VgaText::snapshot(const MemoryReader& read_memory) const {
    TextScreen screen;
    screen.text_mode = (graphics_[kGraphicsMisc] & 0x01) == 0 && (attribute_[kAttributeMode] & 0x01) == 0;
    screen.blanked =
        (attribute_index_ & 0x20) == 0 || (sequencer_[1] & 0x20) != 0 || (video_enable_ & 0x01) == 0;
    screen.blink = (attribute_[kAttributeMode] & 0x08) != 0;
    screen.monochrome = (attribute_[kAttributeMode] & 0x02) != 0;
    for (unsigned i = 0; i < screen.palette.size(); ++i)
        screen.palette[i] = colour(i);
    if (screen.text_mode) fill_cells(screen, read_memory);
    return screen;
}

void VgaText::fill_cells(TextScreen& screen, const MemoryReader& read_memory) const {
    const unsigned glyph_lines = (crtc_[kMaximumScanLine] & 0x1F) + 1u;
    const unsigned row_lines = glyph_lines * ((crtc_[kMaximumScanLine] & 0x80) != 0 ? 2 : 1);
    screen.columns = crtc_[kHorizontalShownEnd] + 1u;
    screen.rows = shown_lines() / row_lines;
    screen.cell_height = glyph_lines;
    screen.cells.resize(std::size_t{screen.rows} * screen.columns);

    // From the line after "line compare" on, the screen starts again at address 0 (a split screen).
    const unsigned compare =
        crtc_[kLineCompare] | ((crtc_[kOverflow] & 0x10u) << 4) | ((crtc_[kMaximumScanLine] & 0x40u) << 3);
    const unsigned split = std::min(screen.rows, (compare * line_scale() + row_lines) / row_lines);
    const unsigned start = crtc_[kStartHigh] << 8 | crtc_[kStartLow];
    const unsigned pitch = crtc_[kOffset] * 2u; // cells from one row to the next

    std::array<std::uint8_t, kWindowBytes> memory;
    read_memory(text_window_, memory);
    for (unsigned y = 0; y < screen.rows; ++y) {
        const unsigned row = y < split ? start + y * pitch : (y - split) * pitch;
        for (unsigned x = 0; x < screen.columns; ++x) {
            const unsigned at = 2 * (row + x) % kWindowBytes;
            screen.cells[std::size_t{y} * screen.columns + x] = {memory[at], memory[at + 1]};
        }
    }

    screen.cursor.first_line = crtc_[kCursorStart] & 0x1F;
    screen.cursor.last_line = std::min<unsigned>(crtc_[kCursorEnd] & 0x1F, glyph_lines - 1);
    // The cursor stands wherever its address is shown; it is off by bit 5 or when it starts below its end
    // (VGA).
    const unsigned address = crtc_[kCursorHigh] << 8 | crtc_[kCursorLow];
    // Where the picture wraps around at the end of the window, so does the cursor.
    const unsigned mask = start + screen.rows * pitch > kWindowBytes / 2 ? kWindowBytes / 2 - 1 : 0xFFFF;
    const auto place = [&](unsigned from, unsigned first_row, unsigned end_row) {
        const unsigned distance = (address - from) & mask;
        const unsigned y = pitch == 0 ? 0 : distance / pitch;
        const unsigned x = distance - y * pitch;
        if (x >= screen.columns || first_row + y >= end_row) return false;
        screen.cursor.x = x;
        screen.cursor.y = first_row + y;
        return true;
    };
    const bool placed = place(start, 0, split) || place(0, split, screen.rows);
    screen.cursor.visible =
        placed && (crtc_[kCursorStart] & 0x20) == 0 && screen.cursor.first_line <= screen.cursor.last_line;
}

void VgaText::describe(StateArchive& a) {
    a.field("misc_output", misc_output_);
    a.field("feature_control", feature_control_);
    a.field("video_enable", video_enable_);
    a.field("crtc_index", crtc_index_, {.below = 0x40});
    a.field("crtc", crtc_);
    a.field("sequencer_index", sequencer_index_, {.below = 8});
    a.field("sequencer", sequencer_);
    a.field("graphics_index", graphics_index_, {.below = 0x10});
    a.field("graphics", graphics_);
    a.field("attribute_index", attribute_index_, {.below = 0x40});
    a.field("attribute_data_next", attribute_data_next_);
    a.field("attribute", attribute_);
    a.field("dac_mask", dac_mask_);
    a.field("dac_read_index", dac_read_index_);
    a.field("dac_write_index", dac_write_index_);
    a.field("dac_component", dac_component_, {.below = 3});
    a.field("dac_reading", dac_reading_);
    a.field("dac_latch", dac_latch_, {.below = 0x40});
    a.field("dac", dac_, {.below = 0x40});
    a.field("text_window", text_window_);
    a.check(text_window_ == 0xB0000 || text_window_ == 0xB8000, "text_window: neither B0000h nor B8000h");
}

} // namespace btvm

// A VGA in text mode: its registers, the time in its status, and the picture.
#include "tests/unit/state/subjects.hh"
#include "userland/devices/vga_text.hh"

namespace btvm::test {

namespace {

class VgaBench final : public Bench {
public:
    VgaBench() {
        for (std::size_t i = 0xB0000; i < 0xC0000; i += 3)
            board.memory[i] = static_cast<std::uint8_t>(i * 7 + (i >> 9));
    }

    void operate(Random& random, Seen& seen) override {
        board.time += GuestTime(random.below(1'000'000));
        const std::uint16_t crtc = in(0x3CC) & 1 ? 0x3D4 : 0x3B4;
        switch (random.below(24)) {
        case 0: out(0x3C8, random.below(4)); break;
        case 1: out(0x3C7, random.below(4)); break;
        case 2:
        case 3: out(0x3C9, random.byte()); break;
        case 4: seen.add(in(0x3C9)); break;
        case 5: // where the text is
            out(0x3CE, 6);
            out(0x3CF, random.byte() & 0x0E);
            break;
        case 6: board.memory[0xB0000 + random.below(0x10000)] = random.byte(); break;
        case 7: // a picture of a usual size, for the next ones
            out(crtc, 9);
            out(static_cast<std::uint16_t>(crtc + 1), 0x4F);
            out(crtc, 0x11);
            out(static_cast<std::uint16_t>(crtc + 1), 0x0E);
            break;
        case 8: // the attribute controller, whose index and data share a port
            (void)in(0x3DA);
            (void)in(0x3BA);
            out(0x3C0, random.below(0x40));
            break;
        case 9: out(0x3C0, random.byte()); break;
        case 10: out(crtc, random.below(0x26)); break;
        case 11: out(static_cast<std::uint16_t>(crtc + 1), random.byte()); break;
        case 12: seen.add(in(static_cast<std::uint16_t>(crtc + 1))); break;
        case 13: picture(seen); break;
        default: {
            const auto port = static_cast<std::uint16_t>(0x3B0 + random.below(0x30));
            if (random.once_in(2))
                seen.add(in(port));
            else
                out(port, random.byte());
            break;
        }
        }
    }
    void inspect(Seen& seen) override {
        picture(seen);
        for (std::uint16_t port = 0x3B0; port < 0x3E0; port++)
            seen.add(in(port));
        for (unsigned i = 0; i < 768; i++)
            seen.add(in(0x3C9));
    }

protected:
    std::vector<Device*> build() override {
        vga_ = std::make_unique<VgaText>(board);
        return {vga_.get()};
    }

private:
    void picture(Seen& seen) {
        const TextScreen s =
            vga_->snapshot([this](std::uint64_t at, std::span<std::uint8_t> to) { board.dma_read(at, to); });
        seen.add(s.columns | s.rows << 10 | std::uint64_t{s.cell_height} << 32);
        seen.add(s.text_mode | s.blanked << 1 | s.blink << 2 | s.monochrome << 3);
        seen.add(s.cursor.x | s.cursor.y << 10 | std::uint64_t{s.cursor.visible} << 32 |
                 std::uint64_t{s.cursor.first_line} << 40 | std::uint64_t{s.cursor.last_line} << 48);
        for (const Rgb& c : s.palette)
            seen.add(std::uint64_t{c.red} << 16 | std::uint64_t{c.green} << 8 | c.blue);
        // The last ones tell where the rows begin. All of them would take long: there may be a quarter
        // million.
        const std::size_t count = std::min<std::size_t>(s.cells.size(), 300);
        for (std::size_t i = s.cells.size() - count; i < s.cells.size(); i++)
            seen.add(std::uint64_t{s.cells[i].code} << 8 | s.cells[i].attribute);
    }

    std::unique_ptr<VgaText> vga_;
};

} // namespace

std::unique_ptr<Bench> make_vga_bench() { return std::make_unique<VgaBench>(); }

} // namespace btvm::test

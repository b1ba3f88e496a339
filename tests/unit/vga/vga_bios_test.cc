// The VGA BIOSes that Debian packages, run on Unicorn's CPU against our registers: each must set every text
// mode, load its fonts, and print.
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <optional>
#include <unicorn/unicorn.h>

#include "tests/unit/common/test_board.hh"
#include "userland/devices/vga_text.hh"

namespace btvm {
namespace {

using test::TestBoard;

constexpr std::uint32_t kRom = 0xC0000;
constexpr std::uint32_t kStop = 0x7C00; // where the guest returns to: nothing there is executed
constexpr std::uint32_t kStackTop = 0x7000;

class BiosMachine {
public:
    explicit BiosMachine(const std::vector<std::uint8_t>& rom) {
        uc_open(UC_ARCH_X86, UC_MODE_16, &uc_);
        uc_mem_map_ptr(uc_, 0, board.memory.size(), UC_PROT_ALL, board.memory.data());
        std::copy(rom.begin(), rom.end(), board.memory.begin() + kRom);
        board.memory[0x449] = 0x03; // what a system BIOS leaves in its data area
        hook(UC_X86_INS_IN, reinterpret_cast<void*>(&on_in));
        hook(UC_X86_INS_OUT, reinterpret_cast<void*>(&on_out));
        uc_hook interrupts{};
        uc_hook_add(uc_, &interrupts, UC_HOOK_INTR, reinterpret_cast<void*>(&on_interrupt), this, 1, 0);
    }
    ~BiosMachine() { uc_close(uc_); }
    BiosMachine(const BiosMachine&) = delete;
    BiosMachine& operator=(const BiosMachine&) = delete;

    /// A far call to C000:0003, as the system BIOS makes it. The machine's other interrupts are left alone.
    [[nodiscard]] bool start() { return run(0xC000, 0x0003, false); }

    [[nodiscard]] bool int10(unsigned ax, unsigned bx = 0, unsigned cx = 0, unsigned dx = 0) {
        set(UC_X86_REG_AX, ax);
        set(UC_X86_REG_BX, bx);
        set(UC_X86_REG_CX, cx);
        set(UC_X86_REG_DX, dx);
        return run(word(0x42), word(0x40), true);
    }
    [[nodiscard]] bool print(const std::string& text) {
        for (const char c : text)
            if (!int10(0x0E00 | static_cast<std::uint8_t>(c), 0x0007)) return false;
        return true;
    }
    TextScreen snapshot() {
        return vga.snapshot([this](std::uint64_t at, std::span<std::uint8_t> to) { board.dma_read(at, to); });
    }

    TestBoard board;
    VgaText vga{board};

private:
    void set(int reg, unsigned value) { uc_reg_write(uc_, reg, &value); }
    [[nodiscard]] unsigned get(int reg) {
        unsigned value = 0;
        uc_reg_read(uc_, reg, &value);
        return value;
    }
    [[nodiscard]] std::uint16_t word(std::uint32_t at) const {
        return static_cast<std::uint16_t>(board.memory[at] | board.memory[at + 1] << 8);
    }
    void push(std::uint16_t value) {
        const unsigned sp = get(UC_X86_REG_SP) - 2;
        set(UC_X86_REG_SP, sp);
        board.memory[sp] = static_cast<std::uint8_t>(value);
        board.memory[sp + 1] = static_cast<std::uint8_t>(value >> 8);
    }
    bool run(unsigned segment, unsigned offset, bool with_flags) {
        for (const int reg : {UC_X86_REG_DS, UC_X86_REG_ES, UC_X86_REG_SS})
            set(reg, 0);
        set(UC_X86_REG_SP, kStackTop);
        if (with_flags) push(0x0002);
        push(0);
        push(kStop);
        set(UC_X86_REG_CS, segment);
        const std::uint32_t begin = segment * 16 + offset;
        return uc_emu_start(uc_, begin, kStop, 0, 3'000'000) == UC_ERR_OK &&
               get(UC_X86_REG_CS) * 16 + get(UC_X86_REG_IP) == kStop;
    }
    void hook(int instruction, void* callback) {
        uc_hook handle{};
        uc_hook_add(uc_, &handle, UC_HOOK_INSN, callback, this, 1, 0, instruction);
    }
    [[nodiscard]] bool ours(unsigned port) const {
        for (const PortRange& r : vga.ports())
            if (port >= r.first && port < r.first + r.count) return true;
        return false;
    }
    std::uint32_t in(unsigned port, unsigned size) {
        board.time += std::chrono::microseconds(1);
        std::uint32_t value = 0;
        for (unsigned i = 0; i < size; ++i)
            value |= (ours(port + i) ? vga.read(static_cast<std::uint16_t>(port + i), 1) : 0xFF) << (8 * i);
        return value;
    }
    void out(unsigned port, unsigned size, std::uint32_t value) {
        board.time += std::chrono::microseconds(1);
        for (unsigned i = 0; i < size; ++i)
            if (ours(port + i)) vga.write(static_cast<std::uint16_t>(port + i), 1, value >> (8 * i) & 0xFF);
    }
    static std::uint32_t on_in(uc_engine*, std::uint32_t port, int size, void* self) {
        return static_cast<BiosMachine*>(self)->in(port, static_cast<unsigned>(size));
    }
    static void on_out(uc_engine*, std::uint32_t port, int size, std::uint32_t value, void* self) {
        static_cast<BiosMachine*>(self)->out(port, static_cast<unsigned>(size), value);
    }
    /// Unicorn hands over every `int`; real mode dispatches it through the vector table.
    static void on_interrupt(uc_engine*, std::uint32_t number, void* context) {
        auto& self = *static_cast<BiosMachine*>(context);
        self.push(static_cast<std::uint16_t>(self.get(UC_X86_REG_EFLAGS)));
        self.push(static_cast<std::uint16_t>(self.get(UC_X86_REG_CS)));
        self.push(static_cast<std::uint16_t>(self.get(UC_X86_REG_IP)));
        self.set(UC_X86_REG_CS, self.word(4 * number + 2));
        self.set(UC_X86_REG_IP, self.word(4 * number));
    }

    uc_engine* uc_{};
};

class VgaBios : public testing::TestWithParam<const char*> {
protected:
    void SetUp() override {
        std::ifstream file(GetParam(), std::ios::binary);
        if (!file) GTEST_SKIP() << GetParam() << " is not installed";
        rom_.assign(std::istreambuf_iterator<char>(file), {});
        machine_.emplace(rom_);
        ASSERT_TRUE(machine_->start());
    }
    std::vector<std::uint8_t> rom_;
    std::optional<BiosMachine> machine_;
};

TEST_P(VgaBios, SetsEveryTextMode) {
    struct {
        unsigned mode, columns;
        bool monochrome;
    } const modes[] = {{0, 40, false}, {1, 40, false}, {2, 80, false}, {3, 80, false}, {7, 80, true}};
    for (const auto& m : modes) {
        ASSERT_TRUE(machine_->int10(m.mode)) << m.mode;
        ASSERT_TRUE(machine_->print("Mode " + std::to_string(m.mode) + "\r\nsecond line"));
        const TextScreen s = machine_->snapshot();
        EXPECT_TRUE(s.text_mode) << m.mode;
        EXPECT_FALSE(s.blanked) << m.mode;
        EXPECT_EQ(s.columns, m.columns) << m.mode;
        EXPECT_EQ(s.rows, 25u) << m.mode;
        EXPECT_EQ(s.cell_height, 16u) << m.mode;
        EXPECT_EQ(s.monochrome, m.monochrome) << m.mode;
        EXPECT_EQ(row_text(s, 0), "Mode " + std::to_string(m.mode));
        EXPECT_EQ(row_text(s, 1), "second line");
        EXPECT_TRUE(s.cursor.visible);
        EXPECT_EQ(s.cursor.x, 11u);
        EXPECT_EQ(s.cursor.y, 1u);
        const VgaText::Timing t = machine_->vga.timing();
        EXPECT_NEAR(static_cast<double>(t.pixel_hz) / t.line_pixels / t.lines, 70.0, 0.2) << m.mode;
    }
}

TEST_P(VgaBios, LoadsFontsOfOtherHeights) {
    struct {
        unsigned ax, rows, height;
    } const fonts[] = {{0x1112, 50, 8}, {0x1111, 28, 14}, {0x1114, 25, 16}};
    for (const auto& f : fonts) {
        ASSERT_TRUE(machine_->int10(0x0003));
        ASSERT_TRUE(machine_->int10(f.ax));
        const TextScreen s = machine_->snapshot();
        EXPECT_EQ(s.rows, f.rows) << std::hex << f.ax;
        EXPECT_EQ(s.cell_height, f.height) << std::hex << f.ax;
        EXPECT_TRUE(s.text_mode);
    }
}

TEST_P(VgaBios, ShowsTheSixteenStandardColours) {
    ASSERT_TRUE(machine_->int10(0x0003));
    const TextScreen s = machine_->snapshot();
    for (unsigned i = 0; i < 16; ++i) {
        const unsigned high = (i & 8) != 0 ? 0x55 : 0;
        const auto part = [&](unsigned bit) {
            return static_cast<std::uint8_t>(((i & bit) != 0 ? 0xAA : 0) + high);
        };
        const Rgb expected = i == 6 ? Rgb{0xAA, 0x55, 0x00} : Rgb{part(4), part(2), part(1)};
        EXPECT_EQ(s.palette[i], expected) << i;
    }
}

TEST_P(VgaBios, MovesAndShapesTheCursorAndScrolls) {
    ASSERT_TRUE(machine_->int10(0x0003));
    ASSERT_TRUE(machine_->int10(0x0100, 0, 0x0607));
    ASSERT_TRUE(machine_->int10(0x0200, 0, 0, 0x1805));
    TextScreen s = machine_->snapshot();
    EXPECT_EQ(s.cursor.x, 5u);
    EXPECT_EQ(s.cursor.y, 24u);
    EXPECT_TRUE(s.cursor.visible);
    EXPECT_GE(s.cursor.first_line, 13u); // scaled to the 16-line cell
    ASSERT_TRUE(machine_->print("bottom\r\nnew"));
    s = machine_->snapshot();
    EXPECT_EQ(row_text(s, 23), "     bottom");
    EXPECT_EQ(row_text(s, 24), "new");
    ASSERT_TRUE(machine_->int10(0x0100, 0, 0x2000));
    EXPECT_FALSE(machine_->snapshot().cursor.visible);
    ASSERT_TRUE(machine_->int10(0x0501)); // page 1
    ASSERT_TRUE(machine_->print("x"));
    EXPECT_EQ(row_text(machine_->snapshot(), 24), "");
    ASSERT_TRUE(machine_->int10(0x1003, 0x0000)); // bright backgrounds instead of blinking
    EXPECT_FALSE(machine_->snapshot().blink);
}

TEST_P(VgaBios, GraphicsModeIsNoTextMode) {
    ASSERT_TRUE(machine_->int10(0x0012));
    EXPECT_FALSE(machine_->snapshot().text_mode);
    ASSERT_TRUE(machine_->int10(0x0013));
    EXPECT_FALSE(machine_->snapshot().text_mode);
    ASSERT_TRUE(machine_->int10(0x0003));
    EXPECT_TRUE(machine_->snapshot().text_mode);
}

INSTANTIATE_TEST_SUITE_P(Roms, VgaBios,
                         testing::Values("/usr/share/vgabios/vgabios.bin",
                                         "/usr/share/vgabios/vgabios.stdvga.bin",
                                         "/usr/share/seabios/vgabios-isavga.bin",
                                         "/usr/share/seabios/vgabios-stdvga.bin"));

} // namespace
} // namespace btvm

// States of the floppy controller in the middle of things, with another medium, and damaged.
#include <random>

#include "fdc_driver.hh"
#include "userland/devices/state.hh"

namespace btvm {
namespace {

/// A board of its own with DMA, controller and two drives.
struct Machine {
    FakePlatform platform{0x10000};
    Dma dma{platform};
    Fdc fdc{platform, dma};

    Machine(const std::string& a, const std::string& b) {
        FloppyImage::Options options;
        options.snapshot = true;
        fdc.insert(0, FloppyImage::open(a, options));
        fdc.insert(1, FloppyImage::open(b, options));
        dma.reset();
        fdc.reset();
    }
    [[nodiscard]] Bytes save() {
        Bytes bytes;
        append_bytes(save_state(dma), bytes);
        append_bytes(save_state(fdc), bytes);
        return bytes;
    }
    void load(const Bytes& bytes) {
        std::span<const std::uint8_t> rest = bytes;
        load_state(dma, take_section(rest));
        load_state(fdc, take_section(rest));
    }
};

using Numbers = std::initializer_list<unsigned long>;

/// Stands for time in a sequence: the value is in milliseconds.
constexpr std::uint16_t kPause = 0xffff;

struct Access {
    std::uint16_t port;
    bool write;
    std::uint8_t value;
};

/// Sequences that get somewhere: whole commands with plausible parameters, by DMA and without, and noise in
/// between.
class Generator {
public:
    explicit Generator(unsigned seed) : random_(seed) {}

    std::vector<Access> make() {
        out(0xd6, 0xc0);
        out(0xd4, 0);
        out(0x3f2, 0x3c);
        for (int i = 0; i < 50; i++)
            step();
        return std::move(list_);
    }

private:
    void out(unsigned port, unsigned long value) {
        list_.push_back({static_cast<std::uint16_t>(port), true, static_cast<std::uint8_t>(value)});
    }
    void in(unsigned port, unsigned long times = 1) {
        while (times--)
            list_.push_back({static_cast<std::uint16_t>(port), false, 0});
    }
    void command(Numbers bytes) {
        for (const unsigned long byte : bytes)
            out(0x3f5, byte);
    }
    void pause(unsigned long milliseconds) { out(kPause, milliseconds); }
    unsigned long below(unsigned long limit) { return random_() % limit; }
    unsigned long cylinder() { return below(4) ? 0 : below(3); }

    void transfer() {
        constexpr unsigned long kCodes[] = {0xe6, 0x66, 0xc5, 0x45, 0x4c, 0x49, 0x56, 0x51, 0x42, 0xd6};
        out(0x0c, 0);
        out(0x0b, 0x42 | below(3) << 2);
        out(0x04, 0);
        out(0x04, 0x80);
        out(0x81, 0);
        const unsigned long count = (1 + below(4)) * 512 - below(2);
        out(0x05, count);
        out(0x05, count >> 8);
        out(0x0a, below(4) ? 2 : 6); // or masked: the controller waits
        const unsigned long head = below(2);
        command({kCodes[below(10)], head << 2, cylinder(), head, 1 + below(9), 2, 9, 0x1b, 0xff});
    }
    void step() {
        if (below(2)) { // back to where commands succeed
            out(0x3f2, 0x3c);
            out(0x3f4, 0x80);
            pause(1);
            command({0x03, 0xdf, 0x02});
        }
        switch (below(9)) {
        case 0:
        case 1: transfer(); break;
        case 2: // without DMA, a part of a sector, with and without the FIFO
            command({0x13, 0, below(2) << 5 | below(16), 0});
            command({0x03, 0xdf, 0x01});
            command({0x66, 0, 0, 0, 1 + below(9), 2, 9, 0x1b, 0xff});
            in(0x3f4, 4);
            in(0x3f5, below(80));
            if (below(2)) out(0x3f4, 0x80);
            break;
        case 3:
            if (below(2))
                command({0x0f, below(2), cylinder()});
            else
                command({0x07, below(3)});
            break;
        case 4: command({0x03, 0xdf, 0x02 | below(2)}); break;
        case 5: command({0x4a, below(2) << 2}); break;
        case 6: out(below(2) ? 0x3f7 : 0x3f4, below(4)); break;
        case 7:
            command({0x13, 0, below(128), 0});
            command({0x0e});
            in(0x3f5, 10);
            break;
        default:
            out(0x3f2, below(4) ? 0x3c : below(256));
            out(0x3f5, below(2) ? 0x08 : below(256));
            break;
        }
        in(0x3f4, 1 + below(6));
        if (!below(3)) pause(below(3) ? 5 : 250);
        if (below(3)) in(0x3f5, 8);
        if (!below(4)) in(0x3f7);
        if (!below(6)) out(0x3f2, 0x3c); // also drives the interrupt line anew
    }

    std::mt19937 random_;
    std::vector<Access> list_;
};

struct FdcStateInMotion : FdcDriver {
    PatternFile file{1440};
    FdcStateInMotion() { fdc.insert(0, FloppyImage::open(file.path())); }
    /// Forgets everything and gets it back.
    void save_and_load() {
        const StateSection section = save_state(fdc);
        fdc.reset();
        load_state(fdc, section);
    }
};

TEST_F(FdcStateInMotion, PatienceWithTheDmaControllerGoesOn) {
    start();
    program_dma(0x46, 0x8000, 512);
    dma.write(0x0a, 1, 6);
    command(transfer(0xe6, 0, 0, 0, 1, 18), 0);
    platform.run(fdc, 150ms);
    save_and_load();
    EXPECT_TRUE(wait(60ms));
    EXPECT_EQ(result(7)[1], 0x10);
}

TEST_F(FdcStateInMotion, RequestToTheProcessorStays) {
    start(0, true);
    command(transfer(0x66, 0, 0, 0, 1, 18), 0);
    ASSERT_TRUE(wait());
    save_and_load();
    out(0x3f2, 0x3c); // drives the line anew
    EXPECT_TRUE(irq());
    EXPECT_EQ(in(0x3f5), pattern_sector(0)[0]);
}

TEST(FdcState, AnotherMediumIsRefused) {
    PatternFile a(1440), b(720), c(1440);
    Machine m(a.path(), b.path());
    const Bytes bytes = m.save();
    (void)m.fdc.eject(0);
    EXPECT_THROW(m.load(bytes), StateError);
    FloppyImage::Options snapshot;
    snapshot.snapshot = true;
    m.fdc.insert(0, FloppyImage::open(b.path(), snapshot));
    EXPECT_THROW(m.load(bytes), StateError);
    (void)m.fdc.eject(0);
    m.fdc.insert(0, FloppyImage::open(c.path())); // not a snapshot
    EXPECT_THROW(m.load(bytes), StateError);
}

TEST(FdcState, DamagedStatesAreRefusedOrHarmless) {
    PatternFile a(1440), b(720);
    std::mt19937 random(3);
    Machine m(a.path(), b.path());
    std::vector<Bytes> states;
    for (const Access& access : Generator(7).make()) {
        Device& device = access.port >= 0x3f0 ? static_cast<Device&>(m.fdc) : m.dma;
        if (access.write && access.port != kPause)
            device.write(access.port, 1, access.value);
        else if (!access.write)
            (void)device.read(access.port, 1);
        m.platform.run(m.fdc, GuestTime(random() % 200000));
        if (states.size() < 12) states.push_back(m.save());
    }
    for (const Bytes& good : states) {
        for (int i = 0; i < 20; i++) {
            Bytes bytes = good;
            bytes[random() % bytes.size()] ^= static_cast<std::uint8_t>(1u << random() % 8);
            try {
                m.load(bytes);
            } catch (const StateError&) {
                continue;
            }
            for (int k = 0; k < 700; k++) {
                if (k % 3)
                    (void)m.fdc.read(0x3f5, 1);
                else
                    m.fdc.write(0x3f5, 1, random() & 0xff);
            }
            m.platform.run(m.fdc, 1ms);
        }
    }
}

} // namespace
} // namespace btvm

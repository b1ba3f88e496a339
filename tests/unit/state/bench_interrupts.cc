// The interrupt controllers with the processor that they interrupt, and the timer.
#include "tests/unit/state/subjects.hh"
#include "userland/devices/pic_state.hh"

namespace btvm::test {

namespace {

using namespace std::chrono_literals;

/// What lives in the core, as a device.
template <class Chip>
class CoreChip final : public Device {
public:
    CoreChip(Platform& platform, const char* name, std::vector<PortRange> ports)
        : Device(platform), name_(name), ports_(std::move(ports)) {
        reset();
    }
    [[nodiscard]] std::string_view name() const override { return name_; }
    [[nodiscard]] std::vector<PortRange> ports() const override { return ports_; }
    void reset() override {
        if constexpr (requires { chip.reset(); })
            chip.reset();
        else
            chip.reset(now());
    }
    std::uint32_t read(std::uint16_t port, unsigned) override {
        if constexpr (requires { chip.read(port); })
            return chip.read(port);
        else
            return chip.read(port, now());
    }
    void write(std::uint16_t port, unsigned, std::uint32_t value) override {
        if constexpr (requires { chip.write(port, u8{}); })
            chip.write(port, static_cast<u8>(value));
        else
            chip.write(port, static_cast<u8>(value), now());
    }
    void describe(StateArchive& archive) override { btvm::describe(archive, chip); }
    [[nodiscard]] u64 now() const { return static_cast<u64>(platform_.now().count()); }

    Chip chip;

private:
    const char* name_;
    std::vector<PortRange> ports_;
};

class PicBench final : public Bench {
public:
    void operate(Random& random, Seen& seen) override {
        constexpr std::uint16_t kPorts[] = {0x20, 0x21, 0xA0, 0xA1, 0x4D0, 0x4D1, 0xF0};
        const std::uint16_t chip = random.once_in(2) ? 0x20 : 0xA0;
        const auto data = static_cast<std::uint16_t>(chip + 1);
        Pic& pic = pic_->chip;
        switch (random.below(24)) {
        case 0:
        case 1:
        case 2:
        case 3:
        case 4: pic.set_irq(random.below(16), !random.once_in(3)); break;
        case 5:
        case 6:
        case 7: // the processor
            seen.add(pic.pending());
            if (pic.pending() || random.once_in(6)) seen.add(pic.acknowledge());
            break;
        case 8:
            if (random.once_in(3)) out(chip, 0x10 | random.below(16)); // a set-up, word by word
            break;
        case 9:
            out(data, random.once_in(4) ? random.byte() : random.byte() & random.byte() & random.byte());
            break;
        case 10:
        case 11: out(chip, 0x20 | (random.byte() & 0xC7)); break; // ends of interrupts
        case 12: out(chip, random.byte() & 0xC7); break;          // priorities
        case 13: out(chip, 0x08 | (random.byte() & 0x67)); break; // special mask, poll, read
        case 14: pic.set_ferr(random.once_in(2)); break;
        case 15: // all of it; in level or edge mode, with automatic ends or not
            set_up(0x20, 0x08, 0x04, random);
            set_up(0xA0, 0x70, 0x02, random);
            break;
        case 16: // what is in service is masked, and others may interrupt it
            out(chip, 0x0B);
            out(data, in(chip));
            out(chip, 0x68);
            if (random.once_in(2)) out(0x20, 0x20);
            break;
        case 17: out(chip, 0x80); break; // rotates with automatic ends
        case 18: out(random.one_of(kPorts), random.byte()); break;
        default: seen.add(in(random.one_of(kPorts))); break;
        }
    }
    void watch(Seen& seen) override {
        Bench::watch(seen);
        seen.add(pic_->chip.pending() | pic_->chip.fpu_error().ignne << 1);
    }

protected:
    std::vector<Device*> build() override {
        pic_ = std::make_unique<CoreChip<Pic>>(
            board, "pic", std::vector<PortRange>{{0x20, 2}, {0xA0, 2}, {0x4D0, 2}, {0xF0, 1}});
        return {pic_.get()};
    }

private:
    void set_up(std::uint16_t chip, unsigned vectors, unsigned cascade, Random& random) {
        const auto data = static_cast<std::uint16_t>(chip + 1);
        out(chip, random.once_in(4) ? 0x19 : 0x11);
        out(data, vectors);
        out(data, cascade);
        out(data, 0x01 | (random.once_in(4) ? 0x02 : 0) | (random.byte() & 0x10));
        out(data, random.once_in(2) ? 0 : random.byte() & random.byte());
    }

    std::unique_ptr<CoreChip<Pic>> pic_;
};

class PitBench final : public Bench {
public:
    void operate(Random& random, Seen& seen) override {
        // Now and then time stands still, and then goes back a little: a clock that is set.
        if (random.once_in(40))
            board.time -= std::min(board.time, random.time(3ms));
        else
            board.time += random.once_in(4) ? random.time(60ms) : random.time(200us);
        const auto channel = static_cast<std::uint16_t>(0x40 + random.below(3));
        switch (random.below(12)) {
        case 0:
        case 1: out(channel, random.byte()); break;
        case 2: out(channel, random.below(4)); break;
        case 3: // a control word, a latch command
            out(0x43, (channel & 3u) << 6 | random.below(0x40));
            break;
        case 4: // a channel as software uses it, with a short count
            out(0x43, (channel & 3u) << 6 | 0x30 | random.below(16));
            out(channel, random.byte());
            out(channel, random.below(3));
            break;
        case 5: out(0x43, 0xC0 | random.below(0x40)); break;
        case 6: out(0x61, random.byte()); break;
        case 7: seen.add(in(0x61)); break;
        case 8: // the interrupt
            seen.add(pit_->chip.collect_ticks(pit_->now()));
            break;
        default: seen.add(in(channel)); break;
        }
    }
    void watch(Seen& seen) override {
        Bench::watch(seen);
        const Pit& pit = pit_->chip;
        seen.add(pit.next_irq_ns(pit_->now()));
        seen.add(pit.level(pit_->now()) | pit.speaker(pit_->now()) << 1);
    }
    void inspect(Seen& seen) override {
        for (unsigned i = 0; i < 30; i++) {
            board.time += 137us;
            for (std::uint16_t port = 0x40; port < 0x43; port++)
                seen.add(in(port));
            seen.add(in(0x61));
            seen.add(pit_->chip.collect_ticks(pit_->now()));
        }
    }

protected:
    std::vector<Device*> build() override {
        pit_ = std::make_unique<CoreChip<Pit>>(board, "pit", std::vector<PortRange>{{0x40, 4}, {0x61, 1}});
        return {pit_.get()};
    }

private:
    std::unique_ptr<CoreChip<Pit>> pit_;
};

} // namespace

std::unique_ptr<Bench> make_pic_bench() { return std::make_unique<PicBench>(); }
std::unique_ptr<Bench> make_pit_bench() { return std::make_unique<PitBench>(); }

} // namespace btvm::test

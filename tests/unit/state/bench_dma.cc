// The DMA controller, with a device on each channel.
#include "tests/unit/state/subjects.hh"
#include "userland/devices/dma.hh"

namespace btvm::test {

namespace {

class DmaBench final : public Bench {
public:
    DmaBench() {
        static const std::vector<std::uint8_t> content = [size = board.memory.size()] {
            std::vector<std::uint8_t> bytes(size);
            for (std::size_t i = 0; i < size; i++)
                bytes[i] = static_cast<std::uint8_t>(i * 3 + (i >> 8) + (i >> 16) * 11);
            return bytes;
        }();
        board.memory = content;
    }

    void operate(Random& random, Seen& seen) override {
        const unsigned channel = random.below(8);
        const auto port = [&](unsigned reg) {
            return static_cast<std::uint16_t>(channel < 4 ? reg : 0xC0 + 2 * reg);
        };
        constexpr unsigned kPages[] = {7, 3, 1, 2, 15, 11, 9, 10};
        // The byte comes first, whatever order the compiler likes for arguments.
        const auto out_byte = [&](auto&& place) {
            const std::uint8_t value = random.byte();
            out(port(place()), value);
        };
        switch (random.below(14)) {
        case 0: out(static_cast<std::uint16_t>(0x80 + kPages[channel]), random.below(12)); break;
        case 1:
        case 2: out_byte([&] { return 2 * (channel & 3) + random.below(2); }); break;
        case 3: // a channel as software sets it up
            out(port(12), 0);
            out(port(11), (random.byte() & 0x7C) | (channel & 3));
            out(port(2 * (channel & 3)), random.byte());
            out(port(2 * (channel & 3)), random.byte());
            out(port(2 * (channel & 3) + 1), random.below(40));
            out(port(2 * (channel & 3) + 1), 0);
            out(port(10), channel & 3);
            out(0xD6, 0xC0);
            out(0xD4, 0);
            break;
        case 4: out(port(8), random.once_in(4) ? random.byte() : 0); break;
        case 5: out_byte([&] { return 9 + random.below(3); }); break;
        case 6: out_byte([&] { return 12 + random.below(random.once_in(6) ? 4 : 1); }); break;
        case 7:
        case 8: { // a device's cycles
            std::vector<std::uint8_t> data(1 + random.below(48));
            for (std::uint8_t& byte : data)
                byte = random.byte();
            const bool to_memory = random.once_in(2);
            const Dma::Transfer moved =
                to_memory ? dma_->to_memory(channel, data) : dma_->from_memory(channel, data);
            seen.add(moved.bytes << 1 | moved.terminal_count);
            seen.add(data);
            break;
        }
        case 9: dma_->set_request(channel, random.once_in(2)); break;
        case 10: seen.add(in(static_cast<std::uint16_t>(0x80 + random.below(16)))); break;
        case 11: seen.add(in(port(8))); break;
        default: seen.add(in(port(random.below(16)))); break;
        }
    }
    void watch(Seen& seen) override {
        Bench::watch(seen);
        unsigned ready = 0;
        for (unsigned channel = 0; channel < 8; channel++)
            ready |= unsigned{dma_->ready(channel)} << channel;
        seen.add(ready);
    }
    void inspect(Seen& seen) override {
        for (unsigned i = 0; i < 2; i++)
            for (unsigned reg = 0; reg < 16; reg++) {
                seen.add(in(static_cast<std::uint16_t>(reg)));
                seen.add(in(static_cast<std::uint16_t>(0xC0 + 2 * reg)));
                seen.add(in(static_cast<std::uint16_t>(0x80 + reg)));
            }
    }

protected:
    std::vector<Device*> build() override {
        dma_ = std::make_unique<Dma>(board);
        return {dma_.get()};
    }
    void power_on() override { dma_->reset(); }

private:
    std::unique_ptr<Dma> dma_;
};

} // namespace

std::unique_ptr<Bench> make_dma_bench() { return std::make_unique<DmaBench>(); }

} // namespace btvm::test

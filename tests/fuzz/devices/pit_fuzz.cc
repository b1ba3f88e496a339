// The timer, with one more "port": a read of it does what the machine does at every turn.
#include "device_fuzz.hh"
#include "userland/devices/pic_state.hh"

namespace btvm {
namespace {

class PitDevice final : public Device {
public:
    using Device::Device;
    [[nodiscard]] std::string_view name() const override { return "pit"; }
    [[nodiscard]] std::vector<PortRange> ports() const override { return {{0x40, 4}, {0x61, 1}, {kTurn, 1}}; }
    void reset() override { pit_.reset(now()); }
    std::uint32_t read(std::uint16_t port, unsigned) override {
        if (port != kTurn) return pit_.read(port, now());
        (void)pit_.collect_ticks(now());
        const u64 next = pit_.next_irq_ns(now());
        BTVM_FUZZ_CHECK(next > now());
        if (next != Pit::kNever) {
            Pit ahead = pit_;
            BTVM_FUZZ_CHECK(ahead.collect_ticks(next - 1) == 0);
            BTVM_FUZZ_CHECK(ahead.level(next));
            BTVM_FUZZ_CHECK(ahead.collect_ticks(next) == 1);
        }
        return pit_.level(now()) | pit_.speaker(now()) << 1;
    }
    void write(std::uint16_t port, unsigned, std::uint32_t value) override {
        if (port != kTurn) pit_.write(port, static_cast<std::uint8_t>(value), now());
    }
    void describe(StateArchive& archive) override { btvm::describe(archive, pit_); }

private:
    static constexpr std::uint16_t kTurn = 0x1000;
    [[nodiscard]] u64 now() const { return static_cast<u64>(platform_.now().count()); }
    Pit pit_;
};

} // namespace

void make_board(FuzzBoard& board) { board.add<PitDevice>(); }

} // namespace btvm

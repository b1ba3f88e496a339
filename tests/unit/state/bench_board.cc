// The clock, and the small ports of the board.
#include "tests/unit/state/subjects.hh"
#include "userland/devices/rtc.hh"
#include "userland/devices/system_ports.hh"
#include "userland/machine/firmware_config.hh"
#include "userland/machine/power_port.hh"
#include "userland/machine/reset_control.hh"

namespace btvm::test {

namespace {

using namespace std::chrono_literals;

class RtcBench final : public Bench {
public:
    void operate(Random& random, Seen& seen) override {
        switch (random.below(6)) {
        case 0: advance(random.time(5ms)); break;
        case 1: advance(random.time(2s)); break;
        case 2: out(0x70, random.byte()); break;
        case 3:
            out(0x70, random.below(16));
            seen.add(in(0x71));
            break;
        case 4: seen.add(in(0x71)); break;
        default:
            out(0x70, random.below(16));
            out(0x71, random.byte() & 0x7F);
            break;
        }
    }
    void watch(Seen& seen) override {
        Bench::watch(seen);
        seen.add(rtc_->nmi_masked());
    }
    void inspect(Seen& seen) override {
        for (unsigned reg = 0; reg < 128; reg++) {
            out(0x70, reg);
            seen.add(in(0x71));
        }
    }

protected:
    std::vector<Device*> build() override {
        using namespace std::chrono;
        rtc_ = std::make_unique<Rtc>(board, Rtc::WallTime(seconds(1'795'268'758)));
        return {rtc_.get()};
    }

private:
    std::unique_ptr<Rtc> rtc_;
};

/// Each port that only one small device has.
class PortsBench final : public Bench {
public:
    void operate(Random& random, Seen& seen) override {
        constexpr std::uint16_t kPorts[] = {0x92, 0x402, 0x403, 0x500, 0x503, 0x511, 0x8900, 0xCF9};
        constexpr std::uint16_t kConsoles[] = {0x402, 0x403, 0x500, 0x503};
        constexpr char kText[] = "Shutdown\nab\r";
        switch (random.below(10)) {
        case 0: out(0x92, random.byte()); break;
        case 1: out(0xCF9, random.byte()); break;
        case 2: // the word that turns the machine off, mostly in its order
            out(0x8900,
                static_cast<unsigned char>(kText[random.once_in(8) ? random.below(12) : letter_++ % 8]));
            break;
        case 3:
        case 4: out(kConsoles[random.below(4)], random.one_of(kText)); break;
        case 5: out(random.once_in(2) ? 0x401 : 0x501, random.below(1000), 2); break;
        case 6: out(0x510, random.once_in(4) ? random.below(4) : 0x18 + random.below(12), 2); break;
        case 7: board.a20_gate = random.once_in(2); break; // by the keyboard controller
        case 8: seen.add(in(0x511)); break;
        default: seen.add(in(random.one_of(kPorts))); break;
        }
        if (random.once_in(3)) {
            for (unsigned i = random.below(5); i; i--)
                seen.add(in(0x511));
        }
    }
    void watch(Seen& seen) override {
        Bench::watch(seen);
        seen.add(offs_);
        seen.add(printed_);
    }

protected:
    std::function<void()> remember() override {
        return [this, offs = offs_, printed = printed_, letter = letter_] {
            offs_ = offs;
            printed_ = printed;
            letter_ = letter;
        };
    }
    std::vector<Device*> build() override {
        system_ = std::make_unique<SystemPorts>(board);
        console_ = std::make_unique<DebugConsole>(board, true);
        console_->on_line([this](DebugConsole::Channel channel, std::string_view line) {
            printed_ += std::to_string(static_cast<unsigned>(channel)).append(line) + '\n';
            if (printed_.size() > 400) printed_.erase(0, 200);
        });
        power_ = std::make_unique<PowerPort>(board, [this] { offs_++; });
        reset_ = std::make_unique<ResetControl>(board);
        firmware_ = std::make_unique<FirmwareConfig>(
            board, std::vector<FirmwareFile>{{"one", {1, 2, 3, 4, 5}}, {"two", {9, 8, 7}}});
        return {system_.get(), console_.get(), power_.get(), reset_.get(), firmware_.get()};
    }

private:
    std::unique_ptr<SystemPorts> system_;
    std::unique_ptr<DebugConsole> console_;
    std::unique_ptr<PowerPort> power_;
    std::unique_ptr<ResetControl> reset_;
    std::unique_ptr<FirmwareConfig> firmware_;
    unsigned letter_{};
    std::uint64_t offs_{};
    std::string printed_;
};

} // namespace

std::unique_ptr<Bench> make_rtc_bench() { return std::make_unique<RtcBench>(); }
std::unique_ptr<Bench> make_ports_bench() { return std::make_unique<PortsBench>(); }

} // namespace btvm::test

// The local APIC and the I/O APIC together with the 8259 pair, as a guest's processor sees them. A register
// is a "port"; more of these are the lines, the acknowledge, the NMI pin, IA32_APIC_BASE, and what the
// machine does at every turn.
#include "device_fuzz.hh"
#include "userland/devices/apic_state.hh"
#include "userland/devices/pic_state.hh"
#include "vmm/interrupts/interrupt_controllers.hh"

namespace btvm {
namespace {

class ApicDevice final : public Device {
public:
    using Device::Device;
    [[nodiscard]] std::string_view name() const override { return "apics"; }
    [[nodiscard]] std::vector<PortRange> ports() const override {
        return {{kPic, 2},    {kPic + 0x80, 2}, {kLocal, kRegisters}, {kIo, 2},   {kLine, 1},
                {kVector, 1}, {kNmi, 1},        {kBase, 1},           {kTurn, 1}, {kAnywhere, 1}};
    }
    [[nodiscard]] bool takes_words(std::uint16_t port) const override { return port != kPic; }
    void reset() override {
        cpu_ = {};
        cpu_.features.basic |= cpuid_feature::kApic;
        cpu_.apic_base = apic_base::kReset;
        pic_.reset();
        apics_.reset();
        constexpr u32 kEnabled = 0x1ff; // rarely found by chance, and nothing happens without
        controllers_.write(GuestPhysical(kLocalPage + 0xf0), &kEnabled, sizeof kEnabled);
    }
    std::uint32_t read(std::uint16_t port, unsigned size) override {
        controllers_.now_ns = now();
        std::uint32_t value = 0;
        if (in(port, kPic, 2) || in(port, kPic + 0x80, 2))
            value = pic_.read(port);
        else if (port == kVector)
            value = take();
        else if (port == kTurn)
            turn();
        else if (in(port, kLocal, kRegisters) || in(port, kIo, 2))
            controllers_.read(address(port), &value, size);
        follow();
        return value;
    }
    void write(std::uint16_t port, unsigned size, std::uint32_t value) override {
        controllers_.now_ns = now();
        if (in(port, kPic, 2) || in(port, kPic + 0x80, 2)) {
            pic_.write(port, static_cast<std::uint8_t>(value));
            controllers_.follow_pic();
        } else if (port == kLine) {
            controllers_.set_irq(value & 15, value & 0x80);
        } else if (port == kNmi) {
            controllers_.pulse_nmi();
        } else if (port == kBase) {
            (void)controllers_.write_base(value & 1 ? value : value & apic_base::kEnable);
        } else if (port == kAnywhere) { // where a guest's programs do not look, and across registers
            const GuestPhysical at((value & 1 ? kLocalPage : InterruptControllers::kIoApicPage) +
                                   (value >> 4 & 0xff0) + (value >> 1 & 7));
            std::uint8_t bytes[8]{};
            controllers_.write(at, bytes, 1 + (value >> 16 & 7));
        } else if (in(port, kLocal, kRegisters) || in(port, kIo, 2)) {
            controllers_.write(address(port), &value, size);
        }
        follow();
    }
    void describe(StateArchive& archive) override {
        archive.group("pic", [&](StateArchive& a) { btvm::describe(a, pic_); });
        archive.group("local", [&](StateArchive& a) { btvm::describe(a, apics_.local); });
        archive.group("io", [&](StateArchive& a) { btvm::describe(a, apics_.io); });
    }

private:
    static constexpr std::uint16_t kPic = 0x20, kLocal = 0x1000, kIo = 0x2000, kLine = 0x3000,
                                   kVector = 0x3001, kNmi = 0x3002, kBase = 0x3003, kTurn = 0x3004,
                                   kAnywhere = 0x3005;
    static constexpr std::uint16_t kRegisters = 64; // of 16 bytes
    static constexpr u64 kLocalPage = 0xfee00000;

    [[nodiscard]] static bool in(std::uint16_t port, unsigned first, unsigned count) {
        return port >= first && port < first + count;
    }
    [[nodiscard]] static GuestPhysical address(std::uint16_t port) {
        const u64 page = port < kIo ? kLocalPage : InterruptControllers::kIoApicPage;
        return GuestPhysical(page + (port & 0xfffu) * 16);
    }
    [[nodiscard]] u64 now() const { return static_cast<u64>(platform_.now().count()); }

    /// The processor takes what it is asked to take; nothing is asked for that was not requested.
    std::uint32_t take() {
        if (!controllers_.pending()) return 0;
        BTVM_FUZZ_CHECK(controllers_.requested());
        return controllers_.acknowledge();
    }
    void turn() {
        (void)controllers_.follow_time();
        const u64 next = controllers_.next_timer_ns();
        BTVM_FUZZ_CHECK(next > now());
        (void)controllers_.takes_tick();
        (void)controllers_.ticks_reach_io_apic();
    }
    /// After anything at all the state is one that can be saved and loaded.
    void follow() const {
        BTVM_FUZZ_CHECK(LocalApic::possible(apics_.local.state()));
        BTVM_FUZZ_CHECK(IoApic::possible(apics_.io.state()));
    }

    CpuState cpu_;
    Pic pic_;
    Apics apics_;
    InterruptControllers controllers_{cpu_, pic_, apics_};
};

} // namespace

void make_board(FuzzBoard& board) { board.add<ApicDevice>(); }

} // namespace btvm

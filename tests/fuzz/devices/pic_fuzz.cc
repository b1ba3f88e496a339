// The interrupt controllers, with three more "ports" for what is not a port: lines, INTR and the acknowledge.
#include "device_fuzz.hh"
#include "userland/devices/pic_state.hh"

namespace btvm {
namespace {

class PicDevice final : public Device {
public:
    using Device::Device;
    [[nodiscard]] std::string_view name() const override { return "pic"; }
    [[nodiscard]] std::vector<PortRange> ports() const override {
        return {{0x20, 2}, {0xa0, 2}, {0x4d0, 2}, {kLine, 1}, {kAcknowledge, 1}};
    }
    void reset() override { pic_.reset(); }
    std::uint32_t read(std::uint16_t port, unsigned) override {
        if (port == kLine) return pic_.pending();
        if (port != kAcknowledge) return pic_.read(port);
        const bool pending = pic_.pending();
        const std::uint8_t vector = pic_.acknowledge();
        const std::uint8_t master = pic_.master().vector_base, slave = pic_.slave().vector_base;
        BTVM_FUZZ_CHECK((vector & 0xf8) == master || (vector & 0xf8) == slave);
        if (!pending) BTVM_FUZZ_CHECK(vector == (master | 7));
        return vector;
    }
    void write(std::uint16_t port, unsigned, std::uint32_t value) override {
        if (port == kLine)
            pic_.set_irq(value & 31, value & 0x80);
        else if (port != kAcknowledge)
            pic_.write(port, static_cast<std::uint8_t>(value));
    }
    void describe(StateArchive& archive) override { btvm::describe(archive, pic_); }

private:
    static constexpr std::uint16_t kLine = 0x1000;
    static constexpr std::uint16_t kAcknowledge = 0x1001;
    Pic pic_;
};

} // namespace

void make_board(FuzzBoard& board) { board.add<PicDevice>(); }

} // namespace btvm

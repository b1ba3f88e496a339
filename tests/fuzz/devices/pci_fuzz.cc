// The PCI bus with the functions of the board. The registers that their base addresses move are fuzzed at
// fixed ports; whoever answers there is asked whether it is still at home.
#include <algorithm>

#include "device_fuzz.hh"
#include "userland/devices/acpi_pm.hh"
#include "userland/devices/pci_host.hh"
#include "userland/devices/piix_ide.hh"
#include "userland/devices/piix_isa.hh"

namespace btvm {
namespace {

class PciBoard final : public Device {
public:
    explicit PciBoard(Platform& platform)
        : Device(platform), host_(platform), isa_(platform), ide_(platform), pm_(platform, [] {}) {
        host_.add(1, 0, isa_.function());
        host_.add(1, 1, ide_.function());
        host_.add(1, 3, pm_.function());
    }
    [[nodiscard]] std::string_view name() const override { return "pci_board"; }
    [[nodiscard]] std::vector<PortRange> ports() const override {
        return {{0xcf8, 8}, {0xcf8, 8}, {0xc000, 16}, {0xb000, 64}, {0xb2, 2}, {0xafe0, 4}};
    }
    void reset() override {
        for (Device* device : all())
            device->reset();
        ide_.function().write(kPciBar0 + 16, 4, 0xc000);
        ide_.function().write(kPciCommand, 2, kPciCommandIo | kPciCommandMaster);
        pm_.function().write(0x40, 4, 0xb001);
        pm_.function().write(0x80, 1, 1);
    }
    std::uint32_t read(std::uint16_t port, unsigned size) override {
        Device* const device = owner(port);
        return device ? device->read(port, size) : 0;
    }
    void write(std::uint16_t port, unsigned size, std::uint32_t value) override {
        if (Device* const device = owner(port)) device->write(port, size, value);
    }
    [[nodiscard]] bool takes_words(std::uint16_t port) const override {
        Device* const device = const_cast<PciBoard*>(this)->owner(port);
        return device && device->takes_words(port);
    }
    [[nodiscard]] std::optional<GuestTime> deadline() const override { return pm_.deadline(); }
    void run_until(GuestTime now) override { pm_.run_until(now); }
    void describe(StateArchive& a) override {
        a.field("host", host_);
        a.field("isa", isa_);
        a.field("ide", ide_);
        a.field("pm", pm_);
    }

private:
    std::array<Device*, 4> all() { return {&host_, &isa_, &ide_, &pm_}; }
    Device* owner(std::uint16_t port) {
        for (Device* device : all())
            for (const PortRange& range : device->ports())
                if (port >= range.first && port - range.first < range.count) return device;
        return nullptr;
    }

    PciHost host_;
    PiixIsa isa_;
    PiixIde ide_;
    AcpiPm pm_;
};

} // namespace

void make_board(FuzzBoard& board) { board.add<PciBoard>(); }

} // namespace btvm
